import { checkAlarms } from '../../core/judge/alarm-check';
import { CutoverRun, RollbackRecord, findFailure, note } from '../../core/cutover/run';
import { CutoverError } from '../../core/errors/errors';
import { Forward, forwardFor, sameForward } from '../../core/traffic/forward';
import { CONFIRM_POLL_SECONDS } from '../../core/plan/plan';
import { SideState, describeSide, mayTakeBack } from '../../core/judge/side-state';
import { interruptedStage } from '../../core/cutover/stage';
import { announce } from '../step/announce';
import { readRules } from '../step/observe';
import type { Ports } from '../contract/ports';
import { settle, settleWithin } from '../contract/settle';
import { readSide } from '../step/sides';
import { createHandler } from '../step/step';
import { timeLeftMs } from '../contract/time-left';
import { undrain } from '../step/undrain';

/** How long a rollback reads back, and tells the source's tasks, before it leaves the rest to the state machine's retries. */
const CONFIRM_SECONDS = 300;
/** How long it waits for a source that does not serve, while the target does. Where neither does it waits for either. */
const UNSAFE_SECONDS = 60;
/** How long it waits for a source that has its weight back and does not serve. */
const STRANDED_SECONDS = 300;
/** The lock and the alarms are asked, and not waited for. */
const ASK_MS = 2_500;
/** What verifying may take: two reads of the rules. A step that has less left leaves it to the next look. */
const VERIFY_MS = 14_000;

/** What one look of a rollback has read and done. */
interface Seen {
  readonly forward: Forward | undefined;
  readonly source: SideState;
  /** One line for each thing that could not be done or read. */
  readonly notDone: readonly string[];
}

/**
 * Gives the source its weight back, in this order: undrains it, sets the initial weights, reads them back, verifies that the
 * source answers. Repeated until all of it holds. It needs the load balancer's API alone: what the store, ECS, a secret or a
 * proxy does not answer in time goes into the evidence, and is tried again.
 *
 * It never sends traffic to a source that does not serve: then the weights stay, and it asks a person. So it does at once when
 * the source dies with its weight back. Weights that have read back are not set again, because who changes them then does so
 * by hand. A cutover that has lost the lock touches nothing: the traffic is another's by now.
 *
 * @throws CutoverError `RollbackUnsafe`, `RollbackNotConfirmed`, or `AwsUnavailable` of the load balancer's API
 */
export async function rollback(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { loadBalancer, store } = ports;
  const { initial, plan, execution } = run;
  if (!initial) throw new Error("'rollback' must follow a preflight, got none");
  const holder = await settleWithin(ASK_MS, 'reading the lock', () => store.holder());
  if ('value' in holder && holder.value?.execution !== execution) return withoutLock(run);
  const intended = forwardFor(plan.initialWeights, loadBalancer.groupArns, initial.stickiness);
  const started: CutoverRun = { ...(run.rollback ? run : beginRollback(run, nowMs)), intended };
  const before = await look(run, ports);
  const seen = { ...before, notDone: [...('problem' in holder ? [holder.problem] : []), ...before.notDone] };
  if (run.rollback?.hasReadBack) return settleWeights(started, intended, seen, ports, nowMs);
  const isMoved = mustBeSet(run, seen, intended);
  if (isMoved && (await mustStay(run, seen, ports))) return stay(started, seen, ports, nowMs);
  if (isMoved) await loadBalancer.setForward(intended);
  // After the weights: they do not wait for a message.
  if (!run.rollback) await announce('rollingBack', started, ports);
  if (!isMoved) return settleWeights(started, intended, seen, ports, nowMs);
  const moved = { ...started, rollback: { ...findStart(started, nowMs), hasSet: true } };
  return settleWeights(moved, intended, await verifySource(run, seen, ports, intended), ports, nowMs);
}

/** After a shift the first look sets them whatever it reads: an API that lags behind may still show what was before. */
function mustBeSet({ stage, rollback: started }: CutoverRun, { forward }: Seen, intended: Forward): boolean {
  const mayHaveShifted = stage !== undefined && started?.hasSet !== true;
  return mayHaveShifted || !forward || !sameForward(forward, intended);
}

/** Weights that read back are restored once the source answers; those that were never moved are, whatever the source is. */
async function settleWeights(
  run: CutoverRun,
  intended: Forward,
  seen: Seen,
  ports: Ports,
  nowMs: number,
): Promise<CutoverRun> {
  const isBack = seen.forward !== undefined && sameForward(seen.forward, intended);
  const record = run.rollback ?? findStart(run, nowMs);
  const settled: CutoverRun = isBack ? { ...run, rollback: { ...record, hasReadBack: true } } : run;
  const { hasSet, hasReadBack, restoredAt } = findStart(settled, nowMs);
  if (hasSet && hasReadBack && seen.source.serves === false) return stranded(settled, seen, ports, nowMs);
  const isDone = isBack && restoredAt === undefined && (mayTakeBack(seen.source) || hasSet !== true);
  return afterLook(isDone ? restored(settled, nowMs, ports) : settled, seen, ports, nowMs);
}

function withoutLock(run: CutoverRun): CutoverRun {
  const message = `the lock must be held by '${run.execution}' to put its weights back, got another or none`;
  return { ...run, verdict: 'go', failure: { code: 'LockLost', message } };
}

/** Undrains the source, and reads at the same time what it is and where the weights stand. */
async function look({ plan }: CutoverRun, ports: Ports): Promise<Seen> {
  const { loadBalancer } = ports;
  const [notDone, source, rules] = await Promise.all([
    undrain('source', ports),
    readSide('source', plan, ports, 1),
    loadBalancer.rules(),
  ]);
  const forward = rules.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  return { forward, notDone, source: source.state };
}

