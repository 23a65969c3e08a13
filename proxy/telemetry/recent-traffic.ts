import { SMOKE_AGENT } from '../../core/plan/smoke';
import { BUCKETS, findBucket } from '../../core/proxy/latency-buckets';
import {
  ERRING_SECONDS,
  KEPT_SECONDS,
  RouteWindow,
  WindowOrder,
  WindowReport,
  isInRoute,
  isRoute,
  listFrequent,
} from '../../core/proxy/window';

/** What is counted of a route in each second; the latency buckets follow. */
const [REQUESTS, UNBOUND, RESPONDED, ERRORS, ERRING, LATENCIES] = [0, 1, 2, 3, 4, 5];
const FIGURES = LATENCIES + BUCKETS;
/** One request in so many says in which segment of paths it is. A power of two. */
const SAMPLING = 16;
/** Segments that are counted: a crawler must not fill the memory. */
const MAX_COUNTED = 256;
/** So many clients that erred are remembered. */
const MAX_CLIENTS = 10_000;
/** The cookie by which a load balancer binds a client to a target group; both names begin so. */
const BINDING_COOKIE = 'AWSALBTG';

/** Two clocks that differ by less are the same, in seconds. */
const CLOCK_TOLERANCE = 0.1;

/** What `take` returns of a request that counts nowhere: one of the cutover itself, or of who tests one side alone. */
export const UNJUDGED = -1;
/** No route class: all requests alone. */
const NO_ROUTE = -1;
/** Of the value of `take`: how many stand for one set of routes. Twice as many as there are routes and none. */
const VALUES = 32;

/** All that is kept of the last seconds, for another process of the same machine. */
export interface RecentRecord {
  /** Milliseconds since the epoch, by the clock that numbers the seconds, when this was written. */
  readonly writtenMs: number;
  readonly second: number;
  readonly all: Uint32Array;
  readonly routes: readonly string[];
  readonly byRoute: readonly Uint32Array[];
  readonly watch: { readonly name: string; readonly ahead: number };
  readonly segments: ReadonlyMap<string, number>;
}

/**
 * What requests did in each of the last seconds, of all and of some route classes. Counting one allocates nothing; a class costs
 * 84 kB.
 */
export class RecentTraffic {
  private readonly all = new Seconds();
  private routes: readonly string[] = [];
  private byRoute: readonly Seconds[] = [];
  /** Of the orders: a request counts in the classes that it began under. */
  private generation = 0;
  private second: number;
  private taken = 0;
  private readonly segments = new Map<string, number>();
  private readonly clients = new Set<string>();
  private clientsSince = 0;
  /** Whose windows were asked for last, and by how much their numbers are less than this clock's. */
  private watch = { name: '', ahead: 0 };

  /**
   * @param epochMs of `nowMs` 0: the wall clock is read once, and never steps from then on
   */
  constructor(
    private readonly epochMs: number,
    nowMs: number,
  ) {
    this.second = this.secondAt(nowMs);
  }

  /** @param nowMs of the clock of this process */
  static restore(record: RecentRecord, nowMs: number): RecentTraffic {
    const recent = new RecentTraffic(record.writtenMs - nowMs, nowMs);
    recent.second = record.second;
    recent.all.load(record.all);
    recent.routes = record.routes;
    recent.byRoute = record.byRoute.map((figures) => new Seconds().load(figures));
    recent.watch = { ...record.watch };
    for (const [segment, count] of record.segments) recent.segments.set(segment, count);
    return recent;
  }

  record(nowMs: number): RecentRecord {
    this.advance(nowMs);
    const { epochMs, second, routes, watch, segments } = this;
    const byRoute = this.byRoute.map((seconds) => seconds.copy());
    return { writtenMs: epochMs + nowMs, second, all: this.all.copy(), routes, byRoute, watch: { ...watch }, segments };
  }

  /** @returns what it is for `responded` and `failed` */
  take(path: string, cookie: string | undefined, agent: string | undefined, nowMs: number): number {
    if (agent === SMOKE_AGENT) return UNJUDGED;
    const at = this.advance(nowMs);
    const isUnbound = cookie === undefined || !cookie.includes(BINDING_COOKIE);
    this.taken += 1;
    if ((this.taken & (SAMPLING - 1)) === 1) this.sample(path);
    const route = this.findRoute(path);
    this.all.add(at, REQUESTS);
    if (isUnbound) this.all.add(at, UNBOUND);
    if (route !== NO_ROUTE) {
      const seconds = this.byRoute[route]!;
      seconds.add(at, REQUESTS);
      if (isUnbound) seconds.add(at, UNBOUND);
    }
    return this.generation * VALUES + (route + 1) * 2 + (isUnbound ? 1 : 0);
  }

  /** Responded to, or failed. Not called of one whose client left. */
  responded(taken: number, durationMs: number, nowMs: number): void {
    if (taken === UNJUDGED) return;
    const at = this.advance(nowMs);
    const seconds = this.findSeconds(taken);
    this.all.add(at, RESPONDED);
    seconds?.add(at, RESPONDED);
    // Those of clients that a cookie binds are of other kinds on each side: who is new logs in, who returns reads.
    const isUnbound = taken % 2 === 1;
    if (!isUnbound) return;
    const bucket = LATENCIES + findBucket(durationMs);
    this.all.add(at, bucket);
    seconds?.add(at, bucket);
  }

