/**
 * How sure it is that a field differs between source and target more often than between the source and itself.
 *
 * Each window of a route has so many repeats and so many comparisons. Given how many of both differ in a field, more of them must be
 * comparisons where the target differs of itself: the sequential test of the judge (`core/judge/rate-odds.ts`). The same windows count
 * twice: for the field of the route, and for the field of this name over all routes, which finds what is thin in each of them.
 *
 * All of them have one budget of false alarms. Each field is one of at most so many, and its odds must be as many times as large: a
 * weighted Bonferroni correction, which holds for e-values however they depend on each other, and says which field it is.
 */
import { RateOdds, Ratios, addWindow, beginRateOdds, findOdds } from '../judge/rate-odds';
import { MAX_ODDS } from '../plan/judge-plan';

/** Fields of all routes together; what is more is counted with others of its route. */
export const MAX_FIELDS = 4_000;
/** Names of fields over all routes. */
export const MAX_NAMES = 1_000;
/** One false alarm in so many comparisons of a target that is as good as the source, at the most. */
export const MAX_FALSE_ALARM_ODDS = MAX_ODDS;

/** A field that should never differ does so at all, rather than twice as often. */
const RATIOS: Ratios = [
  [2, 0.15],
  [5, 0.2],
  [20, 0.35],
  [100, 0.3],
];

/** A window ends with so many of each kind, whatever they came to: small ones tell where noise comes and goes. */
const WINDOW_REPEATS = 10;
const WINDOW_COMPARISONS = 10;

/**
 * One window multiplies the odds by this at the most: a write between two responses makes many of them differ, and says no more than
 * one.
 */
const MAX_FACTOR = 4;
/** Later ones share the weight of "it began later". */
const WINDOWS = 1_000;

/** What is counted of a window: numbers of repeats and of comparisons. */
export interface WindowCounts {
  repeats: number;
  comparisons: number;
}

export function isWindowWhole({ repeats, comparisons }: WindowCounts): boolean {
  return repeats >= WINDOW_REPEATS && comparisons >= WINDOW_COMPARISONS;
}

/** The odds before the first window in which a field differed: until then no window says anything. */
export const NO_FIELD_ODDS: RateOdds = beginRateOdds(RATIOS);

/**
 * @param all how many there were in the window
 * @param hits how many of them differed in the field
 */
export function addFieldWindow(odds: RateOdds, all: WindowCounts, hits: WindowCounts): RateOdds {
  const pair = {
    from: { requests: all.repeats, hits: hits.repeats },
    to: { requests: all.comparisons, hits: hits.comparisons },
  };
  return addWindow(odds, RATIOS, pair, { looks: WINDOWS, tolerance: 0, maxFactor: MAX_FACTOR });
}

/** The odds against noise as far as they count: at `MAX_FALSE_ALARM_ODDS` the field differs. */
export function weighFieldOdds(odds: RateOdds, of: 'field' | 'name'): number {
  return findOdds(odds) / (2 * (of === 'field' ? MAX_FIELDS : MAX_NAMES));
}
