import { createHash } from 'node:crypto';
import { Store, StoreCall, StoreState } from './store-state';

export interface MemoryStore extends Store {
  /** Of all that it holds. */
  digest(): string;
}

/** All that a backend keeps, in its own memory: it goes along with the process. */
export function createMemoryStore(): MemoryStore {
  const state = new StoreState();
  const call =
    <T>(operation: StoreCall[0]) =>
    (key: string, value = '') =>
      Promise.resolve(state.run([operation, key, value]) as T);
  return {
    increment: call('increment'),
    append: call('append'),
    list: call('list'),
    setOnce: call('setOnce'),
    get: call('get'),
    log: call('log'),
    readLog: call('readLog'),
    digest: () => createHash('sha256').update(state.describe()).digest('hex'),
  };
}
