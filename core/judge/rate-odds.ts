/**
 * How sure it is that something happens more often on the target than on the source: errors, or requests slower than a
 * threshold. The odds are an e-value: while the target's rate is at most `1 + tolerance` times the source's, they reach 1/α at
 * any time with a probability of at most α, however often one looks, and over any change of the weights.
 *
 * One window multiplies them by a likelihood ratio: given that it happened, it was the target's with a probability that follows
 * from the requests of both sides. They are averaged over several ratios, because it is not known by how much a target is worse,
 * and over several starts, because it may have been good until now.
 *
 * @see M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022
 * @see J. Shin, A. Ramdas, A. Rinaldo, "E-detectors", NEJSDS 2023: several starts
 */

/** What one side did in a window. */
export interface Rate {
  readonly requests: number;
  /** How many of them had what is counted; at most `requests`. */
  readonly hits: number;
}

export interface RatePair {
  readonly from: Rate;
  readonly to: Rate;
  /**
   * Of the source in earlier windows, not less than it was: what the target is compared with where the source has no traffic any
   * more. 0–1.
   */
  readonly past?: number;
}

/** Of each ratio the natural logarithm of its odds, weighted by the starts so far. Plain numbers: it travels in a state. */
export interface RateOdds {
  readonly logs: readonly number[];
  /** 0–1: the weight of the starts so far. */
  readonly started: number;
}

/** How many times as likely something is on the target, and how much of the doubt is for it. The weights add up to 1. */
export type Ratios = readonly (readonly [ratio: number, weight: number])[];

/** A target that fails does so three or five times as often, rather than one and a half times. */
export const ERROR_RATIOS: Ratios = [
  [1.5, 0.1],
  [2, 0.2],
  [3, 0.3],
  [5, 0.3],
  [10, 0.1],
];
export const LATENCY_RATIOS: Ratios = [
  [1.25, 0.15],
  [1.5, 0.2],
  [2, 0.25],
  [3, 0.2],
  [5, 0.15],
  [10, 0.05],
];

/** The weight of "worse from the beginning"; the rest is for what begins later. */
const FIRST_WEIGHT = 0.9;

export interface WindowOptions {
  /** How many windows a cutover has at the most: the later starts share their weight among so many. */
  readonly looks: number;
  /** A target that is so much worse is good enough: 0.1 allows 1.1 times the source's odds. */
  readonly tolerance: number;
  /**
   * One window multiplies the odds by this at the most: for what hits many requests at once and says no more than if it had hit one.
   * Odds that are cut are an e-value still, because they are never larger.
   * @default - any number
   */
  readonly maxFactor?: number;
}

export function beginRateOdds(ratios: Ratios): RateOdds {
  return { logs: ratios.map(([, weight]) => round(Math.log(FIRST_WEIGHT * weight))), started: FIRST_WEIGHT };
}

/** The odds after another window. */
export function addWindow(
  { logs, started }: RateOdds,
  ratios: Ratios,
  pair: RatePair,
  { looks, tolerance, maxFactor = Infinity }: WindowOptions,
): RateOdds {
  const start = Math.min((1 - FIRST_WEIGHT) / Math.max(1, looks), 1 - started);
  const isAlone = pair.from.requests === 0 && pair.past !== undefined;
  const isEmpty = pair.to.requests === 0 || (pair.from.requests === 0 && !isAlone);
  const logOf = isAlone ? logAlone : logProbability;
  const equal = isEmpty ? 0 : logOf(pair, 1 + tolerance);
  const most = Math.log(maxFactor);
  const next = ratios.map(([ratio, weight], index) => {
    const before = addLogs(logs[index]!, Math.log(start * weight));
    const isWorse = !isEmpty && ratio > 1 + tolerance;
    return round(before + (isWorse ? Math.min(logOf(pair, ratio) - equal, most) : 0));
  });
  return { logs: next, started: started + start };
}

/** The odds, 1 at the beginning: 100 is "100 : 1 against a target that is as good as the source". */
export function findOdds({ logs, started }: RateOdds): number {
  return logs.reduce((sum, log) => sum + Math.exp(log), 0) + (1 - started);
}

/**
 * That of all hits so many were the target's, where its odds are `ratio` times the source's: Fisher's noncentral
 * hypergeometric distribution, up to a term that is the same for every ratio.
 */
function logProbability({ from, to }: RatePair, ratio: number): number {
  const hits = from.hits + to.hits;
  const low = Math.max(0, hits - from.requests);
  const high = Math.min(to.requests, hits);
  const step = (count: number) =>
    (ratio * (to.requests - count) * (hits - count)) / ((count + 1) * (from.requests - hits + count + 1));
  // From what was seen in both directions, each term as a multiple of that one: what is far behind the most likely adds nothing.
  const up = sumTerms(high - to.hits, (index) => step(to.hits + index));
  const down = sumTerms(to.hits - low, (index) => 1 / step(to.hits - 1 - index));
  return -addLogs(0, addLogs(up, down));
}

/** That so many requests of the target were hits, where its odds are `ratio` times those of the source's past. */
function logAlone({ to, past = 0 }: RatePair, ratio: number): number {
  const odds = (ratio * past) / (1 - past);
  const rate = Math.min(CERTAIN, Math.max(1 - CERTAIN, odds / (1 + odds)));
  return to.hits * Math.log(rate) + (to.requests - to.hits) * Math.log(1 - rate);
}

/** No rate is 0 or 1 for sure. */
const CERTAIN = 1 - 1e-6;
const NEGLIGIBLE = 1e-15;
const LARGE = 1e200;

/** The logarithm of the sum of so many terms, the first of which is `factor(0)`, and each next one `factor(index)` times as large. */
function sumTerms(count: number, factor: (index: number) => number): number {
  let [sum, term, scale] = [0, 1, 0];
  for (let index = 0; index < count; index += 1) {
    term *= factor(index);
    if (term > LARGE) [sum, term, scale] = [sum / LARGE, term / LARGE, scale + Math.log(LARGE)];
    sum += term;
    if (term < NEGLIGIBLE * sum) break;
  }
  return Math.log(sum) + scale;
}

function addLogs(a: number, b: number): number {
  const [low, high] = a < b ? [a, b] : [b, a];
  return high === -Infinity ? high : high + Math.log1p(Math.exp(low - high));
}

/** Enough for any verdict, and short in a state. */
function round(log: number): number {
  return Math.round(log * 1e4) / 1e4;
}
