import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ProxyBundle, bundleProxy, messages } from '../proxy/support/proxy-process';
import { restart, startRestartable } from '../proxy/support/restart-world';
import { stopAll } from '../proxy/support/world';

let bundle: ProxyBundle;
beforeAll(() => {
  bundle = bundleProxy();
  copyFileSync(code(), kept());
});
afterEach(() => copyFileSync(kept(), code()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const kept = () => path.join(bundle.folder, 'kept.js');
const code = () => path.join(bundle.folder, 'proxy.js');

// The restart was done, and its caller got 504, because a worker was late with its first report.
test('a restart that is done says so, also while a worker is late', async () => {
  const { proxy, admin } = await startRestartable(bundle);
  writeFileSync(
    code(),
    `const isWorker = process.env.DRAINSHIFT_WORKER_NUMBER !== undefined;
const on = process.on.bind(process);
let asked = 0;
process.on = (name, hear) => on(name, name !== 'message' || !isWorker ? hear : (message) => {
  const isFirst = message.type === 'ask' && message.prompt.kind === 'report' && (asked += 1) === 1;
  if (isFirst) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500);
  hear(message);
});
require(${JSON.stringify(kept())});`,
  );
  const { status, body } = await restart({ admin });
  expect({ status, body }).toMatchObject({ status: 202 });
  expect(messages(proxy)).toContain('A call to the workers failed');
});

// It was asked for its report for half a minute.
test('a new generation that ends before its first report is said to have ended', async () => {
  const { admin } = await startRestartable(bundle);
  writeFileSync(
    code(),
    `const isPrimary = process.env.DRAINSHIFT_WORKER_NUMBER === undefined;
const on = process.on.bind(process);
process.on = (name, hear) => on(name, name !== 'message' || !isPrimary ? hear : (message) => {
  if (message.type === 'ask' && message.prompt.kind === 'report') process.exit(5);
  hear(message);
});
require(${JSON.stringify(kept())});`,
  );
  const { status, body } = await restart({ admin });
  expect({ status, body }).toMatchObject({
    status: 500,
    body: expect.stringContaining('The generation that serves has ended') as unknown,
  });
});
