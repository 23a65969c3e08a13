import type { Ports } from './ports';

/**
 * Lets every task of the source serve again, each for itself: one that cannot be reached does not hold up the others.
 *
 * @returns one line for each task that could not be told
 */
export async function undrainSource({ proxies }: Ports): Promise<string[]> {
  try {
    const told = await Promise.allSettled(
      (await proxies.addresses('source')).map((address) => proxies.undrain(address)),
    );
    return told.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
  } catch (error) {
    return [String(error)];
  }
}
