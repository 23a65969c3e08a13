import { ReplayGap, findReplayGaps } from '../../core/replay/replay-gate';
import { findDirection } from '../../core/plan/direction';
import type { Plan } from '../../core/plan/plan';
import { WantedReplay, findReplay, replayLimits } from '../../core/plan/replay-plan';
import { SIDES, Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { settleWithin } from '../contract/settle';

const STATUS_MS = 3_000;

/** The replays that a switch of the plan and its rollback wait for. Of a cutover that returns to the source that is the one to it alone. */
export function findSwitchReplays({ switch: switching, from }: Plan): WantedReplay[] {
  const replay = switching?.replay;
  if (!replay) return [];
  const sides: readonly Side[] = findDirection({ from }).to === 'source' ? ['source'] : SIDES;
  return sides.flatMap((to) => {
    const name = findReplay(replay, to);
    return name === undefined ? [] : [{ name, limits: replayLimits(replay, to) }];
  });
}

/**
 * What they lack. One whose status cannot be read lacks that.
 *
 * @param store where the proxies say that they record
 */
export async function lookAtReplays(
  wanted: readonly WantedReplay[],
  { replays, now }: Pick<Ports, 'replays' | 'now'>,
  store?: string,
): Promise<ReplayGap[]> {
  const found = await Promise.all(
    wanted.map(async ({ name, limits }) => {
      const read = await settleWithin(STATUS_MS, `the status of the replay '${name}'`, () => replays.status(name));
      if ('problem' in read) return [{ message: read.problem, isLasting: false }];
      return findReplayGaps(name, read.value, { ...limits, ...(store !== undefined && { store }) }, now());
    }),
  );
  return found.flat();
}
