import { countersOf } from '../../core/counters';
import { CutoverRun, note } from '../../core/cutover';
import { forwardFor } from '../../core/forward';
import type { Ports } from '../ports';
import { handlerOf, unlessAborted } from '../step';

/** Sets the weights of the next stage. Doing it twice is doing it once. */
export async function shift(
  run: CutoverRun,
  { loadBalancer, proxies, store }: Ports,
  nowMs: number,
): Promise<CutoverRun> {
  const index = run.stage === undefined ? 0 : run.stage.index + 1;
  const stage = run.plan.stages[index];
  if (!stage || !run.initial)
    throw new Error(`stage ${index} must be one of the plan's ${run.plan.stages.length}, after preflight`);
  const [source, target] = await Promise.all([proxies.reports('source'), proxies.reports('target')]);
  const baseline = {
    source: countersOf(source.map(({ report }) => report)),
    target: countersOf(target.map(({ report }) => report)),
  };
  const intended = forwardFor(stage.weights, loadBalancer.groupArns, run.initial.stickiness);
  const shifted = note(
    { ...run, intended, stage: { index, shiftedAtMs: nowMs, baseline }, verdict: 'go', waitSeconds: 1 },
    nowMs,
    'Shift',
    { stage: index + 1, weights: stage.weights },
  );
  // Saved first: whoever finds the lock must know that the rule may have changed.
  await store.save(shifted);
  await loadBalancer.setForward(intended);
  return shifted;
}

export const handler = handlerOf(unlessAborted(shift));
