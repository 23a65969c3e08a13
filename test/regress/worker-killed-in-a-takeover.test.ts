import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ProxyBundle, bundleProxy } from '../proxy/support/proxy-process';
import { findReport } from '../proxy/support/proxy-world';
import { counters, restart, startRestartable } from '../proxy/support/restart-world';
import { get, stopAll } from '../proxy/support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

// It took its counters along, and the new generation, which had not asked before, went on under the same name: they went back.
test('behind a worker that is killed as the next generation takes over, the report has another instance', async () => {
  const { port, admin } = await startRestartable(bundle, { workers: 2, grace_period_seconds: 60 });
  for (let nth = 0; nth < 40; nth += 1) await get({ port });
  const before = await findReport(admin);
  const code = path.join(bundle.folder, 'proxy.js');
  const kept = path.join(bundle.folder, 'kept.js');
  copyFileSync(code, kept);
  writeFileSync(
    code,
    `const isPrimary = process.env.DRAINSHIFT_WORKER_NUMBER === undefined;
const on = process.on.bind(process);
process.on = (name, hear) => on(name, name !== 'message' || !isPrimary ? hear : (message) => {
  if (message.type === 'takeOver') {
    const children = require('fs').readFileSync('/proc/' + process.ppid + '/task/' + process.ppid + '/children', 'utf8');
    const [worker] = children.trim().split(' ').map(Number).filter((pid) => pid !== process.pid);
    process.kill(worker, 'SIGKILL');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
  hear(message);
});
require(${JSON.stringify(kept)});`,
  );
  expect((await restart({ admin })).status).toBe(202);
  const after = await findReport(admin);
  expect(after.identity).toBe(before.identity);
  const is = counters(after);
  const wentBack = Object.entries(counters(before)).filter(([name, was]) => is[name]! < was);
  expect(wentBack).not.toEqual([]);
  expect(after.instance).not.toBe(before.instance);
});
