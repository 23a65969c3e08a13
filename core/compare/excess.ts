import { wilsonBound } from '../judge/wilson';

/** How many of some comparisons had a difference. */
export interface Tally {
  readonly compared: number;
  readonly differ: number;
}

/** By how much the target differs more often than the source does from itself; parts of 1, from −1. */
export interface Excess {
  readonly low: number;
  readonly high: number;
}

/** Of the normal distribution: 97.5 % and 95 % on one side. */
const [Z_LOW, Z_HIGH] = [1.96, 1.6448536];
/** 99.95 % on one side: of some hundred noisy fields none is taken for a change. */
const Z_CLEAR = 3.29;

/**
 * The difference of two proportions, by the score interval of each. A source that was never compared with itself may differ always.
 *
 * @see R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17 (1998),
 *   method 10
 */
export function findExcess(repeats: Tally, comparisons: Tally): Excess {
  return { low: findLow(repeats, comparisons, Z_LOW), high: findHigh(repeats, comparisons, Z_HIGH) };
}

/** Whether it is hardly chance that the target differs by more than a part of 1. */
export function isClearlyOver(repeats: Tally, comparisons: Tally, part: number): boolean {
  return findLow(repeats, comparisons, Z_CLEAR) > part;
}

function findLow(repeats: Tally, comparisons: Tally, z: number): number {
  const [noise, seen] = [readRate(repeats), readRate(comparisons)];
  const below = seen - wilsonBound(comparisons.differ, comparisons.compared, -z);
  return seen - noise - Math.hypot(below, wilsonBound(repeats.differ, repeats.compared, z) - noise);
}

function findHigh(repeats: Tally, comparisons: Tally, z: number): number {
  const [noise, seen] = [readRate(repeats), readRate(comparisons)];
  const above = wilsonBound(comparisons.differ, comparisons.compared, z) - seen;
  return seen - noise + Math.hypot(above, noise - wilsonBound(repeats.differ, repeats.compared, -z));
}

function readRate({ compared, differ }: Tally): number {
  return compared === 0 ? 0 : differ / compared;
}
