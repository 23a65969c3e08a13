import { bakeVerdict } from '../../core/bake';
import { countersOf, observedSince } from '../../core/counters';
import { CutoverRun, note, retreat } from '../../core/cutover';
import { afterBake } from '../../core/stage';
import type { Ports } from '../ports';
import { guarded, handlerOf, undisturbed } from '../step';

/** One look at a bake: counts the requests of both sides since the shift and asks for the verdict. */
export async function bake(run: CutoverRun, { loadBalancer, proxies }: Ports, nowMs: number): Promise<CutoverRun> {
  const progress = run.stage;
  const stage = progress && run.plan.stages[progress.index];
  if (!stage || progress.confirmedAtMs === undefined) throw new Error("'bake' must follow a confirmed shift, got none");
  const [source, target, healthy] = await Promise.all([
    proxies.reports('source'),
    proxies.reports('target'),
    loadBalancer.healthyTargets('target'),
  ]);
  const least = run.plan.minimumHealthyTargets;
  if (healthy < least) {
    return retreat(run, 'TargetsUnhealthy', `the target must have at least ${least} healthy targets, got ${healthy}`);
  }
  const observed = observedSince(progress.baseline, {
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

export const handler = handlerOf(guarded(undisturbed(bake)));