/**
 * Whether traffic must not go to the source: it does not serve, or an alarm speaks against it while the target serves. An
 * alarm is minutes old; where the target is down, what the source answers now counts for more.
 */
async function mustStay({ plan, alarms }: CutoverRun, { source }: Seen, ports: Ports): Promise<boolean> {
  if (!mayTakeBack(source)) return true;
  const read = await settleWithin(ASK_MS, 'reading the alarms', () => ports.alarms.read(alarms));
  const isRaised = 'value' in read && checkAlarms(alarms, read.value, 'source')?.code === 'AlarmRaised';
  return isRaised && (await readSide('target', plan, ports, 1)).state.serves === true;
}

/** Within the time of the step: what it does not see, the next look does. That the weights were set is not forgotten over it. */
async function verifySource({ plan }: CutoverRun, seen: Seen, ports: Ports, intended: Forward): Promise<Seen> {
  const { loadBalancer } = ports;
  const unseen: Seen = { ...seen, forward: undefined };
  if (timeLeftMs() < VERIFY_MS) return unseen;
  const [rules, source] = await Promise.all([
    settle(() => readRules(ports, (forward) => sameForward(forward, intended))),
    readSide('source', plan, ports, 1),
  ]);
  if ('problem' in rules) return { ...unseen, source: source.state, notDone: [...seen.notDone, rules.problem] };
  const forward = rules.value.find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
  return { ...seen, forward, source: source.state };
}

/** Leaves the weights where they are, and tells people at once; gives up when waiting for the source does not help. */
async function stay(run: CutoverRun, seen: Seen, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { source } = seen;
  const target = (await readSide('target', run.plan, ports, 1)).state;
  const record: RollbackRecord = { ...findStart(run, nowMs), sides: { source, target }, ...listNotDone(seen) };
  const waiting: CutoverRun = { ...run, rollback: record, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  if (!run.rollback?.sides) await announce('stuck', waiting, ports);
  const seconds = (ports.now() - Date.parse(record.startedAt)) / 1000;
  const limit = target.serves === true ? UNSAFE_SECONDS : CONFIRM_SECONDS;
  if (seconds < limit) return waiting;
  const sides = `${describeSide('source', source)}; ${describeSide('target', target)}`;
  throw new CutoverError(
    'RollbackUnsafe',
    `the source must serve, and no alarm about it be raised, to be given its weight back, got: ${sides}. The weights stay as they are`,
  );
}

/** The source has its weight back, and died with it: people are told at once, and nothing else is there to be done. */
async function stranded(run: CutoverRun, seen: Seen, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { source } = seen;
  const target = (await readSide('target', run.plan, ports, 1)).state;
  const started = { ...findStart(run, nowMs), restoredAt: undefined };
  const strandedAt = run.rollback?.strandedAt ?? new Date(ports.now()).toISOString();
  const record: RollbackRecord = { ...started, strandedAt, sides: { source, target }, ...listNotDone(seen) };
  const waiting: CutoverRun = { ...run, rollback: record, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  if (!run.rollback?.strandedAt) await announce('stuck', waiting, ports);
  if (ports.now() - Date.parse(strandedAt) < STRANDED_SECONDS * 1000) return waiting;
  const sides = `${describeSide('source', source)}; ${describeSide('target', target)}`;
  const rule = `the source must serve within ${STRANDED_SECONDS} s with its weight back`;
  throw new CutoverError('RollbackUnsafe', `${rule}, got: ${sides}. The weights stay as they are`);
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
  const isLate = nowMs - Date.parse(record.startedAt) >= CONFIRM_SECONDS * 1000;
  const isRestored = record.restoredAt !== undefined;
  if (isRestored && (seen.notDone.length === 0 || isLate)) {
    const detail = { weights: run.plan.initialWeights, ...listNotDone(seen) };
    return note({ ...kept, verdict: 'restored' }, ports.now(), 'Rollback', detail);
  }
  if (!isLate) return { ...kept, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  const rule = `the weights must read back as ${JSON.stringify(run.intended)}, and the source answer`;
  const got = `${JSON.stringify(seen.forward)}; ${describeSide('source', seen.source)}`;
  // Somebody has set others since they were read back: nothing sets them again, and waiting does not help.
  if (record.hasReadBack && seen.forward) throw new CutoverError('RulesChanged', `${rule}, got ${got}`);
  throw new CutoverError('RollbackNotConfirmed', `${rule}, got ${got}`);
}

function listNotDone({ notDone }: Seen): Pick<RollbackRecord, 'notDone'> {
  return notDone.length > 0 ? { notDone } : {};
}

/** Without what an earlier look could not do: this one has tried again. */
function findStart({ rollback: started }: CutoverRun, nowMs: number): RollbackRecord {
  if (!started) return { startedAt: new Date(nowMs).toISOString() };
  const { startedAt, restoredAt, hasSet, hasReadBack } = started;
  return {
    startedAt,
    ...(restoredAt !== undefined && { restoredAt }),
    ...(hasSet && { hasSet }),
    ...(hasReadBack && { hasReadBack }),
  };
}

function beginRollback(run: CutoverRun, nowMs: number): CutoverRun {
  const startedAt = new Date(nowMs).toISOString();
  const stages = [...run.stages, ...interruptedStage(run, nowMs)];
  return note({ ...run, stages, rollback: { startedAt } }, nowMs, 'Rollback', { because: findFailure(run) });
}

export const handler = createHandler(rollback);
