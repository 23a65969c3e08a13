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

/** The requests that a proxy took, and how they ended; see `LedgerReport`. Counting one allocates nothing. */
export class TrafficCount {
  /** Of requests that went to an upstream: until the response was whole, or the stream began. */
  readonly durations = new Durations(STATUS_CLASSES.length);
  private taken = 0;
  private responded = 0;
  private errors = 0;
  private abandoned = 0;
  private lastAbandonedMs = 0;
  private readonly classes = new Float64Array(STATUS_CLASSES.length);
  private readonly failed = Object.fromEntries(UPSTREAM_FAILURES.map((failure) => [failure, 0])) as Record<
    UpstreamFailure,
    number
  >;

  take(): void {
    this.taken += 1;
  }

  /** A WebSocket or an event stream began: that is its response, however long it lasts. */
  opened(status: number, durationMs: number): void {
    this.responded += 1;
    this.count(status, durationMs);
  }

  /**
   * @param hasOpened whether `opened` was called for it
   * @returns `unknown` of a request whose client left, or that a drain ended: what the upstream would have responded
   */
  settled({ status, ending, failure }: Outcome, hasOpened: boolean, durationMs: number, nowMs: number): Verdict {
    if (ending === 'forced' || (failure !== undefined && GIVEN_UP.has(failure))) {
      this.abandoned += 1;
      this.lastAbandonedMs = nowMs;
    }
    if (failure !== undefined) this.failed[failure] += 1;
    if (hasOpened) {
      if (failure === undefined) return 'good';
      this.errors += 1;
      return 'failed';
    }
    this.count(status, durationMs);
    if (ending !== 'completed' && failure === undefined) return 'unknown';
    this.responded += 1;
    if (failure === undefined && (status ?? 0) < 500) return 'good';
    this.errors += 1;
    return 'failed';
  }

  /** Rejected by the proxy for a reason of its own: a response that says nothing of the upstream. */
  reject(status: number): void {
    this.taken += 1;
    this.responded += 1;
    this.classes[classIndex(status)]! += 1;
  }

  get requests(): LedgerReport['requests'] {
    return { total: this.taken, responded: this.responded, errors: this.errors };
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

  private count(status: number | undefined, durationMs: number): void {
    const index = classIndex(status);
    this.classes[index]! += 1;
    this.durations.add(index, durationMs);
  }
}

function classIndex(status: number | undefined): number {
  return status !== undefined && status >= 100 && status < 600 ? Math.trunc(status / 100) : 0;
}