  /** @param client whose request it was; an empty text of one that is not known any more */
  failed(taken: number, client: string, nowMs: number): void {
    if (taken === UNJUDGED) return;
    const at = this.advance(nowMs);
    this.fail(this.all, at, client);
    const seconds = this.findSeconds(taken);
    if (seconds !== undefined) this.fail(seconds, at, client === '' ? '' : `${taken} ${client}`);
  }

  report({ watch, now, after, until, routes = this.routes }: WindowOrder, nowMs: number): WindowReport {
    this.advance(nowMs);
    if (this.watch.name !== watch) this.watch = { name: watch, ahead: this.compareClocks(now, nowMs) };
    const { ahead } = this.watch;
    if (routes.length !== this.routes.length || routes.some((route, index) => route !== this.routes[index])) {
      this.countBy(routes);
    }
    const oldest = this.second - KEPT_SECONDS + 1;
    const range = { from: Math.max(after + 1 + ahead, oldest), to: Math.min(until + ahead, this.second) };
    return {
      aheadSeconds: ahead,
      all: this.all.sum(range),
      routes: Object.fromEntries(this.routes.map((route, index) => [route, this.byRoute[index]!.sum(range)])),
      segments: listFrequent(this.segments),
    };
  }

  /** Whole seconds: so many that a second of the caller has ended here when it has there, but for what the order took. */
  private compareClocks(now: number, nowMs: number): number {
    return Math.floor((this.epochMs + nowMs) / 1000 - now + CLOCK_TOLERANCE);
  }

  private countBy(routes: readonly string[]): void {
    this.routes = routes;
    this.byRoute = routes.map(() => new Seconds());
    this.generation += 1;
  }

  private findSeconds(taken: number): Seconds | undefined {
    if (Math.floor(taken / VALUES) !== this.generation) return undefined;
    return this.byRoute[Math.floor((taken % VALUES) / 2) - 1];
  }

  private findRoute(path: string): number {
    for (let index = 0; index < this.routes.length; index += 1) if (isInRoute(path, this.routes[index]!)) return index;
    return NO_ROUTE;
  }

  private fail(seconds: Seconds, at: number, client: string): void {
    seconds.add(at, ERRORS);
    if (client !== '' && !this.isNew(client)) return;
    seconds.add(at, ERRING);
  }

  private isNew(client: string): boolean {
    if (this.second - this.clientsSince >= ERRING_SECONDS) {
      this.clients.clear();
      this.clientsSince = this.second;
    }
    if (this.clients.has(client)) return false;
    if (this.clients.size < MAX_CLIENTS) this.clients.add(client);
    return true;
  }

  private sample(path: string): void {
    const end = path.slice(1).search(/[/?]/);
    const segment = end < 0 ? path : path.slice(0, end + 1);
    if (!isRoute(segment)) return;
    const count = this.segments.get(segment);
    if (count !== undefined || this.segments.size < MAX_COUNTED) this.segments.set(segment, (count ?? 0) + 1);
  }

  private secondAt(nowMs: number): number {
    return Math.floor((this.epochMs + nowMs) / 1000);
  }

  /** Empties the seconds that have begun since the last call. @returns where the current one is kept */
  private advance(nowMs: number): number {
    const second = this.secondAt(nowMs);
    // Nearly always it is the same; a response may be counted with the time of its turn, a little before the last.
    for (; this.second < second; this.second += 1) {
      if (second - this.second > KEPT_SECONDS) this.second = second - KEPT_SECONDS;
      const at = (this.second + 1) % KEPT_SECONDS;
      this.all.clear(at);
      for (const seconds of this.byRoute) seconds.clear(at);
    }
    return this.second % KEPT_SECONDS;
  }
}

/** The figures of one route in each second that is kept. */
class Seconds {
  private readonly figures = new Uint32Array(KEPT_SECONDS * FIGURES);

  copy(): Uint32Array {
    return this.figures.slice();
  }

  load(figures: Uint32Array): this {
    this.figures.set(figures);
    return this;
  }

  add(at: number, figure: number): void {
    this.figures[at * FIGURES + figure]! += 1;
  }

  clear(at: number): void {
    this.figures.fill(0, at * FIGURES, (at + 1) * FIGURES);
  }

  sum({ from, to }: { readonly from: number; readonly to: number }): RouteWindow {
    const sums = new Array<number>(FIGURES).fill(0);
    for (let second = from; second <= to; second += 1) {
      const start = (second % KEPT_SECONDS) * FIGURES;
      for (let figure = 0; figure < FIGURES; figure += 1) sums[figure]! += this.figures[start + figure]!;
    }
    const latencies = sums.slice(LATENCIES);
    const last = latencies.findLastIndex((count) => count > 0);
    return {
      requests: sums[REQUESTS]!,
      unbound: sums[UNBOUND]!,
      responded: sums[RESPONDED]!,
      errors: sums[ERRORS]!,
      erring: sums[ERRING]!,
      latencies: latencies.slice(0, last + 1),
    };
  }
}
