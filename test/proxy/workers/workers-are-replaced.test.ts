import { readFileSync } from 'node:fs';
import http from 'node:http';
import { since, sumCounters } from '../../../core/proxy/counters';
import { ProxyBundle, bundleProxy, findChildren, kill, listening, logged, messages } from '../support/proxy-process';
import { SECRET, callAdmin, findReport } from '../support/proxy-world';
import { get, later, startBackend, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const WORKERS = 3;

async function startWorkers(environment: Record<string, string> = {}) {
  const backend = await startBackend((_, response) => response.end('source'));
  const other = await startBackend((_, response) => response.end('target'));
  const proxy = bundle.run(
    [
      ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', String(WORKERS)],
      ...['--upstream', `http://127.0.0.1:${backend.port}`, '--other-upstream', `http://127.0.0.1:${other.port}`],
    ],
    { DRAINSHIFT_ACCESS_LOG: 'on', ...environment },
  );
  return { proxy, ...(await listening(proxy)) };
}

/** A client that keeps its connection, and knows when it was closed. */
class Client {
  private readonly agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  isCut = false;

  constructor(
    private readonly port: number,
    readonly path: string,
  ) {
    later(() => this.agent.destroy());
    this.agent.on('free', (socket: NodeJS.EventEmitter) => socket.once('close', () => (this.isCut = true)));
  }

  async ask(): Promise<string> {
    return (await get({ port: this.port, path: this.path, agent: this.agent })).body;
  }
}

test('a worker that is killed takes its own connections with it and no other, and another one takes its place', async () => {
  const { proxy, port, admin } = await startWorkers();
  const clients: Client[] = [];
  const findPid = (client: Client) => proxy.lines.find(({ path }) => path === client.path)?.pid;
  const pids = () => new Set(clients.map(findPid));
  while (pids().size < WORKERS) {
    const more = Array.from({ length: 8 }, (_, i) => new Client(port, `/client-${clients.length + i}`));
    clients.push(...more);
    expect(new Set(await Promise.all(more.map((client) => client.ask())))).toEqual(new Set(['source']));
    await until(() => more.every((client) => findPid(client) !== undefined));
  }
  // A worker has no admin port, and not the key of it.
  for (const pid of findChildren(proxy.child))
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain(SECRET);
  const before = await findReport(admin);
  expect(before.requests.total).toBe(clients.length);

  const victim = findPid(clients[0]!)!;
  const victims = clients.filter((client) => findPid(client) === victim);
  const others = clients.filter((client) => findPid(client) !== victim);
  kill(victim);
  await until(() => victims.every(({ isCut }) => isCut));
  // Whoever comes now is served, while a worker is missing.
  expect((await get({ port, path: '/meanwhile' })).body).toBe('source');
  expect(new Set(await Promise.all(others.map((client) => client.ask())))).toEqual(new Set(['source']));
  expect(others.some(({ isCut }) => isCut)).toBe(false);

  await logged(proxy, /^A worker listens in the place/);
  expect(findChildren(proxy.child)).toHaveLength(WORKERS);
  const after = await findReport(admin);
  expect(after.instance).not.toBe(before.instance);
  // The process that is called is the same, and orders that name it still reach it.
  expect(after.identity).toBe(before.identity);
  // Never too high: the requests of before are not counted again.
  expect(since(sumCounters([before]), sumCounters([after])).requests).toBe(others.length + 1);
  expect(messages(proxy)).toContain('A worker ended, another one takes its place');
});

test('a worker that comes later follows what the others were ordered before', async () => {
  const { proxy, port, admin } = await startWorkers();
  const post = async (path: string, order: unknown) => {
    const { status, body } = await callAdmin(admin, { method: 'POST', path, body: JSON.stringify(order) });
    expect({ status, body }).toMatchObject({ status: 202 });
  };
  const replacements = () => messages(proxy).filter((msg) => msg.startsWith('A worker listens in the place'));
  const replaceAll = async () => {
    const count = replacements().length;
    for (const pid of findChildren(proxy.child)) kill(pid);
    await until(() => replacements().length === count + WORKERS);
  };
  await post('/hold', { epoch: 7, leaseMs: 60_000, maxWaiting: 100 });
  await replaceAll();
  expect((await findReport(admin)).hold).toMatchObject({ state: 'holding', epoch: 7 });
  await post('/release', { epoch: 7, to: 'target' });
  await replaceAll();
  expect(await findReport(admin)).toMatchObject({ hold: { state: 'none' }, upstream: 'target' });
  expect((await get({ port })).body).toBe('target');
  await post('/drain', { perKindSeconds: {} });
  await replaceAll();
  expect((await findReport(admin)).state).not.toBe('serving');
});
