import { bakeVerdict } from '../../core/bake';
import { countersOf, sinceOnBothSides } from '../../core/counters';
import { CutoverRun, note } from '../../core/cutover';
import { afterBake } from '../../core/stage';
import type { Ports } from '../ports';
import { handlerOf, unlessAborted } from '../step';

/** One look at a bake: counts the requests of both sides since the shift and asks for the verdict. */
export async function bake(run: CutoverRun, { proxies }: Ports, nowMs: number): Promise<CutoverRun> {
  const progress = run.stage;
  const stage = progress && run.plan.stages[progress.index];
  if (!stage || progress.confirmedAtMs === undefined) throw new Error('a bake must follow a confirmed shift');
  const [source, target] = await Promise.all([proxies.reports('source'), proxies.reports('target')]);
  const observed = sinceOnBothSides(progress.baseline, {
    source: countersOf(source.map(({ report }) => report)),
    target: countersOf(target.map(({ report }) => report)),
  });
  const elapsedSeconds = (nowMs - progress.confirmedAtMs) / 1000;
  const verdict = bakeVerdict(
    { elapsedSeconds, bakeSeconds: stage.bakeSeconds, target: observed.target },
    run.plan.breaker,
  );
  const after = afterBake(run, { stage, progress, observed, verdict }, nowMs);
  return verdict === 'wait' ? after : note(after, nowMs, 'Bake', { stage: progress.index + 1, verdict, observed });
}

export const handler = handlerOf(unlessAborted(bake));
