import { SmokeRequest } from '../plan/plan';
import { smokeError, SmokeErrorCode } from '../judge/side-state';
import { describeResponse, SmokeResponse, SmokeRoute } from '../plan/smoke';
import { Side } from '../traffic/weights';

/** What has to be so before the proxies of a side get requests of a listener that serves them without the proxies, too. */
export interface ProofOrder {
  readonly loadBalancerArn: string;
  readonly smokeListenerArns: Readonly<Record<Side, string>>;
  readonly targetGroupArns: Readonly<Record<Side, string>>;
  /** SNI, Host and certificate name of the smoke requests. */
  readonly domainName: string;
  readonly isSelfSigned?: boolean;
  /** As in the cutover config. */
  readonly trustedAuthoritiesArn?: string;
  /** As in the cutover config. */
  readonly smokeRoute?: SmokeRoute;
  /** The plan's. */
  readonly smoke: readonly SmokeRequest[];
  /** The fewest tasks of each side's service. */
  readonly minTasks: Readonly<Record<Side, number>>;
  /** How long a deployment waits for it. */
  readonly waitSeconds: number;
}

/**
 * How long a deployment waits at AWS: services are created with one task, the scaling adds the others within minutes, and each
 * has to pull its image and pass its health checks.
 */
export const PROOF_WAIT_SECONDS = 600;

export const PROOF_VARIABLE = 'DRAINSHIFT_PROOF';

export interface ProofReading {
  readonly healthyTargets: number;
  /** In the order of the plan's requests. */
  readonly responses: readonly SmokeResponse[];
}

export interface Unproven {
  readonly code: 'TargetsUnhealthy' | SmokeErrorCode;
  readonly message: string;
}

/** What speaks against giving a side requests; nothing when it is proven. */
export function unproven(side: Side, order: ProofOrder, { healthyTargets, responses }: ProofReading): Unproven[] {
  const min = order.minTasks[side];
  const found: Unproven[] = order.smoke.flatMap(({ path, expectedStatus }, index) => {
    const response = responses[index] ?? { got: 'none' };
    if (response.got === expectedStatus) return [];
    const { code, hint } = smokeError(side, response.got);
    const got = `${describeResponse(response)}${hint}`;
    return [{ code, message: `GET ${path} on the ${side} must respond with ${expectedStatus}, got ${got}` }];
  });
  if (healthyTargets >= min) return found;
  const message = `the ${side} must have its ${min} proxies healthy, got ${healthyTargets}`;
  return [{ code: 'TargetsUnhealthy', message }, ...found];
}
