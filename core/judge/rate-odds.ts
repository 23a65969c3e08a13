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

/** A target that fails does so five times as often, rather than twice. Between two of them the loss is small. */
export const ERROR_RATIOS: Ratios = [
  [2, 0.15],
  [3, 0.2],
  [5, 0.5],
  [10, 0.15],
];
export const LATENCY_RATIOS: Ratios = [
  [1.5, 0.15],
  [2, 0.15],
  [4, 0.5],
  [8, 0.2],
];

/** The weight of "worse from the beginning"; the rest is for what begins later. */
const FIRST_WEIGHT = 0.95;

export interface WindowOptions {
  /** How many windows a cutover has at the most: the later starts share their weight among so many. */
  readonly looks: number;
  /** A target that is so much worse is good enough: 0.1 allows 1.1 times the source's odds. */
  readonly tolerance: number;
  /**
   * One window multiplies the odds by this at the most: for what hits many requests at once and says no more than if it had hit one.
   * What this cuts is given back to the results that are not cut: the mean for a fair target stays at most 1.
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
  const logFactor = findLogFactor(pair, 1 + tolerance, maxFactor);
  const next = ratios.map(([ratio, weight], index) => {
    const before = addLogs(logs[index]!, Math.log(start * weight));
    return round(before + (ratio > 1 + tolerance ? logFactor(ratio) : 0));
  });
  return { logs: next, started: started + start };
}

/** The logarithm of how much likelier a window is where the target's odds are `ratio` times the source's, and not `fair` times. */
function findLogFactor(pair: RatePair, fair: number, maxFactor: number): (ratio: number) => number {
  const { from, to, past } = pair;
  const most = Math.log(maxFactor);
  if (to.requests === 0) return () => 0;
  if (from.requests === 0) {
    if (past === undefined) return () => 0;
    const equal = logAlone(pair, fair);
    return (ratio) => Math.min(logAlone(pair, ratio) - equal, most);
  }
  const hits = from.hits + to.hits;
  if (hits === 0 || hits === from.requests + to.requests) return () => 0;
  const equal = logProbability(pair, fair);
  return (ratio) => {
    const log = logProbability(pair, ratio) - equal;
    return most === Infinity ? log : Math.min(log + logGivenBack(pair, { ratio, fair, log, most }), most);
  };
}

/** In a window with very many requests all would be given back to what says nothing, and the smallest difference would count. */
const MAX_GIVEN_BACK = 2;
const NOTHING_LEFT = 1e-9;

/**
 * What results that are not cut are multiplied by, so that the mean for a fair target is 1 again:
 * (1 − most · P(cut | fair)) / P(not cut | ratio), because what is not cut has a mean of P(not cut | ratio).
 */
function logGivenBack(
  pair: RatePair,
  { ratio, fair, log, most }: Readonly<Record<'ratio' | 'fair' | 'log' | 'most', number>>,
): number {
  const { from, to } = pair;
  const hits = from.hits + to.hits;
  // With each hit more of the target the factor is `ratio / fair` times as large.
  const cut = Math.max(0, hits - from.requests, to.hits + Math.ceil((most - log) / Math.log(ratio / fair) - 1e-9));
  if (cut > Math.min(to.requests, hits)) return 0;
  const first: RatePair = {
    from: { requests: from.requests, hits: hits - cut },
    to: { requests: to.requests, hits: cut },
  };
  const kept = 1 - atLeast(first, ratio);
  if (kept < NOTHING_LEFT) return 0;
  const more = (1 - Math.exp(most) * atLeast(first, fair)) / kept;
  return Math.log(Math.min(MAX_GIVEN_BACK, Math.max(1, more)));
}

/** That of all hits at least so many were the target's. */
function atLeast(pair: RatePair, ratio: number): number {
  const { logAll, logUp } = sumTerms(pair, ratio);
  return Math.exp(logUp - logAll);
}

/** The odds, 1 at the beginning: 100 is "100 : 1 against a target that is as good as the source". */
export function findOdds({ logs, started }: RateOdds): number {
  return logs.reduce((sum, log) => sum + Math.exp(log), 0) + (1 - started);
}

/**
 * That of all hits so many were the target's, where its odds are `ratio` times the source's: Fisher's noncentral
 * hypergeometric distribution.
 */
function logProbability(pair: RatePair, ratio: number): number {
  return -sumTerms(pair, ratio).logAll;
}

/**
 * How likely other numbers of hits of the target are, as multiples of what was seen.
 *
 * @returns `logAll`: the logarithm of the sum of all, `logUp`: of what was seen and all above it
 */
function sumTerms({ from, to }: RatePair, ratio: number): { readonly logAll: number; readonly logUp: number } {
  const hits = from.hits + to.hits;
  const step = (count: number) =>
    (ratio * (to.requests - count) * (hits - count)) / ((count + 1) * (from.requests - hits + count + 1));
  let [up, down, term, scale] = [1, 0, 1, 0];
  for (let count = to.hits; count < Math.min(to.requests, hits) && term > NEGLIGIBLE * up; count += 1) {
    term *= step(count);
    up += term;
    if (up > LARGE) [up, term, scale] = [up / LARGE, term / LARGE, scale + LOG_LARGE];
  }
  const logUp = Math.log(up) + scale;
  [term, scale] = [1, 0];
  const low = Math.max(0, hits - from.requests);
  for (let count = to.hits; count > low && term > NEGLIGIBLE * (1 + down); count -= 1) {
    term /= step(count - 1);
    down += term;
    if (down > LARGE) [down, term, scale] = [down / LARGE, term / LARGE, scale + LOG_LARGE];
  }
  const isPlain = scale === 0 && logUp < LOG_LARGE;
  return { logUp, logAll: isPlain ? Math.log(up + down) : addLogs(logUp, Math.log(down) + scale) };
}

/** That so many requests of the target were hits, where its odds are `ratio` times those of the source's past. */
function logAlone({ to, past = 0 }: RatePair, ratio: number): number {
  const odds = (ratio * past) / (1 - past);
  const rate = Math.min(CERTAIN, Math.max(1 - CERTAIN, odds / (1 + odds)));
  return to.hits * Math.log(rate) + (to.requests - to.hits) * Math.log(1 - rate);
}

/** No rate is 0 or 1 for sure. */
const CERTAIN = 1 - 1e-6;
/** What is so far behind the rest adds nothing. */
const NEGLIGIBLE = 1e-12;
const LARGE = 1e200;
const LOG_LARGE = Math.log(LARGE);

/** A number that is e to this times as large as another one loses nothing without it. */
const MAX_BEHIND = -36;

function addLogs(a: number, b: number): number {
  const high = Math.max(a, b);
  const behind = Math.min(a, b) - high;
  return behind > MAX_BEHIND ? high + Math.log1p(Math.exp(behind)) : high;
}

/** Short in a state, and far finer than the weight of one start: what rounding adds in a whole cutover is nothing. */
function round(log: number): number {
  return Math.round(log * 1e6) / 1e6;
}
