import { AlarmReading } from '../../core/judge/alarm-check';
import { CutoverRun, InitialReading, RollbackRecord, findFailure, note } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import { CutoverError } from '../../core/errors/errors';
import { Forward, findWeights, forwardFor, sameForward } from '../../core/traffic/forward';
import { ROLLBACK_LOOKING_SECONDS } from '../../core/cutover/step-limits';
import { CONFIRM_POLL_SECONDS } from '../../core/plan/plan';
import { describeSide, mayTakeBack } from '../../core/judge/side-state';
import { interruptedStage } from '../../core/cutover/stage';
import { decidePace, mayPace } from '../../core/cutover/pacing';
import { announce } from '../shared/announce';
import type { HeldLock, Ports } from '../contract/ports';
import { Settled, settleWithin } from '../contract/settle';
import { createHandler } from '../shared/step';
import { NOTIFY_MS, timeLeftMs } from '../contract/time-left';
import { SwitchedBack, switchBack } from '../switch/switch-back';
import { withRollbackHooks } from '../hooks/bounded-hooks';
import { recallSuspended, resumeScaling } from '../shared/scaling';
import { followRecalled, recallMoved } from '../rollback/recall';
import { proveBack } from '../rollback/prove-back';
import { findLastMs, findStart } from '../../core/cutover/rollback-record';
import { Ahead, Seen, listNotDone, look, lookAtOther, readAhead, verifyBack } from '../rollback/look';
import { CONFIRM_SECONDS, TELL_MS, mustStay, stay, stayWith, stranded, tellStuck } from '../rollback/stay';
import { keepPace, withPace } from '../rollback/pace';

/** The lock and the alarms are asked, and not waited for. */
const ASK_MS = 1_500;

/** What a look, and setting the weights, may take behind a switch back. */
const AFTER_SWITCH_MS = 16_000;

/** What a step that died has suspended is resumed with what is left of the time; `Record` does it at the latest. */
const RESUME_MS = 3_000;

/** What another look of the same call must have left: as much as a whole one may take. */
const NEXT_LOOK_MS = 60_000;

export interface RollbackOptions {
  /** Why the plan's pace is not kept. @default - it is */
  readonly atOnce?: string;
  /** Whether what arrives is looked at. @default true */
  readonly isProven?: boolean;
}

/**
 * Gives the side that the cutover left its weight back, in this order: undrains it, sets the initial weights, reads them back,
 * verifies that the side responds. Repeated until all of it holds. It needs the load balancer's API alone: what the store, ECS, a secret or a
 * proxy did not do in time goes into the evidence, and is tried again.
 *
 * Where the plan switches, the proxies go back to that side first, if they left it: see `switchBack`. Behind it, and behind
 * the weights, it resumes the autoscaling that a switch has suspended.
 *
 * It never sends traffic to a side that does not serve: then the weights stay, and it asks a person. So it does at once when
 * the side dies with its weight back. Weights that have read back are not set again, because who changes them then does so
 * by hand. A cutover that has lost the lock touches nothing: the traffic is another's by now.
 *
 * Once all of it holds it lets move back what a drain has moved, and looks whether what arrives fits the weights: see `proveBack`.
 *
 * The hooks before it are called at the same time, and the weights do not wait for them; those behind it when it is done.
 *
 * Where the plan has a pace the weights are set step by step: see `decidePace`. While it waits it looks again and again in the same call.
 *
 * @throws CutoverError `RollbackUnsafe`, `RollbackNotConfirmed`, or `AwsUnavailable` of the load balancer's API
 */
