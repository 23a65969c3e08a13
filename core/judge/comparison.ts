import { Role, findDirection } from '../plan/direction';
import { MAX_ODDS } from '../plan/judge-plan';
import { listGates } from '../approval/approval';
import { LOOK_SECONDS } from '../plan/looking';
import { Plan, countLooks, findWaits } from '../plan/plan';
import { MAX_ROUTES, RouteWindow, WindowOrder, WindowReport, isRoute, mergeWindows } from '../proxy/window';
import { Side, Weights } from '../traffic/weights';
import {
  NONE,
  Odds,
  RouteCounts,
  WindowPair,
  addToOdds,
  beginOdds,
  describeSuspicion,
  formatOdds,
  restartOdds,
  sumOdds,
  totalOdds,
} from './odds';
import { LookSeconds, NO_POOL, Pool, addToPool, endLook } from './pool';
import { NO_SHARE_ODDS, ShareOdds, addArrivals, findShareOdds } from './share-odds';
import { Late, countLate } from './late-windows';
import { TaskReading } from './tally';

/** The side that gets the traffic compared with the one that is left, window by window. It travels from step to step. */
export interface Comparison {
  readonly odds: Odds;
  readonly pool: Pool;
  readonly share: ShareOdds;
  /** The last second that was counted, by the clock of the steps. */
  readonly until: number;
  /** Windows until here are not judged: it is warming up. */
  readonly coldUntil: number;
  /** Until here the nodes of the load balancer may still be told of the weights: what does not fit is forgotten. */
  readonly spreadingUntil: number;
  /** What did not fit was forgotten, and no arrivals have proven the weights since. */
  readonly isDoubted?: boolean;
  /** The end of the last time of which nothing is known: two looks were further apart than the proxies keep what they counted. */
  readonly unseenUntil?: number;
  /** The tasks that were silent at the last look. */
  readonly late?: Late;
}

/** A second is complete when it has ended, for a task whose clock was compared a little late, too: the order took that long. */
const SETTLED_SECONDS = 1.3;
/** What the source did in so many seconds before the shift says what is slow. The proxies keep no more than a little longer. */
export const PAST_SECONDS = 290;
/** More of them tell a person nothing. */
const DESCRIBED_PARTS = 3;
/** A class with fewer requests in that time says too little. */
const MIN_ROUTE_REQUESTS = 100;
/** Weights that have not spread by then are not in force. No figure is published; field reports say some ten seconds. */
export const SPREAD_SECONDS = 25;
/** Of weights that are in force it is seen once in ten stages at the most, and passes. */
const DOUBTFUL_ODDS = 10;

export type Readings = Readonly<Partial<Record<Side, readonly TaskReading[]>>>;

/** It names the routes that it compares. */
type OrderOfJudge = WindowOrder & { readonly routes: readonly string[] };

/** What each task is asked for: what it did since the last look. Before the first shift: what is slow at the source. */
export function orderWindow(
  comparison: Comparison | undefined,
  watch: string,
  plan: Plan,
  nowMs: number,
): OrderOfJudge {
  const now = nowMs / 1000;
  const settled = Math.floor(now - SETTLED_SECONDS);
  const oldest = Math.max(0, settled - PAST_SECONDS);
  if (!comparison) {
    const routes = plan.judge.routes.map(({ path }) => path);
    return { watch, now, after: oldest, until: settled, routes };
  }
  const { odds, pool } = comparison;
  const after = Math.max(comparison.until, oldest);
  return { watch, now, after, until: endLook(pool, { after, until: settled }), routes: Object.keys(odds.routes) };
}

/** What each side did in one window. */
export type SideWindows = Readonly<Record<Side, WindowReport>>;

/**
 * Where a task that takes requests does not say how many, or says those of other seconds, too, no side's share is known: then no
 * arrivals are compared.
 *
 * @param late those that were asked for more seconds than the others
 */
export function sumSides(readings: Readings, late: Late = {}): SideWindows {
  const { source = [], target = [] } = readings;
  const sums = { source: sumWindows(source), target: sumWindows(target) };
  if (countLate(late) === 0 && areArrivalsKnown(readings)) return sums;
  return { source: withoutArrivals(sums.source), target: withoutArrivals(sums.target) };
}

export function areArrivalsKnown({ source = [], target = [] }: Readings): boolean {
  return [...source, ...target].every(({ life, window }) => life !== 'running' || window !== undefined);
}

function withoutArrivals(sum: WindowReport): WindowReport {
  return { ...sum, all: { ...sum.all, requests: 0, unbound: 0 } };
}

