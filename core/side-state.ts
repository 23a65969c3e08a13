import { ErrorCode } from './errors';
import { SmokeRequest } from './plan';
import { Side } from './weights';

/** One smoke request through a side's own listener, and what came of it: a status, or why there was none. */
export interface SmokeResult extends SmokeRequest {
  readonly got: number | string;
}

/** What was seen of a side just now. `healthyTargets` is undefined when the load balancer's API did not say. */
export interface SideReading {
  readonly healthyTargets: number | undefined;
  readonly smoke: readonly SmokeResult[];
}

/** Whether a side serves its requests. Unknown is a value of its own: it is never taken for healthy. */
export type SideState =
  | { readonly serves: true }
  | {
      readonly serves: false;
      readonly code: Extract<ErrorCode, 'TargetsUnhealthy' | 'SmokeFailed'>;
      readonly reason: string;
    }
  | { readonly serves: 'unknown'; readonly reason: string };

/**
 * @param minimumHealthyTargets what the side must have: the plan's for a side that is judged, 1 for one that traffic would
 *   be sent back to
 */
export function sideState(side: Side, reading: SideReading, minimumHealthyTargets: number): SideState {
  const { healthyTargets, smoke } = reading;
  if (healthyTargets !== undefined && healthyTargets < minimumHealthyTargets) {
    const reason = `the ${side} must have at least ${minimumHealthyTargets} healthy targets, got ${healthyTargets}`;
    return { serves: false, code: 'TargetsUnhealthy', reason };
  }
  const failed = smoke.filter(({ expectedStatus, got }) => got !== expectedStatus);
  if (failed.length > 0) {
    const lines = failed.map(
      ({ path, expectedStatus, got }) => `GET ${path} on the ${side} must return ${expectedStatus}, got ${got}`,
    );
    return { serves: false, code: 'SmokeFailed', reason: lines.join('\n') };
  }
  if (healthyTargets !== undefined || smoke.length > 0) return { serves: true };
  return {
    serves: 'unknown',
    reason: `the load balancer's API must report the health of the ${side}, got no response`,
  };
}

/** For a message: what a side is, in a few words. */
export function describeSide(side: Side, state: SideState): string {
  if (state.serves === true) return `the ${side} serves`;
  const verb = state.serves === 'unknown' ? 'is unknown' : 'does not serve';
  return `the ${side} ${verb} (${state.reason.split('\n')[0]})`;
}
