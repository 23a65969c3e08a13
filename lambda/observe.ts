import { countersOf, observedSince } from '../core/counters';
import { CutoverRun, Observed, StageProgress, retreat } from '../core/cutover';
import type { Ports } from './ports';

/** What both sides served since the shift; or the way back, when the target has too few healthy targets to go on. */
export type Look = { readonly observed: Observed } | { readonly back: CutoverRun };

export async function observe(
  run: CutoverRun,
  { baseline }: StageProgress,
  { loadBalancer, proxies }: Ports,
): Promise<Look> {
  const [source, target, healthy] = await Promise.all([
    proxies.reports('source'),
    proxies.reports('target'),
    loadBalancer.healthyTargets('target'),
  ]);
  const least = run.plan.minimumHealthyTargets;
  if (healthy < least) {
    const message = `the target must have at least ${least} healthy targets, got ${healthy}`;
    return { back: retreat(run, 'TargetsUnhealthy', message) };
  }
  const observed = observedSince(baseline, {
    source: countersOf(source.map(({ report }) => report)),
    target: countersOf(target.map(({ report }) => report)),
  });
  return { observed };
}
