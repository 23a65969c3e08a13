import { describeHolder } from '../../../core/traffic/lock';
import { decideDeletion } from '../../../core/traffic/weighted-rule';
import type { CustomResourceEvent, ResourceResult } from '../custom-resource';
import { findToDelete, readDeletion } from './own-rule';
import type { RulePorts } from '../../contract/weighted-rule-ports';

/**
 * The first resource of a cutover to be deleted, which makes nothing. It has the rule's properties, and asks what the rule
 * itself would ask when most of the stack is gone.
 *
 * @throws Error while the lock is held, and where the rule may not be deleted, so that the deletion of the stack ends before
 *   it has started
 */
export async function guardDeletion(event: CustomResourceEvent, ports: RulePorts): Promise<ResourceResult> {
  const { LogicalResourceId: name, RequestType: request, PhysicalResourceId: physicalId = name } = event;
  if (request !== 'Delete') return { physicalId, reason: 'it has to do at deletion only' };
  const execution = `deploy-${event.RequestId}`;
  const holder = await ports.lock.heldByAnother(execution);
  if (holder) {
    const rule = `'${name}', and all that a cutover needs, must not be deleted while the lock is held`;
    throw new Error(`${rule}, got one ${describeHolder(holder)}; end the cutover, then delete again`);
  }
  const { RuleName: ruleName } = event.ResourceProperties as { RuleName?: unknown };
  // A guard of before it knew the rule.
  if (typeof ruleName !== 'string') return { physicalId, reason: 'no cutover holds the lock' };
  const ofRule = { ...event, LogicalResourceId: ruleName, PhysicalResourceId: ruleName };
  const order = decideDeletion(await readDeletion(ofRule, await findToDelete(ofRule, ports.rules), ports, execution));
  if (order.kind === 'reject') throw new Error(order.reason);
  return { physicalId, reason: 'no cutover holds the lock, and no requests would be served otherwise' };
}
