import { SIDES, Side } from '../traffic/weights';
import type { WindowOrder } from '../proxy/window';
import type { TaskReading } from './tally';

/**
 * Tasks that were silent, by side and id, and the last second that each has said. A sick task is silent, too: what it did is asked for
 * once more, and the proxies keep it for some minutes. All others have said all of it.
 */
export type Late = Readonly<Partial<Record<Side, Readonly<Record<string, number>>>>>;

type Seconds = Pick<WindowOrder, 'after'>;

/** A state has no room for a thousand of them. Where more are silent, the side is as good as blind. */
const MAX_LATE = 200;

/** The tasks that are asked for more than the others. What one did while nothing was compared is not asked for. */
export function findLate(
  { late, coldUntil }: { readonly late?: Late; readonly coldUntil: number },
  { after }: Seconds,
): Late {
  if (!late || after < coldUntil) return {};
  const since = Math.ceil(coldUntil);
  const sides = SIDES.map((side) => {
    const each = Object.entries(late[side] ?? {}).map(([id, said]) => [id, Math.max(said, since)] as const);
    return [side, Object.fromEntries(each.filter(([, said]) => said < after))] as const;
  });
  return Object.fromEntries(sides);
}

/** Those that are silent now. */
export function noteSilent(
  asked: Late,
  readings: Readonly<Partial<Record<Side, readonly TaskReading[]>>>,
  { after }: Seconds,
): Late {
  const sides = SIDES.map((side) => {
    const silent = (readings[side] ?? []).filter(({ life, window }) => life !== 'stopped' && !window);
    const each = silent.slice(0, MAX_LATE).map(({ id }) => [id, asked[side]?.[id] ?? after] as const);
    return [side, Object.fromEntries(each)] as const;
  });
  return Object.fromEntries(sides.filter(([, each]) => Object.keys(each).length > 0));
}

export function countLate(late: Late = {}): number {
  return SIDES.reduce((sum, side) => sum + Object.keys(late[side] ?? {}).length, 0);
}
