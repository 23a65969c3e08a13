import { AlarmReading, checkAlarms } from '../../core/judge/alarm-check';
import { CutoverRun, InitialReading, RollbackRecord, findFailure, note } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import { CutoverError } from '../../core/errors/errors';
import { Forward, findWeights, forwardFor, sameForward } from '../../core/traffic/forward';
import { ROLLBACK_LOOKING_SECONDS } from '../../core/cutover/step-limits';
import { CONFIRM_POLL_SECONDS } from '../../core/plan/plan';
import { SideState, describeSide, mayTakeBack } from '../../core/judge/side-state';
import { formatMark, mayBeVerified } from '../../core/cutover/verified-mark';
import { interruptedStage } from '../../core/cutover/stage';
import { PaceDecision, decidePace, findPaceMs, mayPace } from '../../core/cutover/pacing';
import { loosen } from '../../core/plan/stickiness-plan';
import { announce } from '../shared/announce';
import { readRules } from '../shared/observe';
import type { Side } from '../../core/traffic/weights';
import type { HeldLock, Ports } from '../contract/ports';
import { Settled, settle, settleWithin } from '../contract/settle';
import { readSide } from '../shared/sides';
import { createHandler } from '../shared/step';
import { NOTIFY_MS, leavingTime, timeLeftMs } from '../contract/time-left';
import { StayReason, SwitchedBack, switchBack } from '../switch/switch-back';
import { withRollbackHooks } from '../hooks/bounded-hooks';
import { recallSuspended, resumeScaling } from '../shared/scaling';
import { proveBack } from '../shared/prove-back';
import { undrain } from '../shared/undrain';

/**
 * How long a rollback reads back, and undrains the tasks of the side that it restores, before it leaves the rest to the state machine's retries.
 */
const CONFIRM_SECONDS = 300;
/** How long it waits for a side that does not serve, while the other does. Where neither does it waits for either. */
const UNSAFE_SECONDS = 60;
/** How long it waits for a side that has its weight back and does not serve. */
const STRANDED_SECONDS = 300;
/** The lock and the alarms are asked, and not waited for. */
const ASK_MS = 1_500;
/** What verifying may take: two reads of the rules. A step that has less left leaves it to the next look. */
const VERIFY_MS = 14_000;
/** What a look at the side that it leaves may take. */
const OTHER_MS = 14_000;
/** What setting the weights may take. */
const SET_MS = 6_000;
/** What a look, and setting the weights, may take behind a switch back. */
const AFTER_SWITCH_MS = 16_000;
/** How long it waits for a store that does not respond: nothing can be switched back without it. */
const UNKNOWN_SECONDS = 3_600;
/** What a step that died has suspended is resumed with what is left of the time; `Record` does it at the latest. */
const RESUME_MS = 3_000;
/** What a look at the side that it leaves may take, for the pace of a plan: one that does not respond by then is left at once. */
const PACE_LOOK_MS = 2_500;
/** What raising a desired count may take: the next look tries again. */
const SCALE_OUT_MS = 5_000;
/** What another look of the same call must have left: as much as a whole one may take. */
const NEXT_LOOK_MS = 60_000;
/** What notifying operators may take, and the rest of a step after it. */
const TELL_MS = NOTIFY_MS + 500;

/** What one look of a rollback has read and done. */
interface Seen {
  readonly forward: Forward | undefined;
  /** The side that gets its weight back. */
  readonly back: SideState;
  /** Of that side; undefined when the load balancer did not say. */
  readonly healthyTargets?: number | undefined;
  /** The side that loses the traffic, where a pace asks for it. */
  readonly left?: SideState;
  /** One line for each thing that could not be done or read. */
  readonly notDone: readonly string[];
}

interface SeenBoth extends Seen {
  /** The side that got the traffic, and loses it. */
  readonly other: SideState;
}

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
 * Once all of it holds it looks whether what arrives fits the weights: see `proveBack`.
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
    return isProven ? proveBack(run, ports) : run;
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
  readonly switched: SwitchedBack;
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

function withPace(run: CutoverRun, { pace }: PaceDecision, nowMs: number): CutoverRun {
  return pace ? { ...run, rollback: { ...findStart(run, nowMs), pace } } : run;
}

