import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { ADMIN_PATHS, LedgerReport } from '../../../core/proxy/admin-api';
import type { BackendCallReport } from '../../../core/proxy/backend-call';
import type { ProbeReport } from '../../../core/proxy/probe';
import { AdminConnection, callAdmin } from '../../../lambda/adapters/proxies/admin-client';
import { switchStorePort } from '../../../lambda/adapters/store/switch-store';
import type { SwitchPorts, SwitchTask, TaskSession } from '../../../lambda/contract/switch-ports';
import { switchOver } from '../../../lambda/switch/switch-over';
import { DEFAULT_PLAN } from '../../lambda/switch/switch-world';
import { LocalCloud, REGION, startLocalCloud } from '../../rehearsal/aws/world';
import { ProxyBundle, ProxyProcess, bundleProxy, listening } from '../support/proxy-process';
import { SECRET } from '../support/proxy-world';
import { later, stopAll } from '../support/world';

let cloud: LocalCloud;
let bundle: ProxyBundle;

beforeAll(() => (bundle = bundleProxy()));
afterAll(() => bundle.remove());
beforeEach(async () => {
  cloud = await startLocalCloud();
  later(() => cloud.stop());
  Object.assign(process.env, AWS());
});
afterEach(stopAll);

const AWS = () => ({
  AWS_ENDPOINT_URL: cloud.url,
  AWS_REGION: REGION,
  AWS_ACCESS_KEY_ID: 'TASK',
  AWS_SECRET_ACCESS_KEY: 'none',
});

