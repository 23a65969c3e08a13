import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import tls from 'node:tls';
import { ProxyBundle, bundleProxy } from '../support/proxy-process';
import { endOf, restart, startRestartable } from '../support/restart-world';
import { later, stopAll } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

/** One request on a connection of its own. */
function ask(port: number, session?: Buffer): Promise<{ session: Buffer; isResumed: boolean; text: string }> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(session && { session }) });
    later(() => void socket.destroy());
    let found = session;
    let text = '';
    socket.on('session', (ticket: Buffer) => (found = ticket));
    socket.on('error', reject);
    let isResumed = false;
    socket.on('secureConnect', () => {
      isResumed = socket.isSessionReused();
      socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    });
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    socket.on('close', () => (found ? resolve({ session: found, isResumed, text }) : reject(new Error('no ticket'))));
  });
}

test('a client resumes its TLS session at another worker, and at the next generation', async () => {
  const { proxy, port, admin } = await startRestartable(bundle, { tls: 'self-signed', workers: 2 });
  let last = await ask(port);
  expect(last.isResumed).toBe(false);
  for (let turn = 0; turn < 6; turn += 1) {
    last = await ask(port, last.session);
    expect(last).toMatchObject({ isResumed: true, text: expect.stringContaining('200 OK') as unknown });
  }
  expect((await restart({ admin })).status).toBe(202);
  await endOf(proxy, 1);
  last = await ask(port, last.session);
  expect(last).toMatchObject({ isResumed: true, text: expect.stringContaining('200 OK') as unknown });
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const withOpenssl = hasOpenssl ? test : test.skip;
if (!hasOpenssl) process.stderr.write('openssl is not installed: its test is skipped (apt-get install openssl)\n');

/** One connection of it, with a request: a ticket comes with the response at the latest. @returns its first word on the session */
function connect(port: number, ...args: string[]): Promise<string> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-ign_eof', ...args]);
  later(() => void child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
  child.stdin.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  return new Promise((resolve) => child.on('close', () => resolve(/^(New|Reused), \S+/m.exec(text)?.[0] ?? text)));
}

withOpenssl.each(['-tls1_3', '-tls1_2'])(
  'openssl resumes a session at the generation behind the next one: %s',
  async (version) => {
    const { proxy, port, admin } = await startRestartable(bundle, { tls: 'self-signed' });
    const file = path.join(bundle.folder, `session${version}`);
    expect(await connect(port, version, '-sess_out', file)).toMatch(/^New/);
    expect(await connect(port, version, '-sess_in', file, '-sess_out', file)).toMatch(/^Reused/);
    for (const generation of [1, 2]) {
      expect((await restart({ admin })).status).toBe(202);
      await endOf(proxy, generation);
    }
    expect(await connect(port, version, '-sess_in', file)).toMatch(/^Reused/);
  },
);

test('a proxy that expects PROXY headers, with TLS behind them, proves itself too', async () => {
  const { admin } = await startRestartable(bundle, { tls: 'self-signed', proxy_protocol: 'required' });
  const { status, body } = await restart({ admin });
  expect({ status, body }).toMatchObject({ status: 202 });
});
