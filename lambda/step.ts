import { CutoverRun, retreat } from '../core/cutover';
import { Forward, sameForward } from '../core/forward';
import { vetoOf } from '../core/veto';
import { WIRING_VARIABLE, parseWiring } from '../core/wiring';
import { portsFrom } from './adapters/ports';
import type { Ports } from './ports';

/** A step: the run before it, what it may touch, the time. It returns the run after it, and may be repeated at any point. */
export type Act<In, Out> = (input: In, ports: Ports, nowMs: number) => Promise<Out>;

/** Makes a Lambda handler of a step. */
export function handlerOf<In, Out>(act: Act<In, Out>): (input: In) => Promise<Out> {
  let ports: Ports | undefined;
  return async (input) => {
    ports ??= portsFrom(parseWiring(process.env[WIRING_VARIABLE]));
    return act(input, ports, Date.now());
  };
}

/**
 * A step that first looks whether it may go on: whether the lock is still its own, and whether an operator asked for the
 * cutover to stop. If not, the way is back.
 */
export function guarded(act: Act<CutoverRun, CutoverRun>): Act<CutoverRun, CutoverRun> {
  return async (run, ports, nowMs) => {
    const { execution } = run;
    if (!(await holdsLock(run, ports)))
      return retreat(run, 'LockLost', `the lock must be held by '${execution}', got another or none`);
    if (await ports.store.abortRequested(execution))
      return retreat(run, 'Aborted', `an operator asked '${execution}' to stop`);
    return act(run, ports, nowMs);
  };
}

/** False also while `recover` puts this very execution back. */
export async function holdsLock(run: CutoverRun, { store }: Ports): Promise<boolean> {
  const holder = await store.holder();
  return holder?.execution === run.execution && (holder.verdict !== 'rollBack' || run.verdict === 'rollBack');
}

/** A step that goes back when somebody else has changed the weights: whoever did it by hand had a reason. */
export function undisturbed(act: Act<CutoverRun, CutoverRun>): Act<CutoverRun, CutoverRun> {
  return async (run, ports, nowMs) => {
    const { intended } = run;
    const isAsShifted = (each: Forward) => intended !== undefined && sameForward(each, intended);
    const forward = await readForward(ports, isAsShifted);
    if (forward && isAsShifted(forward)) return act(run, ports, nowMs);
    return retreat(run, 'RulesChanged', `the weighted rule must be as shifted, got ${JSON.stringify(forward)}`);
  };
}

const LOOKS = 3;
const LOOK_PAUSE_MS = 1_000;

/**
 * The action of the weighted rule. An API that is eventually consistent may answer once more with what was before: only
 * what is still there at the third look was changed by somebody.
 */
export async function readForward(
  { loadBalancer, pause }: Ports,
  isExpected: (forward: Forward) => boolean,
): Promise<Forward | undefined> {
  for (let look = 1; ; look += 1) {
    const forward = (await loadBalancer.rules()).find(({ arn }) => arn === loadBalancer.ruleArn)?.forward;
    if (look === LOOKS || (forward && isExpected(forward))) return forward;
    await pause(LOOK_PAUSE_MS);
  }
}

/** A step that goes back when an alarm says so. */
export function vetoed(act: Act<CutoverRun, CutoverRun>): Act<CutoverRun, CutoverRun> {
  return async (run, ports, nowMs) => {
    const veto = vetoOf(ports.alarms.names, await ports.alarms.read());
    return veto ? retreat(run, veto.code, veto.message) : act(run, ports, nowMs);
  };
}
