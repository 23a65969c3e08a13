import type { Addresses } from '../shared/addresses';
import { ConnectFailure, isShortage } from '../contract/connect-failure';
import type { ConnectionChoice, UpstreamRequest, Upstreams } from '../contract/upstreams';
import { YOUNG_MS, type PlaneContext } from '../shared/context';
import type { FailureCause, Upstream } from '../contract/data-plane';
import type { PackedUpstream } from '../contract/handover';
import type { UpstreamEvents, UpstreamStream } from '../contract/streams';
import type { Transport } from '../contract/transport';
import { connectFirst } from '../transport/connect';
import { HandleTransport } from '../transport/handle-transport';
import { StreamTransport } from '../transport/stream-transport';
import { Http1Upstream, Keeper } from './http1-upstream';
import { IdleConnections } from './idle-connections';

/** What an upstream says of how long it keeps connections is believed less this, for the way. */
const KEPT_MARGIN_MS = 1_000;

/** The HTTP/1.1 connections to every upstream that was ever asked for, kept alive between requests. */
export class UpstreamPools implements Upstreams {
  private readonly byKey = new Map<string, UpstreamPool>();
  /** The same, by the objects that stand for them: most callers hand in one and the same. */
  private readonly byObject = new WeakMap<Upstream, UpstreamPool>();

  /** `isFast`: whether connections without TLS are used on their handles. */
  constructor(
    private readonly context: PlaneContext,
    private readonly isFast: () => boolean,
  ) {}

  open(upstream: Upstream, request: UpstreamRequest, events: UpstreamEvents): UpstreamStream {
    return this.lookUpPool(upstream).open(request, events);
  }

  /** Takes in a connection of another process, with the response that is on it. It is not read yet. */
  adopt(upstream: Upstream, packed: PackedUpstream, transport: Transport, events: UpstreamEvents): Http1Upstream {
    return this.lookUpPool(upstream).adopt(packed, transport, events);
  }

  private lookUpPool(upstream: Upstream): UpstreamPool {
    let pool = this.byObject.get(upstream);
    if (pool === undefined) {
      pool = this.findPool(upstream);
      this.byObject.set(upstream, pool);
    }
    return pool;
  }

  destroy(): void {
    for (const pool of this.byKey.values()) pool.destroy();
  }

  /** Connections that are open or being opened. */
  get size(): number {
    let size = 0;
    for (const pool of this.byKey.values()) size += pool.size;
    return size;
  }

  /** An idle connection is logged in for this owner; see `UpstreamEvents`. */
  hasLogin(owner: object): boolean {
    return [...this.byKey.values()].some((pool) => pool.hasLogin(owner));
  }

  /** No more requests come with this owner; see `UpstreamEvents`. */
  ownerLeft(owner: object): void {
    for (const pool of this.byKey.values()) pool.ownerLeft(owner);
  }

  private findPool(upstream: Upstream): UpstreamPool {
    const { protocol, host, port, serverName, verifyCertificate, authorities, localAddress } = upstream;
    const key = JSON.stringify([protocol, host, port, serverName, verifyCertificate, authorities, localAddress]);
    const known = this.byKey.get(key);
    if (known) return known;
    const pool = new UpstreamPool(this.context, upstream, this.isFast);
    this.byKey.set(key, pool);
    this.context.ticker.add(pool);
    return pool;
  }
}

/** A request that waits for room. */
interface Waiting {
  readonly choice: ConnectionChoice;
  /** What it lacked when it was tried, where it was. */
  readonly cause: FailureCause | undefined;
}

/** The connections to one upstream, at all of its addresses. */
class UpstreamPool implements Keeper {
  private readonly all = new Set<Http1Upstream>();
  private readonly idle = new IdleConnections();
  /** Since when a request waits for each connection that is not open yet. */
  private readonly opening = new Map<Http1Upstream, number>();
  /** Those of them for which there is no room yet, the oldest first. */
  private waiting = new Map<Http1Upstream, Waiting>();
  private readonly addresses: Addresses;
  /** Idle ones on which a client has logged in: no other may use them. */
  private readonly bound = new Map<object, Http1Upstream>();

  constructor(
    private readonly context: PlaneContext,
    private readonly upstream: Upstream,
    private readonly isFast: () => boolean,
  ) {
    this.addresses = context.addresses.of(upstream.host);
    this.addresses.watch(() => this.retireGone());
  }

