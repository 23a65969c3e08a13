import { WebSocket, WebSocketServer } from 'ws';
import {
  ProxyBundle,
  ProxyProcess,
  bundleProxy,
  findChildren,
  isAlive,
  listening,
  logged,
  messages,
} from '../support/proxy-process';
import { REGION, startLocalCloud } from '../../rehearsal/aws/world';
import { get, later, startBackend, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

async function startWorkers(args: readonly string[] = [], env: Record<string, string> = {}) {
  const backend = await startBackend((_, response) => response.end('ok'));
  new WebSocketServer({ server: backend.server }).on('connection', (socket) => {
    socket.on('message', (data: Buffer) => socket.send(data.toString()));
  });
  const upstream = `http://127.0.0.1:${backend.port}`;
  const proxy = bundle.run(['--listen', '127.0.0.1:0', '--upstream', upstream, '--workers', '2', ...args], {
    DRAINSHIFT_PROPAGATION_SECONDS: '0.3',
    ...env,
  });
  const { port } = await listening(proxy);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await new Promise((resolve) => socket.once('open', resolve));
  return { proxy, port, socket, code: new Promise((resolve) => socket.once('close', resolve)) };
}

async function echoes(socket: WebSocket): Promise<boolean> {
  const echoed = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())));
  socket.send('alive');
  return (await echoed) === 'alive';
}

const isRejected = (port: number) =>
  get({ port }).then(
    () => false,
    () => true,
  );

async function untilRejected(port: number): Promise<void> {
  while (!(await isRejected(port)));
}

function toAll(proxy: ProxyProcess, signal: NodeJS.Signals): void {
  for (const pid of [proxy.child.pid!, ...findChildren(proxy.child)]) process.kill(pid, signal);
}

test('SIGTERM to every process of the group: a WebSocket finishes by itself, then exit 0', async () => {
  const { proxy, port, socket, code } = await startWorkers();
  toAll(proxy, 'SIGTERM');
  await logged(proxy, /^Graceful shutdown: grace period/);
  expect(await get({ port })).toMatchObject({ status: 200, headers: { connection: 'close' } });
  await logged(proxy, /1 active \(0 HTTP, 1 WebSocket/);
  await untilRejected(port);
  expect(await echoes(socket)).toBe(true);
  socket.close(1000);
  expect(await code).toBe(1000);
  expect(await proxy.exit).toBe(0);
  expect(messages(proxy).slice(-2)).toEqual([
    'All connections drained gracefully',
    'Graceful shutdown: grace period ends',
  ]);
  expect(proxy.stderr()).toBe('');
});

test('what is left after the grace period is closed with 1012', async () => {
  const { proxy, code } = await startWorkers(['--grace-period-seconds', '0.2']);
  proxy.child.kill('SIGTERM');
  expect(await code).toBe(1012);
  expect(await proxy.exit).toBe(0);
});

test('a second signal ends all at once, with exit code 1', async () => {
  const { proxy, code } = await startWorkers();
  const workers = findChildren(proxy.child);
  proxy.child.kill('SIGTERM');
  await logged(proxy, /^Graceful shutdown/);
  proxy.child.kill('SIGINT');
  expect(await proxy.exit).toBe(1);
  expect(await code).toBe(1006);
  await until(() => !workers.some(isAlive));
});

test('when the primary is killed the workers drain by themselves, and end', async () => {
  const { proxy, port, socket, code } = await startWorkers();
  const workers = findChildren(proxy.child);
  proxy.child.kill('SIGKILL');
  await untilRejected(port);
  expect(await echoes(socket)).toBe(true);
  socket.close(1000);
  expect(await code).toBe(1000);
  await until(() => !workers.some(isAlive));
  expect(messages(proxy).filter((msg) => msg.startsWith('The primary process is gone'))).toHaveLength(2);
});

test('workers that a switch could hold end at once when the primary is killed', async () => {
  const cloud = await startLocalCloud();
  later(() => cloud.stop());
  const { proxy, code } = await startWorkers(['--switch-store', 'store'], {
    AWS_ENDPOINT_URL: cloud.url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'TASK',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
  const workers = findChildren(proxy.child);
  proxy.child.kill('SIGKILL');
  expect(await code).toBe(1006);
  await until(() => !workers.some(isAlive));
});

test('a worker that is killed in the middle of a shutdown is an exit code of 1', async () => {
  const { proxy } = await startWorkers();
  proxy.child.kill('SIGTERM');
  await logged(proxy, /^Graceful shutdown/);
  for (const pid of findChildren(proxy.child)) process.kill(pid, 'SIGKILL');
  expect(await proxy.exit).toBe(1);
  expect(messages(proxy)).toContain('A worker ended before its connections did');
  expect(messages(proxy)).not.toContain('All connections drained gracefully');
});
