import { AlarmReading, checkAlarms } from '../../core/judge/alarm-check';
import { CutoverRun, RollbackRecord } from '../../core/cutover/run';
import { findDirection } from '../../core/plan/direction';
import { CutoverError } from '../../core/errors/errors';
import { findStepWeights } from '../../core/cutover/pacing';
import { CONFIRM_POLL_SECONDS } from '../../core/plan/plan';
import { Weights, formatWeights } from '../../core/traffic/weights';
import { describeSide, mayTakeBack } from '../../core/judge/side-state';
import { formatMark, mayBeVerified } from '../../core/cutover/verified-mark';
import { announce } from '../shared/announce';
import type { Ports } from '../contract/ports';
import { Settled, settle } from '../contract/settle';
import { NOTIFY_MS, leavingTime, timeLeftMs } from '../contract/time-left';
import { StayReason, SwitchedBack } from '../switch/switch-back';
import { findLastMs, findStart } from '../../core/cutover/rollback-record';
import { Seen, SeenBoth, listNotDone, lookAtOther } from './look';

/**
 * How long a rollback reads back, and undrains the tasks of the side that it restores, before it leaves the rest to the state machine's retries.
 */
export const CONFIRM_SECONDS = 300;

/** How long it waits for a side that does not serve, while the other does. Where neither does it waits for either. */
const UNSAFE_SECONDS = 60;

/** How long it waits for a side that has its weight back, or a step of it, and does not serve: it takes that long to be replaced. */
const STRANDED_SECONDS = 300;

/** How long it waits for a store that does not respond: nothing can be switched back without it. */
const UNKNOWN_SECONDS = 3_600;

/** What setting the weights may take. */
const SET_MS = 6_000;

/** What notifying operators may take, and the rest of a step after it. */
export const TELL_MS = NOTIFY_MS + 500;

/**
 * Both sides, where traffic must not go back: the side does not serve, or an alarm speaks against it while the other serves. An
 * alarm is minutes old; where the other is down, the response of the side now counts for more.
 */
export async function mustStay(
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
export async function stayWith(
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

/** Leaves the weights where they are, and notifies operators at once; gives up when waiting for the side does not help. */
export async function stay(run: CutoverRun, both: SeenBoth, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const started = { ...findStart(run, nowMs), strandedAt: undefined };
  const record: RollbackRecord = { ...started, sides: listSides(run, both), ...listNotDone(both) };
  const waiting = await tellStuck(run, record, 'staying', ports);
  const seconds = (ports.now() - findLastMs(record)) / 1000;
  const step = findStepWeights(run);
  const limit = both.other.serves !== true ? CONFIRM_SECONDS : step ? STRANDED_SECONDS : UNSAFE_SECONDS;
  if (seconds < limit) return waiting;
  const { from } = findDirection(run.plan);
  throw new CutoverError(
    'RollbackUnsafe',
    `the ${from} must serve, and no alarm about it be raised, to be given ${step ? 'more weight' : 'its weight back'}, got: ${describeSides(run, both)}. ${describeWeights(step)}`,
  );
}

/** Of a step the weights are known; else they are those that this rollback has found. */
function describeWeights(step: Weights | undefined): string {
  if (!step) return 'The weights stay as they are';
  return `The weights stay at ${formatWeights(step)} (source/target), as the last step of the pace has set them`;
}

/** The side has its weight back, and died with it: operators are notified at once, and nothing else is left to do. */
export async function stranded(run: CutoverRun, seen: Seen, ports: Ports, nowMs: number): Promise<CutoverRun> {
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
export async function tellStuck(
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
