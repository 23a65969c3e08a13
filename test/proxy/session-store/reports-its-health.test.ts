import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ProxyBundle, bundleProxy, kill, listening } from '../support/proxy-process';
import { get, later, selfSigned, startBackend, stopAll } from '../support/world';
import { startStore } from './support/store';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

async function start(environment: Record<string, string>, args: readonly string[] = []) {
  const backend = await startBackend((_, response) => response.end('ok'));
  const upstream = `http://127.0.0.1:${backend.port}`;
  const proxy = bundle.run(['--listen', '127.0.0.1:0', '--upstream', upstream, ...args], environment);
  return (await listening(proxy)).port;
}

async function health(port: number): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const { status, body } = await get({ port, path: '/.drainshift/health' });
  return { status, body: JSON.parse(body) as Record<string, unknown> };
}

async function untilHealth(port: number, isConnected: boolean): Promise<Awaited<ReturnType<typeof health>>> {
  for (;;) {
    const response = await health(port);
    if (response.body.redis_connected === isConnected) return response;
  }
}

test('without a session store the response has no word of one', async () => {
  const { status, body } = await health(await start({}));
  expect(status).toBe(200);
  expect(Object.keys(body).sort()).toEqual([
    'connections',
    'cpu_usage',
    'memory_budget',
    'memory_held',
    'memory_usage',
    'side',
    'status',
  ]);
});

test.each([
  ['x-forwarded-for', '203.0.113.7'],
  ['x-forwarded-proto', 'https'],
  ['x-amzn-trace-id', 'Root=1-67891233-abcdef012345678912345678'],
  ['forwarded', 'for=203.0.113.7'],
  ['via', '1.1 edge'],
])('a client that asks through a load balancer hears how it is, and nothing else: %s', async (name, value) => {
  const { status, body } = await get({
    port: await start({}),
    path: '/.drainshift/health',
    headers: { [name]: value },
  });
  expect([status, JSON.parse(body)]).toEqual([200, { status: 'ok' }]);
});

test.each([[[]], [['--workers', '2']]])(
  'a store that goes away is reported, and no reason to be ill: %p',
  async (args) => {
    const store = await startStore();
    const port = await start({ DRAINSHIFT_SESSION_STORE_URL: `redis://127.0.0.1:${store.port}` }, args);
    await untilHealth(port, true);
    store.respond = () => '-ERR gone\r\n';
    for (const socket of store.sockets) socket.destroy();
    expect(await untilHealth(port, false)).toMatchObject({ status: 200, body: { status: 'ok' } });
  },
);

test('where it is required the check fails while it is away', async () => {
  const store = await startStore();
  const environment = {
    DRAINSHIFT_SESSION_STORE_URL: `redis://127.0.0.1:${store.port}`,
    DRAINSHIFT_SESSION_STORE_REQUIRED: 'true',
  };
  const port = await start(environment);
  expect(await untilHealth(port, true)).toMatchObject({ status: 200, body: { status: 'ok' } });
  store.respond = () => '-ERR gone\r\n';
  for (const socket of store.sockets) socket.destroy();
  expect(await untilHealth(port, false)).toMatchObject({ status: 503, body: { status: 'unhealthy' } });
  expect((await get({ port, path: '/' })).status).toBe(200);
});

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
const withRedis = hasRedis ? test : test.skip;

withRedis('a real server with TLS and a user of its own (skipped where there is no redis-server)', async () => {
  const { folder, port: redisPort } = await startRedis();
  const environment = {
    DRAINSHIFT_SESSION_STORE_URL: `rediss://sessions@localhost:${redisPort}`,
    NODE_EXTRA_CA_CERTS: path.join(folder, 'cert.pem'),
  };
  const right = await start({ ...environment, DRAINSHIFT_SESSION_STORE_PASSWORD: 'right' });
  expect((await untilHealth(right, true)).status).toBe(200);
  const wrong = bundle.run(['--listen', '127.0.0.1:0', '--upstream', 'http://127.0.0.1:9'], {
    ...environment,
    DRAINSHIFT_SESSION_STORE_PASSWORD: 'wrong',
  });
  const { port } = await listening(wrong);
  while (!wrong.lines.some(({ msg }) => msg.includes('WRONGPASS'))) await health(port);
  expect((await health(port)).body.redis_connected).toBe(false);
});

async function startRedis(): Promise<{ readonly folder: string; readonly port: number }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'drainshift-redis-'));
  const { cert, key } = await selfSigned();
  writeFileSync(path.join(folder, 'cert.pem'), cert);
  writeFileSync(path.join(folder, 'key.pem'), key);
  const free = await startBackend(() => undefined);
  await new Promise((resolve) => free.server.close(resolve));
  const lines = [
    ...['port 0', `tls-port ${free.port}`, 'bind 127.0.0.1', 'save ""'],
    ...['tls-cert-file cert.pem', 'tls-key-file key.pem', 'tls-ca-cert-file cert.pem', 'tls-auth-clients no'],
    ...['user sessions on >right ~* +@all -@dangerous', 'user default off'],
  ];
  writeFileSync(path.join(folder, 'redis.conf'), `${lines.join('\n')}\n`);
  const child = spawn('redis-server', ['redis.conf'], { cwd: folder, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  later(async () => {
    kill(child.pid);
    await ended;
    rmSync(folder, { recursive: true });
  });
  return { folder, port: free.port };
}
