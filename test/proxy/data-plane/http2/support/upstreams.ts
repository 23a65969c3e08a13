import http2, { Http2Server, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { Limits, Timeouts, Upstream } from '../../../../../proxy/data-plane/contract/data-plane';
import type {
  ResponseHead,
  InterimHead,
  EngineHead,
  Seen,
  UpstreamEvents,
  UpstreamStream,
} from '../../../../../proxy/data-plane/contract/streams';
import { AddressList } from '../../../../../proxy/data-plane/shared/addresses';
import { Http2Upstreams } from '../../../../../proxy/data-plane/http2/upstream-session';
import { Ticker } from '../../../../../proxy/data-plane/shared/ticker';
import { later, findPort } from '../../../support/world';
import { LIMITS, TIMEOUTS } from './sessions';

export interface Backend {
  readonly upstream: Upstream;
  readonly sessions: ServerHttp2Session[];
  readonly streams: ServerHttp2Stream[];
}

type Handler = (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

/** A real HTTP/2 server. */
export async function startHttp2Backend(
  handler: Handler,
  options: http2.SecureServerOptions = {},
  changes: Partial<Upstream> = {},
): Promise<Backend> {
  const server: Http2Server = options.cert ? http2.createSecureServer(options) : http2.createServer(options);
  const sessions: ServerHttp2Session[] = [];
  const streams: ServerHttp2Stream[] = [];
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream, headers) => {
    streams.push(stream);
    stream.on('error', () => undefined);
    handler(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const protocol = options.cert ? ('https' as const) : ('http' as const);
  return { upstream: { protocol, host: '127.0.0.1', port, ...changes }, sessions, streams };
}

/** What one fake exchange was told by its upstream. */
export class Heard implements UpstreamEvents {
  half: UpstreamStream | undefined;
  informs: [number, string][] = [];
  head: ResponseHead | undefined;
  body = '';
  bytes = 0;
  trailers: string | undefined;
  failure: [string, Seen] | undefined;
  drained = 0;
  flushed = 0;

  deviated(): void {
    return;
  }

  informed({ status, fields }: InterimHead): void {
    this.informs.push([status, fields]);
  }

  switched(): void {
    throw new Error('HTTP/2 switches no protocol');
  }

  responseStarted(head: ResponseHead): void {
    this.head = head;
  }

  responseReceived(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (bytes.length < 1_000) this.body += bytes.toString('latin1');
  }

  responseEnded(trailers: string): void {
    this.trailers = trailers;
  }

  responseFlushed(): void {
    this.flushed += 1;
  }

  upstreamDrained(): void {
    this.drained += 1;
  }

  upstreamFailed(failure: string, seen: Seen): void {
    this.failure = [failure, seen];
  }

  get isOver(): boolean {
    return this.trailers !== undefined || this.failure !== undefined;
  }
}

/** A connection that is over, and still counted, would leave no room for another. */
export const ONE = { upstreamConnections: 1, waitingRequests: 0 };

export interface Asking {
  open(upstream: Upstream, head?: Partial<EngineHead>, fields?: string): Heard & { half: UpstreamStream };
}

/** A ticker whose time passes when the test says so. */
export class ManualTicker extends Ticker {
  /** A whole number, so that sums are exact. */
  override nowMs = 1_000;

  constructor() {
    super(1 << 30);
  }

  override read(): number {
    return this.nowMs;
  }

  /** Lets time pass, a second at a time. */
  pass(seconds: number): void {
    for (let second = 0; second < seconds; second += 1) {
      this.nowMs += 1000;
      this.tick();
    }
  }
}

interface UpstreamsOptions {
  readonly timeouts?: Partial<Timeouts>;
  readonly limits?: Partial<Limits>;
  readonly ticker?: Ticker;
}

export function startUpstreams(options: UpstreamsOptions = {}): Asking {
  const { ticker = new Ticker(10) } = options;
  const upstreams = new Http2Upstreams({
    ticker,
    hasFileForUpstream: true,
    addresses: new AddressList({ ticker, ageMs: 0 }),
    timeouts: { ...TIMEOUTS, ...options.timeouts },
    limits: { ...LIMITS, ...options.limits },
  });
  later(() => {
    upstreams.destroy();
    ticker.stop();
  });
  const open: Asking['open'] = (upstream, head = {}, fields = 'Host: shop.example\r\n') => {
    const heard = new Heard();
    const asked = requestHead(head);
    const request = { head: asked, url: asked.url, fields, choice: 'kept' as const };
    heard.half = upstreams.open(upstream, request, heard);
    return heard as Heard & { half: UpstreamStream };
  };
  return { open };
}

function requestHead(changes: Partial<EngineHead>): EngineHead {
  return {
    method: 'GET',
    url: '/',
    httpVersion: '2',
    headers: {},
    client: { address: '127.0.0.1', port: 1 },
    isTls: false,
    isUpgrade: false,
    expectsContinue: false,
    bodyLength: 0,
    takesTrailers: false,
    isGrpc: false,
    field: () => undefined,
    block: () => '',
    ...changes,
  };
}

export interface Relay {
  readonly port: number;
  /** Passes nothing on any more, and keeps the connections. */
  isMute: boolean;
  /** Destroys the connections, without a word of HTTP/2. */
  cut(): void;
}

/** Stands before a backend, to lose its connections as a network does. */
export async function startRelay(to: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    const inner = net.connect(to, '127.0.0.1');
    pass(socket, inner);
    pass(inner, socket);
    sockets.add(socket);
  });
  const relay = { isMute: false, port: 0, cut: () => sockets.forEach((socket) => socket.destroy()) };
  const pass = (from: Socket, other: Socket) => {
    from.on('error', () => undefined);
    from.on('close', () => other.destroy());
    from.on('data', (bytes) => (relay.isMute ? undefined : other.write(bytes)));
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.close();
    relay.cut();
  });
  relay.port = findPort(server);
  return relay;
}
