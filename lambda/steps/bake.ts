import { bakeVerdict } from '../../core/bake';
import { CutoverRun, note } from '../../core/cutover';
import { afterBake } from '../../core/stage';
import { observe } from '../observe';
import type { Ports } from '../ports';
import { guarded, handlerOf, undisturbed, vetoed } from '../step';

/** One look at a bake: counts the requests of both sides since the shift and asks for the verdict. */
export async function bake(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const progress = run.stage;
  const stage = progress && run.plan.stages[progress.index];
  if (!stage || progress.confirmedAtMs === undefined) throw new Error("'bake' must follow a confirmed shift, got none");
  const look = await observe(run, progress, ports);
  if ('back' in look) return look.back;
  const { observed } = look;
  ports.metrics.weights(stage.weights, nowMs);
  const elapsedSeconds = (nowMs - progress.confirmedAtMs) / 1000;
  const verdict = bakeVerdict(
    { elapsedSeconds, bakeSeconds: stage.bakeSeconds, target: observed.target },
    run.plan.breaker,
  );
  const after = afterBake(run, { stage, progress, observed, verdict }, nowMs);
  return verdict === 'wait' ? after : note(after, nowMs, 'Bake', { stage: progress.index + 1, verdict, observed });
}

export const handler = handlerOf(guarded(undisturbed(vetoed(bake))));