/**
 * Before the first shift.
 *
 * @param past what the side that is left responded to `orderWindow`
 */
export function beginComparison(
  past: WindowReport,
  order: Pick<OrderOfJudge, 'routes' | 'until'>,
  plan: Plan,
): Comparison {
  const names = order.routes.length > 0 ? order.routes : chooseRoutes(past);
  const odds = beginOdds(past.all.latencies, names, countWindows(plan));
  return { odds, pool: NO_POOL, share: NO_SHARE_ODDS, until: order.until, coldUntil: 0, spreadingUntil: 0 };
}

/** A person said that what was seen until now is good: the odds start again, and what is slow stays. */
export function restartComparison(comparison: Comparison): Comparison {
  return { ...comparison, odds: restartOdds(comparison.odds), pool: NO_POOL };
}

/** When a stage has been shifted: it warms up, and its arrivals are compared with its own weights. An open window is dropped. */
export function warmUp(comparison: Comparison, bakeSeconds: number, plan: Plan, nowMs: number): Comparison {
  const seconds = Math.min(plan.judge.warmUpSeconds, bakeSeconds / 4);
  const now = Math.floor(nowMs / 1000);
  const spreadingUntil = now + SPREAD_SECONDS;
  const stage = { coldUntil: now + seconds, spreadingUntil, isDoubted: false };
  return { ...comparison, pool: NO_POOL, share: NO_SHARE_ODDS, ...stage };
}

/** The weights in force, and those before. */
export interface Shift {
  readonly weights: Weights;
  readonly before: Weights;
}

/** Of a stage, from 0. */
export function findShift({ stages, initialWeights }: Plan, stage: number): Shift {
  return {
    weights: stages[stage]?.weights ?? initialWeights,
    before: stages[stage - 1]?.weights ?? initialWeights,
  };
}

export function addToComparison(
  comparison: Comparison,
  windows: SideWindows,
  order: LookSeconds,
  plan: Plan,
  shift: Shift,
): Comparison {
  const { from, to } = findDirection(plan);
  const pair: WindowPair = { from: toRole(windows[from]), to: toRole(windows[to]) };
  const share = addWindows(comparison, isLeft(plan, shift) ? countBound(windows) : windows, order, shift);
  const isForgotten = share === NO_SHARE_ODDS;
  return {
    ...comparison,
    ...(order.after >= comparison.coldUntil && addPair(comparison, pair, order, plan)),
    share,
    isDoubted: isForgotten || (comparison.isDoubted === true && !areInForce({ share })),
    until: order.until,
    ...(order.after > comparison.until && { unseenUntil: order.after }),
  };
}

/** Whether the action does not name the side that is left: then no cookie keeps a client there. */
function isLeft(plan: Plan, { weights }: Shift): boolean {
  return weights[findDirection(plan).from] === 0 && plan.stickiness.policy !== 'keep';
}

/** All requests are those of clients that the weights decide on. */
function countBound({ source, target }: SideWindows): SideWindows {
  const all = (sum: WindowReport) => ({ ...sum, all: { ...sum.all, unbound: sum.all.requests } });
  return { source: all(source), target: all(target) };
}

function addPair(
  { odds, pool: before }: Comparison,
  pair: WindowPair,
  look: LookSeconds,
  plan: Plan,
): Pick<Comparison, 'odds' | 'pool'> {
  const { pool, whole } = addToPool(before, pair, look);
  const tolerances = { errors: 0, latency: plan.judge.latencyTolerance };
  return { pool, odds: whole ? addToOdds(odds, whole, tolerances) : odds };
}

/** What does not fit is forgotten while the weights spread. */
export function addWindows(
  { share, spreadingUntil }: Pick<Comparison, 'share' | 'spreadingUntil'>,
  { source, target }: SideWindows,
  { after }: Pick<LookSeconds, 'after'>,
  shift: Shift,
): ShareOdds {
  const next = addArrivals(share, { source: source.all.unbound, target: target.all.unbound }, shift);
  const isSpreading = after < spreadingUntil;
  return isSpreading && findShareOdds(next).wrong >= MAX_ODDS ? NO_SHARE_ODDS : next;
}

/**
 * Whether what arrives proves that the weights are in force, and says nothing against it. Too little traffic proves nothing. What
 * did not fit while the weights spread is forgotten, and the proof that came before it, too.
 */
export function areInForce({ share }: Pick<Comparison, 'share'>): boolean {
  const { inForce, wrong } = findShareOdds(share);
  return inForce >= MAX_ODDS && wrong < DOUBTFUL_ODDS;
}

