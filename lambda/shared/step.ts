import { CutoverRun, rollBack } from '../../core/cutover/run';
import { CONFIG_VARIABLE, parseCutoverConfig } from '../../core/cutover/cutover-config';
import { portsFrom } from '../adapters/ports';
import type { Ports } from '../contract/ports';
import { TimeLimit, endInTime } from '../contract/time-left';

/** A step: the run before it, what it may touch, the time. It returns the run after it, and may be repeated at any point. */
export type Act<In, Out> = (input: In, ports: Ports, nowMs: number) => Promise<Out>;

/**
 * Makes a Lambda handler of a step, which ends before the function's time does.
 *
 * @param grant seconds that the state machine grants it, where these are fewer
 */
export function createHandler<In, Out>(
  act: Act<In, Out>,
  grant?: (input: In) => number,
): (input: In, context?: TimeLimit) => Promise<Out> {
  let ports: Ports | undefined;
  return async (input, context) => {
    const readyPorts = (ports ??= portsFrom(parseCutoverConfig(process.env[CONFIG_VARIABLE])));
    return endInTime(limitTime(context, grant?.(input)), () => act(input, readyPorts, Date.now()));
  };
}

function limitTime(context: TimeLimit | undefined, seconds = Number.POSITIVE_INFINITY): TimeLimit | undefined {
  const leftMs = context?.getRemainingTimeInMillis?.();
  return leftMs === undefined ? context : { getRemainingTimeInMillis: () => Math.min(leftMs, seconds * 1000) };
}

/** False also while `recover` puts this very execution back. */
export async function holdsLock(run: CutoverRun, { store }: Pick<Ports, 'store'>): Promise<boolean> {
  const holder = await store.holder();
  return holder?.execution === run.execution && (holder.verdict !== 'rollBack' || run.verdict === 'rollBack');
}

/** A step before anything has moved: first it looks whether the lock is still its own, and whether an operator asked to stop. */
export function withLock(act: Act<CutoverRun, CutoverRun>): Act<CutoverRun, CutoverRun> {
  return async (run, ports, nowMs) => {
    const { execution } = run;
    if (!(await holdsLock(run, ports)))
      return rollBack(run, 'LockLost', `the lock must be held by '${execution}', got another or none`);
    if (await ports.store.abortRequested(execution))
      return rollBack(run, 'Aborted', `an operator asked '${execution}' to stop`);
    return act(run, ports, nowMs);
  };
}
