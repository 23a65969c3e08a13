import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { startRelay, type Relay } from '../../../rehearsal/backend/faulty-side';
import { afterwards } from './afterwards';

const started = afterwards();

async function relayed(): Promise<Relay> {
  const server = createServer((_, response) => response.end('backend'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => new Promise((closed) => server.close(closed).closeAllConnections());
  started({ stop: close });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return started(await startRelay({ side: 'target', url, seed: 1 }));
}

async function countStatuses(url: string, requests: number): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (let sent = 0; sent < requests; sent += 1) {
    const { status } = await fetch(url);
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

/** It is told by a message. */
async function seen(url: string, status: number): Promise<void> {
  while ((await fetch(url)).status !== status);
}

test('a side responds through its relay, with errors on request, and as before when they end', async () => {
  const { url, degrade } = await relayed();
  expect(await countStatuses(url, 5)).toEqual({ 200: 5 });
  degrade({ errorShare: 1 });
  await seen(url, 500);
  expect(await countStatuses(url, 5)).toEqual({ 500: 5 });
  degrade({ errorShare: 0.5 });
  await seen(url, 200);
  const half = await countStatuses(url, 60);
  expect([half[200], half[500]]).toEqual([expect.any(Number), expect.any(Number)]);
  degrade({ errorShare: 0, delayMs: 100 });
  for (let tookMs = 0; tookMs < 100;) {
    const sentMs = performance.now();
    expect([200, 500]).toContain((await fetch(url)).status);
    tookMs = performance.now() - sentMs;
  }
});

test('the calls of a hook are broken on request, and requests of clients and OPTIONS are not', async () => {
  const { url, degrade } = await relayed();
  const call = async ({ method = 'POST', agent = 'drainshift-hook', signal = null as AbortSignal | null } = {}) =>
    (await fetch(url, { method, headers: { 'user-agent': agent }, signal })).text();
  const isNow = async (text: RegExp) => {
    while (!text.test(await call()));
  };
  const hangs = async () => {
    for (;;) await call({ signal: AbortSignal.timeout(300) });
  };
  degrade({ hook: 'no' });
  await isNow(/^\{"ok":false,"why":"a fault of the rehearsal"\}$/);
  degrade({ hook: 'notYet' });
  await isNow(/^\{"hookStatus":"IN_PROGRESS","callBackDelay":1\}$/);
  degrade({ hook: 'garbage' });
  await isNow(/^<h1>Welcome<\/h1>$/);
  degrade({ hook: 'hangs' });
  await expect(hangs()).rejects.toThrow('timeout');
  expect([await call({ method: 'OPTIONS' }), await call({ agent: 'curl' })]).toEqual(['backend', 'backend']);
  degrade({});
  await isNow(/^backend$/);
});

test('a side that hangs accepts a connection and does not respond; one that is dead accepts none', async () => {
  const { url, freeze, kill } = await relayed();
  await (await fetch(url)).text();
  freeze();
  await expect(fetch(url, { signal: AbortSignal.timeout(300) })).rejects.toThrow('timeout');
  kill();
  const refused = async () => {
    for (;;) {
      const failed = await fetch(url, { signal: AbortSignal.timeout(300) }).catch((error: Error) => error);
      const { code } = ((failed as Error).cause ?? {}) as NodeJS.ErrnoException;
      if (code === 'ECONNREFUSED') return code;
    }
  };
  expect(await refused()).toBe('ECONNREFUSED');
});
