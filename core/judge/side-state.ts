import { ErrorCode } from '../errors/errors';
import { SmokeRequest } from '../plan/plan';
import { SmokeResponse, describeResponse } from '../plan/smoke';
import { Side } from '../traffic/weights';

/** One smoke request to a side alone, and what came of it. */
export type SmokeResult = SmokeRequest & SmokeResponse;

export type SmokeErrorCode = Extract<ErrorCode, 'SmokeFailed' | 'ForwardingLoop'>;

/** Loop Detected, RFC 5842 section 7.2: what a proxy returns for a request that it has forwarded before. */
const LOOP_DETECTED = 508;

/** The error that a smoke request with an unexpected response is, and what a message says after that status. */
export function smokeError(side: Side, got: number | string): { readonly code: SmokeErrorCode; readonly hint: string } {
  if (got !== LOOP_DETECTED) return { code: 'SmokeFailed', hint: '' };
  return {
    code: 'ForwardingLoop',
    hint: ` (a forwarding loop: the upstream of the ${side} leads back to its proxies)`,
  };
}

/** What was seen of a side just now. `healthyTargets` is undefined when the load balancer's API did not say. */
export interface SideReading {
  readonly healthyTargets: number | undefined;
  readonly smoke: readonly SmokeResult[];
  /** Why smoke requests could not be sent at all: that says nothing of the side. */
  readonly notAsked?: readonly string[];
}

/** Whether a side serves its requests. Unknown is a value of its own: it is never taken for healthy. */
export type SideState =
  | { readonly serves: true }
  | {
      readonly serves: false;
      readonly code: 'TargetsUnhealthy' | SmokeErrorCode;
      readonly reason: string;
    }
  | {
      readonly serves: 'unknown';
      /** Whether its targets are known to be healthy, and its smoke requests alone are unknown. */
      readonly isHealthy: boolean;
      readonly reason: string;
    };

/**
 * @param minimumHealthyTargets what the side must have: the plan's for a side that is judged, 1 for one that traffic would
 *   be sent back to
 */
export function sideState(side: Side, reading: SideReading, minimumHealthyTargets: number): SideState {
  const { healthyTargets, smoke, notAsked = [] } = reading;
  if (healthyTargets !== undefined && healthyTargets < minimumHealthyTargets) {
    const reason = `the ${side} must have at least ${minimumHealthyTargets} healthy targets, got ${healthyTargets}`;
    return { serves: false, code: 'TargetsUnhealthy', reason };
  }
  const failed = smoke.filter(({ expectedStatus, got }) => got !== expectedStatus);
  if (failed.length > 0) {
    const errors = failed.map(({ got }) => smokeError(side, got));
    const lines = failed.map(
      ({ path, expectedStatus, ...response }, index) =>
        `GET ${path} on the ${side} must return ${expectedStatus}, got ${describeResponse(response)}${errors[index]!.hint}`,
    );
    const isLoop = errors.some(({ code }) => code === 'ForwardingLoop');
    return { serves: false, code: isLoop ? 'ForwardingLoop' : 'SmokeFailed', reason: lines.join('\n') };
  }
  const isHealthy = healthyTargets !== undefined;
  const [notAskedReason] = notAsked;
  if (notAskedReason !== undefined) return { serves: 'unknown', isHealthy, reason: notAskedReason };
  if (isHealthy || smoke.length > 0) return { serves: true };
  const reason = `the load balancer's API must report the health of the ${side}, got no response`;
  return { serves: 'unknown', isHealthy, reason };
}

/** Whether traffic may go back to a side: it serves, or is healthy as far as the load balancer's own API can say. */
export function mayTakeBack(state: SideState): boolean {
  return state.serves === true || (state.serves === 'unknown' && state.isHealthy);
}

/** For a message: what a side is, in a few words. */
export function describeSide(side: Side, state: SideState): string {
  if (state.serves === true) return `the ${side} serves`;
  const verb = state.serves === 'unknown' ? 'is unknown' : 'does not serve';
  return `the ${side} ${verb} (${state.reason.split('\n')[0]})`;
}
