import { AnnouncementKind } from '../../core/cutover/announcement';
import { CutoverRun, Outcome, findFailure, note, findOutcome } from '../../core/cutover/run';
import { buildEvidence } from '../../core/cutover/evidence';
import { announce } from '../shared/announce';
import { resumeForGood, resumeFromLock } from '../shared/scaling';
import { countObjects } from '../shared/looks';
import type { Ports } from '../contract/ports';
import { createHandler } from '../shared/step';

/** `cause` is what the state machine shows of the failure. */
export interface Recorded extends CutoverRun {
  readonly outcome: Outcome;
  readonly cause: string;
}

const KINDS: Readonly<Record<Outcome, AnnouncementKind>> = {
  completed: 'completed',
  'rolled-back': 'rolledBack',
  refused: 'refused',
  failed: 'failed',
};

/**
 * Writes the evidence of a cutover that did not complete by itself, and frees the lock. A cutover that could not be put back
 * keeps the lock: no other one starts before a person has looked.
 *
 * @throws CutoverError while it cannot resume an autoscaling that a switch has suspended: nothing would after it
 */
export async function record(given: CutoverRun, ports: Ports, nowMs: number): Promise<Recorded> {
  return recordAsIs(await resumeForGood(given, ports), ports, nowMs);
}

/** The last record: what is still suspended is in it. */
export async function recordLast(given: CutoverRun, ports: Ports, nowMs: number): Promise<Recorded> {
  return recordAsIs(await resumeFromLock(given, ports), ports, nowMs);
}

async function recordAsIs(run: CutoverRun, ports: Ports, nowMs: number): Promise<Recorded> {
  const { store } = ports;
  const outcome = findOutcome(run);
  const noted = note(run, nowMs, 'Record', { outcome });
  await store.putEvidence(buildEvidence(noted, outcome, nowMs, await countObjects(run, ports)));
  if (outcome !== 'failed') await store.release(run.execution);
  await announce(KINDS[outcome], noted, ports);
  const failure = findFailure(run);
  return { ...noted, outcome, cause: failure ? `${failure.code}: ${failure.message}` : 'no reason is known' };
}

export const handler = createHandler(record);
