import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';
import { version } from '../../../package.json';
import { ProxyBundle, bundleProxy, listening, logged, messages } from '../support/proxy-process';
import { SECRET } from '../support/proxy-world';
import { get, later, findPort, startBackend, stopAll, until } from '../support/world';

// The image holds one file; it runs here with nothing beside it, too.
let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const QUICK = { DRAINSHIFT_PROPAGATION_SECONDS: '0.3' };

test('SIGTERM: the one who still comes is served, WebSockets end with 1012, then exit 0', async () => {
  const backend = await startBackend((_, response) => response.end('ok'));
  new WebSocketServer({ server: backend.server }).on('connection', (socket) => {
    socket.on('message', (data: Buffer) => socket.send(data.toString()));
  });
  const upstream = `http://127.0.0.1:${backend.port}`;
  const proxy = bundle.run(['--listen', '127.0.0.1:0', '--upstream', upstream, '--grace-period-seconds', '1'], QUICK);
  const { port } = await listening(proxy);
  const open = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    await new Promise((resolve) => socket.once('open', resolve));
    return { socket, code: new Promise((resolve) => socket.once('close', resolve)) };
  };
  const early = await open();

  proxy.child.kill('SIGTERM');
  await logged(proxy, /^Graceful shutdown: grace period 1s starts$/);
  expect(await get({ port })).toMatchObject({ status: 200, headers: { connection: 'close' } });
  const late = await open();

  await logged(proxy, /^Draining connections: 2 active \(0 HTTP, 2 WebSocket/);
  await expect(get({ port })).rejects.toThrow();
  const echoed = new Promise((resolve) => early.socket.once('message', (data: Buffer) => resolve(data.toString())));
  early.socket.send('alive');
  expect(await echoed).toBe('alive');
  expect(await Promise.all([early.code, late.code])).toEqual([1012, 1012]);
  expect(await proxy.exit).toBe(0);
  expect(proxy.lines.at(-1)?.msg).toBe('Graceful shutdown: grace period ends');
  expect(proxy.stderr()).toBe('');
});

test('SIGTERM: a request that takes its time is waited for', async () => {
  let finish: () => void = () => undefined;
  const backend = await startBackend((_, response) => {
    finish = () => response.end('done');
  });
  const proxy = bundle.run(['--listen', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${backend.port}`], {
    DRAINSHIFT_PROPAGATION_SECONDS: '0',
  });
  const { port } = await listening(proxy);
  const inFlight = get({ port });
  await until(() => backend.sockets.size === 1);
  proxy.child.kill('SIGTERM');
  await logged(proxy, /^Draining connections: 1 active \(1 HTTP/);
  finish();
  expect(await inFlight).toMatchObject({ status: 200, body: 'done' });
  expect(await proxy.exit).toBe(0);
  expect(messages(proxy)).toContain('All connections drained gracefully');
});

test('what it logs last is written before it exits, however slow that is', async () => {
  const slow = path.join(bundle.folder, 'slow.js');
  writeFileSync(
    slow,
    "const fs = require('node:fs'); const { write } = fs; fs.write = (...a) => setTimeout(write, 50, ...a);",
  );
  const args = ['--listen', '127.0.0.1:0', '--upstream', 'http://127.0.0.1:1'];
  const proxy = bundle.run(args, { DRAINSHIFT_PROPAGATION_SECONDS: '0', NODE_OPTIONS: `--require=${slow}` });
  await listening(proxy);
  proxy.child.kill('SIGTERM');
  expect(await proxy.exit).toBe(0);
  expect(messages(proxy).slice(-3)).toEqual([
    expect.stringContaining('Graceful shutdown: grace period'),
    'All connections drained gracefully',
    'Graceful shutdown: grace period ends',
  ]);
});

test('a second signal ends at once', async () => {
  const backend = await startBackend(() => undefined);
  const proxy = bundle.run(['--listen', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${backend.port}`], QUICK);
  const broken = get({ port: (await listening(proxy)).port });
  broken.catch(() => undefined);
  await until(() => backend.sockets.size === 1);
  proxy.child.kill('SIGTERM');
  await logged(proxy, /^Graceful shutdown/);
  proxy.child.kill('SIGINT');
  expect(await proxy.exit).toBe(1);
  await expect(broken).rejects.toThrow();
});

