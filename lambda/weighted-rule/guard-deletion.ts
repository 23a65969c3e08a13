import { describeHolder } from '../../core/lock';
import type { CustomResourceEvent, ResourceResult } from '../custom-resource';
import type { LockPort } from './ports';

/**
 * The first resource of a cutover to be deleted, which makes nothing.
 *
 * @throws Error while the lock is held, so that the deletion of the stack ends before it has begun
 */
export async function guardDeletion(event: CustomResourceEvent, lock: LockPort): Promise<ResourceResult> {
  const { LogicalResourceId: name, RequestType: request, PhysicalResourceId: physicalId = name } = event;
  if (request !== 'Delete') return { physicalId, reason: 'it has to do at deletion only' };
  const holder = await lock.heldByAnother(`deploy-${event.RequestId}`);
  if (!holder) return { physicalId, reason: 'nobody holds the lock' };
  const rule = `'${name}', and all that a cutover needs, must not be deleted while the lock is held`;
  throw new Error(`${rule}, got one ${describeHolder(holder)}; end the cutover, then delete again`);
}
