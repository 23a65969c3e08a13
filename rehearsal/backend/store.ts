import { startEntry } from '../processes/entry';
import type { Running } from './backend';

/** The store that both backends share, in a process of its own; gone with all that it held when it is stopped. */
export async function startStore(): Promise<Running> {
  const entry = await startEntry<{ url: string }>('backend/store-server', {});
  return { url: entry.ready.url, pid: entry.process.pid, stop: () => entry.stop() };
}
