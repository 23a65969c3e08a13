import { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { Socket } from 'node:net';
import { machineTime } from '../../processes/machine-time';
import { Endpoint, connectionTo } from './endpoint';
import { RESPONSE_TIMEOUT_MS, HttpResponse, HttpRequest, NoResponse, Transport, pieces } from './transport';

/** Of one user without keep-alive. */
const MAX_CONNECTIONS = 8;

/**
 * HTTP/1.1 over TLS on one connection at a time, or without keep-alive on one each. Like a browser it sends a GET once more, on a new connection, when a reused connection was closed before any byte
 * of the response: the server may have closed it just as idle. A POST is never sent twice.
 */
export class Http1Transport implements Transport {
  readonly maxAtOnce: number;
  private readonly agent: Agent;

  constructor(
    private readonly endpoint: Endpoint,
    keepAlive: boolean,
    private readonly onRetry: () => void,
  ) {
    this.maxAtOnce = keepAlive ? 1 : MAX_CONNECTIONS;
    this.agent = new Agent({ keepAlive, maxSockets: keepAlive ? 1 : Infinity });
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    try {
      return await this.attempt(request);
    } catch (error) {
      if (!(error instanceof NoResponse && error.maySendAgain)) throw error;
      this.onRetry();
      return this.attempt(request);
    }
  }

  close(): void {
    this.agent.destroy();
  }

  private attempt(request: HttpRequest): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const call = httpsRequest({
        agent: this.agent,
        ...connectionTo(this.endpoint),
        method: request.method,
        path: request.path,
        headers: { host: this.endpoint.authority, ...request.headers, ...framing(request) },
      });
      const limit = machineTime.limit(RESPONSE_TIMEOUT_MS, () =>
        call.destroy(new Error(`no response in ${RESPONSE_TIMEOUT_MS} ms`)),
      );
      const watch = watchBytes(call);
      call.on('close', () => limit.clear());
      call.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = call.reusedSocket && !watch.anyByte && isClosed(error);
        reject(new NoResponse(error.message, isStale && request.method === 'GET'));
      });
      call.on('response', (response) => collect(response, resolve, reject));
      send(call, request);
    });
  }
}

function framing({ body, chunked }: HttpRequest): Record<string, string | number> {
  if (body === undefined) return {};
  return chunked === true ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length };
}

function send(call: ClientRequest, { body, chunked }: HttpRequest): void {
  if (chunked === true && body !== undefined) for (const piece of pieces(body)) call.write(piece);
  call.end(chunked === true ? undefined : body);
}

function isClosed(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ECONNRESET' || error.code === 'EPIPE';
}

/** Whether any byte came since this request took its connection: after one, it was not an idle connection's end. */
function watchBytes(call: ClientRequest): { anyByte: boolean } {
  const watch = { anyByte: false };
  call.on('socket', (socket: Socket) => {
    const mark = () => (watch.anyByte = true);
    socket.once('data', mark);
    call.once('close', () => socket.off('data', mark));
  });
  return watch;
}

function collect(
  response: IncomingMessage,
  resolve: (response: HttpResponse) => void,
  reject: (error: Error) => void,
): void {
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  response.on('error', (error) => reject(new NoResponse(`half a response: ${error.message}`, false)));
  response.on('end', () =>
    resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
  );
}