/**
 * Whether arrivals must still prove the weights: while these may spread, and where arrivals speak against them, or did so. Too few
 * new clients say nothing, and are no reason to stay where a stage is.
 */
export function mustProve({ share, until, spreadingUntil, isDoubted }: Comparison): boolean {
  if (areInForce({ share })) return false;
  return isDoubted === true || until < spreadingUntil || isAgainst(share);
}

/** That they stopped on the way is likelier, or one of the other ways to be wrong. */
function isAgainst(share: ShareOdds): boolean {
  const { inForce, wrong } = findShareOdds(share);
  return wrong >= DOUBTFUL_ODDS || inForce <= 1 / DOUBTFUL_ODDS;
}

/** The odds against the side that gets the traffic. */
export function findOddsAgainst({ odds }: Comparison): number {
  return sumOdds(odds);
}

/** What adds most to the odds, in words; the largest part first. */
export function describeParts({ odds }: Comparison, plan: Plan): string[] {
  const direction = findDirection(plan);
  const parts = totalOdds(odds).parts.filter(({ compared }) => compared.to.requests > 0);
  return parts.slice(0, DESCRIBED_PARTS).map((part) => describeSuspicion(part, direction));
}

/**
 * Whether what arrives proves the weights, in words.
 *
 * @returns how many arrivals there were, where they prove nothing yet
 */
export function describeShare(comparison: Pick<Comparison, 'share' | 'late'>): string {
  if (areInForce(comparison)) return 'the arrivals fit the weights';
  const { inForce, wrong } = findShareOdds(comparison.share);
  if (isAgainst(comparison.share)) {
    const against = formatOdds(Math.max(wrong, 1 / inForce));
    return `the arrivals do not fit the weights: odds of ${against} against them`;
  }
  if (countLate(comparison.late) > 0)
    return `the arrivals are not known, because a proxy did not respond at the last poll`;
  return `too few arrivals to prove the weights: odds of ${formatOdds(inForce)} for them`;
}

/** Why the side that gets the traffic is worse than the one that is left; undefined while that is not sure. */
export function findSuspicion({ odds }: Comparison, plan: Plan): string | undefined {
  const { odds: total, parts } = totalOdds(odds);
  const [first] = parts;
  if (total < MAX_ODDS || !first) return undefined;
  const direction = findDirection(plan);
  const rule = `the ${direction.to} must be as good as the ${direction.from}`;
  return `${rule}, got odds of ${formatOdds(total)} against it: ${describeSuspicion(first, direction)}`;
}

/** Why what arrives does not fit the weights; undefined while that is not sure. */
export function findMisfit({ share }: Pick<Comparison, 'share'>): string | undefined {
  const { wrong } = findShareOdds(share);
  if (wrong < MAX_ODDS) return undefined;
  return `what arrives must fit the weights, got odds of ${formatOdds(wrong)} against it`;
}

function sumWindows(readings: readonly TaskReading[]): WindowReport {
  return mergeWindows(readings.flatMap(({ window }) => window ?? []));
}

function toRole({ all, routes }: WindowReport): WindowPair[Role] {
  const each = Object.entries(routes).map(([name, window]) => [name, toCounts(window)]);
  return { all: toCounts(all), routes: Object.fromEntries(each) as Record<string, RouteCounts> };
}

function toCounts(window: RouteWindow | undefined): RouteCounts {
  if (!window) return NONE;
  const { responded, erring, errors, latencies } = window;
  return { requests: responded, errors: erring, failures: errors, latencies };
}

/** The most frequent first segments, as far as they say anything. */
function chooseRoutes({ all, segments }: WindowReport): string[] {
  const sampled = Object.values(segments).reduce((sum, count) => sum + count, 0);
  const isEnough = (count: number) => (count / sampled) * all.responded >= MIN_ROUTE_REQUESTS;
  const chosen = Object.entries(segments).filter(
    ([segment, count]) => segment !== '/' && isRoute(segment) && isEnough(count),
  );
  return chosen.slice(0, MAX_ROUTES).map(([segment]) => segment);
}

function countWindows(plan: Plan): number {
  const { confirms, bakes, hooks, drain } = countLooks(plan);
  const { approval, stages, stickiness } = plan;
  const gates = listGates(approval, stages.length).filter((gate) => gate !== 'firstShift');
  const waited =
    gates.length * approval.timeoutSeconds +
    (stickiness.policy === 'keep' ? stickiness.keepSeconds : 0) +
    findWaits(plan).between;
  const polls = confirms + bakes + hooks + drain;
  return Math.ceil(polls * Math.max(1, plan.pollSeconds / LOOK_SECONDS) + waited / LOOK_SECONDS);
}
