import { CutoverRun, note, rollBack } from '../../core/cutover/run';
import { unseenEnd } from '../../core/cutover/drain-run';
import { CutoverError, ErrorCode } from '../../core/errors/errors';
import { sameForward } from '../../core/traffic/forward';
import { QueuedChange, RECOVERY_ATTEMPTS, StatusChange, buildRecoveryCall } from '../../core/cutover/recovery';
import { verifiedMark } from '../../core/cutover/verified-mark';
import { announce } from '../step/announce';
import type { Ports } from '../contract/ports';
import { createHandler } from '../step/step';
import { undrain } from '../step/undrain';
import { record } from './record';
import { rollback } from './rollback';

/** Longer than a step can run: StopExecution does not stop the Lambda function that is at work. */
const STRAGGLER_MS = 35_000;

interface Recovered {
  readonly recovered: boolean;
}

/**
 * Puts back what an execution left that ended past every Catch: stopped by hand, timed out, or failed by Step Functions
 * itself. It is called again until it succeeds; the last call that fails tells people, and keeps the lock. So does the first
 * one that finds that the source must not be given its weight back.
 */
export async function recover(event: StatusChange | QueuedChange, ports: Ports, nowMs: number): Promise<Recovered> {
  const { change, isFirst, isLast } = buildRecoveryCall(event);
  try {
    return await putBack(change, ports, nowMs);
  } catch (error) {
    const isUnsafe = hasCode(error, 'RollbackUnsafe');
    // Nobody but a person can mend it: they are told at once, and again when it was not mended in time.
    if (hasCode(error, 'LockDamaged') && (isFirst || isLast)) await tellDamaged(change, error, ports);
    else if (isLast || isUnsafe) await giveUp(change, error, ports);
    if (isUnsafe) return { recovered: false };
    throw error;
  }
}

/** What was so far is in the lock. An execution that holds no lock, or has left its evidence, needs nothing. */
async function putBack({ detail }: StatusChange, ports: Ports, nowMs: number): Promise<Recovered> {
  const { store } = ports;
  // First: what has left its evidence needs no lock that can be read.
  if (await store.hasEvidence(detail.name)) return { recovered: false };
  const held = await store.holder();
  if (held?.execution !== detail.name) return { recovered: false };
  if (await isFinished(held, ports)) return finish(held, ports, nowMs);
  const started = held.isVerified ? { ...held, isVerified: false } : held;
  const stopped = rollBack(started, 'Aborted', `the execution '${detail.name}' ended as ${detail.status}`);
  // From here on no step of it passes its guard.
  await store.save(stopped);
  const back = held.initial ? await restore(stopped, ports, nowMs) : stopped;
  // An event may come twice, and the other call be done by now.
  if (await store.hasEvidence(detail.name)) return { recovered: false };
  if (back.verdict === 'wait')
    throw new Error(`the weights of '${detail.name}' must read back, and its source serve, got one that does not yet`);
  await record(back, ports, ports.now());
  return { recovered: true };
}

/**
 * Whether Verify has passed, by the lock or by the mark at the rule that stands for a store that was away, and the traffic is
 * on the target. Verify may have been written down, and its answer lost: what it did then was decided without it.
 */
async function isFinished(held: CutoverRun, { loadBalancer }: Ports): Promise<boolean> {
  const { intended, stage, plan, verdict } = held;
  // What a recovery has begun to put back it goes on with.
  const mayBeMarked =
    stage?.index === plan.stages.length - 1 && verdict !== 'rollBack' && held.isVerified === undefined;
  if (!intended || !(held.isVerified || mayBeMarked)) return false;
  const forward = (await loadBalancer.rules()).find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  if (!forward || !sameForward(forward, intended)) return false;
  return held.isVerified === true || (await loadBalancer.verifiedMark()) === verifiedMark(held);
}

/** All traffic was on a target that was judged to the end: only the record is missing, and no weights move. */
async function finish(held: CutoverRun, ports: Ports, nowMs: number): Promise<Recovered> {
  const notUndrained = await undrain('source', ports);
  const drain = held.isVerified || !held.drain ? held.drain : unseenEnd(held.drain);
  const done: CutoverRun = { ...held, ...(drain && { drain }), isVerified: true };
  await record(notUndrained.length > 0 ? note(done, nowMs, 'Complete', { notUndrained }) : done, ports, nowMs);
  return { recovered: true };
}

/**
 * The weights go back at once, and again when no step of that execution can be at work any more: one that was about to
 * call ModifyRule when the execution was stopped still does. Once both are done it is on record in the lock, and no later
 * call sets them again: who changes them from then on does so by hand.
 */
async function restore(stopped: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { store } = ports;
  if (stopped.rollback?.hasReadBack) return rollback(stopped, ports, nowMs);
  const first = await rollback(stopped, ports, nowMs);
  const started: CutoverRun = { ...first, verdict: stopped.verdict, ...withoutEnd(first) };
  // The next call goes on from here: it does not tell people again, and in the end leaves a task that cannot be told.
  if (started.rollback && !stopped.rollback) await store.save(started);
  await ports.pause(STRAGGLER_MS);
  const again = await rollback(started, ports, ports.now());
  if (again.rollback?.hasReadBack) await store.save({ ...again, verdict: stopped.verdict });
  return again;
}

function withoutEnd({ rollback: started }: CutoverRun): Pick<CutoverRun, 'rollback'> {
  if (!started) return {};
  const { startedAt, hasSet, sides, strandedAt } = started;
  return {
    rollback: {
      startedAt,
      ...(hasSet && { hasSet }),
      ...(sides && { sides }),
      ...(strandedAt !== undefined && { strandedAt }),
    },
  };
}

function hasCode(error: unknown, code: ErrorCode): error is CutoverError {
  return error instanceof CutoverError && error.code === code;
}

/** There is no run to record: whose lock it is, and what it has moved, cannot be read. */
async function tellDamaged({ detail: { name } }: StatusChange, error: CutoverError, ports: Ports): Promise<void> {
  await announce('failed', { execution: name, failure: { code: 'LockDamaged', message: error.message } }, ports);
}

async function giveUp({ detail: { name } }: StatusChange, error: unknown, ports: Ports): Promise<void> {
  const held = await ports.store.holder();
  if (held?.execution !== name || (await ports.store.hasEvidence(name))) return;
  if (hasCode(error, 'RollbackUnsafe')) {
    await record(rollBack(held, error.code, error.message), ports, ports.now());
    return;
  }
  const message = `the weights of '${name}' must be put back in ${RECOVERY_ATTEMPTS} attempts, got ${String(error)}`;
  await record(rollBack(held, 'RollbackNotConfirmed', message), ports, ports.now());
}

export const handler = createHandler(recover);
