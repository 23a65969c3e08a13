import { own } from '../validation/own';
import { LedgerReport } from './admin-api';

/** Cumulative request counts by proxy instance. */
export type Counters = Readonly<Record<string, RequestCounts>>;

export interface RequestCounts {
  /** Taken. */
  readonly requests: number;
  /**
   * Of these, responded to or failed: what a verdict rests on. A target that takes requests and responds to none proves
   * nothing.
   */
  readonly responded: number;
  readonly errors: number;
}

export function sumCounters(reports: readonly LedgerReport[]): Counters {
  return Object.fromEntries(
    reports.map(({ instance, requests: { total: requests, responded, errors } }) => [
      instance,
      { requests, responded, errors },
    ]),
  );
}

/**
 * What was counted since `before`. An instance that is new counts from zero; one that is gone takes its last requests
 * with it, which makes the figure too low and never too high.
 */
export function since(before: Counters, now: Counters): RequestCounts {
  const sum = { requests: 0, responded: 0, errors: 0 };
  for (const [instance, counts] of Object.entries(now)) {
    for (const what of ['requests', 'responded', 'errors'] as const) {
      sum[what] += counts[what] - (own(before, instance)?.[what] ?? 0);
    }
  }
  return sum;
}
