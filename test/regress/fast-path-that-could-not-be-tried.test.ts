import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { get as getOverTls } from 'node:https';
import { callAdmin, findReport } from '../proxy/support/proxy-world';
import { ProxyBundle, ProxyProcess, bundleProxy, listening, logged } from '../proxy/support/proxy-process';
import { get, selfSigned, startBackend, stopAll } from '../proxy/support/world';

let bundle: ProxyBundle;
beforeAll(() => (bundle = bundleProxy()));
afterEach(stopAll);
afterAll(() => bundle.remove());

/** Before the proxy's own code; `net` is what that will get. */
async function startWith(code: string, flags: string[] = []) {
  const file = join(bundle.folder, 'before.js');
  writeFileSync(file, `const net = require('node:net');\n${code}`);
  const backend = await startBackend((_, response) => response.end('ok'));
  const args = [
    '--listen',
    '127.0.0.1:0',
    '--admin',
    '127.0.0.1:0',
    '--upstream',
    `http://127.0.0.1:${backend.port}`,
    ...flags,
  ];
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
  expect(fastPathLines(proxy)[0]).toMatchObject({
    level: 40,
    msg: expect.stringContaining('is tried again') as string,
    why: 'it came to no result within 2 s',
  });
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

test('where TLS alone is handled otherwise its clients are served by streams', async () => {
  const { cert, key } = await selfSigned();
  const [certificateFile, keyFile] = [join(bundle.folder, 'cert.pem'), join(bundle.folder, 'key.pem')];
  writeFileSync(certificateFile, cert);
  writeFileSync(keyFile, key);
  // The first write through a handle of TLS loses a byte.
  const code = `const { TLSWrap } = process.binding('tls_wrap');
    const { writeLatin1String } = TLSWrap.prototype;
    TLSWrap.prototype.writeLatin1String = function (request, text) {
      TLSWrap.prototype.writeLatin1String = writeLatin1String;
      return writeLatin1String.call(this, request, text.slice(1));
    };`;
  const { proxy, port, admin } = await startWith(code, [
    ...['--tls-certificate-file', certificateFile],
    ...['--tls-key-file', keyFile],
  ]);
  const status = await new Promise((resolve, reject) => {
    getOverTls({ port, host: '127.0.0.1', agent: false, rejectUnauthorized: false }, (response) => {
      resolve(response.resume().statusCode);
    }).on('error', reject);
  });
  expect(status).toBe(200);
  expect(fastPathLines(proxy)).toMatchObject([{ level: 40, msg: expect.stringContaining('is off') as string }]);
  expect(await findReport(admin)).toMatchObject({ fastPath: 'off' });
});
