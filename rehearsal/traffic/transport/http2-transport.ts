import {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  connect,
  constants,
} from 'node:http2';
import { connect as tlsConnect } from 'node:tls';
import { machineTime } from '../../processes/machine-time';
import { Endpoint, connectionTo } from './endpoint';
import { RESPONSE_TIMEOUT_MS, HttpResponse, HttpRequest, NoResponse, Transport, pieces } from './transport';

const ATTEMPTS = 3;

interface LiveSession {
  readonly session: ClientHttp2Session;
  responded: boolean;
  goAway?: { readonly code: number; readonly lastStreamId: number };
}

/**
 * HTTP/2 on one session at a time. A session that ends between requests is opened again. A request is sent again when
 * it was never processed (REFUSED_STREAM, or over the last stream of a GOAWAY). A GET is also sent again, once, when a
 * session that had responded before ended without a byte of its response, as browsers do.
 */
export class Http2Transport implements Transport {
  readonly maxAtOnce = 8;
  private live: LiveSession | undefined;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly onRetry: () => void,
  ) {}

  async send(request: HttpRequest): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt += 1) {
      const live = this.session();
      try {
        const response = await exchange(live, request, this.endpoint.authority);
        live.responded = true;
        return response;
      } catch (error) {
        if (!(error instanceof NoResponse && error.maySendAgain) || attempt === ATTEMPTS) throw error;
        this.onRetry();
        this.retire(live);
      }
    }
  }

  close(): void {
    this.live?.session.close();
  }

  private session(): LiveSession {
    if (this.live !== undefined && !this.live.session.closed && !this.live.session.destroyed) return this.live;
    const to = { ...connectionTo(this.endpoint), ALPNProtocols: ['h2'] };
    const session = connect(`https://${this.endpoint.authority}`, {
      createConnection: () => tlsConnect(to),
    });
    const live: LiveSession = { session, responded: false };
    // What goes wrong is told by each stream; a session without streams may go at any time.
    session.on('error', () => undefined);
    session.on('goaway', (code: number, lastStreamId: number) => {
      live.goAway = { code, lastStreamId };
      this.retire(live);
    });
    this.live = live;
    return live;
  }

  private retire(live: LiveSession): void {
    if (this.live === live) this.live = undefined;
    if (!live.session.destroyed) live.session.close();
  }
}

function exchange(live: LiveSession, request: HttpRequest, authority: string): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const stream = open(live, request, authority);
    const chunks: Buffer[] = [];
    let head: (IncomingHttpHeaders & IncomingHttpStatusHeader) | undefined;
    let problem: string | undefined;
    let ended = false;
    const limit = machineTime.limit(RESPONSE_TIMEOUT_MS, () => {
      problem = `no response in ${RESPONSE_TIMEOUT_MS} ms`;
      stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on('response', (headers) => (head = headers));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => (ended = true));
    stream.on('error', (error: Error) => (problem ??= error.message));
    stream.on('close', () => {
      limit.clear();
      const isWhole = head !== undefined && ended && problem === undefined && stream.rstCode === 0;
      if (isWhole) return resolve({ status: head?.[':status'] ?? 0, headers: head ?? {}, body: Buffer.concat(chunks) });
      const what = problem ?? `stream closed with code ${stream.rstCode}`;
      const isAgain = !head && (wasNeverProcessed(live, stream) || isStale(live, request));
      reject(new NoResponse(head ? `half a response: ${what}` : what, isAgain));
    });
  });
}

function open(live: LiveSession, request: HttpRequest, authority: string): ClientHttp2Stream {
  const { body, chunked } = request;
  const stream = live.session.request(
    {
      ':method': request.method,
      ':path': request.path,
      ':authority': authority,
      ...request.headers,
      ...(body !== undefined && chunked !== true ? { 'content-length': body.length } : {}),
    },
    { endStream: body === undefined },
  );
  if (body === undefined) return stream;
  for (const piece of pieces(body)) stream.write(piece);
  stream.end();
  return stream;
}

/** RFC 9113, 6.8 and 8.7. */
function wasNeverProcessed({ goAway }: LiveSession, { id, rstCode }: ClientHttp2Stream): boolean {
  // Node lets each stream of a session end with the code of its GOAWAY: that one says nothing about the stream.
  if (goAway === undefined) return rstCode === constants.NGHTTP2_REFUSED_STREAM;
  const isOver = id === undefined || id > goAway.lastStreamId;
  return isOver || (rstCode === constants.NGHTTP2_REFUSED_STREAM && rstCode !== goAway.code);
}

/** On the session that follows nothing gets a response yet, which is why it goes out only once more. */
function isStale(live: LiveSession, { method }: HttpRequest): boolean {
  return live.responded && method === 'GET' && live.session.destroyed;
}
