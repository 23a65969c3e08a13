/**
 * How long requests took, as counts in buckets that are the same everywhere: four to each doubling, from 1 ms to 65 s. A
 * threshold is always the end of a bucket, so that counts of any two windows can be compared.
 */

/** By bucket, shortest first; buckets at the end that are empty may be left out. */
export type LatencyCounts = readonly number[];

const PER_DOUBLING = 4;
const DOUBLINGS = 16;
/** One more than there are bounds: the last one has no end. */
export const BUCKETS = PER_DOUBLING * DOUBLINGS + 1;

/** The bucket of a request that took so long: the first whose end is not before it. */
export function findBucket(milliseconds: number): number {
  if (milliseconds <= 1) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(PER_DOUBLING * Math.log2(milliseconds) - 1e-9));
}

/** Where a bucket ends. Milliseconds; Infinity of the last one. */
export function bucketEndMs(bucket: number): number {
  return bucket >= BUCKETS - 1 ? Infinity : 2 ** (bucket / PER_DOUBLING);
}

export function addLatencies(a: LatencyCounts, b: LatencyCounts): LatencyCounts {
  const [long, short] = a.length >= b.length ? [a, b] : [b, a];
  return long.map((count, bucket) => count + (short[bucket] ?? 0));
}

export function countLatencies(counts: LatencyCounts): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** How many requests took longer than the end of a bucket. */
export function countSlower(counts: LatencyCounts, bucket: number): number {
  let sum = 0;
  for (let index = bucket + 1; index < counts.length; index += 1) sum += counts[index]!;
  return sum;
}

/**
 * The bucket whose end the given part of requests did not exceed.
 *
 * @returns undefined where so few were counted that fewer than ten exceed it: that is no measure
 */
export function findQuantile(counts: LatencyCounts, part: number): number | undefined {
  const total = countLatencies(counts);
  if (Math.round(total * (1 - part)) < MIN_SLOWER) return undefined;
  let sum = 0;
  for (const [bucket, count] of counts.entries()) {
    sum += count;
    // The end of the last bucket is none.
    if (sum >= total * part) return bucket < BUCKETS - 1 ? bucket : undefined;
  }
  return undefined;
}

const MIN_SLOWER = 10;
