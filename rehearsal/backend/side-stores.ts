import { SIDES, Side } from '../../core/traffic/weights';
import { startEntry } from '../processes/entry';
import { findStoreCommand } from './local-store';

/** A store for each side, of the rehearsal's own. */
export interface SideStores {
  readonly urls: Readonly<Record<Side, string>>;
  stop(): Promise<void>;
}

/** @throws UsageError where neither Valkey nor Redis is installed */
export async function startSideStores(): Promise<SideStores> {
  findStoreCommand();
  const starts = await Promise.allSettled(SIDES.map(() => startEntry<{ url: string }>('backend/valkey-server', {})));
  const started = starts.flatMap((start) => (start.status === 'fulfilled' ? start.value : []));
  const stop = async () => void (await Promise.all(started.map((entry) => entry.stop())));
  const [source, target] = started;
  if (source && target) return { urls: { source: source.ready.url, target: target.ready.url }, stop };
  await stop();
  throw starts.find((start) => start.status === 'rejected')?.reason;
}
