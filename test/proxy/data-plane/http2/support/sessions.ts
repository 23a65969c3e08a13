import http2, { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { completeTimeouts } from '../../../../../core/proxy/settings/setting-names';
import { trustingLimits } from '../../../../../proxy/data-plane/contract/limits';
import type { Limits, Timeouts } from '../../../../../proxy/data-plane/contract/data-plane';
import type { ResponseHead, ClientEvents } from '../../../../../proxy/data-plane/contract/streams';
import { Http2Client } from '../../../../../proxy/data-plane/http2/downstream';
import { ClientSessions } from '../../../../../proxy/data-plane/http2/client-sessions';
import type { Http2Head } from '../../../../../proxy/data-plane/http2/request-head';
import { later, findPort, selfSigned } from '../../../support/world';

export const TIMEOUTS = completeTimeouts();

/** Room for a few. */
export const LIMITS = trustingLimits({
  clientConnections: 1_000,
  idleUpstreamConnections: 100,
  upstreamConnections: 100,
});

/** What one fake exchange was told. */
export class Notified implements ClientEvents {
  upload = '';
  trailers: string | undefined;
  broken: number | undefined;
  isGone = false;
  isSent = false;
  drained = 0;
  flushed = 0;
  /** Called at the end of the upload. */
  ended: () => void = () => undefined;

  constructor(
    readonly client: Http2Client,
    readonly head: Http2Head,
  ) {}

  uploadReceived(bytes: Buffer): void {
    this.upload += bytes.toString('latin1');
  }

  uploadEnded(trailers: string): void {
    this.trailers = trailers;
    this.ended();
  }

  uploadFlushed(): void {
    this.flushed += 1;
  }

  clientDrained(): void {
    this.drained += 1;
  }

  responseSent(): void {
    this.isSent = true;
  }

  clientGone(): void {
    this.isGone = true;
  }

  uploadBroken(response: { status: number }): void {
    this.broken = response.status;
    this.client.respond(response);
  }
}

export interface Sessions {
  readonly port: number;
  readonly sessions: ClientSessions;
  readonly notified: Notified[];
  readonly faults: unknown[];
  setDraining(): void;
}

export interface SessionsOptions {
  readonly limits?: Partial<Limits>;
  readonly timeouts?: Partial<Timeouts>;
  readonly isTls?: boolean;
  /** What an exchange does as it begins. */
  readonly begin?: (notified: Notified) => void;
}

/** Sessions behind a listener that peeks the preface, as the engine's does, and hands the socket on. */
export async function startSessions(options: SessionsOptions = {}): Promise<Sessions> {
  const notified: Notified[] = [];
  const faults: unknown[] = [];
  const context = {
    limits: { ...LIMITS, ...options.limits },
    timeouts: { ...TIMEOUTS, ...options.timeouts },
    isMemoryTight: false,
    isDraining: false,
    options: {},
    begin: (client: unknown, head: unknown) => {
      const one = new Notified(client as Http2Client, head as Http2Head);
      notified.push(one);
      options.begin?.(one);
      return one;
    },
    faulted: (error: unknown) => void faults.push(error),
  };
  const sessions = new ClientSessions(context);
  const server = options.isTls
    ? tls.createServer({ ...(await selfSigned()), ALPNProtocols: ['h2'] }, (socket) => sessions.accept(socket))
    : net.createServer({ allowHalfOpen: true }, (socket) => peek(socket, sessions));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    sessions.destroy();
    server.close();
  });
  return { port: findPort(server), sessions, notified, faults, setDraining: () => (context.isDraining = true) };
}

function peek(socket: net.Socket, sessions: ClientSessions): void {
  socket.on('error', () => undefined);
  socket.once('data', (bytes) => {
    socket.pause();
    socket.unshift(bytes);
    sessions.accept(socket);
  });
}

export function responseHead(changes: Partial<ResponseHead> = {}): ResponseHead {
  return {
    status: 200,
    httpVersion: '1.1',
    reason: '',
    fields: '',
    bodyLength: -1,
    statedLength: undefined,
    isEventStream: false,
    isEncoded: false,
    ...changes,
  };
}

/** Responds with text, whole. */
export function respondWith(
  notified: Notified,
  body: string,
  changes: Partial<ResponseHead> = {},
  trailers = '',
): void {
  notified.client.begin(responseHead(changes));
  if (body !== '') notified.client.write(Buffer.from(body));
  notified.client.end(trailers);
}

export async function connect(port: number, scheme: 'http' | 'https' = 'http'): Promise<ClientHttp2Session> {
  const session = http2.connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => undefined);
  later(() => session.destroy());
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  return session;
}

/** What came of one stream, to be looked at while it runs. */
export interface Got {
  readonly stream: ClientHttp2Stream;
  status: number | undefined;
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  informed: IncomingHttpHeaders[];
  body: string;
  isEnded: boolean;
  /** Set at the close; 0 without an error. */
  code: number | undefined;
}

/** `body` undefined: none; a stream to be written on: 'open'. */
export function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Got {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  const got: Got = {
    stream,
    status: undefined,
    headers: {},
    trailers: {},
    informed: [],
    body: '',
    isEnded: false,
    code: undefined,
  };
  stream.on('headers', (fields) => got.informed.push(fields));
  stream.on('response', (fields) => Object.assign(got, { status: fields[':status'], headers: fields }));
  stream.on('trailers', (fields: IncomingHttpHeaders) => (got.trailers = fields));
  stream.on('data', (bytes: Buffer) => (got.body += bytes.toString('latin1')));
  stream.on('end', () => (got.isEnded = true));
  stream.on('error', () => undefined);
  stream.on('close', () => (got.code = stream.rstCode));
  if (body !== undefined && body !== 'open') stream.end(body);
  return got;
}
