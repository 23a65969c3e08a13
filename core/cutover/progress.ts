import { GateName, deadlineMs } from '../approval/approval';
import { describeParts, describeShare, findOddsAgainst } from '../judge/comparison';
import { unproven } from '../judge/judge';
import { Watch, lastSample } from '../judge/watch';
import type { LiveConnections } from '../judge/live';
import { findDirection } from '../plan/direction';
import { MAX_ODDS } from '../plan/judge-plan';
import { findMaximumBake } from '../plan/stages';
import { SIDES, Side, Weights } from '../traffic/weights';
import { describeWait, findWaitEnd } from './hooks';
import { describePace, findNextStep } from './pacing';
import type { CutoverRun, StageProgress } from './run';
import { findBakeStart, summarizeObserved } from './stage';

/** What a person who watches a cutover is shown of its state. */
export interface Progress {
  readonly stage?: {
    /** From 1. */
    readonly number: number;
    readonly stages: number;
    /** Those that the stage sets. */
    readonly weights: Weights;
  };
  /** What it waits for a person to approve. */
  readonly gate?: GateName;
  /** The hook that has said not yet, how often, and when it is called again. */
  readonly hook?: string;
  readonly next?: NextEvent;
  /** Of clients, since the stage was shifted. */
  readonly sides?: Readonly<Record<Side, SideFigures>>;
  /** When `sides` and `live` were counted. ISO 8601. */
  readonly countedAt?: string;
  readonly live?: Partial<Readonly<Record<Side, LiveConnections>>>;
  readonly judge?: JudgeFigures;
  /** Why it rolls back. */
  readonly rollsBackBecause?: string;
  /** What the pace of the rollback did, one line each. */
  readonly pace?: readonly string[];
}

export interface SideFigures {
  readonly requests: number;
  readonly errors: number;
  /** Since the look before. */
  readonly requestsPerSecond?: number;
}

export interface JudgeFigures {
  /** The odds against the side that gets the traffic. */
  readonly odds: number;
  /** From here on it rolls back. */
  readonly threshold: number;
  /** What adds most to the odds, the largest part first. */
  readonly parts: readonly string[];
  /** Whether what arrives proves the weights. */
  readonly arrivals: string;
  /** What a promotion still lacks. */
  readonly missing?: string;
}

/** What comes next, and when: `at` is ISO 8601. */
export interface NextEvent {
  readonly what: string;
  readonly at: string;
}

export function findProgress(run: CutoverRun, nowMs: number): Progress {
  const { plan, stage, watch, approval, rollback } = run;
  const present = stage && plan.stages[stage.index];
  const next = findNextEvent(run, nowMs);
  return {
    ...(stage &&
      present && { stage: { number: stage.index + 1, stages: plan.stages.length, weights: present.weights } }),
    ...(approval && { gate: approval.gate }),
    ...findHookLine(run),
    ...(next && { next: { what: next.what, at: new Date(next.atMs).toISOString() } }),
    ...(watch && findFigures(watch)),
    ...(watch?.live && { live: watch.live }),
    ...(watch?.comparison && { judge: findJudge(run, watch, watch.comparison) }),
    ...findReason(run),
    ...(rollback?.pace && { pace: describePace(rollback.pace) }),
  };
}

function findHookLine(run: CutoverRun): Pick<Progress, 'hook'> {
  const { hooking } = run;
  return hooking?.waiting && !isGoingBack(run) ? { hook: describeWait(hooking.waiting) } : {};
}

function findReason({ verdict, failure }: CutoverRun): Pick<Progress, 'rollsBackBecause'> {
  return verdict === 'rollBack' && failure ? { rollsBackBecause: failure.message } : {};
}

function findFigures(watch: Watch): Pick<Progress, 'sides' | 'countedAt'> {
  const last = lastSample(watch);
  const { observed, errors } = summarizeObserved(watch);
  const before = watch.samples.at(-2);
  const figures = (side: Side): SideFigures => {
    const seconds = before ? (last.atMs - before.atMs) / 1000 : 0;
    const more = before ? last[side].requests - before[side].requests : 0;
    const rate = seconds > 0 ? { requestsPerSecond: Math.round((10 * more) / seconds) / 10 } : {};
    return { requests: observed[side], errors: errors[side], ...rate };
  };
  const sides = Object.fromEntries(SIDES.map((side) => [side, figures(side)])) as Record<Side, SideFigures>;
  return { sides, countedAt: new Date(last.atMs).toISOString() };
}

function findJudge(
  { plan, drain }: CutoverRun,
  watch: Watch,
  comparison: NonNullable<Watch['comparison']>,
): JudgeFigures {
  const missing = drain ? undefined : unproven(watch, plan)?.message;
  return {
    odds: findOddsAgainst(comparison),
    threshold: MAX_ODDS,
    parts: describeParts(comparison, plan),
    arrivals: describeShare(comparison),
    ...(missing !== undefined && { missing }),
  };
}

interface Coming {
  readonly what: string;
  readonly atMs: number;
}

/** What ends the present wait at the latest, or at the earliest; undefined of a step that does not wait. */
function findNextEvent(run: CutoverRun, nowMs: number): Coming | undefined {
  const { plan, approval, window, drain, stage, stages, hooking, initial } = run;
  if (isGoingBack(run)) return findNextStep(run);
  if (approval) {
    const end = initial ? 'it rolls back without an approval' : 'it ends without an approval';
    return { what: end, atMs: deadlineMs(approval.askedAtMs, plan.approval) };
  }
  if (hooking?.waiting) {
    return { what: `the hook '${hooking.waiting.name}' fails at the latest`, atMs: findWaitEnd(run, hooking.waiting) };
  }
  const opensMs = window ? Date.parse(window.opensAt) : 0;
  if (opensMs > nowMs) return { what: 'the window opens', atMs: opensMs };
  const { from } = findDirection(plan);
  if (drain) return { what: `the drain of the ${from} ends at the latest`, atMs: drain.startedAtMs + drain.limitMs };
  // The bake of this stage has ended.
  if (!stage || stages.length > stage.index) return undefined;
  return findStageEvent(run, stage, nowMs);
}

function isGoingBack({ verdict, rollback }: CutoverRun): boolean {
  return verdict === 'rollBack' || rollback !== undefined;
}

function findStageEvent({ plan }: CutoverRun, progress: StageProgress, nowMs: number): Coming | undefined {
  const { shiftedAtMs, index } = progress;
  const startedMs = findBakeStart(progress);
  const stage = plan.stages[index];
  if (!stage) return undefined;
  if (startedMs === undefined) {
    return { what: 'the weights read back at the latest', atMs: shiftedAtMs + plan.confirmTimeoutSeconds * 1000 };
  }
  const earliestMs = startedMs + stage.bakeSeconds * 1000;
  const isLast = index === plan.stages.length - 1;
  const then = isLast ? 'the drain' : `stage ${index + 2}`;
  if (nowMs < earliestMs) return { what: `${then} at the earliest`, atMs: earliestMs };
  return { what: `the bake ends at the latest`, atMs: startedMs + findMaximumBake(stage) * 1000 };
}
