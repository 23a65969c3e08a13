import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callAdmin, findReport } from '../proxy/support/proxy-world';
import { ProxyBundle, ProxyProcess, bundleProxy, listening, logged } from '../proxy/support/proxy-process';
import { get, startBackend, stopAll } from '../proxy/support/world';

let bundle: ProxyBundle;
beforeAll(() => (bundle = bundleProxy()));
afterEach(stopAll);
afterAll(() => bundle.remove());

/** Before the proxy's own code; `net` is what that will get. */
async function startWith(code: string) {
  const file = join(bundle.folder, 'before.js');
  writeFileSync(file, `const net = require('node:net');\n${code}`);
  const backend = await startBackend((_, response) => response.end('ok'));
  const args = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${backend.port}`];
  const proxy = bundle.run(args, { NODE_OPTIONS: `--require ${file}` });
  return { proxy, ...(await listening(proxy)) };
}

const fastPathLines = ({ lines }: ProxyProcess) => lines.filter(({ msg }) => msg.startsWith('The fast path'));

test('a process that is too busy for the trial serves without the fast path, says so, and tries again', async () => {
  // Its first connection finds the process asleep until the trial's time is over.
  const { proxy, port, admin } = await startWith(`
    const { connect } = net;
    net.connect = function (...args) {
      net.connect = connect;
      const socket = connect.apply(this, args);
      socket.prependOnceListener('connect', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500));
      return socket;
    };`);
  expect(await get({ port })).toMatchObject({ status: 200, body: 'ok' });
  expect(fastPathLines(proxy)).toMatchObject([
    { level: 40, msg: expect.stringContaining('is tried again') as string, why: 'it came to no result within 2 s' },
  ]);
  await logged(proxy, /^The fast path is on$/);
  expect(await findReport(admin)).toMatchObject({ fastPath: 'on' });
  expect((await callAdmin(admin, { path: '/metrics' })).body).toContain(
    'drainshift_fast_path{side="source",state="on"} 1',
  );
  expect(await get({ port })).toMatchObject({ status: 200, body: 'ok' });
});

test.each([
  [
    'the first handle that is written to loses a byte',
    `const { writeLatin1String } = TCP.prototype;
    TCP.prototype.writeLatin1String = function (request, text) {
      TCP.prototype.writeLatin1String = writeLatin1String;
      return writeLatin1String.call(this, request, text.slice(1));
    };`,
  ],
  [
    'a handle that listens keeps the receiver of its connections',
    `const { listen } = net.Server.prototype;
    net.Server.prototype.listen = function (...args) {
      this.prependOnceListener('listening', () => {
        const { onconnection } = this._handle;
        Object.defineProperty(this._handle, 'onconnection', { get: () => onconnection, set: () => undefined });
      });
      return listen.apply(this, args);
    };`,
  ],
])('only a wrong result is one, for as long as the process lives: %s', async (_, code) => {
  const { proxy, port, admin } = await startWith(`const { TCP } = process.binding('tcp_wrap');\n${code}`);
  expect(await get({ port })).toMatchObject({ status: 200, body: 'ok' });
  expect(fastPathLines(proxy)).toMatchObject([{ level: 40, msg: expect.stringContaining('is off') as string }]);
  expect(await findReport(admin)).toMatchObject({ fastPath: 'off' });
  expect((await callAdmin(admin, { path: '/metrics' })).body).toContain(
    'drainshift_fast_path{side="source",state="off"} 1',
  );
});
