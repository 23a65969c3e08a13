import { total } from '../../core/connections';
import { CutoverRun, note } from '../../core/cutover';
import { activeOf } from '../../core/drain-run';
import { CutoverError } from '../../core/errors';
import { changedRules, otherRules, sameForward } from '../../core/forward';
import type { Ports } from '../ports';
import { handlerOf } from '../step';

/** The last look: the rule as the last stage set it, the other rules untouched, the target healthy, the source's ledger at zero. */
export async function verify(run: CutoverRun, { loadBalancer, proxies }: Ports, nowMs: number): Promise<CutoverRun> {
  const { intended, initial } = run;
  if (!intended || !initial) throw new Error('a verify must follow a shift');
  const [readings, tasks, healthy] = await Promise.all([
    loadBalancer.rules(),
    proxies.reports('source'),
    loadBalancer.healthyTargets('target'),
  ]);
  const problems: string[] = [];
  const forward = readings.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  if (!forward || !sameForward(forward, intended))
    problems.push(`the weighted rule must be as shifted, got ${JSON.stringify(forward)}`);
  const changed = changedRules(initial.others, otherRules(readings, loadBalancer.ruleArn));
  if (changed.length > 0) problems.push(`the other rules must be unchanged, got changes in ${changed.join(', ')}`);
  const least = run.plan.minimumHealthyTargets;
  if (healthy < least) problems.push(`the target must have at least ${least} healthy targets, got ${healthy}`);
  const source = activeOf(tasks.map(({ report }) => report));
  if (total(source) > 0) problems.push(`the source's ledger must be at zero, got ${JSON.stringify(source)}`);
  if (problems.length > 0) throw new CutoverError('NotDrained', problems.join('\n'));
  const drain = run.drain && { ...run.drain, active: source };
  return note({ ...run, ...(drain && { drain }), verdict: 'go' }, nowMs, 'Verify', { source, healthyTargets: healthy });
}

export const handler = handlerOf(verify);