export async function rollback(
  given: CutoverRun,
  ports: Ports,
  nowMs: number,
  { atOnce, isProven = true }: RollbackOptions = {},
): Promise<CutoverRun> {
  const { initial } = given;
  if (!initial) throw new Error("'rollback' must follow a preflight, got none");
  const asked = await ask(given, ports, atOnce);
  if (!isOwn(given, asked)) return withoutLock(given);
  const { holder } = asked;
  const recalled = 'value' in holder && holder.value ? recall(given, holder.value) : given;
  return withRollbackHooks(recalled, ports, nowMs, async () => {
    let run = await goBackOrTell(recalled, { initial, ...asked }, ports, nowMs);
    while (isPacing(run) && ports.now() - nowMs < ROLLBACK_LOOKING_SECONDS * 1000 && timeLeftMs() > NEXT_LOOK_MS) {
      await ports.pause(run.waitSeconds * 1000);
      const again = await lookAgain(run, initial, ports);
      if (!again) break;
      run = again;
    }
    const back = await recallMoved(run, ports);
    return isProven ? followRecalled(await proveBack(back, ports), ports) : back;
  });
}

/** A step that was cut short handed on what it was given: the lock, written before its effect, knows that it may have shifted. */
function recall(given: CutoverRun, held: HeldLock): CutoverRun {
  const run = recallSuspended(given, held);
  return run.stage || !held.stage ? run : { ...run, stage: held.stage };
}

/**
 * A look that fails is a look: operators are notified of the first one, and the next begins at once. One that fails for long is thrown, for
 * the state machine to repeat at its pace.
 */
async function goBackOrTell(run: CutoverRun, going: GoingBack, ports: Ports, nowMs: number): Promise<CutoverRun> {
  try {
    return await goBack(run, going, ports, nowMs);
  } catch (error) {
    if (error instanceof CutoverError && error.code !== 'AwsUnavailable') throw error;
    const started = run.rollback ? run : beginRollback(run, nowMs);
    const notMoved = error instanceof Error ? error.message : String(error);
    const record: RollbackRecord = { ...findStart(started, nowMs), notMoved };
    const waiting = await tellStuck(started, record, 'notMoved', ports);
    if (ports.now() - findLastMs(record) < CONFIRM_SECONDS * 1000) return waiting;
    throw error;
  }
}

/** @returns undefined when it fails: what was done so far is kept, and the next call looks first */
async function lookAgain(run: CutoverRun, initial: InitialReading, ports: Ports): Promise<CutoverRun | undefined> {
  try {
    const asked = await ask(run, ports, undefined);
    return isOwn(run, asked) ? await goBack(run, { initial, ...asked }, ports, ports.now()) : withoutLock(run);
  } catch {
    return undefined;
  }
}

async function ask(given: CutoverRun, ports: Ports, atOnce: string | undefined): Promise<Asked> {
  // Asked at the same time, so that all together cost no more than one.
  const alarms = settleWithin(ASK_MS, 'reading the alarms', () => ports.alarms.read(given.alarms));
  const ahead = given.plan.switch ? undefined : readAhead(given, ports, atOnce);
  const holder = await settleWithin(ASK_MS, 'reading the lock', () => ports.store.holder());
  return { alarms, ahead, holder, atOnce };
}

/** A lock that cannot be read is taken for its own. */
function isOwn({ execution }: CutoverRun, { holder }: Asked): boolean {
  return !('value' in holder) || holder.value?.execution === execution;
}

/** Whether it waits for the pace of its plan alone. */
function isPacing(run: CutoverRun): boolean {
  return run.verdict === 'wait' && mayPace(run) && run.rollback?.pace !== undefined && run.rollback.sides === undefined;
}

type GoingBack = Asked & { readonly initial: InitialReading };

async function goBack(
  given: CutoverRun,
  { initial, alarms, ahead, holder, atOnce }: GoingBack,
  ports: Ports,
  nowMs: number,
): Promise<CutoverRun> {
  const switched = await switchBack(given, ports);
  const { run } = switched;
  const intended = forwardFor(given.plan.initialWeights, ports.loadBalancer.groupArns, initial.stickiness);
  const started: CutoverRun = { ...(run.rollback ? run : beginRollback(run, nowMs)), intended };
  const hasSwitched = run.switches !== given.switches;
  if (switched.kind === 'copies') {
    if (hasSwitched) await announceSwitch(run, ports);
    return { ...started, verdict: 'wait', waitSeconds: 1 };
  }
  // What it did would be lost with a step that is cut short.
  if (hasSwitched && timeLeftMs() < AFTER_SWITCH_MS) {
    await announceSwitch(run, ports);
    return { ...started, verdict: 'wait', waitSeconds: 1 };
  }
  const after = await goOn({ run, started, intended, switched, alarms, ahead, holder, atOnce }, ports, nowMs);
  // After the weights: they do not wait for a message.
  if (hasSwitched) await announceSwitch(run, ports);
  return timeLeftMs() < RESUME_MS ? after : resumeScaling(after, ports);
}

