import { CutoverRun, rollBack } from '../../core/cutover/run';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { createHandler, holdsLock, withLock } from '../shared/step';
import { switchOver } from '../shared/switch-over';
import { noteSwitch, switchPorts } from '../shared/switch-ports';
import { setWeights } from './shift';

/**
 * One attempt to switch, or what follows one that was committed: the weights. The proxies of both sides forward to the
 * target from the commit on, whatever the weights are; they make the way shorter, and the source's proxies idle.
 */
async function makeSwitch(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const { plan, execution } = run;
  if (!plan.switch) throw new Error("'switch' must be of a plan that switches, got another one");
  const { regime } = await ports.switches.readRegime();
  if (regime.side === 'target' && !regime.switching) return setWeights(run, ports, nowMs);
  // Saved first: who finds the lock must know that a switch may have begun.
  await ports.store.save(run);
  const record = await switchOver(
    { to: 'target', execution, plan: plan.switch, findStop: () => findStop(run, ports) },
    switchPorts(ports),
  );
  if (!record) {
    const rule = `no other switch may be under way, and the regime must be of the source`;
    return rollBack(run, 'SwitchAborted', `${rule}, got ${JSON.stringify(regime.switching ?? regime)}`);
  }
  const noted = noteSwitch(run, record, ports.now());
  if (record.outcome === 'commit') return setWeights(noted, ports, ports.now());
  return tryAgain(noted, record);
}

/** An operator, or a lock that is lost. A store that is away says neither, and the decision needs it anyway. */
async function findStop(run: CutoverRun, ports: Ports): Promise<string | undefined> {
  const [lock, abort] = await Promise.all([
    settle(() => holdsLock(run, ports)),
    settle(() => ports.store.abortRequested(run.execution)),
  ]);
  if ('value' in lock && !lock.value) return `the lock must be held by '${run.execution}', got another or none`;
  return 'value' in abort && abort.value ? `an operator asked '${run.execution}' to stop` : undefined;
}

function tryAgain(run: CutoverRun, { why = 'an abort', by }: SwitchRecord): CutoverRun {
  const { attempts, attemptSeconds, dryRun } = run.plan.switch!;
  const made = run.switches?.length ?? 0;
  if (!dryRun && made < attempts) return { ...run, verdict: 'wait', waitSeconds: attemptSeconds };
  const message = `the switch must be committed in ${attempts} attempts, got an abort by '${by}': ${why}`;
  return rollBack(run, 'SwitchAborted', message);
}

export const switchStep = withLock(makeSwitch);

export const handler = createHandler(switchStep);
