import { BUCKETS, findBucket } from '../../core/proxy/latency-buckets';
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
}

/** Where errors and slowness happen; the rest of the traffic is as good as the source. */
export type Extent = 'everywhere' | 'one route';

const ROUTES = ['/cart', '/checkout', '/product', '/search'] as const;
const MEDIAN_MS = 40;
const SIGMA = 0.5;
/** The tail that every application has: 2 % take six times as long. */
const [TAIL, TAIL_FACTOR] = [0.02, 6];
const STUCK_FACTOR = 8;

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
    return this.side({ ...from, requestsPerMinute: from.requestsPerMinute * windows }, from, 'everywhere');
  }

  private side(worse: Behaviour, good: Behaviour, extent: Extent): WindowPair[Role] {
    const counts = ROUTES.map(() => ({ requests: 0, errors: 0, latencies: new Array<number>(BUCKETS).fill(0) }));
    const requests = this.poisson((worse.requestsPerMinute * this.seconds) / 60);
    for (let index = 0; index < requests; index += 1) {
      const route = Math.floor(this.random() * ROUTES.length);
      const { errorRate, slower, stuck } = extent === 'everywhere' || route === 0 ? worse : good;
      const at = counts[route]!;
      at.requests += 1;
      if (this.random() < errorRate) at.errors += 1;
      at.latencies[findBucket(this.latency(slower, stuck))]! += 1;
    }
    return {
      all: counts.reduce<RouteCounts>(add, { requests: 0, errors: 0, latencies: [] }),
      routes: Object.fromEntries(ROUTES.map((name, index) => [name, counts[index]!])),
    };
  }

  private latency(slower: number, stuck: number): number {
    const tail = this.random() < TAIL ? TAIL_FACTOR : 1;
    const more = stuck > 0 && this.random() < stuck ? STUCK_FACTOR : 1;
    return MEDIAN_MS * Math.exp(SIGMA * this.normal()) * tail * more * slower;
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

function add(a: RouteCounts, b: RouteCounts): RouteCounts {
  const latencies = Array.from({ length: BUCKETS }, (_, at) => (a.latencies[at] ?? 0) + (b.latencies[at] ?? 0));
  return { requests: a.requests + b.requests, errors: a.errors + b.errors, latencies };
}