/** Sets a step of the pace, or waits for the next one. That it serves then is found by the next look. */
async function keepPace(
  run: CutoverRun,
  decision: Extract<PaceDecision, { kind: 'wait' | 'step' }>,
  seen: Seen,
  ports: Ports,
): Promise<CutoverRun> {
  const { loadBalancer, metrics } = ports;
  const waiting = (kept: CutoverRun, notDone: readonly string[]): CutoverRun => {
    const rollback = { ...findStart(kept, ports.now()), ...(notDone.length > 0 && { notDone }) };
    return { ...kept, rollback, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  };
  if (decision.kind === 'wait') {
    const scaled =
      decision.scaleOutTo === undefined ? { run, notDone: [] } : await scaleOut(run, decision.scaleOutTo, ports);
    return waiting(scaled.run, [...seen.notDone, ...scaled.notDone]);
  }
  const { weights, percent } = decision;
  const stickiness = loosen(run.initial!.stickiness);
  await loadBalancer.setForward(forwardFor(weights, loadBalancer.groupArns, stickiness));
  metrics.weights(weights, ports.now());
  const { capacity } = run.rollback?.pace ?? {};
  const isFirst = run.rollback?.pace?.steps.length === 1;
  const detail = { step: weights, percent, ...(isFirst && capacity && { capacity }) };
  return waiting(note(run, ports.now(), 'Rollback', detail), seen.notDone);
}

/** A service that cannot be told is waited for all the same: it may scale by itself. */
async function scaleOut(
  run: CutoverRun,
  desiredCount: number,
  ports: Ports,
): Promise<{ readonly run: CutoverRun; readonly notDone: readonly string[] }> {
  const { from } = findDirection(run.plan);
  const work = () => ports.services.scaleOut(from, desiredCount);
  const done = await settleWithin(SCALE_OUT_MS, `raising the desired count of the ${from}`, work);
  const { rollback } = run;
  if ('problem' in done || !rollback?.pace?.capacity) return { run, notDone: 'problem' in done ? [done.problem] : [] };
  const pace = { ...rollback.pace, capacity: { ...rollback.pace.capacity, scaledOutTo: desiredCount } };
  const detail = { scaledOut: from, desiredCount };
  return { run: note({ ...run, rollback: { ...rollback, pace } }, ports.now(), 'Rollback', detail), notDone: [] };
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

/** What is read of the side that gets its weight back, and of where the weights stand; for a pace of the other side, too. */
type Ahead = Omit<Seen, 'notDone'>;

async function readBack(run: CutoverRun, ports: Ports, atOnce: string | undefined): Promise<Ahead> {
  const { loadBalancer } = ports;
  const { plan } = run;
  const { from, to } = findDirection(plan);
  const [back, rules, left] = await Promise.all([
    readSide(from, plan, ports, 1),
    loadBalancer.rules(),
    atOnce === undefined && mayPace(run) ? readLeft(run, to, ports) : undefined,
  ]);
  const forward = rules.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  const { state, healthyTargets } = back;
  return { forward, back: state, healthyTargets, ...(left && { left }) };
}

/** For a pace. One that served nothing when it was judged is left at once, without another look at it. */
async function readLeft(run: CutoverRun, side: Side, ports: Ports): Promise<SideState> {
  if (!run.rollback && run.deadSide === side) {
    return {
      serves: false,
      code: 'SmokeFailed',
      reason: findFailure(run)?.message ?? 'it served nothing when it was judged',
    };
  }
  const read = async () => (await readSide(side, run.plan, ports, 1)).state;
  return unknownWithout(await settleWithin(PACE_LOOK_MS, `reading the ${side}`, read));
}

/** It changes nothing, and so needs no lock: a store that does not respond costs its time once. */
function readAhead(run: CutoverRun, ports: Ports, atOnce: string | undefined): Promise<Ahead> {
  const read = readBack(run, ports, atOnce);
  // It fails where it is awaited.
  read.catch(() => undefined);
  return read;
}

/** Undrains the side, and reads at the same time what it is and where the weights stand. */
async function look(run: CutoverRun, ports: Ports, { ahead, atOnce }: Pick<Asked, 'ahead' | 'atOnce'>): Promise<Seen> {
  const { from } = findDirection(run.plan);
  const [notDone, read] = await Promise.all([undrain(from, ports), ahead ?? readBack(run, ports, atOnce)]);
  return { ...read, notDone };
}

/** A side that was not seen in time is unknown. */
function unknownWithout(read: Settled<SideState>): SideState {
  return 'value' in read ? read.value : { serves: 'unknown', isHealthy: false, reason: read.problem };
}

/**
 * Both sides, where traffic must not go back: the side does not serve, or an alarm speaks against it while the other serves. An
 * alarm is minutes old; where the other is down, the response of the side now counts for more.
 */
async function mustStay(
  run: CutoverRun,
  seen: Seen,
  alarms: Promise<Settled<readonly AlarmReading[]>>,
  ports: Ports,
): Promise<SeenBoth | undefined> {
  if (!mayTakeBack(seen.back)) {
    const [both, notMarked] = await Promise.all([lookAtOther(run, seen, ports, TELL_MS), markRollingBack(run, ports)]);
    return { ...both, notDone: [...both.notDone, ...notMarked] };
  }
  const read = await alarms;
  const isRaised =
    'value' in read && checkAlarms(run.alarms, read.value, findDirection(run.plan).from)?.code === 'AlarmRaised';
  if (!isRaised) return undefined;
  const both = await lookAtOther(run, seen, ports, SET_MS + TELL_MS);
  if (both.other.serves !== true) return undefined;
  return { ...both, notDone: [...both.notDone, ...(await markRollingBack(run, ports))] };
}

/**
 * The proxies forward to the side that was switched to, and weights change nothing of that: they stay. What a person can do is in the message.
 *
 * @throws CutoverError `RollbackUnsafe` when waiting does not help
 */
async function stayWith(
  run: CutoverRun,
  { why, reason }: Extract<SwitchedBack, { kind: 'stays' }>,
  seen: SeenBoth,
  ports: Ports,
): Promise<CutoverRun> {
  const { from, to } = findDirection(run.plan);
  const both: SeenBoth = { ...seen, back: { serves: false, code: 'SmokeFailed', reason: why } };
  const started = { ...findStart(run, ports.now()), strandedAt: undefined };
  const record: RollbackRecord = {
    ...started,
    sides: listSides(run, both),
    ...listNotDone(both),
  };
  const waiting = await tellStuck(run, record, 'staying', ports);
  const isNotified = waiting.rollback?.notifiedOf === 'staying';
  const seconds = (ports.now() - Date.parse(record.startedAt)) / 1000;
  const limits: Readonly<Record<StayReason, number>> = {
    asks: 0,
    unknown: UNKNOWN_SECONDS,
    failed: both.other.serves === true ? UNSAFE_SECONDS : CONFIRM_SECONDS,
  };
  if (!isNotified || seconds < limits[reason]) return waiting;
  const advice = `Repair the ${to}, or set the weights to it and switch back: drainshift rollback --stack STACK`;
  const got = `${why}; ${describeSide(to, both.other)}`;
  throw new CutoverError(
    'RollbackUnsafe',
    `the proxies must forward to the ${from} before it is given its weight back, got: ${got}. The ${to} goes on, and the weights stay as they are. ${advice}`,
  );
}

/** In what is left of the step without the time for what comes after it: a side that was not seen by then is unknown. */
async function lookAtOther({ plan }: CutoverRun, seen: Seen, ports: Ports, leaveMs: number): Promise<SeenBoth> {
  const { to } = findDirection(plan);
  const read = () =>
    settleWithin(OTHER_MS, `reading the ${to}`, async () => (await readSide(to, plan, ports, 1)).state);
  return { ...seen, other: unknownWithout(await leavingTime(leaveMs, read)) };
}

/** Within the time of the step: what it does not see, the next look does. That the weights were set is not forgotten over it. */
async function verifyBack({ plan }: CutoverRun, seen: Seen, ports: Ports, intended: Forward): Promise<Seen> {
  const { loadBalancer } = ports;
  const unseen: Seen = { ...seen, forward: undefined };
  if (timeLeftMs() < VERIFY_MS) return unseen;
  const [rules, back] = await Promise.all([
    settle(() => readRules(ports, (forward) => sameForward(forward, intended))),
    readSide(findDirection(plan).from, plan, ports, 1),
  ]);
  if ('problem' in rules) return { ...unseen, back: back.state, notDone: [...seen.notDone, rules.problem] };
  const forward = rules.value.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  return { ...seen, forward, back: back.state };
}

/** Leaves the weights where they are, and notifies operators at once; gives up when waiting for the side does not help. */
async function stay(run: CutoverRun, both: SeenBoth, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const started = { ...findStart(run, nowMs), strandedAt: undefined };
  const record: RollbackRecord = { ...started, sides: listSides(run, both), ...listNotDone(both) };
  const waiting = await tellStuck(run, record, 'staying', ports);
  const seconds = (ports.now() - findLastMs(record)) / 1000;
  const limit = both.other.serves === true ? UNSAFE_SECONDS : CONFIRM_SECONDS;
  if (seconds < limit) return waiting;
  const { from } = findDirection(run.plan);
  throw new CutoverError(
    'RollbackUnsafe',
    `the ${from} must serve, and no alarm about it be raised, to be given its weight back, got: ${describeSides(run, both)}. The weights stay as they are`,
  );
}

/** The side has its weight back, and died with it: operators are notified at once, and nothing else is left to do. */
async function stranded(run: CutoverRun, seen: Seen, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const both = await lookAtOther(run, seen, ports, TELL_MS);
  const started = { ...findStart(run, nowMs), restoredAt: undefined };
  const strandedAt = run.rollback?.strandedAt ?? new Date(ports.now()).toISOString();
  const record: RollbackRecord = { ...started, strandedAt, sides: listSides(run, both), ...listNotDone(seen) };
  const waiting = await tellStuck(run, record, 'stranded', ports);
  if (ports.now() - Date.parse(strandedAt) < STRANDED_SECONDS * 1000) return waiting;
  const { from } = findDirection(run.plan);
  const rule = `the ${from} must serve within ${STRANDED_SECONDS} s with its weight back`;
  throw new CutoverError('RollbackUnsafe', `${rule}, got: ${describeSides(run, both)}. The weights stay as they are`);
}

function listSides({ plan }: CutoverRun, { back, other }: SeenBoth): NonNullable<RollbackRecord['sides']> {
  return findDirection(plan).from === 'source' ? { source: back, target: other } : { source: other, target: back };
}

function describeSides({ plan }: CutoverRun, { back, other }: SeenBoth): string {
  const { from, to } = findDirection(plan);
  return `${describeSide(from, back)}; ${describeSide(to, other)}`;
}

/**
 * The weights stay as `Verify` left them, which may have passed without this rollback knowing it: the reader of the lock
 * must not take the cutover for completed.
 *
 * @returns a line when the rule did not take it: the next look tries again
 */
async function markRollingBack(run: CutoverRun, { loadBalancer }: Ports): Promise<string[]> {
  if (!mayBeVerified(run)) return [];
  const marked = await leavingTime(TELL_MS, () => settle(() => loadBalancer.mark('rollingBack', formatMark(run))));
  return 'problem' in marked ? [marked.problem] : [];
}

/** Once, however often the side serves in between. A step that has no time for it leaves it to the next look. */
async function tellStuck(
  run: CutoverRun,
  record: RollbackRecord,
  what: NonNullable<RollbackRecord['notifiedOf']>,
  ports: Ports,
): Promise<CutoverRun> {
  const waiting: CutoverRun = { ...run, rollback: record, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  if (record.notifiedOf === what || timeLeftMs() < NOTIFY_MS) return waiting;
  await announce('stuck', waiting, ports);
  return { ...waiting, rollback: { ...record, notifiedOf: what } };
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

function listNotDone({ notDone }: Seen): Pick<RollbackRecord, 'notDone'> {
  return notDone.length > 0 ? { notDone } : {};
}

/** Without what an earlier look saw, and could not do: this one has tried again. */
function findStart({ rollback: started }: CutoverRun, nowMs: number): RollbackRecord {
  if (!started) return { startedAt: new Date(nowMs).toISOString() };
  return { ...started, sides: undefined, notDone: undefined, notMoved: undefined };
}

/** When it last did something that takes time: a pace has its own. */
function findLastMs({ startedAt, pace }: RollbackRecord): number {
  return findPaceMs(pace) ?? Date.parse(startedAt);
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
