import type { CutoverRun } from '../../core/cutover/run';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { cancelCopy } from '../state/prepare-by-http';
import { findHook } from './switch-ports';

/**
 * Takes a copy back that was made before a hold, and that no switch was committed after. It may be done twice.
 *
 * @returns where it may be left
 */
export async function discardState(run: CutoverRun, ports: Ports): Promise<string | undefined> {
  const { preparation, plan, execution } = run;
  const { state } = plan.switch ?? {};
  if (!state || !preparation || preparation.starts === 0) return undefined;
  const discarded = await settle(async () => {
    const { hook } = findHook(plan.switch, preparation.to, ports);
    if (state.http && !preparation.isReady) await cancelCopy(run, preparation, state.http.path, ports);
    const { regime } = await ports.switches.readRegime();
    // It was committed, by a call that did not live to say so: what was copied is what serves.
    if (regime.side === preparation.to) return undefined;
    const opened = await ports.proxies.open();
    const sessions = opened.flatMap(({ session }) => session ?? []);
    try {
      const { from, to } = preparation;
      return await hook?.discard?.({
        ...{ epoch: regime.epoch, committed: regime.committed, execution, from, to },
        ...{ sessions: () => sessions, signal: new AbortController().signal, note: () => undefined },
      });
    } finally {
      for (const session of sessions) session.close();
    }
  });
  const problem = 'problem' in discarded ? discarded.problem : discarded.value;
  if (problem === undefined) return undefined;
  return `state that was copied may be left at the ${preparation.to}: ${problem}`;
}
