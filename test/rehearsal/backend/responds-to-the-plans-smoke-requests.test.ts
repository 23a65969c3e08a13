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

const findStatus = async (path: string, method = 'GET') => (await fetch(backend.url + path, { method })).status;

test("pages of the user's plan get a response as it expects", async () => {
  expect([await findStatus('/health?deep=1'), await findStatus('/admin')]).toEqual([200, 403]);
});

test('other pages are still unknown', async () => {
  expect([await findStatus('/health'), await findStatus('/admin', 'POST')]).toEqual([404, 404]);
});
