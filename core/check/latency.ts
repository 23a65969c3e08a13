import { roundMs } from './verdict';

/** Milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * By nearest rank, from all values: none is estimated.
 *
 * @returns undefined where there is no value
 */
export function summarizeLatency(valuesMs: readonly number[]): Latency | undefined {
  if (valuesMs.length === 0) return undefined;
  const sorted = Float64Array.from(valuesMs).sort();
  const rank = (share: number) => roundMs(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!);
  return { p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), max: rank(1) };
}