  open(request: UpstreamRequest, events: UpstreamEvents): UpstreamStream {
    const own = this.bound.size === 0 ? undefined : this.takeBound(events.owner);
    if (own !== undefined) {
      own.begin(request, events);
      return own;
    }
    const address = this.addresses.next();
    const connection = this.takeIdle(request.choice, address) ?? this.create(request.choice, address);
    connection.begin(request, events);
    return connection;
  }

  adopt(packed: PackedUpstream, transport: Transport, events: UpstreamEvents): Http1Upstream {
    const connection = new Http1Upstream(this.context, this);
    this.all.add(connection);
    connection.unpack(packed, transport, events);
    return connection;
  }

  release(connection: Http1Upstream): void {
    if (connection.isBound) return this.bind(connection);
    const { ticker, limits } = this.context;
    if (ticker.nowMs >= connection.expiresMs) return connection.destroy();
    const [next] = this.waiting;
    // One that needs a new connection gets this one's place.
    if (next && (next[1].choice === 'fresh' || ticker.isBehind(YOUNG_MS))) return connection.destroy();
    if (next) return this.handOver(connection, next[0]);
    if (this.idle.size >= limits.idleUpstreamConnections) return connection.destroy();
    // Its response may have waited unread, with the end of the connection behind it.
    connection.idleSinceMs = ticker.lookedMs;
    this.idle.push(connection);
  }

  lost(connection: Http1Upstream): void {
    this.all.delete(connection);
    this.opening.delete(connection);
    this.waiting.delete(connection);
    this.idle.remove(connection);
    if (connection.owner !== undefined && this.bound.get(connection.owner) === connection) {
      this.bound.delete(connection.owner);
    }
    this.connectNext();
  }

  hasLogin(owner: object): boolean {
    return this.bound.has(owner);
  }

  ownerLeft(owner: object): void {
    if (this.bound.size > 0) this.takeBound(owner)?.destroy();
  }

  tick(nowMs: number): void {
    for (const [connection, sinceMs] of this.opening) {
      if (nowMs - sinceMs <= this.context.timeouts.connectMs) continue;
      const waiting = this.waiting.get(connection);
      connection.connectFailed(waiting ? 'full' : 'connectTimeout', waiting?.cause ?? this.lateCause);
    }
    for (const connection of this.idle.all()) {
      if (!this.isFresh(connection, this.context.ticker.clockMs)) connection.destroy();
    }
    this.connectNext();
  }

  destroy(): void {
    this.waiting.clear();
    for (const connection of [...this.all, ...this.opening.keys()]) connection.destroy();
  }

  get size(): number {
    return this.all.size;
  }

  /** For the next request of its owner, and for none where there is no owner. It does not age: that would log its user out. */
  private bind(connection: Http1Upstream): void {
    const { owner } = connection;
    if (owner === undefined || connection.expiresMs === 0 || this.waiting.size > 0) return connection.destroy();
    this.bound.set(owner, connection);
  }

  private takeBound(owner: object | undefined): Http1Upstream | undefined {
    const connection = owner && this.bound.get(owner);
    if (connection !== undefined) this.bound.delete(owner!);
    return connection;
  }

  private get lateCause(): FailureCause {
    const seconds = this.context.timeouts.connectMs / 1000;
    return { why: `no connection within ${seconds} s` };
  }

  /** Where there is no room for a new connection, one to another address will do. */
  private takeIdle(choice: ConnectionChoice, address: string | undefined): Http1Upstream | undefined {
    if (choice === 'fresh' || this.idle.size === 0) return undefined;
    const last = this.idle.last(address) ?? (this.hasRoom ? undefined : this.idle.any());
    // The time as of the last tick does for a request that can be repeated.
    const clockMs = choice === 'young' ? performance.now() : this.context.ticker.clockMs;
    if (last === undefined || !this.isFresh(last, clockMs)) return undefined;
    if (choice === 'young' && clockMs - last.idleSinceMs > YOUNG_MS) return undefined;
    return this.idle.take(last);
  }

