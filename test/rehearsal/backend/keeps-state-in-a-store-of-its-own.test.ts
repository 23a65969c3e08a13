import { startBackend } from '../../../rehearsal/backend/backend';
import { startSideStores } from '../../../rehearsal/backend/side-stores';
import { startStore } from '../../../rehearsal/backend/store';
import { hasRedisServer } from '../../support/redis-server';

const withStores = hasRedisServer('backends with a store each') ? test : test.skip;

withStores('each side has the carts of its own store, and the store ends with it', async () => {
  const [stores, logs] = await Promise.all([startSideStores(), startStore()]);
  const [source, target] = await Promise.all(
    (['source', 'target'] as const).map((side) =>
      startBackend({ side, storeUrl: logs.url, valkeyUrl: stores.urls[side] }),
    ),
  );
  try {
    const login = await fetch(`${source!.url}/login`, { method: 'POST' });
    const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
    const add = (item: string) =>
      fetch(`${source!.url}/cart`, { method: 'POST', headers: { cookie }, body: JSON.stringify({ item }) });
    expect(await (await add('bread')).json()).toEqual({ items: ['bread'] });
    expect(await (await add('milk')).json()).toEqual({ items: ['bread', 'milk'] });
    expect((await fetch(`${target!.url}/cart`, { headers: { cookie } })).status).toBe(401);
  } finally {
    await Promise.all([source!.stop(), target!.stop()]);
    await Promise.all([stores.stop(), logs.stop()]);
  }
  await expect(fetch(stores.urls.source.replace('redis:', 'http:'))).rejects.toThrow('fetch failed');
});
