import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findMissing, startBroker } from '../../rehearsal/kafka/broker';
import { HOST } from '../processes/ports';
import type { Workplace } from '../processes/workplace';
import { startLocalEndpoint } from '../endpoint/local-endpoint';

export const CAPTURE_STORES = ['folder', 's3', 'kafka'] as const;
export type CaptureStore = (typeof CAPTURE_STORES)[number];

/** Where the records of one measurement go. */
export interface OpenedStore {
  readonly url: string;
  /** Objects or files that are in it by now; undefined of a store that has none. */
  countFiles(): number | undefined;
}

export interface Stores {
  /** What the proxies get in their environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** @param name of its own for each measurement */
  open(store: CaptureStore, name: string): OpenedStore;
  stop(): Promise<void>;
}

/** Why one cannot be measured here; undefined of one that can. */
export function findObstacle(store: CaptureStore): string | undefined {
  return store === 'kafka' ? findMissing() : undefined;
}

const BUCKET = 'captured';

/** Of those that are measured: the bucket of the rehearsal, folders on this disk, a real broker. */
export async function startStores({ directory }: Workplace, measured: readonly CaptureStore[]): Promise<Stores> {
  const { objects, environment, stop } = await startLocalEndpoint(BUCKET);
  const broker = measured.includes('kafka') ? await startBroker() : undefined;
  const open: Record<CaptureStore, (name: string) => OpenedStore> = {
    folder: (name) => {
      const folder = join(directory, name);
      mkdirSync(folder);
      const list = () => readdirSync(folder, { recursive: true, encoding: 'utf8' });
      return { url: folder, countFiles: () => list().filter((file) => file.endsWith('.gz')).length };
    },
    s3: (name) => ({ url: `s3://${BUCKET}/${name}`, countFiles: () => objects.list(BUCKET, `${name}/`).length }),
    kafka: (name) => ({ url: `kafka://${HOST}:${broker?.port}/${name}`, countFiles: () => undefined }),
  };
  return {
    environment,
    open: (store, name) => open[store](name),
    stop: async () => {
      await stop();
      await broker?.stop();
    },
  };
}
