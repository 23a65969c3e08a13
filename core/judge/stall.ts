import { bucketEndMs, countLatencies, type LatencyCounts } from '../proxy/latency-buckets';

/** How long clients waited whose connections moved. Each is the end of its bucket, and so up to a fifth too long; never over the longest. */
export interface Stall {
  /** Moves. */
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

/** @returns undefined where nothing moved */
export function summarizeStall(counts: LatencyCounts, longestMs: number): Stall | undefined {
  const count = countLatencies(counts);
  if (count === 0) return undefined;
  const find = (part: number) => Math.round(10 * Math.min(longestMs, bucketEndMs(findRank(counts, part * count)))) / 10;
  return { count, p50Ms: find(0.5), p99Ms: find(0.99), longestMs: Math.round(10 * longestMs) / 10 };
}

/** Nearest rank: also of a few. */
function findRank(counts: LatencyCounts, rank: number): number {
  let sum = 0;
  return counts.findIndex((count) => (sum += count) >= rank);
}
