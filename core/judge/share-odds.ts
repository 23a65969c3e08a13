/**
 * Whether what arrives fits the weights. A load balancer's API may accept weights and use others: for a while, in part of its
 * nodes, or for ever. Counted are requests that the weights decide on: with sticky sessions those without a cookie of one.
 *
 * Both odds are e-values: while arrivals follow the weights, `wrong` reaches 1/α with a probability of at most α at any time;
 * while they have gone half of the way from the weights before at the most, so does `inForce`. A step that is too small for that to
 * be told apart counts as one that is larger.
 *
 * They start again at each stage, and are no part of the one budget of errors and latency: α is that of a stage here.
 */
import { Weights } from '../traffic/weights';

/** Natural logarithms. Plain numbers: it travels in a state. */
export interface ShareOdds {
  /** One for each of `BETWEEN`, and one of a target that gets more than its share. */
  readonly wrong: readonly number[];
  readonly inForce: number;
}

/** Requests that arrived on each side. */
export type Arrivals = Weights;

export const NO_SHARE_ODDS: ShareOdds = { wrong: [0, 0, 0, 0, 0], inForce: 0 };

/** How far the arrivals went from the weights before to the new ones: not at all, or in part of the nodes. */
const BETWEEN: readonly number[] = [0, 0.25, 0.5, 0.75];
/** Of a target that gets more than its share, how much more. */
const MORE = 1.5;
/** Nodes that were told late and a draw that is not quite random are no fault: shares this close to the weights fit. */
const TOLERANCE = 0.1;
/** The odds between both sides must differ by so much to be told apart by some 230 arrivals: 50 % and 40 % do. */
const APART = 1.5;
/** Of a side that is to get everything, or nothing: no more than this is left to be told apart. */
const NEARLY_ALL = 0.985;
/** No share is certain: one stray request must not prove anything. */
const STRAY = 0.0005;

/** The odds after more arrivals, under the weights that are to be in force and those before them. */
export function addArrivals(
  { wrong, inForce }: ShareOdds,
  arrivals: Arrivals,
  { weights, before }: { readonly weights: Weights; readonly before: Weights },
): ShareOdds {
  const [now, then] = [targetShare(weights), targetShare(before)];
  const slack = TOLERANCE * Math.min(now, 1 - now);
  const more = Math.min(1, now * MORE);
  const logs = [...BETWEEN.map((part) => then + part * (now - then)), more].map((share) => {
    const near = Math.min(slack, Math.abs(share - now) / 2);
    return logRatio(arrivals, share, share > now ? now + near : now - near);
  });
  return {
    wrong: logs.map((log, index) => round((wrong[index] ?? 0) + log)),
    inForce: round(inForce + logRatio(arrivals, now, stoppedShare(now, then))),
  };
}

/** How many arrivals by the new weights prove on average that these are in force. */
export function arrivalsToProve(
  { weights, before }: { readonly weights: Weights; readonly before: Weights },
  odds: number,
): number {
  const [now, then] = [targetShare(weights), targetShare(before)];
  return Math.ceil(Math.log(odds) / logRatio({ source: 1 - now, target: now }, now, stoppedShare(now, then)));
}

/** The share of a change that has stopped half way; of a small one, further behind. */
function stoppedShare(now: number, then: number): number {
  const half = (now + then) / 2;
  const isMore = now === then ? now > 0.5 : now > then;
  const near = Math.min(NEARLY_ALL, Math.max(1 - NEARLY_ALL, now));
  const odds = (near / (1 - near)) * (isMore ? 1 / APART : APART);
  const apart = odds / (1 + odds);
  return isMore ? Math.min(half, apart) : Math.max(half, apart);
}

/** The odds against weights that are in force, and those against weights that are not; 1 at the beginning. */
export function findShareOdds({ wrong, inForce }: ShareOdds): { readonly wrong: number; readonly inForce: number } {
  return {
    wrong: wrong.reduce((sum, log) => sum + Math.exp(log), 0) / wrong.length,
    inForce: Math.exp(inForce),
  };
}

/** How much likelier these arrivals are under a share of the target than under another one. */
function logRatio({ source, target }: Arrivals, share: number, other: number): number {
  const [a, b] = [possible(share), possible(other)];
  return target * Math.log(a / b) + source * Math.log((1 - a) / (1 - b));
}

function possible(share: number): number {
  return Math.min(1 - STRAY, Math.max(STRAY, share));
}

function targetShare({ source, target }: Weights): number {
  return target / (source + target);
}

function round(log: number): number {
  return Math.round(log * 1e4) / 1e4;
}
