import { BakeVerdict } from './bake';
import { RequestCounts } from './counters';
import { CutoverRun, StageProgress, StageRecord, retreat } from './cutover';
import { Stage } from './plan';
import { Side } from './weights';

type Observed = Readonly<Record<Side, RequestCounts>>;

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
  if (verdict === 'wait') return { ...run, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
  const ended = { ...run, stages: [...run.stages, recordOf(stage, progress, observed, verdict, nowMs)] };
  const { errors, requests } = observed.target;
  if (verdict === 'rollBack') {
    const limit = run.plan.breaker.maximumErrorRate;
    return retreat(
      ended,
      'BreakerTripped',
      `the target's error rate must be at most ${limit}, got ${errors} errors in ${requests} requests`,
    );
  }
  if (verdict === 'inconclusive') {
    const least = run.plan.breaker.minimumRequests;
    return retreat(
      ended,
      'TooFewRequests',
      `the target must answer at least ${least} requests in a bake, got ${requests}`,
    );
  }
  return { ...ended, verdict: progress.index + 1 < run.plan.stages.length ? 'nextStage' : 'drain' };
}

/** The record of the stage that was under way when something else ended the cutover. */
export function interruptedStage(run: CutoverRun, nowMs: number): StageRecord[] {
  const { stage: progress } = run;
  const stage = progress && run.plan.stages[progress.index];
  if (!progress || !stage || run.stages.length > progress.index) return [];
  const none = { requests: 0, errors: 0 };
  return [recordOf(stage, progress, { source: none, target: none }, 'rollBack', nowMs)];
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
    verdict,
    ...(confirmedAtMs !== undefined && { confirmSeconds: (confirmedAtMs - shiftedAtMs) / 1000 }),
    seconds: (nowMs - shiftedAtMs) / 1000,
  };
}
