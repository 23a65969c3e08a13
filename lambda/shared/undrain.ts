import { firstLines } from '../../core/cutover/state-size';
import type { Moves } from '../../core/moves/moves';
import { Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { CALLS_AT_ONCE, pooled } from '../contract/concurrently';
import { settle, settleWithin } from '../contract/settle';

/** Listing the tasks, and telling each: a rollback does not wait for a proxy that hangs. */
const UNDRAIN_MS = 5_000;

/**
 * Lets every task of a side serve again, each for itself: one that cannot be reached does not hold up the others.
 *
 * @param moves which of the connections that they carry move back from the other side's backend
 * @returns one line for each task that could not be told, or for the first of many
 */
export async function undrain(side: Side, moves: Moves, { proxies }: Pick<Ports, 'proxies'>): Promise<string[]> {
  const failed: string[] = [];
  const done = await settleWithin(UNDRAIN_MS, `undraining the ${side}`, async () => {
    const addresses = await proxies.addresses(side);
    await pooled(addresses, CALLS_AT_ONCE, async (address) => {
      const notified = await settle(() => proxies.undrain(address, { moves }));
      if ('problem' in notified) failed.push(notified.problem);
    });
  });
  return firstLines('problem' in done ? [done.problem, ...failed] : failed);
}
