import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ProxyBundle, bundleProxy, findChildren, kill, listening, logged, messages } from '../support/proxy-process';
import { later, findPort, stopAll } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const ARGS = ['--upstream', 'http://127.0.0.1:1', '--workers', '2'];

async function busyPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  later(() => void server.close());
  return findPort(server);
}

/** A module that a worker loads before anything else, and that ends it. */
function deadly(code: string): { NODE_OPTIONS: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'drainshift-deadly-'));
  later(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'deadly.js');
  writeFileSync(file, `if (process.env.DRAINSHIFT_WORKER_NUMBER) { ${code} }`);
  return { NODE_OPTIONS: `--require ${file}` };
}

test('a busy port is the same one line as without workers, for each port', async () => {
  const port = await busyPort();
  const data = bundle.run([...ARGS, '--listen', `127.0.0.1:${port}`]);
  expect(await data.exit).toBe(1);
  expect(data.stderr()).toBe(`'listen' must be a free port, got 127.0.0.1:${port}, which is in use\n`);
  const admin = bundle.run([...ARGS, '--listen', '127.0.0.1:0', '--admin', `127.0.0.1:${port}`]);
  expect(await admin.exit).toBe(1);
  expect(admin.stderr()).toBe(`'admin' must be a free port, got 127.0.0.1:${port}, which is in use\n`);
});

test('an address of another machine is said so', async () => {
  const proxy = bundle.run([...ARGS, '--listen', '192.0.2.1:8443']);
  expect(await proxy.exit).toBe(1);
  expect(proxy.stderr()).toBe("'listen' must be an address of this machine, got 192.0.2.1\n");
});

test('a worker that ends whenever it starts is given up', async () => {
  const proxy = bundle.run([...ARGS, '--listen', '127.0.0.1:0'], deadly('process.exit(3);'));
  expect(await proxy.exit).toBe(1);
  expect(proxy.stderr()).toMatch(
    /^The proxy did not start: worker [12] must start, got 5 failures in a row, the last one exit code 3\n$/,
  );
});

test('when a worker cannot be replaced the proxy ends in order, with exit code 1', async () => {
  const flag = path.join(mkdtempSync(path.join(tmpdir(), 'drainshift-flag-')), 'flag');
  later(() => rmSync(path.dirname(flag), { recursive: true }));
  const environment = deadly(`if (require('fs').existsSync(${JSON.stringify(flag)})) process.exit(3);`);
  const proxy = bundle.run([...ARGS, '--listen', '127.0.0.1:0'], {
    ...environment,
    DRAINSHIFT_PROPAGATION_SECONDS: '0',
  });
  await listening(proxy);
  writeFileSync(flag, '');
  kill(findChildren(proxy.child)[0]);
  await logged(proxy, /^The proxy ends: worker [12] must start, got 5 failures/);
  expect(await proxy.exit).toBe(1);
  expect(messages(proxy).at(-1)).toBe('Graceful shutdown: grace period ends');
});
