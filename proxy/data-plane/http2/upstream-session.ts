import http2, { type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { PlaneContext, UpstreamRequest, Upstreams } from '../context';
import type { Upstream, UpstreamFailure } from '../data-plane';
import type { Seen, UpstreamEvents, UpstreamHalf } from '../halves';
import type { Ticking } from '../ticker';
import { tlsOptions } from '../wire/connect';
import { Http2UpstreamHalf, StreamHome } from './upstream-half';

/** For all streams of a connection together; the first 64 KiB of RFC 9113 would make them wait for each other. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024;
/** RFC 9113 section 6.5.2: what a peer may be expected to take before it says. */
const STREAMS_AT_FIRST = 100;

/** In HTTP/2 there is no half of a connection: the upstream's end is the end of all its streams. */
const WHOLE = { allowHalfOpen: false };

/** What the pools need of the engine. */
export type Http2UpstreamsContext = Pick<PlaneContext, 'limits' | 'timeouts' | 'ticker'>;

/** The HTTP/2 connections to upstreams: plain by prior knowledge, or over TLS by ALPN. */
export class Http2Upstreams implements Upstreams {
  private readonly pools = new Map<string, Set<UpstreamSession>>();

  constructor(private readonly context: Http2UpstreamsContext) {}

  /** Sends a request on a connection that has room for one more, or on a new one; the Host of its fields is the authority. */
  open(upstream: Upstream, { head, fields }: UpstreamRequest, events: UpstreamEvents): UpstreamHalf {
    const session = this.sessionFor(upstream);
    const half = new Http2UpstreamHalf(head, fields, events, session);
    if (session) session.take(half);
    else setImmediate(() => half.fail('full', 'nothing'));
    return half;
  }

  destroy(): void {
    for (const pool of this.pools.values()) for (const session of pool) session.destroy();
  }

  private sessionFor(upstream: Upstream): UpstreamSession | undefined {
    const key = keyOf(upstream);
    const pool = this.pools.get(key) ?? new Set<UpstreamSession>();
    let least: UpstreamSession | undefined;
    let inUse = 0;
    for (const session of pool) {
      // One that is on its way out and has nothing to do takes nobody's place.
      if (!session.isLeaving || session.load > 0) inUse += 1;
      if (session.isLeaving) continue;
      if (session.hasRoom) return session;
      if (!least || session.load < least.load) least = session;
    }
    const { upstreamConnections, waitingRequests } = this.context.limits;
    if (inUse < upstreamConnections) return this.connect(upstream, key, pool);
    // node:http2 keeps what is over the peer's limit until there is room.
    return least && least.waiting < waitingRequests ? least : undefined;
  }

  private connect(upstream: Upstream, key: string, pool: Set<UpstreamSession>): UpstreamSession {
    const session = new UpstreamSession(upstream, this.context, () => {
      pool.delete(session);
      if (pool.size === 0) this.pools.delete(key);
    });
    this.pools.set(key, pool.add(session));
    return session;
  }
}

/** One connection to an upstream and the streams on it. */
class UpstreamSession implements Ticking, StreamHome {
  private readonly socket: Socket;
  private session: ClientHttp2Session | undefined;
  private readonly halves = new Set<Http2UpstreamHalf>();
  private isGone = false;
  private isGoing = false;
  /** It ended with an error, which Node gives as the reason of each stream's end, too. */
  isBroken = false;
  /** Streams above it were not looked at. */
  private lastStream = Infinity;
  private idleSinceMs: number;
  private readonly connectUntilMs: number;
  /** Since when nothing came from the upstream that owes answers. */
  private silentSinceMs = 0;
  private bytesSeen = -1;
  private pingedMs: number | undefined;

  constructor(
    private readonly upstream: Upstream,
    private readonly context: Http2UpstreamsContext,
    private readonly ended: () => void,
  ) {
    this.idleSinceMs = context.ticker.read();
    this.connectUntilMs = this.idleSinceMs + context.timeouts.connectMs;
    this.socket = upstream.protocol === 'https' ? this.connectTls() : this.connectPlain();
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.connectFailed(error));
    this.socket.once('close', () => this.gone('reset'));
    context.ticker.add(this);
  }

  /** It takes no further request. */
  get isLeaving(): boolean {
    return this.isGone || this.isGoing || this.session?.closed === true || this.session?.destroyed === true;
  }

  get hasRoom(): boolean {
    return this.load < this.maxStreams;
  }

  get load(): number {
    return this.halves.size;
  }

  /** Requests over the peer's limit. */
  get waiting(): number {
    return Math.max(0, this.load - this.maxStreams);
  }

  get bytesReceived(): number {
    return this.socket.bytesRead;
  }

  take(half: Http2UpstreamHalf): void {
    this.halves.add(half);
    if (this.session) half.start(this.session, this.upstream.protocol);
  }

  left(half: Http2UpstreamHalf): void {
    this.halves.delete(half);
    if (this.halves.size === 0) this.idleSinceMs = this.context.ticker.nowMs;
  }

  seen(streamId: number | undefined, bytesBefore: number): Seen {
    if (streamId === undefined || streamId > this.lastStream) return 'nothing';
    // Nothing at all came back since the stream began: on a connection that had served before, it was stale.
    return bytesBefore > 0 && this.bytesReceived === bytesBefore ? 'unlikely' : 'maybe';
  }

  destroy(): void {
    this.gone('reset');
  }

  tick(nowMs: number): void {
    if (!this.session) {
      if (nowMs >= this.connectUntilMs) this.gone('connectTimeout');
    } else if (this.halves.size === 0) {
      this.pingedMs = undefined;
      this.endIdle(this.session, nowMs - this.idleSinceMs);
    } else {
      this.watchSilence(nowMs);
    }
  }

  /** In order where the upstream lets it: one that takes nothing hears of no end. */
  private endIdle(session: ClientHttp2Session, idleMs: number): void {
    const { clientIdleMs, bodyIdleMs } = this.context.timeouts;
    if (idleMs >= clientIdleMs + bodyIdleMs) this.gone('reset');
    else if (idleMs >= clientIdleMs) session.close();
  }

  /** Answers may take long. Whether there is anybody to give one, a ping tells. */
  private watchSilence(nowMs: number): void {
    const bytes = this.bytesReceived;
    if (bytes !== this.bytesSeen || ![...this.halves].some(({ isWaiting }) => isWaiting)) {
      this.bytesSeen = bytes;
      this.silentSinceMs = nowMs;
      this.pingedMs = undefined;
    } else if (this.pingedMs !== undefined) {
      if (nowMs - this.pingedMs >= this.context.timeouts.connectMs) this.gone('idleTimeout');
    } else if (nowMs - this.silentSinceMs >= this.context.timeouts.connectMs) {
      this.pingedMs = nowMs;
      this.session?.ping(() => undefined);
    }
  }

  private get maxStreams(): number {
    return this.session?.remoteSettings?.maxConcurrentStreams ?? STREAMS_AT_FIRST;
  }

  private connectPlain(): Socket {
    const { host, port } = this.upstream;
    const socket = connectTcp({ host, port, noDelay: true, ...WHOLE });
    socket.once('connect', () => this.connected());
    return socket;
  }

  private connectTls(): Socket {
    const socket = connectTls({ ...tlsOptions(this.upstream, ['h2']), ...WHOLE, minVersion: 'TLSv1.2' });
    socket.once('secureConnect', () => {
      // gRPC has no other way to be said.
      if (socket.alpnProtocol === 'h2') this.connected();
      else this.gone('malformed');
    });
    return socket;
  }

  private connected(): void {
    if (this.isGone) return;
    const session = http2.connect(`${this.upstream.protocol}://${hostOf(this.upstream)}`, {
      createConnection: () => this.socket,
      settings: { enablePush: false },
      strictSingleValueFields: false,
    } as http2.ClientSessionOptions);
    this.session = session;
    session.on('error', () => undefined);
    session.on('goaway', (code: number, lastStream: number) => {
      this.isGoing = true;
      this.isBroken ||= code !== http2.constants.NGHTTP2_NO_ERROR;
      this.lastStream = Math.min(this.lastStream, lastStream);
    });
    session.once('close', () => this.gone('reset'));
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    for (const half of [...this.halves]) half.startLate(session, this.upstream.protocol);
  }

  private connectFailed(error: NodeJS.ErrnoException): void {
    if (this.session) return;
    const isNoHttp2 = /ALPN|APPLICATION_PROTOCOL/i.test(`${error.code} ${error.message}`);
    this.gone(isNoHttp2 ? 'malformed' : 'connectRefused');
  }

  private gone(failure: UpstreamFailure): void {
    if (this.isGone) return;
    this.isGone = true;
    this.context.ticker.remove(this);
    this.ended();
    const halves = [...this.halves];
    this.session?.destroy();
    this.socket.destroy();
    // Streams tell their halves themselves, with what they know.
    if (this.session && failure !== 'idleTimeout') return;
    for (const half of halves) half.fail(failure, this.session ? 'maybe' : 'nothing');
  }
}

function hostOf({ host, port }: Upstream): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Upstreams that may share a connection have one key. */
function keyOf(upstream: Upstream): string {
  const { protocol, host, port, serverName, verifyCertificate = true, authorities } = upstream;
  return JSON.stringify([protocol, host, port, serverName, verifyCertificate, authorities]);
}
