import { computeSpread } from '../../core/proxy/embedded-metrics';
import { DURATION_METRIC } from '../admin/metrics';
import { DURATION_BOUNDS_MS } from '../telemetry/durations';

/** How many requests took at most as long as each bound, and last how many there were in all. */
export type Cumulative = readonly number[];

interface Sample {
  readonly name: string;
  readonly values: readonly {
    readonly metricName?: string;
    readonly labels: Readonly<Record<string, string | number | undefined>>;
    readonly value: number;
  }[];
}

/** The durations of all requests with a response, whatever their status. A client that left has none. */
export function durationsIn(samples: readonly object[]): Cumulative {
  const sums = new Map<string, number>();
  const durations = (samples as readonly Sample[]).find(({ name }) => name === DURATION_METRIC);
  for (const { metricName, labels, value } of durations?.values ?? []) {
    if (metricName !== `${DURATION_METRIC}_bucket` || labels.class === 'none') continue;
    sums.set(String(labels.le), (sums.get(String(labels.le)) ?? 0) + value);
  }
  return [...DURATION_BOUNDS_MS.map((bound) => String(bound / 1000)), '+Inf'].map((le) => sums.get(le) ?? 0);
}

/** Milliseconds, as a hundred at most that stand for all; see `spreadOf`. */
export function latenciesSince(before: Cumulative, now: Cumulative): number[] {
  // Of a worker that died the counts are missing: too few, and never too many.
  const grown = now.map((count, index) => Math.max(0, count - (before[index] ?? 0)));
  const counts = grown.map((count, index) => Math.max(0, count - (grown[index - 1] ?? 0)));
  return computeSpread(DURATION_BOUNDS_MS, counts);
}
