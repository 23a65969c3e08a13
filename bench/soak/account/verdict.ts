/** What a proxy holds without a connection, in bytes. */
export interface Settled {
  readonly resident: number;
  /** Heap and buffers after a forced collection: what is really kept. Absent with several workers. */
  readonly kept?: number;
}

const MIB = 2 ** 20;

/**
 * How much the last third of the settled readings may be above the first, by the medians. What is kept is exact, so little
 * is allowed: code that was compiled late, caches of a fixed size. Resident memory also has the holes that the allocator
 * does not give back.
 */
const ALLOWED = {
  kept: { share: 0.1, bytes: 1 * MIB },
  resident: { share: 0.1, bytes: 12 * MIB },
} as const;

/** Below this there is no first and no last third. */
const FEWEST_READINGS = 3;

export function memoryBreaches(name: string, settled: readonly Settled[]): string[] {
  if (settled.length < FEWEST_READINGS) return [];
  return (['kept', 'resident'] as const).flatMap((what) => {
    const values = settled.map((reading) => reading[what]).filter((value) => value !== undefined);
    const growth = computeGrowth(values);
    const limit = growth.first * ALLOWED[what].share + ALLOWED[what].bytes;
    if (growth.last - growth.first <= limit) return [];
    const [max, first, last] = [limit, growth.first, growth.last].map(megabytes);
    return [`Memory (${what}) of ${name} must grow by at most ${max}, went from ${first} to ${last}`];
  });
}

/** Medians of the first and of the last third. */
export function computeGrowth(values: readonly number[]): { first: number; last: number } {
  const third = Math.max(1, Math.floor(values.length / 3));
  return { first: middle(values.slice(0, third)), last: middle(values.slice(-third)) };
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

export function megabytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