interface Served {
  readonly id: string;
  readonly epoch: number;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** A backend with a log of its own: what it served, and when. */
async function startBackend(): Promise<{ url: string; served: Served[] }> {
  const served: Served[] = [];
  const server = http.createServer((request, response) => {
    const beganMs = performance.now();
    request.resume().once('end', () => {
      setTimeout(() => {
        const epoch = Number(request.headers['x-drainshift-epoch']);
        served.push({ id: request.url ?? '', epoch, beganMs, endedMs: performance.now() });
        response.end('ok');
      }, 3);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, served };
}

interface Task {
  readonly process: ProxyProcess;
  readonly port: number;
  readonly admin: number;
}

async function startTask(upstream: string, other: string, more: readonly string[] = []): Promise<Task> {
  const args = ['--upstream', upstream, '--other-upstream', other, '--switch-store', 'store'];
  const process = bundle.run([...args, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...more], AWS());
  return { process, ...(await listening(process)) };
}

function openTask(id: string, port: number): SwitchTask {
  const connection = new AdminConnection();
  const call = async (method: 'GET' | 'POST', path: string, body?: unknown) =>
    (await callAdmin({
      ...{ address: '127.0.0.1', port, method, path, body },
      ...{ keys: [SECRET], timeoutMs: 1_000, connection },
    })) as LedgerReport;
  const session: TaskSession = {
    report: () => call('GET', ADMIN_PATHS.drainStatus),
    hold: (order) => call('POST', ADMIN_PATHS.hold, order),
    release: (order) => call('POST', ADMIN_PATHS.release, order),
    retarget: (order) => call('POST', ADMIN_PATHS.retarget, order),
    probe: async (order) => (await call('POST', ADMIN_PATHS.probe, order)) as unknown as ProbeReport,
    transferState: () => Promise.reject(new Error('not called')),
    callBackend: async (order) =>
      (await callAdmin({
        ...{ address: '127.0.0.1', port, method: 'POST', path: ADMIN_PATHS.backendCall, body: order },
        ...{ keys: [SECRET], timeoutMs: order.timeoutMs + 500 },
      })) as BackendCallReport,
    close: () => connection.close(),
  };
  return { id, home: 'source', address: String(port), session };
}

function portsFor(tasks: readonly Task[]): SwitchPorts {
  return {
    store: switchStorePort('store'),
    listTasks: () => Promise.resolve(tasks.map(({ admin }, at) => openTask(`s${at}`, admin))),
    traffic: {
      targets: () => Promise.resolve(tasks.map(({ admin }) => String(admin))),
      weights: () => Promise.resolve({ source: 100, target: 0 }),
    },
    now: () => Date.now(),
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  };
}

/** Clients that send requests one after the other, each on a connection of its own, and count for themselves. */
function startClients(tasks: readonly Task[], count: number) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: count });
  let isOver = false;
  let sent = 0;
  const failed: string[] = [];
  const waits: number[] = [];
  const one = (port: number, path: string) =>
    new Promise<void>((resolve) => {
      const startMs = performance.now();
      const request = http.request({ host: '127.0.0.1', port, path, method: 'POST', agent }, (response) => {
        if (response.statusCode !== 200) failed.push(`${path} ${response.statusCode}`);
        response.resume().once('end', () => (waits.push(performance.now() - startMs), resolve()));
      });
      request.once('error', (error) => (failed.push(`${path} ${error.message}`), resolve()));
      request.end('x');
    });
  const loop = async (client: number) => {
    while (!isOver) await one(tasks[client % tasks.length]!.port, `/${(sent += 1)}`);
  };
  const loops = Array.from({ length: count }, (_, client) => loop(client));
  const stop = async () => {
    isOver = true;
    await Promise.all(loops);
    agent.destroy();
    return { sent, failed, waits };
  };
  return { stop, sent: () => sent };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const nothing = () => Promise.resolve(undefined);

test('under traffic no request is lost, none is served twice, and the two backends never overlap', async () => {
  const [source, target] = [await startBackend(), await startBackend()];
  const tasks = [await startTask(source.url, target.url), await startTask(source.url, target.url, ['--workers', '2'])];
  const clients = startClients(tasks, 8);
  await until(() => clients.sent() > 200);
  const ports = portsFor(tasks);
  const record = await switchOver({ to: 'target', execution: 'one', plan: DEFAULT_PLAN, findStop: nothing }, ports);
  expect(record).toMatchObject({ outcome: 'commit', members: 2, epoch: 1 });
  const atSwitch = clients.sent();
  await until(() => clients.sent() > atSwitch + 200);
  const { sent, failed } = await clients.stop();
  expect(failed).toEqual([]);
  const ids = [...source.served, ...target.served].map(({ id }) => id);
  expect(ids.length).toBe(sent);
  expect(new Set(ids).size).toBe(sent);
  const lastOfSource = Math.max(...source.served.map(({ endedMs }) => endedMs));
  const firstOfTarget = Math.min(...target.served.map(({ beganMs }) => beganMs));
  expect(lastOfSource).toBeLessThan(firstOfTarget);
  expect(new Set(source.served.map(({ epoch }) => epoch))).toEqual(new Set([0]));
  expect(new Set(target.served.map(({ epoch }) => epoch))).toEqual(new Set([1]));
});

test('a task that starts after the commit serves the target, whatever side it is of', async () => {
  const [source, target] = [await startBackend(), await startBackend()];
  const tasks = [await startTask(source.url, target.url)];
  await switchOver({ to: 'target', execution: 'one', plan: DEFAULT_PLAN, findStop: nothing }, portsFor(tasks));
  const late = await startTask(source.url, target.url, ['--workers', '2']);
  await fetch(`http://127.0.0.1:${late.port}/late`);
  expect(source.served).toEqual([]);
  expect(target.served).toMatchObject([{ id: '/late', epoch: 1 }]);
});

test('a coordinator that dies while requests wait leaves them to the store: the source goes on', async () => {
  const [source, target] = [await startBackend(), await startBackend()];
  const tasks = [await startTask(source.url, target.url), await startTask(source.url, target.url, ['--workers', '2'])];
  const clients = startClients(tasks, 4);
  await until(() => clients.sent() > 50);
  const ports = portsFor(tasks);
  const dying = {
    ...ports,
    store: { ...ports.store, decide: () => Promise.reject(new Error('the coordinator died')) },
  };
  const request = { to: 'target' as const, execution: 'one', plan: DEFAULT_PLAN, findStop: nothing };
  await expect(switchOver(request, dying)).rejects.toThrow('the coordinator died');
  const before = source.served.length;
  await until(() => source.served.length > before + 50);
  const { failed } = await clients.stop();
  expect(failed).toEqual([]);
  expect(target.served).toEqual([]);
  expect(await ports.store.readDecision(1)).toMatchObject({ outcome: 'abort', why: 'the lease of its hold expired' });
  // Another call of the same execution ends what the first one began.
  expect(await switchOver(request, ports)).toMatchObject({ outcome: 'abort', epoch: 1 });
  expect(await switchOver(request, ports)).toMatchObject({ outcome: 'commit', epoch: 2 });
});

test('a task that hangs through the decision follows it before it forwards a byte', async () => {
  const [source, target] = [await startBackend(), await startBackend()];
  const tasks = [await startTask(source.url, target.url), await startTask(source.url, target.url)];
  const ports = portsFor(tasks);
  const [hung] = tasks;
  const { decide } = ports.store;
  const asked: Promise<Response>[] = [];
  ports.store.decide = async (...given) => {
    // It holds, and has nothing in flight; a request waits in its socket while it hangs.
    hung!.process.child.kill('SIGSTOP');
    asked.push(fetch(`http://127.0.0.1:${hung!.port}/woken`));
    return decide(...given);
  };
  const plan = { ...DEFAULT_PLAN, maxPauseMs: 1_000 };
  const record = await switchOver({ to: 'target', execution: 'one', plan, findStop: nothing }, ports);
  expect(record?.outcome).toBe('commit');
  await fetch(`http://127.0.0.1:${tasks[1]!.port}/other`);
  hung!.process.child.kill('SIGCONT');
  expect((await asked[0])?.status).toBe(200);
  expect(source.served).toEqual([]);
  expect(target.served.map(({ id }) => id).sort()).toEqual(['/other', '/woken']);
});

test('a probe reports what a task can reach', async () => {
  const [source, target] = [await startBackend(), await startBackend()];
  const { admin } = await startTask(source.url, target.url);
  const { session } = openTask('s0', admin);
  later(() => session!.close());
  const good = await session!.probe({ to: 'target', path: '/probe' });
  expect(good).toMatchObject({ status: 200 });
  expect(good.storeProblem).toBeUndefined();
  expect(target.served).toMatchObject([{ id: '/probe' }]);
  await cloud.stop();
  const ofBackend = await session!.probe({ to: 'target', path: '/probe', isOfBackendAlone: true });
  expect(ofBackend).toMatchObject({ status: 200 });
  expect(ofBackend.storeProblem).toBeUndefined();
  expect((await session!.probe({ to: 'target', path: '/probe' })).storeProblem).toMatch(
    /ECONNREFUSED|socket hang up|abort/i,
  );
});