async function announceSwitch(run: CutoverRun, ports: Ports): Promise<void> {
  const last = run.switches?.at(-1);
  if (!last || timeLeftMs() < NOTIFY_MS) return;
  if (last.frozen) await announce('frozen', run, ports);
  const isBack = last.outcome === 'commit' && last.to === findDirection(run.plan).from;
  if (isBack || last.outcome === 'abort') await announce(isBack ? 'switchedBack' : 'switchAborted', run, ports);
}

/** What was asked as the step began. */
interface Asked {
  readonly alarms: Promise<Settled<readonly AlarmReading[]>>;
  /** Undefined where a switch back comes first: what was read before it would say nothing. */
  readonly ahead: Promise<Ahead> | undefined;
  readonly holder: Settled<HeldLock | undefined>;
  /** Why the plan's pace is not kept. */
  readonly atOnce: string | undefined;
}

interface Going extends Asked {
  readonly run: CutoverRun;
  readonly started: CutoverRun;
  readonly intended: Forward;
  readonly switched: Exclude<SwitchedBack, { readonly kind: 'copies' }>;
}

async function goOn(
  { run, started, intended, switched, alarms, ahead, holder, atOnce }: Going,
  ports: Ports,
  nowMs: number,
): Promise<CutoverRun> {
  const before = await look(run, ports, { ahead, atOnce });
  if (switched.kind === 'stays')
    return stayWith(started, switched, await lookAtOther(run, before, ports, TELL_MS), ports);
  const more = [...('problem' in holder ? [holder.problem] : []), ...(switched.notDone ? [switched.notDone] : [])];
  const seen = { ...before, notDone: [...more, ...before.notDone] };
  if (run.rollback?.hasReadBack) return settleWeights(started, intended, seen, ports, nowMs);
  return moveBack({ run, started, intended, seen, alarms, atOnce }, ports, nowMs);
}

interface Moving {
  readonly run: CutoverRun;
  readonly started: CutoverRun;
  readonly intended: Forward;
  readonly seen: Seen;
  readonly alarms: Promise<Settled<readonly AlarmReading[]>>;
  readonly atOnce: string | undefined;
}

/** Sets the weights, where they are others and the side may be given them: all at once, or as far as the pace of the plan says. */
async function moveBack(
  { run, started, intended, seen, alarms, atOnce }: Moving,
  ports: Ports,
  nowMs: number,
): Promise<CutoverRun> {
  if (!mustBeSet(run, seen, intended)) {
    if (!run.rollback) await announce('rollingBack', started, ports);
    return settleWeights(started, intended, seen, ports, nowMs);
  }
  const staying = await mustStay(run, seen, alarms, ports);
  const weights = seen.forward && findWeights(seen.forward, ports.loadBalancer.groupArns);
  const paceSeen = {
    mustStay: staying !== undefined,
    other: seen.left,
    ...{ healthyTargets: seen.healthyTargets, weights, atOnce },
  };
  const decision = decidePace(started, paceSeen, ports.now());
  const paced = withPace(started, decision, nowMs);
  if (staying) return stay(paced, staying, ports, nowMs);
  if (decision.kind === 'wait' || decision.kind === 'step') {
    const kept = await keepPace(paced, decision, seen, ports);
    if (run.rollback) return kept;
    // After the weights: they do not wait for a message.
    await announce('rollingBack', kept, ports);
    return kept;
  }
  await ports.loadBalancer.setForward(intended);
  if (!run.rollback) await announce('rollingBack', paced, ports);
  const moved = { ...paced, rollback: { ...findStart(paced, nowMs), hasSet: true } };
  return settleWeights(moved, intended, await verifyBack(run, seen, ports, intended), ports, nowMs);
}

