import { pendingGate } from './approval';
import { BakeVerdict } from './bake';
import { CutoverRun, Observed, StageProgress, StageRecord, retreat } from './cutover';
import { Stage } from './plan';

/** The run after a look at a bake: what the verdict means for the stage and for the way ahead. */
export function afterBake(
  run: CutoverRun,
  {
    stage,
    progress,
    observed,
    verdict,
  }: { stage: Stage; progress: StageProgress; observed: Observed; verdict: BakeVerdict },
  nowMs: number,
): CutoverRun {
  if (verdict === 'wait') {
    return { ...run, stage: { ...progress, observed }, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
  }
  const ended = { ...run, stages: [...run.stages, recordOf(stage, progress, observed, verdict, nowMs)] };
  if (verdict === 'rollBack') return breakerRetreat(ended, observed);
  if (verdict === 'inconclusive') {
    const least = run.plan.breaker.minimumRequests;
    const message = `the target must answer at least ${least} requests in a bake, got ${observed.target.answered}`;
    return retreat(ended, 'TooFewRequests', message);
  }
  const next = progress.index + 1;
  if (next === run.plan.stages.length) return { ...ended, verdict: 'drain' };
  return { ...ended, verdict: pendingGate(run.plan, run.approved ?? [], next) ? 'approve' : 'nextStage' };
}

export function breakerRetreat(run: CutoverRun, { target: { errors, answered } }: Observed): CutoverRun {
  const limit = run.plan.breaker.maximumErrorRate;
  const message = `the target's error rate must be at most ${limit}, got ${errors} errors in ${answered} answers`;
  return retreat(run, 'BreakerTripped', message);
}

/** The record of the stage that was under way when something else ended the cutover. */
export function interruptedStage(run: CutoverRun, nowMs: number): StageRecord[] {
  const { stage: progress } = run;
  const stage = progress && run.plan.stages[progress.index];
  if (!progress || !stage || run.stages.length > progress.index) return [];
  const none = { requests: 0, answered: 0, errors: 0 };
  return [
    recordOf(
      stage,
      progress,
      progress.observed ?? { source: none, target: none, tasksGone: { source: 0, target: 0 } },
      'rollBack',
      nowMs,
    ),
  ];
}

function recordOf(
  stage: Stage,
  progress: StageProgress,
  observed: Observed,
  verdict: StageRecord['verdict'],
  nowMs: number,
): StageRecord {
  const { confirmedAtMs, shiftedAtMs } = progress;
  return {
    weights: stage.weights,
    confirmed: confirmedAtMs !== undefined,
    observed: { source: observed.source.requests, target: observed.target.requests },
    errors: { source: observed.source.errors, target: observed.target.errors },
    tasksGone: observed.tasksGone,
    verdict,
    ...(confirmedAtMs !== undefined && { confirmSeconds: (confirmedAtMs - shiftedAtMs) / 1000 }),
    seconds: (nowMs - shiftedAtMs) / 1000,
  };
}
