import http2, { type ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Addresses } from '../shared/addresses';
import { isShortage } from '../contract/connect-failure';
import type { UpstreamRequest, Upstreams } from '../contract/upstreams';
import { YOUNG_MS, type PlaneContext } from '../shared/context';
import type { FailureCause, Upstream, UpstreamFailure } from '../contract/data-plane';
import type { Seen, UpstreamEvents, UpstreamStream } from '../contract/streams';
import type { Ticking } from '../shared/ticker';
import { connectFirst } from '../transport/connect';
import { FrameGuard, type GuardEvents } from './frame-guard';
import { CheckedSocket } from './checked-socket';
import { Http2UpstreamStream, StreamHome } from './upstream';

/** For all streams of a connection together; the first 64 KiB of RFC 9113 would make them wait for each other. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024;
/** RFC 9113 section 6.5.2: what a peer may be expected to take before it says. */
const STREAMS_AT_FIRST = 100;

/** What a gRPC server says in the GOAWAY with which it punishes pings, and the error that comes with it. */
const TOO_MANY_PINGS = 'too_many_pings';
const { NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants;
/** For the last word to an upstream whose connection cannot be read any more. */
const LOST_MS = 1_000;
/** Longer than any response takes. */
const MAX_PING_MS = 24 * 3600 * 1000;

/** What the pools need of the engine. */
export type Http2UpstreamsContext = Pick<
  PlaneContext,
  'limits' | 'timeouts' | 'ticker' | 'addresses' | 'hasFileForUpstream'
>;

/** The HTTP/2 connections to upstreams: plain by prior knowledge, or over TLS by ALPN. */
export class Http2Upstreams implements Upstreams {
  private readonly pools = new Map<string, SessionPool>();

  constructor(private readonly context: Http2UpstreamsContext) {}

  /** Sends a request on a connection that has room for one more, or on a new one; the Host of its fields is the authority. */
  open(upstream: Upstream, request: UpstreamRequest, events: UpstreamEvents): UpstreamStream {
    const session = this.sessionFor(upstream, request);
    const stream = new Http2UpstreamStream(request, events, session);
    if (session) session.take(stream);
    else setImmediate(() => stream.fail('full', 'nothing', { why: 'too many requests wait for a connection' }));
    return stream;
  }

  destroy(): void {
    for (const { sessions } of this.pools.values()) for (const session of sessions) session.destroy();
  }

  /** Connections that are open or being opened. */
  get size(): number {
    let size = 0;
    for (const { sessions } of this.pools.values()) size += sessions.size;
    return size;
  }

  private sessionFor(upstream: Upstream, { choice }: UpstreamRequest): UpstreamSession | undefined {
    const pool = this.findPool(upstream);
    const address = pool.addresses.next();
    // A request that cannot be sent twice takes no connection whose end may be unread.
    const isBehind = choice !== 'kept' && this.context.ticker.isBehind(YOUNG_MS);
    let min: UpstreamSession | undefined;
    let inUse = 0;
    for (const session of pool.sessions) {
      // One that is on its way out and has nothing to do takes no place.
      if (!session.isLeaving || session.load > 0) inUse += 1;
      if (session.isLeaving) continue;
      if (session.address === address && session.isReady(isBehind)) return session;
      if (!min || session.load < min.load) min = session;
    }
    const { upstreamConnections, waitingRequests } = this.context.limits;
    const hasRoom = inUse < upstreamConnections && (this.context.hasFileForUpstream || min === undefined);
    if (hasRoom) return this.connect(upstream, pool, address);
    // node:http2 keeps what exceeds the peer's limit until there is room.
    return min && min.waiting < waitingRequests ? min : undefined;
  }

  private findPool(upstream: Upstream): SessionPool {
    const key = formatKey(upstream);
    const known = this.pools.get(key);
    if (known) return known;
    const pool: SessionPool = {
      addresses: this.context.addresses.of(upstream.host),
      sessions: new Set(),
      pingMs: this.context.timeouts.upstreamPingMs,
    };
    pool.addresses.watch(() => {
      for (const session of pool.sessions) session.retireIfGone();
    });
    this.pools.set(key, pool);
    return pool;
  }

  private connect(upstream: Upstream, pool: SessionPool, address: string | undefined): UpstreamSession {
    const session = new UpstreamSession(upstream, this.context, pool, address);
    pool.sessions.add(session);
    return session;
  }
}

/** The connections to one upstream, at all of its addresses. */
interface SessionPool {
  readonly addresses: Addresses;
  readonly sessions: Set<UpstreamSession>;
  /** The silence after which a connection that owes responses may be pinged; 0 never. */
  pingMs: number;
}

/** `leaving`: the upstream asked for no more requests (GOAWAY), and what is under way goes on. */
export type SessionState = 'connecting' | 'open' | 'leaving' | 'gone';

/** One connection to an upstream and the streams on it. */
class UpstreamSession implements Ticking, StreamHome, GuardEvents {
  private readonly guard = new FrameGuard('server', this);
  /** Where it is connected to, or is being connected to; undefined while that is unknown. */
  address: string | undefined;
  private readonly addresses: Addresses;
  private socket: Socket | undefined;
  private cancelConnecting: () => void = () => undefined;
  /** What this machine had too little of when it was tried last; it is tried again. */
  private shortage: FailureCause | undefined;
  private expiresMs = Infinity;
  /** There is one from `open` on. */
  private session: ClientHttp2Session | undefined;
  private readonly streams = new Set<Http2UpstreamStream>();
  private state: SessionState = 'connecting';
  /** It ended with an error, which Node gives as the reason of each stream's end, too. */
  isBroken = false;
  /** Streams above it were not looked at. */
  private lastStream = Infinity;
  private idleSinceMs: number;
  private readonly connectUntilMs: number;
  /** Since when nothing came from the upstream that owes responses. */
  private silentSinceMs = 0;
  private bytesSeen = -1;
  private pingedMs: number | undefined;
  /**
   * It owes responses and has been silent for so long that it may be gone. Streams on it keep waiting, a new request
   * goes elsewhere. The upstream's next byte ends the doubt.
   */
  isDoubtful = false;

  constructor(
    private readonly upstream: Upstream,
    private readonly context: Http2UpstreamsContext,
    private readonly pool: SessionPool,
    address: string | undefined,
  ) {
    const { addresses } = pool;
    this.addresses = addresses;
    this.address = address;
    this.idleSinceMs = context.ticker.read();
    this.connectUntilMs = this.idleSinceMs + context.timeouts.connectMs;
    if (address === undefined) addresses.whenKnown((cause) => this.connect(cause));
    else this.connect(undefined);
    context.ticker.add(this);
  }

  /** It takes no further request. */
  get isLeaving(): boolean {
    const isClosing = this.session?.closed === true || this.session?.destroyed === true;
    return this.state === 'leaving' || this.state === 'gone' || isClosing || this.hasExpired;
  }

  private get hasExpired(): boolean {
    return this.context.ticker.nowMs >= this.expiresMs;
  }

  /** Whether the next request goes over it. @param isBehind whether an open one may have been closed, which was not read yet */
  isReady(isBehind: boolean): boolean {
    return this.hasRoom && !this.isDoubtful && (!isBehind || this.state === 'connecting');
  }

  /** Calls that are under way end where they are. */
  retireIfGone(): void {
    if (this.session && this.address !== undefined && !this.addresses.has(this.address)) this.expiresMs = 0;
  }

  get hasRoom(): boolean {
    return this.load < this.maxStreams;
  }

  get load(): number {
    return this.streams.size;
  }

  /** Requests over the peer's limit. */
  get waiting(): number {
    return Math.max(0, this.load - this.maxStreams);
  }

  get bytesReceived(): number {
    return this.socket?.bytesRead ?? 0;
  }

  take(stream: Http2UpstreamStream): void {
    this.streams.add(stream);
    if (this.session) stream.start(this.session, this.upstream.protocol);
  }

  broken(streamId: number, code: number): void {
    for (const stream of this.streams) if (stream.streamId === streamId) return stream.breakOff(code);
  }

  reply(frame: Buffer): void {
    this.socket?.write(frame);
  }

  /** node:http2 says why, if it can. */
  lost(): void {
    setTimeout(() => this.gone('malformed'), LOST_MS).unref();
  }

  onClose(streamId: number): void {
    this.guard.forget(streamId);
  }

  left(stream: Http2UpstreamStream): void {
    this.streams.delete(stream);
    if (this.streams.size === 0) this.idleSinceMs = this.context.ticker.nowMs;
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
    switch (this.state) {
      case 'connecting':
        return this.awaitConnection(nowMs);
      case 'open':
      case 'leaving':
        return this.watch(this.session!, nowMs);
      case 'gone':
        return;
    }
  }

  private watch(session: ClientHttp2Session, nowMs: number): void {
    this.listen(nowMs);
    if (this.streams.size === 0) this.endIdle(session, nowMs - this.idleSinceMs);
    else if (this.isOwing) this.watchSilence(nowMs);
  }

  /** What this machine has too little of may be there in a moment: the requests wait for that as for their turn. */
  private awaitConnection(nowMs: number): void {
    const { shortage } = this;
    const late = { why: `no connection within ${this.context.timeouts.connectMs / 1000} s` };
    if (nowMs >= this.connectUntilMs) return this.gone(shortage ? 'full' : 'connectTimeout', shortage ?? late);
    this.shortage = undefined;
    if (shortage) this.connect(undefined);
  }

  /** In order where the upstream lets it: one that takes nothing hears of no end. */
  private endIdle(session: ClientHttp2Session, idleMs: number): void {
    const { clientIdleMs, bodyIdleMs } = this.context.timeouts;
    if (idleMs >= clientIdleMs + bodyIdleMs) this.gone('reset');
    else if (idleMs >= clientIdleMs || this.hasExpired) session.close();
  }

  /** Whether the upstream has said anything since the last tick. What owes nothing may be silent. */
  private listen(nowMs: number): void {
    const bytes = this.bytesReceived;
    const hasSpoken = bytes !== this.bytesSeen;
    if (hasSpoken) this.isDoubtful = false;
    if (!hasSpoken && this.isOwing) return;
    this.bytesSeen = bytes;
    this.silentSinceMs = nowMs;
    this.pingedMs = undefined;
  }

  /** The head of a response is due. */
  private get isOwing(): boolean {
    for (const stream of this.streams) if (stream.isWaiting) return true;
    return false;
  }

  /**
   * Responses may take long. TCP's keep-alive finds a host that is gone, and a ping one that hangs. gRPC servers close a
   * connection, with all its calls, for a third ping within their interval, which is 5 minutes by default:
   * one ping at the most in a silence of `pingMs`, which the response to it ends.
   */
  private watchSilence(nowMs: number): void {
    const { connectMs } = this.context.timeouts;
    const { pingMs } = this.pool;
    const silentMs = nowMs - this.silentSinceMs;
    this.isDoubtful ||= silentMs >= 2 * connectMs;
    if (this.pingedMs !== undefined) {
      if (nowMs - this.pingedMs >= connectMs) this.gone('idleTimeout');
    } else if (pingMs > 0 && silentMs >= pingMs) {
      this.pingedMs = nowMs;
      this.guard.pinged();
      this.session?.ping(() => undefined);
    }
  }

  /** gRPC's own rule for clients (gRFC A8): twice the time from then on. */
  private pingedTooOften(): void {
    this.pool.pingMs = Math.min(2 * this.pool.pingMs, MAX_PING_MS);
  }

  private get maxStreams(): number {
    return this.session?.remoteSettings?.maxConcurrentStreams ?? STREAMS_AT_FIRST;
  }

  private connect(cause: FailureCause | undefined): void {
    if (this.state === 'gone') return;
    this.address ??= this.addresses.next();
    // The exchanges may not have their streams yet.
    if (this.address === undefined) return void setImmediate(() => this.gone('nameNotFound', cause));
    this.cancelConnecting = connectFirst(this.upstream, this.addresses.order(this.address), 'h2', {
      opened: (socket, at) => this.opened(socket, at),
      failed: ({ failure, cause: why }) => {
        if (isShortage(why)) this.shortage = why;
        else this.gone(failure, why);
      },
      avoid: (at) => this.addresses.avoid(at),
    });
  }

  private opened(socket: Socket, at: string): void {
    if (this.state === 'gone') return void socket.destroy();
    this.socket = socket;
    this.address = at;
    // The name may have got other addresses meanwhile.
    this.expiresMs = this.addresses.has(at) ? this.context.addresses.expiryMs(this.addresses) : 0;
    socket.on('error', () => undefined);
    socket.once('close', () => this.gone('reset'));
    // gRPC has no other way to be said.
    const isHttp2 = this.upstream.protocol === 'http' || (socket as TLSSocket).alpnProtocol === 'h2';
    if (isHttp2) this.connected(socket);
    else this.gone('malformed', { why: 'it does not offer HTTP/2 (ALPN)', address: at });
  }

  private connected(socket: Socket): void {
    const session = http2.connect(`${this.upstream.protocol}://${findHost(this.upstream)}`, {
      createConnection: () => new CheckedSocket(socket, this.guard),
      settings: { enablePush: false },
      strictSingleValueFields: false,
    } as http2.ClientSessionOptions);
    this.session = session;
    this.state = 'open';
    session.on('error', () => undefined);
    session.on('goaway', (code: number, lastStream: number, why?: Buffer) => {
      if (this.state === 'open') this.state = 'leaving';
      if (code === NGHTTP2_ENHANCE_YOUR_CALM && why?.toString('latin1') === TOO_MANY_PINGS) this.pingedTooOften();
      this.isBroken ||= code !== http2.constants.NGHTTP2_NO_ERROR;
      this.lastStream = Math.min(this.lastStream, lastStream);
    });
    session.once('close', () => this.gone('reset'));
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    for (const stream of [...this.streams]) stream.startLate(session, this.upstream.protocol);
  }

  private gone(failure: UpstreamFailure, cause?: FailureCause): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.context.ticker.remove(this);
    this.pool.sessions.delete(this);
    const streams = [...this.streams];
    this.session?.destroy();
    this.cancelConnecting();
    this.socket?.destroy();
    // Streams notify their exchanges themselves, with what they know.
    if (this.session && failure !== 'idleTimeout') return;
    for (const stream of streams) stream.fail(failure, this.session ? 'maybe' : 'nothing', cause);
  }
}

function findHost({ host, port }: Upstream): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Upstreams that may share a connection have one key. */
function formatKey(upstream: Upstream): string {
  const { protocol, host, port, serverName, verifyCertificate = true, authorities, localAddress } = upstream;
  return JSON.stringify([protocol, host, port, serverName, verifyCertificate, authorities, localAddress]);
}
