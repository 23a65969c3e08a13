import net from 'node:net';
import tls from 'node:tls';
import type { GenerationsReport } from '../../../core/proxy/restart';
import { holdOrder } from '../../support/hold-order';
import { Counter, startEcho } from '../handover/support/generations';
import { ProxyBundle, ProxyProcess, bundleProxy, findDescendants, isAlive } from '../support/proxy-process';
import { callAdmin, findReport } from '../support/proxy-world';
import { counters, endOf, findPid, restart, startRestartable } from '../support/restart-world';
import { get, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const SOCKETS = 8;

async function startStand(settings: object = {}) {
  const echo = await startEcho();
  return startRestartable(bundle, { upstream: `http://127.0.0.1:${echo.port}`, ...settings });
}

/** So many requests, each on a connection of its own, one after the other. */
async function ask(port: number, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth += 1) {
    expect(await get({ port, path: `/${nth}` })).toMatchObject({ status: 200, body: `GET /${nth} ` });
  }
}

async function findGenerations(admin: number): Promise<GenerationsReport> {
  return (await findReport(admin)).generations!;
}

/** Live connections and requests of the generation in charge, and of the canary. */
async function findFigures(admin: number): Promise<[number, number][] | undefined> {
  const { canary } = await findGenerations(admin);
  return canary?.generations.map(({ connections, requests }) => [connections, requests.total]);
}

/** Of the last canary. */
function findCanary({ lines }: ProxyProcess): number {
  const started = lines.filter(({ msg }) => msg === 'A canary has a share of the new connections');
  return (started.at(-1) as unknown as { canary: number }).canary;
}

function openSockets(port: number, count: number): Promise<Counter[]> {
  return Promise.all(Array.from({ length: count }, () => Counter.open(port)));
}

async function talk(sockets: readonly Counter[]): Promise<void> {
  for (const socket of sockets) for (let nth = 0; nth < 4; nth += 1) socket.say();
  await until(() => sockets.every(({ isWhole }) => isWhole));
}

test.each([1, 2])(
  'a canary gets its share of new connections, follows orders, and takes over with everything, with workers: %d',
  async (workers) => {
    const { proxy, port, admin } = await startStand({ workers });
    const [old] = await openSockets(port, 1);
    await ask(port, 3);
    const order = { listeners: ['data'], share: 0.25 };
    const { status, body } = await restart({ admin }, order);
    expect({ status, body }).toMatchObject({ status: 202 });
    await ask(port, 40);
    const [mine, canary] = (await findFigures(admin))!;
    expect(mine![0] + canary![0]).toBe(1);
    expect(mine![1] + canary![1]).toBe(40);
    // Each worker deals by itself.
    expect(Math.abs(canary![1] - 10)).toBeLessThan(workers);
    expect(await findGenerations(admin)).toMatchObject({
      ...{ number: 1, live: 2, restart: 'canary' },
      canary: { share: 0.25, generations: [{ number: 1, requests: { errors: 0 } }, { number: 2 }] },
    });

    // One proxy: sums go on, and every order is for both.
    const before = await findReport(admin);
    expect(before.requests).toEqual({ total: 44, responded: 44, errors: 0 });
    await callAdmin(admin, {
      method: 'POST',
      path: '/hold',
      body: JSON.stringify(holdOrder({ epoch: 1, leaseMs: 600_000, maxWaiting: 100 })),
    });
    const held = Array.from({ length: 8 }, () => get({ port, path: '/held' }));
    await until(async () => (await findReport(admin)).hold.waiting === 8);
    const { body: list } = await callAdmin(admin, { path: '/connections' });
    expect((JSON.parse(list) as { connections: object[] }).connections).toMatchObject([{ kind: 'websocket' }]);
    await callAdmin(admin, { method: 'POST', path: '/release', body: '{"epoch":1,"to":"source"}' });
    expect((await Promise.all(held)).map((got) => got.status)).toEqual(Array(8).fill(200));

    const rejected = [await restart({ admin }), await restart({ admin }, { share: 2 })];
    expect(rejected.map((got) => [got.status, got.body])).toEqual([
      [
        409,
        expect.stringContaining("A canary is under way: 'share' 1 gives it everything, and 'share' 0 takes it back"),
      ],
      [400, expect.stringContaining("'share' must be a number from 0 to 1, got 2")],
    ]);
    expect((await restart({ admin }, { share: 0.5 })).status).toBe(202);
    const young = await openSockets(port, SOCKETS);
    const figures = (await findFigures(admin))!;
    expect(Math.abs(figures[1]![0] - SOCKETS / 2)).toBeLessThan(workers);

    expect((await restart({ admin }, { share: 1 })).status).toBe(202);
    await endOf(proxy, 1);
    expect(await findGenerations(admin)).toEqual({ number: 2, live: 1, restart: 'none' });
    await talk([old!, ...young]);
    await ask(port, 2);
    const after = await findReport(admin);
    const [was, is] = [counters(before), counters(after)];
    expect(Object.keys(was).filter((name) => is[name]! < was[name]!)).toEqual([]);
    expect(after).toMatchObject({
      ...{ identity: before.identity, instance: before.instance, state: 'serving' },
      active: { websocket: 1 + SOCKETS },
      ended: { websocket: { completed: 0, closed: 0, forced: 0 } },
      requests: { total: 54 + SOCKETS, responded: 54 + SOCKETS, errors: 0 },
    });
    expect(findPid(proxy, 2)).toBe(findCanary(proxy));
  },
);

