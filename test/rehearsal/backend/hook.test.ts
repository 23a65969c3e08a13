import type { IncomingMessage } from 'node:http';
import { Hook } from '../../../rehearsal/backend/hook';

function call(hook: Hook, name: string, epoch?: number, method = 'POST') {
  const request = { method, url: `/hook/${name}` } as IncomingMessage;
  return hook.respond(request, () => Promise.resolve(epoch === undefined ? undefined : { epoch }));
}

test('a backend that is frozen rejects the probe write, until it is thawed', async () => {
  const hook = new Hook();
  expect(await call(hook, 'write')).toMatchObject({ status: 200 });
  expect(await call(hook, 'freeze', 3)).toEqual({ status: 200, body: { ok: true, epoch: 3 } });
  expect(await call(hook, 'write')).toMatchObject({ status: 423 });
  expect(await call(hook, 'thaw', 3)).toEqual({ status: 200, body: { ok: true, epoch: 3 } });
  expect(await call(hook, 'write')).toMatchObject({ status: 200 });
});

test('a call that comes behind a later one changes nothing, and says so', async () => {
  const hook = new Hook();
  await call(hook, 'thaw', 3);
  expect(await call(hook, 'freeze', 3)).toMatchObject({ body: { ok: false } });
  expect(hook.isFrozen).toBe(false);
  await call(hook, 'freeze', 4);
  expect(await call(hook, 'thaw', 3)).toMatchObject({ body: { ok: false } });
  expect(hook.isFrozen).toBe(true);
});

test('preflight may ask for each of its paths, and no other path is its own', async () => {
  const hook = new Hook();
  for (const name of ['freeze', 'slow', 'thaw', 'write', 'fails', 'hangs', 'garbage']) {
    expect(await call(hook, name, undefined, 'OPTIONS')).toMatchObject({ status: 200 });
  }
  expect(await call(hook, 'fails', 1)).toMatchObject({ status: 500, body: { ok: false } });
  expect(await call(hook, 'garbage', 1)).toEqual({ status: 200, body: expect.any(String) as string });
  expect(call(hook, 'none')).toBeUndefined();
  const asked = { method: 'POST', url: '/hook/passes' } as IncomingMessage;
  const responded = await hook.respond(asked, () => Promise.resolve({ key: 'night/a/1' }));
  expect(responded).toEqual({ status: 200, body: { ok: true, key: 'night/a/1' } });
  expect(hook.isFrozen).toBe(false);
  const waits = (count: number) =>
    hook.respond({ method: 'POST', url: '/hook/waits' } as IncomingMessage, () => Promise.resolve({ call: count }));
  expect(await waits(2)).toMatchObject({ body: { hookStatus: 'IN_PROGRESS', callBackDelay: 1 } });
  expect(await waits(3)).toMatchObject({ body: { hookStatus: 'SUCCEEDED' } });
});
