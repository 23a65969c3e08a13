import { pendingGate } from '../approval/approval';
import { CutoverRun, StageProgress, StageRecord, rollBack } from './run';
import { BakeVerdict, breakerTrip, unproven } from '../judge/judge';
import type { Stage } from '../plan/stages';
import { computeDifference } from '../judge/tally';
import { Watch, lastSample } from '../judge/watch';

/** The run after a look at a bake: what the verdict means for the stage and for the way ahead. */
export function afterBake(
  run: CutoverRun,
  { stage, progress, watch, verdict }: { stage: Stage; progress: StageProgress; watch: Watch; verdict: BakeVerdict },
  nowMs: number,
): CutoverRun {
  if (verdict === 'wait') return { ...run, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
  const ended = { ...run, stages: [...run.stages, buildRecord(stage, progress, watch, verdict, nowMs)] };
  if (verdict === 'rollBack') {
    return rollBack(ended, 'BreakerTripped', breakerTrip(watch, run.plan)?.message ?? 'the breaker tripped');
  }
  if (verdict === 'inconclusive') {
    const lack = unproven(watch, run.plan);
    const blind = 'everything that a promotion needs must be readable, got tasks or services that did not respond';
    return rollBack(ended, lack?.code ?? 'TargetNotProven', lack?.message ?? blind);
  }
  const next = progress.index + 1;
  if (next === run.plan.stages.length) return { ...ended, verdict: 'drain' };
  return { ...ended, verdict: pendingGate(run.plan, run.approved ?? [], next) ? 'approve' : 'nextStage' };
}

/** The record of the stage that was under way when something else ended the cutover. */
export function interruptedStage(run: CutoverRun, nowMs: number): StageRecord[] {
  const { stage: progress, watch } = run;
  const stage = progress && run.plan.stages[progress.index];
  if (!progress || !stage || !watch || run.stages.length > progress.index) return [];
  return [buildRecord(stage, progress, watch, 'rollBack', nowMs)];
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

function buildRecord(
  stage: Stage,
  progress: StageProgress,
  watch: Watch,
  verdict: StageRecord['verdict'],
  nowMs: number,
): StageRecord {
  const { confirmedAtMs, shiftedAtMs } = progress;
  return {
    weights: stage.weights,
    confirmed: confirmedAtMs !== undefined,
    ...summarizeObserved(watch),
    ...(watch.sessions && { sessions: watch.sessions }),
    verdict,
    ...(confirmedAtMs !== undefined && { confirmSeconds: (confirmedAtMs - shiftedAtMs) / 1000 }),
    seconds: (nowMs - shiftedAtMs) / 1000,
  };
}