/** After a shift the first look sets them whatever it reads: an API that lags behind may still show what was before. */
function mustBeSet({ stage, rollback: started }: CutoverRun, { forward }: Seen, intended: Forward): boolean {
  const mayHaveShifted = stage !== undefined && started?.hasSet !== true;
  return mayHaveShifted || !forward || !sameForward(forward, intended);
}

/** Weights that read back are restored once the side responds; those that were never moved are, whatever the side is. */
async function settleWeights(
  run: CutoverRun,
  intended: Forward,
  seen: Seen,
  ports: Ports,
  nowMs: number,
): Promise<CutoverRun> {
  const isBack = seen.forward !== undefined && sameForward(seen.forward, intended);
  const record = findStart(run, nowMs);
  const isDead = seen.back.serves === false;
  // Another caller has set others since, away from a side that died: it was restored, and is no more.
  const isRepaired = isDead && record.hasReadBack === true && seen.forward !== undefined && !isBack;
  const rollback = { ...record, ...(isBack && { hasReadBack: true }), ...(isRepaired && { restoredAt: undefined }) };
  const settled: CutoverRun = { ...run, rollback };
  const { hasSet, restoredAt } = rollback;
  if (isBack && hasSet && isDead) return stranded(settled, seen, ports, nowMs);
  const isDone = isBack && restoredAt === undefined && (mayTakeBack(seen.back) || hasSet !== true);
  return afterLook(isDone ? restored(settled, nowMs, ports) : settled, seen, ports, nowMs);
}

function withoutLock(run: CutoverRun): CutoverRun {
  const message = `the lock must be held by '${run.execution}' to put its weights back, got another or none`;
  return { ...run, verdict: 'go', failure: { code: 'LockLost', message } };
}

function restored(run: CutoverRun, beganMs: number, { metrics, now }: Ports): CutoverRun {
  const nowMs = now();
  metrics.weights(run.plan.initialWeights, nowMs);
  const record = findStart(run, beganMs);
  return { ...run, rollback: { ...record, restoredAt: new Date(nowMs).toISOString() } };
}

function afterLook(run: CutoverRun, seen: Seen, ports: Ports, nowMs: number): CutoverRun {
  const record: RollbackRecord = { ...findStart(run, nowMs), ...listNotDone(seen) };
  const kept: CutoverRun = { ...run, rollback: record };
  const isLate = nowMs - findLastMs(record) >= CONFIRM_SECONDS * 1000;
  const isRestored = record.restoredAt !== undefined;
  // It is noted already: what arrives is looked at.
  if (isRestored && record.arrivals) return { ...kept, verdict: 'restored' };
  if (isRestored && (seen.notDone.length === 0 || isLate)) {
    const detail = { weights: run.plan.initialWeights, ...listNotDone(seen) };
    return note({ ...kept, verdict: 'restored' }, ports.now(), 'Rollback', detail);
  }
  if (!isLate) return { ...kept, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  const { from } = findDirection(run.plan);
  const rule = `the weights must read back as ${JSON.stringify(run.intended)}, and the ${from} respond`;
  const got = `${JSON.stringify(seen.forward)}; ${describeSide(from, seen.back)}`;
  // Another caller has set others since they were read back: nothing sets them again, and waiting does not help.
  if (record.hasReadBack && seen.forward) throw new CutoverError('RulesChanged', `${rule}, got ${got}`);
  throw new CutoverError('RollbackNotConfirmed', `${rule}, got ${got}`);
}

function beginRollback(run: CutoverRun, nowMs: number): CutoverRun {
  const startedAt = new Date(nowMs).toISOString();
  const { rollBackAtMs } = run;
  const decided = rollBackAtMs !== undefined && { decidedAt: new Date(rollBackAtMs).toISOString() };
  const stages = [...run.stages, ...interruptedStage(run, nowMs)];
  return note({ ...run, stages, rollback: { ...decided, startedAt } }, nowMs, 'Rollback', {
    because: findFailure(run),
  });
}

export const handler = createHandler(rollback);
