import { countersOf } from '../../core/counters';
import { CutoverRun, note, retreat } from '../../core/cutover';
import { Forward, forwardFor, sameForward } from '../../core/forward';
import { CONFIRM_POLL_SECONDS } from '../../core/plan';
import type { Ports } from '../ports';
import { guarded, handlerOf, readForward, vetoed } from '../step';

/** Sets the weights of the next stage. Doing it twice is doing it once. */
export async function shift(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer, metrics, proxies, store } = ports;
  const index = run.stage === undefined ? 0 : run.stage.index + 1;
  const stage = run.plan.stages[index];
  if (!stage || !run.initial)
    throw new Error(`'stage' must be one of the plan's ${run.plan.stages.length}, after preflight, got ${index}`);
  const intended = forwardFor(stage.weights, loadBalancer.groupArns, run.initial.stickiness);
  // As the last stage left it, or as this step left it when it is repeated. Before the first stage preflight has looked.
  const isExpected = (present: Forward) =>
    !run.intended || [run.intended, intended].some((each) => sameForward(present, each));
  const present = await readForward(ports, isExpected);
  if (!present || !isExpected(present)) {
    return retreat(run, 'RulesChanged', `the weighted rule must be as shifted before, got ${JSON.stringify(present)}`);
  }
  const [source, target] = await Promise.all([proxies.reports('source'), proxies.reports('target')]);
  const baseline = {
    source: countersOf(source.map(({ report }) => report)),
    target: countersOf(target.map(({ report }) => report)),
  };
  const progress = { index, shiftedAtMs: nowMs, baseline };
  const shifting: CutoverRun = { ...run, intended, stage: progress, verdict: 'go', waitSeconds: CONFIRM_POLL_SECONDS };
  // Saved first: whoever finds the lock must know that the rule may have changed.
  await store.save(shifting);
  await loadBalancer.setForward(intended);
  const shiftedAtMs = ports.now();
  metrics.weights(stage.weights, shiftedAtMs);
  const shifted = { ...shifting, stage: { ...progress, shiftedAtMs } };
  return note(shifted, shiftedAtMs, 'Shift', { stage: index + 1, weights: stage.weights });
}

export const handler = handlerOf(guarded(vetoed(shift)));
