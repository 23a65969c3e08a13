/** Upper bounds of the buckets in milliseconds; one more bucket holds what is above the last. */
export const DURATION_BOUNDS_MS = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
] as const;

const BUCKETS = DURATION_BOUNDS_MS.length + 1;
const BOUNDS = Float64Array.from(DURATION_BOUNDS_MS);

/** Histograms of durations, one for each of so many series. Adding one is a few comparisons and two additions. */
export class Durations {
  private readonly buckets: Float64Array;
  private readonly sums: Float64Array;

  constructor(series: number) {
    this.buckets = new Float64Array(series * BUCKETS);
    this.sums = new Float64Array(series);
  }

  add(series: number, durationMs: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && durationMs > BOUNDS[bucket]!) bucket += 1;
    this.buckets[series * BUCKETS + bucket]! += 1;
    this.sums[series]! += durationMs;
  }

  sumMs(series: number): number {
    return this.sums[series]!;
  }

  /** How many were at most as long as each bound, and last how many there were in all. */
  cumulative(series: number): number[] {
    let sum = 0;
    return Array.from(this.buckets.subarray(series * BUCKETS, (series + 1) * BUCKETS), (count) => (sum += count));
  }
}
