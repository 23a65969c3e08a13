import { LedgerReport } from './admin';
import { Side } from './weights';

/** Cumulative request counts by proxy instance. */
export type Counters = Readonly<Record<string, RequestCounts>>;

export interface RequestCounts {
  readonly requests: number;
  readonly errors: number;
}

export function countersOf(reports: readonly LedgerReport[]): Counters {
  return Object.fromEntries(
    reports.map(({ instance, requests }) => [instance, { requests: requests.total, errors: requests.errors }]),
  );
}

/**
 * What was counted since `before`. An instance that is new counts from zero; one that is gone takes its last requests
 * with it, which makes the figure too low and never too high.
 */
export function since(before: Counters, now: Counters): RequestCounts {
  let requests = 0;
  let errors = 0;
  for (const [instance, counts] of Object.entries(now)) {
    requests += counts.requests - (before[instance]?.requests ?? 0);
    errors += counts.errors - (before[instance]?.errors ?? 0);
  }
  return { requests, errors };
}

export type SideCounters = Readonly<Record<Side, Counters>>;

export function sinceOnBothSides(before: SideCounters, now: SideCounters): Record<Side, RequestCounts> {
  return { source: since(before.source, now.source), target: since(before.target, now.target) };
}
