import { readDatabase } from '../../../core/plan/state-plan';
import type { KeyStoresPort } from '../../contract/store-ports';
import { ReadSecret, openRedis } from './connect';
import { ValkeyStore } from './key-store';
import { ValkeyServer, findHosts } from './store-server';

export function keyStoresPort(readSecret: ReadSecret): KeyStoresPort {
  return {
    open: async (store, limitMs) => {
      const redis = await openRedis(store, readSecret, limitMs, (info) => {
        if (info.get('role') === 'slave') throw new Error(`the store ${store.url} must be a primary, got a replica`);
      });
      return new ValkeyStore(redis, readDatabase(store));
    },
    openServer: async (store, limitMs) => {
      const redis = await openRedis(store, readSecret, limitMs, () => undefined);
      return new ValkeyServer(redis, readDatabase(store), await findHosts(store));
    },
  };
}
