import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { TransferableState } from '../../app';
import { later, stopAll } from '../proxy/support/world';

afterEach(stopAll);

async function startApp() {
  const carts = new Map<string, unknown>([['1', 'old']]);
  const state = new TransferableState({ path: '/state', maps: { carts } });
  const server = http.createServer(state.wrap((_, response) => void response.end()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const call = async (method: string, part: string, body?: string, epoch?: number) => {
    const headers = epoch === undefined ? undefined : { 'x-drainshift-epoch': String(epoch) };
    return fetch(`http://127.0.0.1:${port}/state/${part}`, { method, body, ...(headers && { headers }) });
  };
  return { carts, call };
}

// A proxy that was silent for long was replaced by another one. It woke up behind the commit, and copied all of it again: over what served.
test('an import of an epoch before the last thaw, or of an id that has ended, changes nothing', async () => {
  const { carts, call } = await startApp();
  const line = (value: string) => `${JSON.stringify(['carts', '1', value])}\n`;
  expect((await call('POST', 'import?id=first&offset=0', line('first'), 0)).status).toBe(200);
  expect((await call('POST', 'import?id=second&offset=0', line('second'), 0)).status).toBe(200);
  // Another one took its place.
  expect((await call('POST', 'import?id=first&offset=0', line('late'), 0)).status).toBe(422);
  expect(carts.get('1')).toBe('second');
  await call('POST', 'thaw', '{"epoch":5}');
  carts.set('2', 'of a client');
  for (const late of ['never-seen', 'second'])
    expect((await call('POST', `import?id=${late}&offset=0`, line('late'), 4)).status).toBe(409);
  expect((await call('DELETE', 'import', undefined, 4)).status).toBe(409);
  expect((await call('POST', 'import?id=second&offset=0', line('late'), 5)).status).toBe(422);
  expect(Object.fromEntries(carts)).toEqual({ 1: 'second', 2: 'of a client' });
  expect((await call('POST', 'import?id=back&offset=0', line('back'), 5)).status).toBe(200);
  expect(Object.fromEntries(carts)).toEqual({ 1: 'back' });
  // The response to the thaw was lost, and it is tried again: what comes next stays.
  expect(await (await call('POST', 'thaw', '{"epoch":5}')).json()).toEqual({ ok: true, epoch: 5 });
  await call('DELETE', 'import', undefined, 5);
  expect(Object.fromEntries(carts)).toEqual({ 1: 'second', 2: 'of a client' });
});

test('a thaw that is tried again leaves the next copy its cursor', async () => {
  const { call } = await startApp();
  await call('POST', 'thaw', '{"epoch":5}');
  const exported = await call('GET', 'export');
  const cursor = exported.headers.get('x-drainshift-state-cursor');
  await exported.text();
  await call('POST', 'thaw', '{"epoch":5}');
  expect((await call('GET', `export?since=${cursor}`)).status).toBe(200);
});
