import { CutoverRun, note, rollBack } from '../../core/cutover/run';
import { callHooksFirst } from '../../core/cutover/hooks';
import { waitForWindow } from '../../core/cutover/window';
import { findDirection } from '../../core/plan/direction';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import { beginAgain } from '../../core/state/preparation';
import type { Regime } from '../../core/switch/regime';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { timeLeftMs } from '../contract/time-left';
import { prepareState } from '../state/prepare';
import { announce } from '../shared/announce';
import { createHandler, holdsLock, withLock } from '../shared/step';
import { findDeployments, recallSuspended, resumeScaling, withScalingSuspended } from '../shared/scaling';
import { switchOver } from '../switch/switch-over';
import { discardState } from '../switch/discard-state';
import { beginHook, endingHook, findCopied, findHook, noteSwitch, switchPorts } from '../switch/switch-ports';
import { findProbe } from '../switch/switch-probe';
import { thawLeft } from '../switch/switch-thaw';
import { setWeights } from './shift';

/** What the weights take: the rules, the tasks of both sides, the lock. A step that has less leaves them to the next look. */
const WEIGHTS_MS = 14_000;
/** A copy that was done so soon has left the step its time. */
const QUICK_COPY_MS = 2_000;

/**
 * One attempt to switch, or what follows one that was committed: the weights. The proxies of both sides forward to the
 * side that was switched to from the commit on, whatever the weights are; they make the way shorter, and the other's proxies idle.
 */
async function makeSwitch(given: CutoverRun, ports: Ports): Promise<CutoverRun> {
  const { switch: plan } = given.plan;
  if (!plan) throw new Error("'switch' must be of a plan that switches, got another one");
  const run = await recall(given, ports);
  const stored = await ports.switches.readRegime();
  const { regime } = stored;
  // Its clients are without writes: this comes first, and is no attempt.
  const frozen = await thawLeft(stored, run, ports);
  if (frozen !== undefined) return rollBack(run, 'SwitchAborted', frozen);
  const isOver = isCommitted(regime, run);
  if (isOver) return resumeScaling(await finish(await noteCommit(run, regime, ports), ports), ports);
  const waiting = waitForWindow(run, ports.now());
  if (waiting) return waiting;
  const point = { when: 'beforeShift', stage: 1, attempt: (run.switches?.length ?? 0) + 1 } as const;
  const hooked = callHooksFirst(run, [point], 'switch');
  if (hooked !== run) return hooked;
  // Of a switch that is under way the other side may serve already: nothing is copied to it any more.
  const prepared = regime.switching ? { run, isReady: true } : await prepare(run, plan, ports);
  if (!prepared.isReady) return prepared.run;
  const deployments = await findDeployments(ports);
  if (deployments.length > 0) return rollBack(run, 'SwitchAborted', deployments.join('\n'));
  return withScalingSuspended(prepared.run, ports, (held) =>
    attempt(held, plan, regime.switching !== undefined, ports),
  );
}

/** The state of the application is copied while the side that is left serves: the hold copies what has changed since. */
async function prepare(
  run: CutoverRun,
  plan: SwitchPlan,
  ports: Ports,
): Promise<{ readonly run: CutoverRun; readonly isReady: boolean }> {
  if (!plan.state) return { run, isReady: true };
  const beganMs = ports.now();
  const place = { ...findDirection(run.plan), attempt: (run.switches?.length ?? 0) + 1 };
  const prepared = await prepareState(run, place, ports);
  const { preparation } = prepared;
  const noted = { ...run, preparation };
  const waits = (waitSeconds: number, next: CutoverRun = noted) =>
    ({ run: { ...next, verdict: 'wait', waitSeconds }, isReady: false }) as const;
  if (prepared.kind === 'copying') return waits(1);
  // The attempt has the time of a whole step.
  if (prepared.kind === 'ready')
    return ports.now() - beganMs < QUICK_COPY_MS ? { run: noted, isReady: true } : waits(1);
  const notDone = await discardState(noted, ports);
  const left = notDone === undefined ? '' : `; ${notDone}`;
  const message = `the state must be copied to the ${place.to} before the hold, got: ${prepared.why}${left}`;
  const again = beginAgain(prepared.preparation, ports.now());
  if (again.failures >= plan.attempts) return { run: rollBack(noted, 'SwitchAborted', message), isReady: false };
  return waits(plan.attemptSeconds, note({ ...run, preparation: again }, ports.now(), 'Switch', { copy: message }));
}

