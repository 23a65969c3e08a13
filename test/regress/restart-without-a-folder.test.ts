import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Counter, startEcho } from '../proxy/handover/support/generations';
import { ProxyBundle, bundleProxy } from '../proxy/support/proxy-process';
import { endOf, restart, startRestartable } from '../proxy/support/restart-world';
import { later, stopAll, until } from '../proxy/support/world';

// Without a folder for temporary files that could be written, or with a path of it that is too long for a Unix socket, all connections
// were closed in a restart, and there was no canary.
let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('connections go over without a folder for temporary files', async () => {
  const long = mkdtempSync(path.join(tmpdir(), `drainshift-${'long-'.repeat(20)}`));
  later(() => rmSync(long, { recursive: true }));
  const { port: upstream } = await startEcho();
  const settings = { upstream: `http://127.0.0.1:${upstream}`, workers: 2 };
  for (const folder of ['/dev/null/none', long]) {
    const { proxy, port, admin } = await startRestartable(bundle, settings, undefined, { TMPDIR: folder });
    const sockets = await Promise.all(Array.from({ length: 4 }, () => Counter.open(port)));
    expect((await restart({ admin })).status).toBe(202);
    await endOf(proxy, 1);
    expect((await restart({ admin }, { share: 0.5 })).status).toBe(202);
    for (const socket of sockets) socket.say();
    await until(() => sockets.every(({ isWhole, isClosed }) => isWhole || isClosed));
    expect(sockets.filter(({ isClosed }) => isClosed)).toEqual([]);
  }
  expect(readdirSync(long)).toEqual([]);
});
