import { AdminKeys } from '../../../proxy/admin-keys/admin-keys';
import { AdminTarget, startAdminServer } from '../../../proxy/admin/admin-server';
import { SECRET, callAdmin } from '../support/proxy-world';
import { Got, later, stopAll } from '../support/world';
import { REPORT } from '../support/report';
import { holdOrder } from '../../support/hold-order';

afterEach(stopAll);

/** The admin API in front of a target that writes its orders down. */
async function cloud(changes: Partial<AdminTarget> = {}) {
  const orders: unknown[] = [];
  const follow = (call: string) => (order?: unknown) => {
    orders.push([call, order]);
    return undefined;
  };
  const target: AdminTarget = {
    identity: 'one',
    report: () => REPORT,
    rejection: () => undefined,
    drain: follow('drain'),
    undrain: follow('undrain'),
    hold: follow('hold'),
    release: follow('release'),
    retarget: follow('retarget'),
    window: () => Promise.reject(new Error('not asked')),
    probe: () => Promise.reject(new Error('not probed')),
    connections: () => ({ connections: [] }),
    transferState: () => Promise.reject(new Error('not called')),
    callBackend: () => Promise.reject(new Error('not called')),
    metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
    ...changes,
  };
  const server = await startAdminServer({ host: '127.0.0.1', port: 0 }, new AdminKeys([SECRET]), target);
  later(() => server.close());
  const { port } = server.address;
  const post = (path: string, body: unknown): Promise<Got> =>
    callAdmin(port, { method: 'POST', path, body: typeof body === 'string' ? body : JSON.stringify(body) });
  return { port, orders, post };
}

const HOLD = holdOrder({ epoch: 3, leaseMs: 5_000, maxWaiting: 100 });

test('hold, release and retarget reach the target, and get a response with the report', async () => {
  const { post, orders } = await cloud();
  for (const [path, order] of [
    ['/hold', HOLD],
    ['/release', { epoch: 3, to: 'target' }],
    ['/retarget', { to: 'source' }],
  ] as const) {
    const got = await post(path, order);
    expect(got.status).toBe(202);
    expect(JSON.parse(got.body)).toEqual(REPORT);
  }
  expect(orders).toEqual([
    ['hold', HOLD],
    ['release', { epoch: 3, to: 'target', rampPerSecond: 0 }],
    ['retarget', { to: 'source' }],
  ]);
});

test('a wrong order is rejected with all its problems, and reaches no one', async () => {
  const { post, orders } = await cloud();
  const got = await post('/hold', { epoch: 0, leaseMs: 'long', until: 1 });
  expect(got.status).toBe(400);
  expect(JSON.parse(got.body)).toEqual({
    problems: [
      '\'until\' must be one of epoch, leaseMs, maxWaiting, maxWaitMs, maxHoldMs, minIntervalMs, committed, endsStreams, dryRun, outcomes, moves, got "until"',
      "'epoch' must be an integer from 1 to 9007199254740991, got 0",
      '\'leaseMs\' must be an integer from 1 to 600000, got "long"',
      "'maxWaiting' must be an integer from 0 to 100000, got nothing",
    ],
  });
  expect(await post('/release', { epoch: 1 })).toMatchObject({ status: 400 });
  expect(await post('/release', { epoch: 1, outcome: 'commit', to: 'target' })).toMatchObject({ status: 400 });
  expect(await post('/release', { epoch: 1, outcome: 'maybe' })).toMatchObject({ status: 400 });
  expect(await post('/retarget', '')).toMatchObject({ status: 400 });
  expect(await post('/retarget', { to: 'source', epoch: -1 })).toMatchObject({ status: 400 });
  expect(orders).toEqual([]);
});

test('a body that is no object is rejected in one line', async () => {
  const { post, orders } = await cloud();
  const listProblems = (got: Got) => [got.status, (JSON.parse(got.body) as { problems: string[] }).problems];
  expect(listProblems(await post('/hold', '{'))).toEqual([400, ["'body' must be JSON"]]);
  expect(listProblems(await post('/hold', 'null'))).toEqual([400, ["'body' must be an object, got null"]]);
  expect(listProblems(await post('/drain', '[1]'))).toEqual([400, ["'body' must be an object, got [1]"]]);
  expect(orders).toEqual([]);
});

test('an order that cannot be followed is a conflict, reported at once or later', async () => {
  const { post } = await cloud({
    hold: () => "'epoch' must be at least 5, the highest seen, got 3",
    release: () => Promise.resolve("'epoch' must be 5, that of the hold in force, got 3"),
  });
  const held = await post('/hold', HOLD);
  expect(held.status).toBe(409);
  expect(JSON.parse(held.body)).toEqual({ problems: ["'epoch' must be at least 5, the highest seen, got 3"] });
  const released = await post('/release', { epoch: 3, to: 'target' });
  expect(released.status).toBe(409);
  expect(JSON.parse(released.body)).toEqual({ problems: ["'epoch' must be 5, that of the hold in force, got 3"] });
});

test('a target that may not be changed follows nothing', async () => {
  const { post, orders, port } = await cloud({ rejection: () => 'The proxy shuts down' });
  for (const path of ['/drain', '/undrain', '/retarget']) {
    expect(await post(path, HOLD)).toMatchObject({ status: 409, body: '{"problems":["The proxy shuts down"]}\n' });
  }
  expect(orders).toEqual([]);
  expect(await callAdmin(port, { path: '/drain-status' })).toMatchObject({ status: 200 });
});

test('the calls are signed, and only posted', async () => {
  const { port, orders } = await cloud();
  const body = JSON.stringify(HOLD);
  expect(await callAdmin(port, { method: 'POST', path: '/hold', body, secret: `${SECRET}x` })).toMatchObject({
    status: 401,
  });
  expect(await callAdmin(port, { path: '/hold' })).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  expect(orders).toEqual([]);
});

test('a target that responds later is waited for, and one that fails is reported', async () => {
  const { port, post } = await cloud({
    report: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return { ...REPORT, instance: 'of all workers' };
    },
    retarget: () => Promise.reject(new Error('a worker is gone')),
  });
  const report = await callAdmin(port, { path: '/drain-status' });
  expect(JSON.parse(report.body)).toMatchObject({ instance: 'of all workers' });
  expect(JSON.parse((await post('/hold', HOLD)).body)).toMatchObject({ instance: 'of all workers' });
  expect(await post('/retarget', { to: 'target' })).toMatchObject({ status: 500 });
  const metrics = await callAdmin(port, { path: '/metrics' });
  expect(metrics).toMatchObject({ status: 200, body: 'up 1\n' });
  expect(metrics.headers['content-type']).toBe('text/plain; version=0.0.4');
});
