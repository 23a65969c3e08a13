import { pendingGate } from '../approval/approval';
import { ask, mayAsk } from './escalation';
import { CutoverRun, Failure, StageJudged, StageProgress, StageRecord, Verdict, rollBack } from './run';
import { BakeVerdict, breakerTrip, unproven } from '../judge/judge';
import { findDirection } from '../plan/direction';
import type { ErrorCode } from '../errors/errors';
import type { Stage } from '../plan/stages';
import { describeParts, describeShare, findOddsAgainst } from '../judge/comparison';
import type { Plan } from '../plan/plan';
import { computeDifference } from '../judge/tally';
import { Watch, lastSample } from '../judge/watch';

/** The run after a look at a bake: what the verdict means for the stage and for the way ahead. */
export function afterBake(
  run: CutoverRun,
  { stage, progress, watch, verdict }: { stage: Stage; progress: StageProgress; watch: Watch; verdict: BakeVerdict },
  nowMs: number,
): CutoverRun {
  if (verdict === 'wait') return { ...run, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
  const { counts, kinds } = watch.tallies[findDirection(run.plan).from];
  const { lost, unknown } = counts;
  const ended = {
    ...run,
    stages: [...run.stages, buildRecord(stage, progress, watch, verdict, run.plan, nowMs)],
    judgedCounts: { lost, unknown, ...(kinds && { kinds }) },
  };
  if (verdict === 'rollBack') {
    return rollBack(ended, 'BreakerTripped', breakerTrip(watch, run.plan)?.message ?? 'the breaker tripped');
  }
  const next = findNext(run, progress.index + 1);
  if (verdict === 'inconclusive') {
    const failure = describeInconclusive(watch, run.plan);
    const isAsked = run.plan.judge.inconclusive === 'pause' && mayAsk(run);
    if (isAsked) return ask(ended, { failure, isFailing: false, resume: next });
    return rollBack(ended, failure.code as ErrorCode, failure.message);
  }
  return { ...ended, verdict: next };
}

/** What a bake lacked that has proven nothing at its maximum. */
export function describeInconclusive(watch: Watch, plan: Plan): Failure {
  const blind = 'everything that a promotion needs must be readable, got tasks or services that did not respond';
  return unproven(watch, plan) ?? { code: 'TargetNotProven', message: blind };
}

/** From when the time of its bake counts; undefined before the weights have read back. */
export function findBakeStart({ confirmedAtMs, bakesAgainAtMs }: StageProgress): number | undefined {
  return bakesAgainAtMs ?? confirmedAtMs;
}

/** What follows the stage before. */
function findNext({ plan, approved = [] }: CutoverRun, index: number): Verdict {
  if (index === plan.stages.length) return 'drain';
  return pendingGate(plan, approved, index) ? 'approve' : 'nextStage';
}

/** The record of the stage that was under way when something else ended the cutover. */
export function interruptedStage(run: CutoverRun, nowMs: number): StageRecord[] {
  const { stage: progress, watch } = run;
  const stage = progress && run.plan.stages[progress.index];
  if (!progress || !stage || !watch || run.stages.length > progress.index) return [];
  return [buildRecord(stage, progress, watch, 'rollBack', run.plan, nowMs)];
}

/** What both sides did since the shift of a stage, for its record and for people. */
export function summarizeObserved(watch: Watch): Pick<StageRecord, 'observed' | 'errors' | 'lost' | 'tasksLost'> {
  const last = lastSample(watch);
  const first = watch.samples[0] ?? last;
  const source = computeDifference(last.source, first.source);
  const target = computeDifference(last.target, first.target);
  const smoked = (side: 'source' | 'target') => last.smoked[side] - first.smoked[side];
  return {
    observed: {
      source: Math.max(0, source.requests - smoked('source')),
      target: Math.max(0, target.requests - smoked('target')),
    },
    errors: { source: source.errors, target: target.errors },
    lost: { source: source.lost, target: target.lost },
    tasksLost: { source: source.tasksLost, target: target.tasksLost },
  };
}

/** Two digits say it: the figures themselves are beside it. */
export function describeJudged(watch: Watch, plan: Plan): { judge?: StageJudged } {
  const { comparison } = watch;
  if (!comparison) return {};
  const missing = unproven(watch, plan)?.message;
  return {
    judge: {
      odds: Number(findOddsAgainst(comparison).toPrecision(2)),
      parts: describeParts(comparison, plan),
      arrivals: describeShare(comparison),
      ...(missing !== undefined && { missing }),
    },
  };
}

function buildRecord(
  stage: Stage,
  progress: StageProgress,
  watch: Watch,
  verdict: StageRecord['verdict'],
  plan: Plan,
  nowMs: number,
): StageRecord {
  const { confirmedAtMs, shiftedAtMs } = progress;
  return {
    weights: stage.weights,
    confirmed: confirmedAtMs !== undefined,
    ...summarizeObserved(watch),
    ...(watch.sessions && { sessions: watch.sessions }),
    verdict,
    ...describeJudged(watch, plan),
    ...(confirmedAtMs !== undefined && { confirmSeconds: (confirmedAtMs - shiftedAtMs) / 1000 }),
    seconds: (nowMs - shiftedAtMs) / 1000,
  };
}
