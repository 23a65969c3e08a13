import { CutoverRun, retreat } from '../core/cutover';
import { parseWiring, WIRING_VARIABLE } from '../core/wiring';
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

/** A step that first looks whether an operator asked for the cutover to stop, and then goes back. */
export function unlessAborted(act: Act<CutoverRun, CutoverRun>): Act<CutoverRun, CutoverRun> {
  return async (run, ports, nowMs) => {
    if (await ports.store.abortRequested(run.execution)) {
      return retreat(run, 'Aborted', `an operator asked '${run.execution}' to stop`);
    }
    return act(run, ports, nowMs);
  };
}
