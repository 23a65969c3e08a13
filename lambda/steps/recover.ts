import { CutoverRun, note, rollBack } from '../../core/cutover/run';
import { unseenEnd } from '../../core/cutover/drain-run';
import { CutoverError, ErrorCode } from '../../core/errors/errors';
import { SideState } from '../../core/judge/side-state';
import { sameForward } from '../../core/traffic/forward';
import type { Side } from '../../core/traffic/weights';
import {
  NOT_STARTED,
  QueuedChange,
  RECOVERY_ATTEMPTS,
  StatusChange,
  buildRecoveryCall,
  findUntoldStart,
} from '../../core/cutover/recovery';
import { findDirection } from '../../core/plan/direction';
import { STRAGGLER_SECONDS } from '../../core/cutover/step-limits';
import { formatMark, mayBeVerified } from '../../core/cutover/verified-mark';
import { announce } from '../shared/announce';
import type { Ports } from '../contract/ports';
import { callHooksAt } from '../hooks/bounded-hooks';
import { settle } from '../contract/settle';
import { readSide } from '../shared/sides';
import { createHandler } from '../shared/step';
import { undrain } from '../shared/undrain';
import { record, recordLast } from './record';
import { rollback } from './rollback';

interface Recovered {
  readonly recovered: boolean;
}

/**
 * Puts back what an execution left that ended past every Catch: stopped by hand, timed out, or failed by Step Functions
 * itself. It is called again until it succeeds; the last call that fails notifies operators, and keeps the lock. So does the
 * first one that finds that the side that was left must not be given its weight back.
 */