test('a signal that comes before the port is open ends it, too', async () => {
  // Reading the file takes until the test writes it.
  const yaml = path.join(bundle.folder, 'slow.yaml');
  execFileSync('mkfifo', [yaml]);
  const proxy = bundle.run(['--config', yaml]);
  const file = await openFile(yaml, 'w');
  proxy.child.kill('SIGTERM');
  await file.writeFile('listen: 127.0.0.1:0\nupstream: http://127.0.0.1:1\npropagation_seconds: 0\n');
  await file.close();
  expect(await proxy.exit).toBe(0);
});

test('a busy port is one line on stderr and exit code 1, for each port', async () => {
  const busy = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => busy.once('listening', resolve));
  later(() => void busy.close());
  const port = findPort(busy);
  const data = bundle.run(['--listen', `127.0.0.1:${port}`, '--upstream', 'http://127.0.0.1:1']);
  expect(await data.exit).toBe(1);
  expect(data.stderr()).toBe(`'listen' must be a free port, got 127.0.0.1:${port}, which is in use\n`);
  const admin = bundle.run([
    ...['--listen', '127.0.0.1:0', '--upstream', 'http://127.0.0.1:1'],
    ...['--admin', `127.0.0.1:${port}`],
  ]);
  expect(await admin.exit).toBe(1);
  expect(admin.stderr()).toBe(`'admin' must be a free port, got 127.0.0.1:${port}, which is in use\n`);
});

test('wrong use is said in a line a problem, with exit code 64', async () => {
  const option = bundle.run(['--bogus']);
  expect(await option.exit).toBe(64);
  expect(option.stderr()).toBe("Unknown option '--bogus'; see --help\n");
  const config = bundle.run(['--listen', 'here', '--grace-period-seconds=-5']);
  expect(await config.exit).toBe(64);
  expect(config.stderr().trim().split('\n')).toHaveLength(3);
  const yaml = path.join(bundle.folder, 'bad.yaml');
  writeFileSync(yaml, 'upstream: http://127.0.0.1:1\nlissten: x\n');
  const file = bundle.run(['--config', yaml]);
  expect(await file.exit).toBe(64);
  expect(file.stderr()).toMatch(/^'config\.lissten' must be one of .+\n$/);
  const missing = bundle.run(['--config', path.join(bundle.folder, 'none.yaml')]);
  expect(await missing.exit).toBe(64);
  expect(missing.stderr()).toMatch(/^'config' must be a readable YAML file, got .+none\.yaml: ENOENT.+\n$/);
});

test('a YAML file alone is enough, with TLS of its own', async () => {
  const backend = await startBackend((_, response) => response.end('ok'));
  const yaml = path.join(bundle.folder, 'proxy.yaml');
  writeFileSync(
    yaml,
    `listen: 127.0.0.1:0\nupstream: http://127.0.0.1:${backend.port}\ntls: self-signed\nadmin: 127.0.0.1:0\nside: target\n`,
  );
  const proxy = bundle.run([], { DRAINSHIFT_CONFIG: yaml });
  await listening(proxy);
  expect(proxy.lines[0]).toMatchObject({
    msg: 'Listening',
    side: 'target',
    admin: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
  });
  proxy.child.kill('SIGKILL');
  await proxy.exit;
  expect(JSON.stringify(proxy.lines)).not.toContain(SECRET);
});

test('--version is the package’s, --help says how it is used', async () => {
  const shown = bundle.run(['--version']);
  expect(await shown.exit).toBe(0);
  expect(shown.lines).toEqual([{ msg: version }]);
  const help = bundle.run(['--help']);
  expect(await help.exit).toBe(0);
  expect(help.lines[0]?.msg).toMatch(/^Usage: /);
});
