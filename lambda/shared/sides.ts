import { Plan } from '../../core/plan/plan';
import { SideState, sideState } from '../../core/judge/side-state';
import { Quorum, smokeSample } from '../../core/plan/smoke';
import { Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';

export interface SeenSide {
  readonly state: SideState;
  /** Smoke requests that reached its proxies, as far as is known: they count them among those of clients. */
  readonly smoked: number;
  /** Undefined when the load balancer did not say. */
  readonly healthyTargets: number | undefined;
}

/**
 * Whether a side serves now: its healthy targets by the load balancer, and the plan's smoke requests.
 *
 * @param quorum how many of its targets must respond as expected, where they are asked themselves
 */
export async function readSide(
  side: Side,
  plan: Pick<Plan, 'smoke'>,
  { loadBalancer, smoke }: Pick<Ports, 'loadBalancer' | 'smoke'>,
  minimumHealthyTargets: number,
  quorum: Quorum = 'half',
): Promise<SeenSide> {
  const sample = smokeSample(plan.smoke, quorum);
  const [healthy, ...results] = await Promise.all([
    settle(() => loadBalancer.healthyTargets(side)),
    ...plan.smoke.map(async (request) => ({ request, probed: await settle(() => smoke.probe(side, request, sample)) })),
  ]);
  const healthyTargets = 'value' in healthy ? healthy.value : undefined;
  const asked = results.flatMap(({ request, probed }) => ('value' in probed ? [{ ...request, ...probed.value }] : []));
  // Not the side, but the service that lists it, did not respond.
  const notAsked = results.flatMap(({ probed }) => ('problem' in probed ? [probed.problem] : []));
  return {
    state: sideState(side, { healthyTargets, smoke: asked, notAsked }, minimumHealthyTargets),
    healthyTargets,
    smoked: asked.reduce((sum, { attempts }) => sum + attempts, 0),
  };
}