export async function recover(event: StatusChange | QueuedChange, ports: Ports, nowMs: number): Promise<Recovered> {
  const { change, isLast } = buildRecoveryCall(event);
  try {
    return await putBack(change, ports, nowMs);
  } catch (error) {
    const isUnsafe = hasCode(error, 'RollbackUnsafe');
    if (hasCode(error, 'LockDamaged')) {
      // It never got beyond the lock, and its step `Lock` has notified operators.
      if (change.detail.error === NOT_STARTED) return { recovered: false };
      await tellDamaged(change, error, ports, isLast);
    } else if (isLast || isUnsafe) await giveUp(change, error, ports, isLast);
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
  if (held?.execution !== detail.name) {
    const failure = findUntoldStart(detail);
    if (failure) await announce('notStarted', { execution: detail.name, failure }, ports);
    return { recovered: false };
  }
  if (await isFinished(held, ports)) return finish(held, ports, nowMs);
  const started = held.isVerified ? { ...held, isVerified: false } : held;
  const stopped = rollBack(started, 'Aborted', `the execution '${detail.name}' ended as ${detail.status}`);
  // From here on no step of it passes its guard.
  await store.save(stopped);
  const back = held.initial ? await restore(stopped, ports, nowMs) : stopped;
  // An event may come twice, and the other call be done by now.
  if (await store.hasEvidence(detail.name)) return { recovered: false };
  if (back.verdict === 'wait') throw new Error(describeWaiting(back));
  await record(back, ports, ports.now());
  return { recovered: true };
}

function describeWaiting({ execution, plan, rollback: record }: CutoverRun): string {
  const got = [record?.notMoved, ...(record?.notDone ?? [])].filter((line) => line !== undefined).join('; ');
  const { from } = findDirection(plan);
  return `the weights of '${execution}' must read back, and its ${from} serve, got ${got || 'one that does not yet'}`;
}

/**
 * Whether Verify has passed, by the lock or by the mark at the rule that stands for a store that was away, and the traffic is
 * where it was to go. Verify may have been written down, and its response lost: what it did then was decided without it. Where
 * that was to roll back, and the weights had to stay, the rule says so.
 */
async function isFinished(held: CutoverRun, { loadBalancer }: Ports): Promise<boolean> {
  const { intended, verdict } = held;
  // A recovery that has started to put something back goes on with it.
  const mayBeMarked = mayBeVerified(held) && verdict !== 'rollBack' && held.isVerified === undefined;
  if (!intended || !(held.isVerified || mayBeMarked)) return false;
  const forward = (await loadBalancer.rules()).find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  if (!forward || !sameForward(forward, intended)) return false;
  const { verified, rollingBack } = await loadBalancer.marks();
  const own = formatMark(held);
  return rollingBack !== own && (held.isVerified === true || verified === own);
}

/**
 * All traffic was on a side that was judged to the end: only the record is missing, and no weights move. A side that has
 * died since is no completed cutover: the lock is kept, and a person decides.
 */
async function finish(held: CutoverRun, ports: Ports, nowMs: number): Promise<Recovered> {
  const { from, to } = findDirection(held.plan);
  const state = await lookTwice(held, to, ports);
  if (state.serves === 'unknown') throw new CutoverError('AwsUnavailable', state.reason);
  if (!state.serves) {
    const message = `the ${to}, which has passed Verify and has the traffic, must serve, got: ${state.reason}. The weights stay as they are`;
    await record(rollBack({ ...held, isVerified: false }, state.code, message), ports, ports.now());
    return { recovered: false };
  }
  const hooked = await callHooksAt('beforeComplete', held, ports);
  const notUndrained = await undrain(from, 'none', ports);
  const drain = held.isVerified || !held.drain ? held.drain : unseenEnd(held.drain);
  const verified: CutoverRun = { ...hooked, ...(drain && { drain }), isVerified: true };
  const done = await callHooksAt('afterComplete', verified, ports);
  await record(notUndrained.length > 0 ? note(done, nowMs, 'Complete', { notUndrained }) : done, ports, nowMs);
  return { recovered: true };
}

/** One failed look may be a deployment of the side's. */
const LOOK_AGAIN_MS = 35_000;

async function lookTwice({ plan }: CutoverRun, side: Side, ports: Ports): Promise<SideState> {
  const { state } = await readSide(side, plan, ports, 1);
  if (state.serves === true) return state;
  await ports.pause(LOOK_AGAIN_MS);
  return (await readSide(side, plan, ports, 1)).state;
}

/** A recovery has no time for a pace, and its execution was ended by a person or is broken. */
const AT_ONCE = 'the execution has ended';

/**
 * The weights are restored at once, and again when no step of that execution can be at work any more: one that was about to
 * call ModifyRule when the execution was stopped still does. Once both are done it is on record in the lock, and no later
 * call sets them again: who changes them from then on does so by hand.
 */
async function restore(stopped: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { store } = ports;
  if (stopped.rollback?.hasReadBack) return goOn(stopped, ports, nowMs);
  // It is set again: what arrives says nothing before that.
  const first = await rollback(stopped, ports, nowMs, { atOnce: AT_ONCE, isProven: false });
  const started: CutoverRun = { ...first, verdict: stopped.verdict, ...withoutEnd(first) };
  // The next call goes on from here: it does not notify operators again, and in the end leaves a task that cannot be reached.
  if (started.rollback && !stopped.rollback) await store.save(started);
  await ports.pause(STRAGGLER_SECONDS * 1000);
  return goOn(started, ports, ports.now());
}

/** What has read back, and what arrives since, is not begun again by the next call. */
async function goOn(started: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const back = await rollback(started, ports, nowMs, { atOnce: AT_ONCE });
  if (back.rollback?.hasReadBack) await ports.store.save({ ...back, verdict: started.verdict });
  return back;
}

function withoutEnd({ rollback: started }: CutoverRun): Pick<CutoverRun, 'rollback'> {
  if (!started) return {};
  const again = { restoredAt: undefined, hasReadBack: undefined, arrivals: undefined, arrived: undefined };
  return { rollback: { ...started, ...again, notDone: undefined } };
}

function hasCode(error: unknown, code: ErrorCode): error is CutoverError {
  return error instanceof CutoverError && error.code === code;
}

/**
 * There is no run to record: whose lock it is, and what it has moved, cannot be read. Only a person can fix it: operators are
 * notified at once, whichever call finds it first, and again when it was not fixed in time.
 */
async function tellDamaged(
  { detail: { name } }: StatusChange,
  error: CutoverError,
  ports: Ports,
  isLast: boolean,
): Promise<void> {
  const before = await settle(() => ports.store.wasNotified(name));
  if (!isLast && 'value' in before && before.value) return;
  await announce('failed', { execution: name, failure: { code: 'LockDamaged', message: error.message } }, ports);
  // Noted afterwards: rather twice than never.
  await settle(() => ports.store.noteNotified(name));
}

async function giveUp(
  { detail: { name } }: StatusChange,
  error: unknown,
  ports: Ports,
  isLast: boolean,
): Promise<void> {
  const held = await ports.store.holder();
  if (held?.execution !== name || (await ports.store.hasEvidence(name))) return;
  if (hasCode(error, 'RollbackUnsafe')) {
    await (isLast ? recordLast : record)(rollBack(held, error.code, error.message), ports, ports.now());
    return;
  }
  const message = `what '${name}' has changed must be put back in ${RECOVERY_ATTEMPTS} attempts, got ${String(error)}`;
  await recordLast(rollBack(held, 'RollbackNotConfirmed', message), ports, ports.now());
}

export const handler = createHandler(recover);
