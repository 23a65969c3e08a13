import type { Ports } from './ports';

/**
 * Lets every task of the source serve again. A task that cannot be reached does not hold up what comes next: the
 * weights go back first of all, and a drained task still answers plain requests.
 *
 * @returns one line for each task that could not be told
 */
export async function undrainSource({ proxies }: Ports): Promise<string[]> {
  try {
    const tasks = await proxies.reports('source');
    const draining = tasks.filter(({ report }) => report.state !== 'serving');
    const told = await Promise.allSettled(draining.map(({ address }) => proxies.undrain(address)));
    return told.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
  } catch (error) {
    return [String(error)];
  }
}
