import {
  Comparison,
  SPREAD_SECONDS,
  SideWindows,
  addWindows,
  areInForce,
  describeShare,
  findMisfit,
  findShift,
  orderWindow,
} from '../judge/comparison';
import { NO_SHARE_ODDS } from '../judge/share-odds';
import { findDirection } from '../plan/direction';
import type { Weights } from '../traffic/weights';
import type { WindowOrder } from '../proxy/window';
import type { ArrivalsBack, CutoverRun } from './run';

/** `unproven`: too little arrived, or not every proxy said what did. */
export type ArrivalsVerdict = 'wait' | 'inForce' | 'unproven' | 'notInForce';

/** How long arrivals are looked at that prove nothing. */
const MAX_LOOKING_SECONDS = 40;
/** How long it waits for a first one, and for proxies that do not respond. */
const MAX_UNKNOWN_SECONDS = 10;
/** Weights that are not in force are set so often at the most. */
const MAX_TIMES_SET = 3;

export function beginArrivalsBack(setAtMs: number, timesSet = 1): ArrivalsBack {
  return { setAtMs, timesSet, until: Math.floor(setAtMs / 1000), share: NO_SHARE_ODDS, isKnown: false };
}

/**
 * What a rollback compares arrivals with: undefined where nothing can be said, because no stage was shifted, or no new client had come
 * in the last one.
 */
export function findComparisonBack({ stage, watch, plan }: CutoverRun): Comparison | undefined {
  const { comparison, sessions } = watch ?? {};
  if (!stage || !comparison) return undefined;
  const { weights } = findShift(plan, stage.index);
  const isSame = weights.source * plan.initialWeights.target === weights.target * plan.initialWeights.source;
  const isQuiet = sessions !== undefined && sessions.source.fresh + sessions.target.fresh === 0;
  return isSame || isQuiet ? undefined : comparison;
}

/** Never both of a time in which the weights may still spread, and of what comes after it. */
export function orderArrivalsBack(
  arrivals: ArrivalsBack,
  comparison: Comparison,
  { execution, plan }: CutoverRun,
  nowMs: number,
): WindowOrder {
  const order = orderWindow({ ...comparison, until: arrivals.until }, execution, plan, nowMs);
  const edge = findSpreadingUntil(arrivals);
  return arrivals.until < edge ? { ...order, until: Math.min(order.until, edge) } : order;
}

/** @param windows undefined where not every proxy that takes requests has said how many */
export function addArrivalsBack(
  arrivals: ArrivalsBack,
  windows: SideWindows | undefined,
  order: Pick<WindowOrder, 'after' | 'until'>,
  run: Pick<CutoverRun, 'plan' | 'stage' | 'rollback'>,
): ArrivalsBack {
  const next = { ...arrivals, until: Math.max(arrivals.until, order.until) };
  if (!windows || order.until <= order.after) return next;
  const shift = { weights: run.plan.initialWeights, before: findBefore(run) };
  const spreadingUntil = findSpreadingUntil(arrivals);
  const isKnown = arrivals.isKnown || windows.source.all.unbound + windows.target.all.unbound > 0;
  return {
    ...next,
    isKnown,
    share: addWindows({ share: arrivals.share, spreadingUntil }, windows, order, shift),
  };
}

/** The weights before those that the rollback restores: those of the stage, or of the last but one step of its pace. */
function findBefore({ plan, stage, rollback }: Pick<CutoverRun, 'plan' | 'stage' | 'rollback'>): Weights {
  const percent = rollback?.pace?.steps.at(-2)?.percent;
  if (percent === undefined) return findShift(plan, stage?.index ?? 0).weights;
  const { from } = findDirection(plan);
  return from === 'source' ? { source: percent, target: 100 - percent } : { source: 100 - percent, target: percent };
}

function findSpreadingUntil({ setAtMs }: ArrivalsBack): number {
  return Math.floor(setAtMs / 1000) + SPREAD_SECONDS;
}

export function judgeArrivalsBack(arrivals: ArrivalsBack, nowMs: number): ArrivalsVerdict {
  const { setAtMs, until, isKnown } = arrivals;
  if (areInForce(arrivals)) return 'inForce';
  if (findMisfit(arrivals) !== undefined) return 'notInForce';
  const isOver = isKnown
    ? until * 1000 - setAtMs >= MAX_LOOKING_SECONDS * 1000
    : nowMs - setAtMs >= MAX_UNKNOWN_SECONDS * 1000;
  return isOver ? 'unproven' : 'wait';
}

export function maySetAgain({ timesSet }: ArrivalsBack): boolean {
  return timesSet < MAX_TIMES_SET;
}

/** For the record of the rollback. */
export function describeArrivalsBack(arrivals: ArrivalsBack): string {
  const again = arrivals.timesSet > 1 ? `; they were set ${arrivals.timesSet} times` : '';
  if (!arrivals.isKnown) return `no new client was seen, or not every proxy said what arrives${again}`;
  return `${findMisfit(arrivals) ?? describeShare(arrivals)}${again}`;
}

/** Why a rollback has failed whose weights read back. */
export function describeNotInForce(arrivals: ArrivalsBack, { plan }: Pick<CutoverRun, 'plan'>): string {
  const { to } = findDirection(plan);
  const rule = `the weights must be in force once they have read back, and were set ${arrivals.timesSet} times`;
  return `${rule}, got new requests on the ${to}: ${findMisfit(arrivals) ?? describeShare(arrivals)}`;
}
