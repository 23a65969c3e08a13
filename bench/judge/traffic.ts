import { BUCKETS, bucketEndMs, findBucket } from '../../core/proxy/latency-buckets';
import type { RouteCounts, WindowPair } from '../../core/judge/odds';
import type { Role } from '../../core/plan/direction';

/** What one side does in a minute, and how well. */
export interface Behaviour {
  readonly requestsPerMinute: number;
  /** 0–1. */
  readonly errorRate: number;
  /** What the log-normal latencies with their tail are multiplied by. */
  readonly slower: number;
  /** This part of the requests takes eight times as long again. */
  readonly stuck: number;
  readonly tasks: number;
  /** How often a minute each of its tasks stands still for a second. */
  readonly stallsPerMinute: number;
  /** Whether one of them does so in this window for sure. */
  readonly isStalled?: boolean;
}

/** Where errors and slowness happen; the rest of the traffic is as good as the source. */
export type Extent = 'everywhere' | 'one route';

const ROUTES = ['/cart', '/checkout', '/product', '/search'] as const;
const MEDIAN_MS = 40;
const SIGMA = 0.5;
/** The tail that every application has: 2 % take six times as long. */
const [TAIL, TAIL_FACTOR] = [0.02, 6];
const STUCK_FACTOR = 8;
const STALL_MS = 1_000;

/** Draws windows of traffic. All of it comes from one source of numbers: the same seed gives the same cutovers. */
export class Traffic {
  constructor(
    private readonly random: () => number,
    private readonly seconds: number,
  ) {}

  window(from: Behaviour, to: Behaviour, extent: Extent = 'everywhere'): WindowPair {
    return { from: this.side(from, from, 'everywhere'), to: this.side(to, from, extent) };
  }

  /** The source's own traffic before the shift. */
  past(from: Behaviour, minutes: number): WindowPair[Role] {
    const windows = (minutes * 60) / this.seconds;
    return Array.from({ length: windows }, () => this.side(from, from, 'everywhere')).reduce(addSides);
  }

  private side(worse: Behaviour, good: Behaviour, extent: Extent): WindowPair[Role] {
    const [all, ...counts] = [undefined, ...ROUTES].map(() => createCounts());
    const [drawWorse, drawGood] = [findDraw(worse), findDraw(good)];
    const perSecond = worse.requestsPerMinute / 60;
    const byChance = this.poisson((worse.stallsPerMinute * worse.tasks * this.seconds) / 60);
    const stalls = byChance + (worse.isStalled === true ? 1 : 0);
    // What a task that stands still has taken is responded to at once when it goes on.
    const late = this.poisson((stalls * perSecond * (STALL_MS / 1_000)) / worse.tasks);
    const requests = this.poisson(perSecond * this.seconds);
    for (let index = 0; index < requests; index += 1) {
      const route = Math.floor(this.random() * ROUTES.length);
      const isWorse = extent === 'everywhere' || route === 0;
      const at = counts[route]!;
      const isError = this.random() < (isWorse ? worse : good).errorRate;
      const drawn = (isWorse ? drawWorse : drawGood)(this.random());
      const bucket = index < late ? this.stall(drawn) : drawn;
      count(all!, bucket, isError);
      count(at, bucket, isError);
    }
    return { all: all!, routes: Object.fromEntries(ROUTES.map((name, index) => [name, counts[index]!])) };
  }

  /** @returns the bucket of a request that waited for the rest of a stall, too */
  private stall(bucket: number): number {
    return findBucket(this.random() * STALL_MS + Math.min(bucketEndMs(bucket), 60_000));
  }

  private normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.random())) * Math.cos(2 * Math.PI * this.random());
  }

  private poisson(mean: number): number {
    if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    let [count, product] = [0, this.random()];
    for (const limit = Math.exp(-mean); product > limit; count += 1) product *= this.random();
    return count;
  }
}

type Draw = (random: number) => number;
const DRAWS = new Map<string, Draw>();

/** One of many equally likely buckets: a draw of the normal distribution for each of millions of requests would take hours. */
function findDraw({ slower, stuck }: Behaviour): Draw {
  const key = `${slower} ${stuck}`;
  const known = DRAWS.get(key);
  if (known) return known;
  const table = Uint8Array.from({ length: TABLE }, (_, index) => findBucket(latencyAt(index, slower, stuck)));
  const draw: Draw = (random) => table[Math.floor(random * TABLE)]!;
  DRAWS.set(key, draw);
  return draw;
}

function count(counts: ReturnType<typeof createCounts>, bucket: number, isError: boolean): void {
  counts.requests += 1;
  if (isError) {
    counts.errors += 1;
    counts.failures += 1;
  }
  counts.latencies[bucket]! += 1;
}

const createCounts = () => ({ requests: 0, errors: 0, failures: 0, latencies: new Array<number>(BUCKETS).fill(0) });

/** So many points of the distribution, each as likely as any other. */
const TABLE = 200_000;
/** Of these the share that has the tail, and the share that is stuck, by two numbers that share no rhythm with each other. */
const [TAIL_STEP, STUCK_STEP] = [(Math.sqrt(5) - 1) / 2, Math.SQRT2 - 1];

function latencyAt(index: number, slower: number, stuck: number): number {
  const tail = (index * TAIL_STEP) % 1 < TAIL ? TAIL_FACTOR : 1;
  const more = (index * STUCK_STEP) % 1 < stuck ? STUCK_FACTOR : 1;
  return MEDIAN_MS * Math.exp(SIGMA * normalQuantile((index + 0.5) / TABLE)) * tail * more * slower;
}

/** After S. Winitzki, "A handy approximation for the error function and its inverse" (2008): right to one hundredth. */
function normalQuantile(part: number): number {
  const x = 2 * part - 1;
  const log = Math.log(1 - x * x);
  const half = 2 / (Math.PI * WINITZKI) + log / 2;
  return Math.SQRT2 * Math.sign(x) * Math.sqrt(Math.sqrt(half * half - log / WINITZKI) - half);
}

const WINITZKI = 0.147;

function addSides(a: WindowPair[Role], b: WindowPair[Role]): WindowPair[Role] {
  const routes = ROUTES.map((name) => [name, add(a.routes[name]!, b.routes[name]!)] as const);
  return { all: add(a.all, b.all), routes: Object.fromEntries(routes) };
}

function add(a: RouteCounts, b: RouteCounts): RouteCounts {
  const latencies = Array.from({ length: BUCKETS }, (_, at) => (a.latencies[at] ?? 0) + (b.latencies[at] ?? 0));
  const errors = a.errors + b.errors;
  return { requests: a.requests + b.requests, errors, failures: a.failures + b.failures, latencies };
}
