import { RequestCounts } from './counters';
import { Breaker, LONGEST_BAKE } from './plan';

export type BakeVerdict = 'wait' | 'promote' | 'rollBack' | 'inconclusive';

/**
 * What to do with a stage, from what the target answered since the shift. The breaker speaks at every look; a promotion
 * needs the whole bake and enough requests. A bake without enough requests goes on, up to twice its length.
 */
export function bakeVerdict(
  bake: { readonly elapsedSeconds: number; readonly bakeSeconds: number; readonly target: RequestCounts },
  breaker: Breaker,
): BakeVerdict {
  if (breakerTrips(bake.target, breaker)) return 'rollBack';
  if (bake.elapsedSeconds < bake.bakeSeconds) return 'wait';
  if (bake.target.answered >= breaker.minimumRequests) return 'promote';
  return bake.elapsedSeconds < bake.bakeSeconds * LONGEST_BAKE ? 'wait' : 'inconclusive';
}

export function breakerTrips({ answered, errors }: RequestCounts, breaker: Breaker): boolean {
  if (errors < breaker.minimumErrors) return false;
  return wilsonLowerBound(errors, answered) > breaker.maximumErrorRate;
}

/**
 * The lower end of the 95 % Wilson score interval of a proportion.
 *
 * @see E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927)
 */
export function wilsonLowerBound(successes: number, trials: number): number {
  if (trials === 0) return 0;
  if (successes > trials) return wilsonLowerBound(trials, trials);
  const z = 1.96;
  const p = successes / trials;
  const z2 = z * z;
  const centre = p + z2 / (2 * trials);
  const margin = z * Math.sqrt((p * (1 - p)) / trials + z2 / (4 * trials * trials));
  return (centre - margin) / (1 + z2 / trials);
}