async function attempt(run: CutoverRun, plan: SwitchPlan, isUnderWay: boolean, ports: Ports): Promise<CutoverRun> {
  const { execution } = run;
  // Saved first: who finds the lock must know that a switch may have begun.
  await ports.store.save(run);
  const way = findDirection(run.plan);
  const { to } = way;
  const probe = findProbe(run, ports);
  const { moves } = run.plan.drain;
  const hook = findHook(plan, to, ports, findCopied(execution, run.preparation));
  // Of a switch that is under way the other side may serve already.
  const why = isUnderWay ? undefined : await beginHook(hook.hook, { ...way, execution }, plan);
  const findStop = () => (why === undefined ? findReason(run, ports) : Promise.resolve(why));
  const asked = { to, execution, plan, findStop, probe, moves, probesEachTask: true };
  const record = await endingHook(hook.hook, () => switchOver({ ...asked, ...hook }, switchPorts(ports)));
  if (!record) return withoutRecord(run, ports);
  const noted = noteSwitch(run, record, ports.now());
  // A step that is cut short from here on is repeated with what it was given: what it did is in the lock.
  await settle(() => ports.store.save(noted));
  if (record.frozen) await announce('frozen', noted, ports);
  if (record.outcome === 'abort') {
    await announce('switchAborted', noted, ports);
    return tryAgain(noted, record);
  }
  if (timeLeftMs() < WEIGHTS_MS || record.frozen) return { ...noted, verdict: 'wait', waitSeconds: 1 };
  return finish(noted, ports);
}

/** The weights do not wait for a message. */
async function finish(run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  const set = await setWeights(run, ports, ports.now());
  await announce('switched', run, ports);
  return set;
}

function isCommitted({ side, switching }: Regime, { plan }: CutoverRun): boolean {
  return side === findDirection(plan).to && !switching;
}

/** The attempts of calls of this step whose response was lost, and what they suspended, are in the lock. */
async function recall(run: CutoverRun, { store }: Ports): Promise<CutoverRun> {
  const held = await store.holder();
  const isMore = (held?.switches?.length ?? 0) > (run.switches?.length ?? 0);
  const recalled = held && isMore ? { ...run, switches: held.switches, timeline: held.timeline } : run;
  return recallSuspended(recalled, held);
}

/** Of a call that ended between the commit and its record. */
async function noteCommit(run: CutoverRun, { epoch }: Regime, ports: Ports): Promise<CutoverRun> {
  if (run.switches?.some((each) => each.epoch === epoch)) return run;
  const decision = await ports.switches.readDecision(epoch);
  return note(run, ports.now(), 'Switch', { epoch, ...decision });
}

/** Another call of this step has ended the switch just now, or it is another execution's. */
async function withoutRecord(run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  const { regime } = await ports.switches.readRegime();
  if (isCommitted(regime, run)) return { ...run, verdict: 'wait', waitSeconds: 1 };
  const rule = `no other switch may be under way, and the regime must be of the ${findDirection(run.plan).from}`;
  return rollBack(run, 'SwitchAborted', `${rule}, got ${JSON.stringify(describe(regime))}`);
}

/** Without its members, who may be a thousand. */
function describe({ epoch, side, switching }: Regime) {
  return { epoch, side, ...(switching && { to: switching.to, execution: switching.execution }) };
}

/** An operator, or a lock that is lost. A store that is away says neither, and the decision needs it anyway. */
async function findReason(run: CutoverRun, ports: Ports): Promise<string | undefined> {
  const [lock, abort] = await Promise.all([
    settle(() => holdsLock(run, ports)),
    settle(() => ports.store.abortRequested(run.execution)),
  ]);
  if ('value' in lock && !lock.value) return `the lock must be held by '${run.execution}', got another or none`;
  return 'value' in abort && abort.value ? `an operator asked '${run.execution}' to stop` : undefined;
}

function tryAgain(run: CutoverRun, record: SwitchRecord): CutoverRun {
  const { why = 'an abort', by } = record;
  const { attempts, attemptSeconds, dryRun } = run.plan.switch!;
  if (dryRun) return rollBack(run, 'SwitchAborted', `a dry run commits nothing, got: ${why}`);
  const made = run.switches?.length ?? 0;
  // The next call thaws it.
  if (record.frozen) return { ...run, verdict: 'wait', waitSeconds: 1 };
  if (made < attempts) return { ...run, verdict: 'wait', waitSeconds: attemptSeconds };
  const message = `the switch must be committed in ${attempts} attempts, got an abort by '${by}': ${why}`;
  return rollBack(run, 'SwitchAborted', message);
}

export const switchStep = withLock(makeSwitch);

export const handler = createHandler(switchStep);