  /** While this process stood still the upstream's clock went on, and so does this one. */
  private isFresh({ idleSinceMs, keptMs, expiresMs }: Http1Upstream, clockMs: number): boolean {
    const { timeouts, ticker } = this.context;
    const { poolIdleMs } = timeouts;
    const limitMs = keptMs === undefined ? poolIdleMs : Math.min(poolIdleMs, Math.max(0, keptMs - KEPT_MARGIN_MS));
    return clockMs - idleSinceMs < limitMs && ticker.nowMs < expiresMs;
  }

  /** Requests that are under way end where they are. */
  private retireGone(): void {
    for (const connection of [...this.all]) {
      if (connection.address !== undefined && !this.addresses.has(connection.address)) connection.expiresMs = 0;
    }
    for (const connection of this.idle.all()) if (connection.expiresMs === 0) connection.destroy();
  }

  private get hasRoom(): boolean {
    return this.all.size < this.context.limits.upstreamConnections && this.context.hasFileForUpstream;
  }

  /** A connection for one request, which waits on it until it is open. */
  private create(choice: ConnectionChoice, address: string | undefined): Http1Upstream {
    const connection = new Http1Upstream(this.context, this);
    this.opening.set(connection, this.context.ticker.read());
    // An idle connection that this request may not take has to make room for it.
    if (!this.hasRoom) (this.idle.any() ?? this.bound.values().next().value)?.destroy();
    if (this.hasRoom) this.connect(connection, choice, address);
    else if (!this.wait(connection, { choice, cause: undefined }))
      process.nextTick(() => connection.connectFailed('full', { why: 'too many requests wait for a connection' }));
    return connection;
  }

  private wait(connection: Http1Upstream, waiting: Waiting): boolean {
    if (this.waiting.size >= this.context.limits.waitingRequests) return false;
    this.waiting.set(connection, waiting);
    return true;
  }

  private connectNext(): void {
    const [next] = this.waiting;
    if (next && this.hasRoom) this.connect(next[0], next[1].choice, this.addresses.next());
  }

  private connect(connection: Http1Upstream, choice: ConnectionChoice, address: string | undefined): void {
    this.waiting.delete(connection);
    this.all.add(connection);
    if (address !== undefined) return this.connectTo(connection, choice, address);
    connection.cancelConnecting = () => undefined;
    this.addresses.whenKnown((cause) => {
      if (!this.all.has(connection)) return;
      const found = this.addresses.next();
      if (found !== undefined) this.connectTo(connection, choice, found);
      else connection.connectFailed('nameNotFound', cause);
    });
  }

  private connectTo(connection: Http1Upstream, choice: ConnectionChoice, address: string): void {
    const { addresses, context } = this;
    connection.cancelConnecting = connectFirst(this.upstream, addresses.order(address), 'http/1.1', {
      opened: (socket, at) => {
        const isFast = this.isFast() && this.upstream.protocol === 'http';
        const transport = isFast ? new HandleTransport(socket) : new StreamTransport(socket);
        this.opening.delete(connection);
        connection.address = at;
        // The name may have got other addresses meanwhile.
        connection.expiresMs = addresses.has(at) ? context.addresses.expiryMs(addresses) : 0;
        connection.opened(transport, false);
        this.connectNext();
      },
      failed: (failed) => this.connectFailed(connection, choice, failed),
      avoid: (at) => addresses.avoid(at),
    });
  }

  /** What this machine has too little of may be there in a moment: the request waits for that as for its turn. */
  private connectFailed(connection: Http1Upstream, choice: ConnectionChoice, { failure, cause }: ConnectFailure): void {
    if (!isShortage(cause)) return connection.connectFailed(failure, cause);
    connection.cancelConnecting = undefined;
    this.all.delete(connection);
    this.idle.any()?.destroy();
    const others = this.waiting;
    if (others.size >= this.context.limits.waitingRequests) return connection.connectFailed('full', cause);
    // It was the first of them.
    this.waiting = new Map([[connection, { choice, cause }], ...others]);
  }

  /** A connection has become free while a request waits for one. */
  private handOver(free: Http1Upstream, next: Http1Upstream): void {
    this.waiting.delete(next);
    this.opening.delete(next);
    this.all.delete(free);
    this.all.add(next);
    next.address = free.address;
    next.expiresMs = free.expiresMs;
    next.opened(free.giveTransport(), true);
  }
}
