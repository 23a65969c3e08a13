import type { CutoverRun } from '../../core/cutover/run';
import type { Regime } from '../../core/switch/regime';
import type { Ports } from '../contract/ports';
import type { StoredRegime } from '../contract/switch-ports';
import { findHook } from './switch-ports';

/**
 * Thaws the side that serves, where a hook has left it frozen: the thaw of its switch had failed. It may be done twice.
 *
 * @returns why it is frozen still; undefined when it accepts writes, as far as the hook says
 */
export async function thawLeft(
  { regime, etag }: StoredRegime,
  { plan, execution }: Pick<CutoverRun, 'plan' | 'execution'>,
  ports: Ports,
): Promise<string | undefined> {
  const { frozen, ...thawed } = regime;
  if (frozen === undefined || regime.switching) return undefined;
  const rule = `the ${frozen} serves, and must be thawed`;
  const { hook } = findHook(plan.switch, findWay(regime).to, ports);
  if (!hook) return `${rule}, got a plan without the hook that froze it`;
  const opened = await ports.proxies.open();
  const sessions = opened.flatMap(({ session }) => session ?? []);
  try {
    const context = {
      ...{ epoch: regime.epoch, committed: regime.committed, execution, ...findWay(regime) },
      ...{ sessions: () => sessions, signal: new AbortController().signal, note: () => undefined },
    };
    const problem = await hook.thaw(frozen, context);
    if (problem !== undefined) return `${rule}, got: ${problem}`;
    // Another one who did the same meanwhile is as good.
    await ports.switches.writeRegime(thawed, etag);
    return undefined;
  } finally {
    for (const session of sessions) session.close();
  }
}

/** Of the switch whose thaw failed. */
function findWay({ epoch, committed, side }: Regime) {
  const other = side === 'source' ? 'target' : 'source';
  return epoch === committed ? ({ from: other, to: side } as const) : ({ from: side, to: other } as const);
}
