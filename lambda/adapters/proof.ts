import { setTimeout as pause } from 'node:timers/promises';
import type { ProofOrder } from '../../core/cutover/proof';
import type { ProofPorts } from '../contract/proof-ports';
import { listenerRulesPort } from './load-balancer/listener-rules';
import { smokePort } from './smoke/smoke';

/** @param order says which listeners and groups */
export function proofPorts(order: ProofOrder): ProofPorts {
  // Only calls that begin and end within seconds: nothing has to stop them.
  const rules = listenerRulesPort(new AbortController().signal);
  return {
    smoke: smokePort(order),
    healthyTargets: (side) => rules.healthyTargets(order.targetGroupArns[side]),
    now: () => Date.now(),
    pause: (milliseconds) => pause(milliseconds),
  };
}
