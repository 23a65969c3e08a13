import { Side } from '../core/weights';
import type { Ports } from './ports';
import { settleWithin } from './settle';

/** Listing the tasks, and telling each: a rollback does not wait for a proxy that hangs. */
const UNDRAIN_MS = 4_000;

/**
 * Lets every task of a side serve again, each for itself: one that cannot be reached does not hold up the others.
 *
 * @returns one line for each task that could not be told
 */
export async function undrain(side: Side, { proxies }: Pick<Ports, 'proxies'>): Promise<string[]> {
  const failed: string[] = [];
  const done = await settleWithin(UNDRAIN_MS, `undraining the ${side}`, async () => {
    const addresses = await proxies.addresses(side);
    const told = await Promise.allSettled(addresses.map((address) => proxies.undrain(address)));
    for (const result of told) if (result.status === 'rejected') failed.push(messageOf(result.reason));
  });
  return 'problem' in done ? [...failed, done.problem] : failed;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
