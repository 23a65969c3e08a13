import { CutoverRun, note } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import { CutoverError } from '../../core/errors/errors';
import { buildEvidence } from '../../core/cutover/evidence';
import { announce } from '../shared/announce';
import type { Ports } from '../contract/ports';
import { countObjects } from '../shared/looks';
import { createHandler, holdsLock } from '../shared/step';
import { callHooksAt } from '../hooks/bounded-hooks';
import { resumeForGood } from '../shared/scaling';
import { undrain } from '../shared/undrain';

/**
 * Leaves the side that was left ready to take traffic again, with what has moved where it is; writes the evidence and frees the lock. It follows `Verify`: whatever fails
 * here is tried again, and moves no weights.
 */
export async function complete(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  // Not while it is being put back because it was stopped. A step that is repeated may have freed the lock itself.
  if (!(await holdsLock(run, ports)) && !(await ports.store.hasEvidence(run.execution))) {
    throw new CutoverError('LockLost', `the lock must be held by '${run.execution}' to complete, got another or none`);
  }
  const hooked = await callHooksAt('beforeComplete', run, ports);
  const notUndrained = await undrain(findDirection(run.plan).from, 'none', ports);
  const resumed = await callHooksAt('afterComplete', await resumeForGood(hooked, ports), ports);
  const done = note(resumed, nowMs, 'Complete', notUndrained.length > 0 ? { notUndrained } : {});
  await ports.store.putEvidence(buildEvidence(done, 'completed', nowMs, await countObjects(run, ports)));
  await ports.store.release(run.execution);
  await announce('completed', done, ports);
  return done;
}

export const handler = createHandler(complete);
