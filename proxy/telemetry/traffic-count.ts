import type { LedgerReport } from '../../core/proxy/admin-api';
import { Outcome, UPSTREAM_FAILURES, UpstreamFailure } from '../data-plane/contract/data-plane';
import { Durations } from './durations';

/** The request was sent, and what it does at the upstream may go on. */
const GIVEN_UP: ReadonlySet<UpstreamFailure> = new Set(['reset', 'malformed', 'idleTimeout']);

/** By its first digit; `none`: the client went away before it had a status. */
export const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
/** What a request says of its upstream. */
export type Verdict = 'good' | 'failed' | 'unknown';
export type StatusClass = (typeof STATUS_CLASSES)[number];

/** What is known of a request when it ends. */
export interface CountedRequest {
  /** Whether `opened` was called for it. */
  readonly hasOpened: boolean;
  /** Whether it is one of the traffic that weights share out. */
  readonly isJudged: boolean;
}

/**
 * The requests that a proxy took, and how they ended; see `LedgerReport`. Counting one allocates nothing. One that is not judged is in
 * the metrics, and not in `requests`.
 */
export class TrafficCount {
  /** Of requests that went to an upstream: until the response was whole, or the stream began. */
  readonly durations = new Durations(STATUS_CLASSES.length);
  private taken = 0;
  private responded = 0;
  private errors = 0;
  private abandoned = 0;
  private unjudged = 0;
  private lastAbandonedMs = 0;
  private readonly classes = new Float64Array(STATUS_CLASSES.length);
  private readonly failed = Object.fromEntries(UPSTREAM_FAILURES.map((failure) => [failure, 0])) as Record<
    UpstreamFailure,
    number
  >;

  take(isJudged: boolean): void {
    if (isJudged) this.taken += 1;
    else this.unjudged += 1;
  }

  /** A WebSocket or an event stream began: that is its response, however long it lasts. */
  opened(status: number, durationMs: number, isJudged: boolean): void {
    if (isJudged) this.responded += 1;
    else this.unjudged -= 1;
    this.count(status, durationMs);
  }

  /**
   * @returns `unknown` of a request whose client left, or that a drain ended: what the upstream would have responded
   */
  settled(outcome: Outcome, { hasOpened, isJudged }: CountedRequest, durationMs: number, nowMs: number): Verdict {
    const { status, ending, failure } = outcome;
    if (ending === 'forced' || (failure !== undefined && GIVEN_UP.has(failure))) {
      this.abandoned += 1;
      this.lastAbandonedMs = nowMs;
    }
    if (failure !== undefined) this.failed[failure] += 1;
    if (!hasOpened) this.count(status, durationMs);
    const verdict = findVerdict(outcome, hasOpened);
    if (isJudged) this.judge(verdict, hasOpened);
    else if (!hasOpened) this.unjudged -= 1;
    return verdict;
  }

  /** Rejected by the proxy for a reason of its own: a response that says nothing of the upstream. */
  reject(status: number, isJudged: boolean): void {
    if (isJudged) {
      this.taken += 1;
      this.responded += 1;
    }
    this.classes[classIndex(status)]! += 1;
  }

  get requests(): LedgerReport['requests'] {
    return { total: this.taken, responded: this.responded, errors: this.errors };
  }

  /** Of those that are not judged: in flight, without a stream that began. */
  get ofTesters(): Pick<LedgerReport, 'ofTesters'> {
    return this.unjudged > 0 ? { ofTesters: this.unjudged } : {};
  }

  /** See `LedgerReport`. */
  abandonedAt(nowMs: number): LedgerReport['abandoned'] {
    const { abandoned: total, lastAbandonedMs } = this;
    return { total, ...(total > 0 && { sinceLastMs: Math.floor(nowMs - lastAbandonedMs) }) };
  }

  get byClass(): Readonly<Record<StatusClass, number>> {
    const counts = STATUS_CLASSES.map((name, index) => [name, this.classes[index]!]);
    return Object.fromEntries(counts) as Record<StatusClass, number>;
  }

  get failures(): Readonly<Record<UpstreamFailure, number>> {
    return { ...this.failed };
  }

  private judge(verdict: Verdict, hasOpened: boolean): void {
    if (verdict === 'unknown') return;
    if (!hasOpened) this.responded += 1;
    if (verdict === 'failed') this.errors += 1;
  }

  private count(status: number | undefined, durationMs: number): void {
    const index = classIndex(status);
    this.classes[index]! += 1;
    this.durations.add(index, durationMs);
  }
}

function findVerdict({ status, ending, failure }: Outcome, hasOpened: boolean): Verdict {
  if (failure !== undefined) return 'failed';
  if (hasOpened) return 'good';
  if (ending !== 'completed') return 'unknown';
  return (status ?? 0) < 500 ? 'good' : 'failed';
}

function classIndex(status: number | undefined): number {
  return status !== undefined && status >= 100 && status < 600 ? Math.trunc(status / 100) : 0;
}
