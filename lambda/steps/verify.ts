import { total } from '../../core/connections';
import { CutoverRun, note } from '../../core/cutover';
import { activeOf } from '../../core/drain-run';
import { CutoverError } from '../../core/errors';
import { changedRules, otherRules, sameForward } from '../../core/forward';
import type { Ports } from '../ports';
import { handlerOf } from '../step';

/**
 * The last look: the rule as the last stage set it, the other rules untouched, the target healthy, the source's ledger at
 * zero. What may pass by itself is repeated by the state machine; what may not is thrown at once.
 */
export async function verify(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer, proxies, store } = ports;
  const { intended, initial } = run;
  if (!intended || !initial) throw new Error("'verify' must follow a shift, got none");
  if (await store.abortRequested(run.execution))
    throw new CutoverError('Aborted', `an operator asked '${run.execution}' to stop`);
  const [readings, tasks, healthy] = await Promise.all([
    loadBalancer.rules(),
    proxies.reports('source'),
    loadBalancer.healthyTargets('target'),
  ]);
  const forward = readings.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  const changed = changedRules(initial.others, otherRules(readings, loadBalancer.ruleArn));
  if (!forward || !sameForward(forward, intended) || changed.length > 0) {
    throw new CutoverError(
      'RulesChanged',
      `every rule must be as shifted, got ${[...changed, JSON.stringify(forward)].join(', ')}`,
    );
  }
  const least = run.plan.minimumHealthyTargets;
  const source = activeOf(tasks.map(({ report }) => report));
  const problems: string[] = [];
  if (healthy < least) problems.push(`the target must have at least ${least} healthy targets, got ${healthy}`);
  if (total(source) > 0) problems.push(`the source's ledger must be at zero, got ${JSON.stringify(source)}`);
  if (problems.length > 0) throw new CutoverError('NotDrained', problems.join('\n'));
  const drain = run.drain && { ...run.drain, active: source };
  return note({ ...run, ...(drain && { drain }), verdict: 'go' }, nowMs, 'Verify', { source, healthyTargets: healthy });
}

export const handler = handlerOf(verify);
