import type { ConnectionChoice, PlaneContext, UpstreamRequest, Upstreams } from '../context';
import type { Upstream } from '../data-plane';
import type { UpstreamEvents, UpstreamHalf } from '../halves';
import { connectWire } from '../wire/connect';
import { Http1Upstream, Keeper } from './http1-upstream';

/** An upstream's keep-alive timeout is rarely this short, so a request without a second try does not meet its close. */
const YOUNG_MS = 1_000;
/** What an upstream says of how long it keeps connections is believed less this, for the way. */
const KEPT_MARGIN_MS = 1_000;

/** The HTTP/1.1 connections to every upstream that was ever asked for, kept alive between requests. */
export class UpstreamPools implements Upstreams {
  private readonly byKey = new Map<string, UpstreamPool>();
  /** The same, by the objects that stand for them: most callers hand in one and the same. */
  private readonly byObject = new WeakMap<Upstream, UpstreamPool>();

  /** `isFast`: see `connectWire`. */
  constructor(
    private readonly context: PlaneContext,
    private readonly isFast: () => boolean,
  ) {}

  open(upstream: Upstream, request: UpstreamRequest, events: UpstreamEvents): UpstreamHalf {
    let pool = this.byObject.get(upstream);
    if (pool === undefined) {
      pool = this.poolOf(upstream);
      this.byObject.set(upstream, pool);
    }
    return pool.open(request, events);
  }

  destroy(): void {
    for (const pool of this.byKey.values()) pool.destroy();
  }

  private poolOf(upstream: Upstream): UpstreamPool {
    const { protocol, host, port, serverName, verifyCertificate, authorities } = upstream;
    const key = JSON.stringify([protocol, host, port, serverName, verifyCertificate, authorities]);
    const known = this.byKey.get(key);
    if (known) return known;
    const pool = new UpstreamPool(this.context, upstream, this.isFast);
    this.byKey.set(key, pool);
    this.context.ticker.add(pool);
    return pool;
  }
}

/** The connections to one upstream. */
class UpstreamPool implements Keeper {
  private readonly all = new Set<Http1Upstream>();
  /** The last one used is the next one: few connections stay busy, and the rest end. */
  private readonly idle: Http1Upstream[] = [];
  /** Since when a request waits for each connection that is not open yet. */
  private readonly opening = new Map<Http1Upstream, number>();
  /** Those of them for which there is no room yet, the oldest first. */
  private readonly waiting = new Map<Http1Upstream, ConnectionChoice>();

  constructor(
    private readonly context: PlaneContext,
    private readonly upstream: Upstream,
    private readonly isFast: () => boolean,
  ) {}

  open(request: UpstreamRequest, events: UpstreamEvents): UpstreamHalf {
    const connection = this.takeIdle(request.choice) ?? this.create(request.choice);
    connection.begin(request, events);
    return connection;
  }

  release(connection: Http1Upstream): void {
    const [next] = this.waiting;
    // One that needs a new connection gets this one's place.
    if (next?.[1] === 'fresh') return connection.abandon();
    if (next) return this.handOver(connection, next[0]);
    if (this.idle.length >= this.context.limits.idleUpstreamConnections) return connection.abandon();
    connection.idleSinceMs = this.context.ticker.nowMs;
    this.idle.push(connection);
  }

  lost(connection: Http1Upstream): void {
    this.all.delete(connection);
    this.opening.delete(connection);
    this.waiting.delete(connection);
    const index = this.idle.lastIndexOf(connection);
    if (index >= 0) this.idle.splice(index, 1);
    const [next] = this.waiting.keys();
    if (next && this.hasRoom) this.connect(next);
  }

  tick(nowMs: number): void {
    for (const [connection, sinceMs] of this.opening) {
      if (nowMs - sinceMs <= this.context.timeouts.connectMs) continue;
      connection.connectFailed(this.waiting.has(connection) ? 'full' : 'connectTimeout');
    }
    // The oldest are at the front.
    for (const connection of [...this.idle]) {
      if (!this.isFresh(connection, nowMs)) connection.abandon();
    }
  }

  destroy(): void {
    this.waiting.clear();
    for (const connection of [...this.all, ...this.opening.keys()]) connection.abandon();
  }

  private takeIdle(choice: ConnectionChoice): Http1Upstream | undefined {
    if (choice === 'fresh') return undefined;
    const { nowMs } = this.context.ticker;
    const last = this.idle.at(-1);
    if (last === undefined || !this.isFresh(last, nowMs)) return undefined;
    if (choice === 'young' && nowMs - last.idleSinceMs > YOUNG_MS) return undefined;
    return this.idle.pop();
  }

  private isFresh({ idleSinceMs, keptMs }: Http1Upstream, nowMs: number): boolean {
    const { poolIdleMs } = this.context.timeouts;
    const limitMs = keptMs === undefined ? poolIdleMs : Math.min(poolIdleMs, Math.max(0, keptMs - KEPT_MARGIN_MS));
    return nowMs - idleSinceMs < limitMs;
  }

  private get hasRoom(): boolean {
    return this.all.size < this.context.limits.upstreamConnections;
  }

  /** A connection for one request, which waits on it until it is open. */
  private create(choice: ConnectionChoice): Http1Upstream {
    const connection = new Http1Upstream(this.context, this);
    this.opening.set(connection, this.context.ticker.read());
    // An idle connection that this request may not take has to make room for it.
    if (!this.hasRoom) this.idle[0]?.abandon();
    if (this.hasRoom) this.connect(connection);
    else if (this.waiting.size < this.context.limits.waitingRequests) this.waiting.set(connection, choice);
    else process.nextTick(() => connection.connectFailed('full'));
    return connection;
  }

  private connect(connection: Http1Upstream): void {
    this.waiting.delete(connection);
    this.all.add(connection);
    connection.cancelConnecting = connectWire(this.upstream, this.isFast(), {
      opened: (wire) => {
        this.opening.delete(connection);
        connection.opened(wire, false);
      },
      failed: (failure) => connection.connectFailed(failure),
    });
  }

  /** A connection has become free while a request waits for one. */
  private handOver(free: Http1Upstream, next: Http1Upstream): void {
    this.waiting.delete(next);
    this.opening.delete(next);
    this.all.delete(free);
    this.all.add(next);
    next.opened(free.giveWire(), true);
  }
}
