import { ProxyBundle, bundleProxy, findChildren } from '../support/proxy-process';
import { callAdmin, findReport } from '../support/proxy-world';
import { endOf, findPid, restart, startRestartable } from '../support/restart-world';
import { Counter, Listener, startEcho } from '../handover/support/generations';
import { stopAll, until } from '../support/world';
import { findTlsClients } from './support/tls-clients';

/** A proxy as processes, with clients whose TLS cannot go over: it is TLS 1.2. */
const OLD = { isTls: true, maxVersion: 'TLSv1.2' } as const;
const RESTARTS = Number(process.env.DRAINSHIFT_TEST_RUNS ?? 3);
const found = findTlsClients(['python3', 'openssl', 'curl -N']);
let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

async function startPumping(settings: object = {}) {
  const [source, target] = await Promise.all([startEcho(), startEcho()]);
  const world = await startRestartable(bundle, {
    ...{ tls: 'self-signed', moves: 'all', max_generations: 16 },
    upstream: `http://127.0.0.1:${source.port}`,
    other_upstream: `http://127.0.0.1:${target.port}`,
    ...settings,
  });
  const counters = await Promise.all(Array.from({ length: 6 }, () => Counter.open(world.port, OLD)));
  for (const counter of counters) counter.sayEvery(10, 200);
  await goOn(counters);
  return { ...world, source, target, counters };
}

async function goOn(clients: readonly { readonly received: number; readonly fault?: string | undefined }[]) {
  const marks = clients.map(({ received }) => received);
  await until(
    () => clients.every(({ received }, index) => received >= marks[index]! + 3),
    () => clients.find(({ fault }) => fault)?.fault,
  );
}

async function isWhole(counters: readonly Counter[]): Promise<void> {
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ sent, received }) => sent === received));
  expect(counters.filter((counter) => !counter.isWhole)).toEqual([]);
}

const codes = async (counters: readonly Counter[]) => {
  await until(() => counters.every(({ isClosed }) => isClosed));
  return [...new Set(counters.map(({ code }) => code))];
};

test(`clients with TLS 1.2 notice nothing of restarts, and are moved and closed by the last generation: ws, ${found.map(({ name }) => name).join(', ')}`, async () => {
  const { proxy, port, admin, counters, target } = await startPumping({ grace_period_seconds: 2 });
  const clients = await Promise.all(found.map(async ({ start }) => start(port, '1.2')));
  const listener = await Listener.open(port, true, 'TLSv1.2');
  const all = [...counters, ...clients, listener];
  await goOn(all);
  for (let generation = 1; generation <= RESTARTS; generation += 1) {
    const { status, body } = await restart({ admin });
    expect({ status, body }).toMatchObject({ status: 202 });
    await until(async () => (await findReport(admin)).pumped === all.length);
    await goOn(all);
    const { active, ended, generations } = await findReport(admin);
    expect(active.websocket + active.serverSentEvents).toBe(all.length);
    expect(ended.websocket).toEqual({ completed: 0, moved: 0, closed: 0, forced: 0 });
    expect(generations).toMatchObject({ number: generation + 1, live: generation + 1, restart: 'none' });
  }
  const { body: metrics } = await callAdmin(admin, { path: '/metrics' });
  expect(metrics).toContain(`drainshift_connections_pumped{side="source"} ${all.length}`);
  expect([clients.map(({ fault }) => fault), listener.wrong]).toEqual([clients.map(() => undefined), 0]);
  // The other backend counts its events from 1.
  const isStream = ({ name }: { readonly name: string }) => name === 'curl -N' || name.endsWith('with events');
  const [streams, sockets] = [true, false].map((isIt) => clients.filter((client) => isStream(client) === isIt));
  for (const client of streams!) client.stop();
  listener.response.destroy();
  await callAdmin(admin, { method: 'POST', path: '/retarget', body: '{"to":"target"}' });
  await until(() => target.sockets.size === counters.length + sockets!.length);
  await goOn([...counters, ...sockets!]);
  await isWhole(counters);
  expect(sockets!.map(({ fault }) => fault)).toEqual(sockets!.map(() => undefined));
  for (const client of sockets!) client.stop();
  proxy.child.kill('SIGTERM');
  expect(await codes(counters)).toEqual([1012]);
  expect(await proxy.exit).toBe(0);
});

test('when their time has passed the generation that serves closes them in order, and the old one ends', async () => {
  const { proxy, admin, counters } = await startPumping({ pump_seconds: 1 });
  await restart({ admin });
  expect(await codes(counters)).toEqual([1012]);
  await endOf(proxy, 1);
  const { ended, active, pumped } = await findReport(admin);
  expect({ ended: ended.websocket, active: active.websocket, pumped }).toEqual({
    ended: { completed: 0, moved: 0, closed: counters.length, forced: 0 },
    active: 0,
    pumped: undefined,
  });
});

test('a pumping process that is killed is a loss for the one that serves, and costs nothing else', async () => {
  const { proxy, port, admin, counters } = await startPumping();
  await restart({ admin });
  await until(async () => (await findReport(admin)).pumped === counters.length);
  const newer = await Counter.open(port, OLD);
  process.kill(findPid(proxy, 1)!, 'SIGKILL');
  expect(await codes(counters)).toEqual([1006]);
  await until(async () => (await findReport(admin)).active.websocket === 1);
  const { ended, pumped, generations } = await findReport(admin);
  // Of the counters under another instance, which begins where an older process is lost.
  expect([ended.websocket.completed, ended.websocket.closed, pumped, generations?.live]).toEqual([0, 0, undefined, 1]);
  newer.say();
  await until(() => newer.isWhole);
});

test('a process that serves and is killed ends its clients without an end of their protocol', async () => {
  const { proxy, admin, counters } = await startPumping();
  await restart({ admin });
  await until(async () => (await findReport(admin)).pumped === counters.length);
  const [worker] = findChildren({ pid: findPid(proxy, 2) });
  process.kill(worker!, 'SIGKILL');
  expect(await codes(counters)).toEqual([1006]);
  await endOf(proxy, 1);
});

test('without a time for it none is pumped', async () => {
  const { proxy, admin, counters } = await startPumping({ pump_seconds: 0 });
  await restart({ admin });
  expect(await codes(counters)).toEqual([1012]);
  await endOf(proxy, 1);
});

test('a canary that is taken back pumps none: it is to end', async () => {
  const { port, admin, counters } = await startPumping();
  await restart({ admin }, { share: 0.5 });
  const newer = await Promise.all(Array.from({ length: 6 }, () => Counter.open(port, OLD)));
  for (const counter of newer) counter.sayEvery(10, 200);
  await goOn([...counters, ...newer]);
  await restart({ admin }, { share: 0 });
  await until(async () => (await findReport(admin)).generations?.restart === 'none');
  await until(() => newer.filter(({ isClosed }) => isClosed).length === newer.length / 2);
  const others = newer.filter(({ isClosed }) => !isClosed);
  await goOn([...counters, ...others]);
  await isWhole([...counters, ...others]);
});
