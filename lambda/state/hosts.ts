import type { CheckpointPlan } from '../../core/plan/state-plan';
import { CheckpointAction, CheckpointResponse, readCheckpointResponse } from '../../core/state/checkpoint';
import type { Side } from '../../core/traffic/weights';
import type { HostOrder, HostsPort } from '../contract/host-ports';
import { settle } from '../contract/settle';

/** What calls of hosts take. */
export interface HostMeans {
  readonly hosts: HostsPort;
  now(): number;
  pause(milliseconds: number): Promise<void>;
}

export interface HostCall {
  readonly side: Side;
  readonly action: CheckpointAction;
  readonly copy: string;
  readonly epoch: number;
  /** Whether it follows the decision. @default false */
  readonly isBehind?: boolean;
}

/** Requests wait for most of them: what is done is seen soon, and one that takes long is asked less often. */
const FIRST_LOOK_MS = 25;
const MAX_LOOK_MS = 250;
/** Of one call of Systems Manager. */
const CALL_MS = 5_000;

/** @param limitMs until which what stops or replaces a process may begin */
export function buildOrder(plan: CheckpointPlan, call: HostCall, untilMs: number): HostOrder {
  const { documentName } = plan;
  return { isBehind: false, documentName, instanceId: plan[call.side].instanceId, untilMs, ...call };
}

/** Sends a call to the host of a side and waits for its end, for so long at most. Never rejects. */
export async function callHost(
  plan: CheckpointPlan,
  call: HostCall,
  limitMs: number,
  means: HostMeans,
): Promise<CheckpointResponse> {
  const endMs = means.now() + limitMs;
  const order = buildOrder(plan, call, endMs);
  const sent = await settle(() => means.hosts.send(order, Math.min(CALL_MS, limitMs)));
  if ('problem' in sent) return sent;
  const ended = await settle(() => followCommand(order, sent.value, endMs, means));
  if ('problem' in ended) return ended;
  if (ended.value !== undefined) return readCheckpointResponse(call, ended.value);
  return { problem: `'${call.action}' must end on ${order.instanceId} within ${limitMs / 1000} s, got no end` };
}

/** @returns what it has printed; undefined where it has not ended by then */
export async function followCommand(
  order: Pick<HostOrder, 'instanceId'>,
  id: string,
  endMs: number,
  { hosts, now, pause }: HostMeans,
): Promise<string | undefined> {
  for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(MAX_LOOK_MS, 1.1 * waitMs)) {
    const output = await hosts.read(order, id, Math.max(1, Math.min(CALL_MS, endMs - now())));
    if (output !== undefined || now() + waitMs > endMs) return output;
    await pause(waitMs);
  }
}
