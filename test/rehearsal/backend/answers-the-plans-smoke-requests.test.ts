import { Running, startBackend } from '../../../rehearsal/backend/backend';
import { startStore } from '../../../rehearsal/backend/store';

let store: Running;
let backend: Running;

beforeAll(async () => {
  store = await startStore();
  const smoke = [
    { path: '/health?deep=1', expectedStatus: 200 },
    { path: '/admin', expectedStatus: 403 },
  ];
  backend = await startBackend({ side: 'target', storeUrl: store.url, smoke });
});

afterAll(async () => {
  await backend.stop();
  await store.stop();
});

const statusOf = async (path: string, method = 'GET') => (await fetch(backend.url + path, { method })).status;

test("pages of the user's plan are answered as it expects", async () => {
  expect([await statusOf('/health?deep=1'), await statusOf('/admin')]).toEqual([200, 403]);
});

test('other pages are still unknown', async () => {
  expect([await statusOf('/health'), await statusOf('/admin', 'POST')]).toEqual([404, 404]);
});