test('a canary that is taken back returns its connections; one that dies costs its own and no other', async () => {
  const { proxy, port, admin } = await startStand();
  expect((await restart({ admin }, { share: 0 })).status).toBe(409);
  expect((await restart({ admin }, { share: 1 })).body).toContain("There must be a canary for 'share' 1, got none");
  expect((await restart({ admin }, { share: 0.5 })).status).toBe(202);
  const sockets = await openSockets(port, SOCKETS);
  await ask(port, 10);
  expect(await findFigures(admin)).toEqual([
    [SOCKETS / 2, 9],
    [SOCKETS / 2, 9],
  ]);
  const first = findCanary(proxy);
  const before = await findReport(admin);
  // Each report waits for both generations, and an order for the reports: the second one must not wait for the first.
  const reports = Array.from({ length: 10 }, () => findReport(admin));
  const orders = await Promise.all([restart({ admin }, { share: 0 }), restart({ admin }, { share: 0 })]);
  await Promise.all(reports);
  expect(orders.map(({ status }) => status).sort()).toEqual([202, 409]);
  await until(async () => (await findGenerations(admin)).restart === 'none');
  await until(() => !isAlive(first));
  await talk(sockets);
  await ask(port, 2);
  expect(await findReport(admin)).toMatchObject({
    instance: before.instance,
    active: { websocket: SOCKETS },
    ended: { websocket: { completed: 0, closed: 0, forced: 0 } },
    requests: { total: 12 + SOCKETS, responded: 12 + SOCKETS, errors: 0 },
    generations: { number: 1, live: 1, restart: 'none' },
  });

  expect((await restart({ admin }, { share: 0.5 })).status).toBe(202);
  const young = await openSockets(port, SOCKETS);
  const canary = findCanary(proxy);
  expect(await findFigures(admin)).toMatchObject([
    [SOCKETS * 1.5, SOCKETS / 2],
    [SOCKETS / 2, SOCKETS / 2],
  ]);
  for (const pid of [canary, ...findDescendants({ pid: canary })]) process.kill(pid, 'SIGKILL');
  await until(() => young.filter(({ isClosed }) => isClosed).length === SOCKETS / 2);
  await until(async () => (await findGenerations(admin)).restart === 'none');
  const lost = await findReport(admin);
  expect(lost.generations).toMatchObject({
    number: 1,
    live: 1,
    failed: expect.stringMatching(/^the canary was lost: it ended, with SIGKILL/) as unknown,
  });
  // The judge reads of a worker that was lost in the same way.
  expect(lost.instance).not.toBe(before.instance);
  expect(lost).toMatchObject({ active: { websocket: SOCKETS * 1.5 }, ended: { websocket: { forced: SOCKETS / 2 } } });
  await talk([...sockets, ...young.filter(({ isClosed }) => !isClosed)]);
  await ask(port, 4);
  expect(
    proxy.lines.some(
      ({ msg }) => msg === 'The canary was lost with its connections, and this generation goes on alone',
    ),
  ).toBe(true);
  expect((await restart({ admin })).status).toBe(202);
  await endOf(proxy, 1);
  expect(sockets.filter(({ isClosed }) => isClosed)).toEqual([]);
  await ask(port, 2);
});

test('a canary has TLS connections from their first byte, and ends with its proxy', async () => {
  const { proxy, port, admin } = await startStand({ tls: 'self-signed', proxy_protocol: 'required', workers: 2 });
  expect((await restart({ admin }, { share: 0.5 })).status).toBe(202);
  for (let nth = 0; nth < 8; nth += 1) expect(await askOverTls(port)).toContain('GET / ');
  const [mine, canary] = (await findFigures(admin))!;
  expect(mine![1] + canary![1]).toBe(8);
  expect(Math.abs(canary![1] - 4)).toBeLessThan(2);
  const pid = findCanary(proxy);
  proxy.child.kill('SIGTERM');
  expect(await proxy.exit).toBe(0);
  await until(() => !isAlive(pid));
  expect(proxy.lines.filter(({ level = 0 }) => level >= 50)).toEqual([]);
});

test('when the generation in charge is killed, its canary takes over, with its connections and the orders in force', async () => {
  const { proxy, port, admin } = await startStand();
  await callAdmin(admin, { method: 'POST', path: '/retarget', body: '{"to":"target"}' });
  expect((await restart({ admin }, { share: 0.5 })).status).toBe(202);
  await callAdmin(admin, { method: 'POST', path: '/retarget', body: '{"to":"source"}' });
  const sockets = await openSockets(port, SOCKETS);
  const pid = findCanary(proxy);
  const drain = JSON.stringify({ perKindSeconds: { websocket: 600 }, moves: 'none' });
  expect((await callAdmin(admin, { method: 'POST', path: '/drain', body: drain })).status).toBe(202);
  proxy.child.kill('SIGKILL');
  await until(
    () => findPid(proxy, 2) !== undefined && sockets.filter(({ isClosed }) => isClosed).length === SOCKETS / 2,
  );
  await ask(port, 4);
  await talk(sockets.filter(({ isClosed }) => !isClosed));
  expect(await findReport(admin)).toMatchObject({
    ...{ state: 'draining', upstream: 'source' },
    ...{ active: { websocket: SOCKETS / 2 }, generations: { number: 2, live: 1, restart: 'none' } },
    requests: { total: 4 + SOCKETS / 2, errors: 0 },
  });
  expect(findPid(proxy, 2)).toBe(pid);
});

/** Behind a PROXY header. */
function askOverTls(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const under = net.connect(port, '127.0.0.1');
    under.write('PROXY TCP4 10.1.2.3 10.0.0.1 4000 443\r\n');
    const socket = tls.connect({ socket: under, rejectUnauthorized: false });
    let text = '';
    socket.on('error', reject);
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    socket.on('close', () => resolve(text));
    socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'));
  });
}
