import type { AddressInfo } from 'node:net';
import http from 'node:http';
import { NO_WINDOW } from '../../../../core/proxy/window';
import { ADMIN_PATHS } from '../../../../core/proxy/admin-api';
import type { HoldOrder } from '../../../../core/proxy/hold';
import { proxiesPort } from '../../../../lambda/adapters/proxies/proxies';
import { AdminKeys } from '../../../../proxy/admin-keys/admin-keys';
import { startAdminServer } from '../../../../proxy/admin/admin-server';
import type { EcsTask } from '../../../../rehearsal/tasks/model';
import { REPORT } from '../../../proxy/support/report';
import { later, stopAll } from '../../../proxy/support/world';
import { ARNS, LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';
import { cutoverConfig } from '../../../rehearsal/aws/deployed';
import { callEndpoint } from '../world';

const KEY = 'the admin key of a test';
const HOST = '127.0.8.1';
const HOLD = { epoch: 1, leaseMs: 1_000, maxWaiting: 1 } as HoldOrder;

let cloud: LocalCloud;
/** The processes by identity, each with the holds that it took. */
let held: string[];
/** Connections that were accepted on the relay before the admin port. */
let accepted: number;

beforeEach(async () => {
  [held, accepted] = [[], 0];
  cloud = await startLocalCloud();
  cloud.secrets.put({ arn: ARNS.secret, name: 'admin' }, KEY);
  callEndpoint(cloud.url);
});
afterEach(async () => {
  await stopAll();
  await cloud.stop();
});

async function startProcess(identity: string, port = 0) {
  const server = await startAdminServer({ host: HOST, port }, new AdminKeys([KEY]), {
    identity,
    report: () => ({ ...REPORT, identity, instance: identity }),
    rejection: () => undefined,
    drain: () => undefined,
    undrain: () => undefined,
    hold: () => void held.push(identity),
    release: () => undefined,
    retarget: () => undefined,
    window: ({ after }) => ({ aheadSeconds: after, all: NO_WINDOW, routes: {}, segments: {} }),
    probe: () => Promise.resolve({ wallMs: 1, tookMs: 1, status: 200 }),
    connections: () => ({ connections: [] }),
    transferState: () => Promise.reject(new Error('not called')),
    callBackend: () => Promise.resolve({ status: 200, body: 'called' }),
    metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
  });
  later(() => server.close());
  return { port: server.address.port, close: () => server.close() };
}

/** Leaves no task but these of the source, made of one that runs. */
function listTasks(...given: Partial<EcsTask>[]) {
  const tasks = cloud.ecsModel.tasks as Map<string, EcsTask>;
  const [first] = [...tasks.values()].filter(({ serviceArn }) => serviceArn === ARNS.sourceService);
  tasks.clear();
  for (const [at, more] of given.entries()) {
    const arn = `${first!.arn.slice(0, -1)}${at}`;
    const running = { arn, ip: HOST, status: 'RUNNING', desiredStatus: 'RUNNING' };
    tasks.set(arn, { ...first!, ...running, ...more } as EcsTask);
  }
}

const port = (adminPort: number) => proxiesPort(cutoverConfig(adminPort));

test('many calls of a task take one connection, and of each task its own', async () => {
  const { port: admin } = await startProcess('one');
  const counting = http.Server.prototype.emit;
  listTasks({});
  const spy = jest.spyOn(http.Server.prototype, 'emit').mockImplementation(function (
    this: http.Server,
    ...given: Parameters<typeof counting>
  ) {
    const at = String(given[0]) === 'connection' ? (this.address() as AddressInfo | null)?.port : undefined;
    if (at === admin) accepted += 1;
    return counting.apply(this, given);
  } as typeof counting);
  const [task] = await port(admin).open();
  const { session } = task!;
  for (let call = 0; call < 5; call += 1) await session!.report();
  await session!.hold(HOLD);
  expect(await session!.probe({ to: 'target', path: '/' })).toMatchObject({ status: 200 });
  session!.close();
  spy.mockRestore();
  expect(accepted).toBe(1);
  expect(held).toEqual(['one']);
});

test('one that was started anew behind the same address is called as what it is', async () => {
  const first = await startProcess('one');
  listTasks({});
  const [task] = await port(first.port).open();
  const { session } = task!;
  later(() => session!.close());
  await session!.hold(HOLD);
  await first.close();
  await startProcess('two', first.port);
  expect(await session!.hold(HOLD)).toMatchObject({ instance: 'two' });
  expect(held).toEqual(['one', 'two']);
});

test('a poll asks a task that it knows once, and one that was started anew behind the same address as what it is', async () => {
  const first = await startProcess('one');
  const asked: string[] = [];
  const { emit } = http.Server.prototype;
  const spy = jest.spyOn(http.Server.prototype, 'emit').mockImplementation(function (
    this: http.Server,
    ...given: Parameters<typeof emit>
  ) {
    const [event, request] = given as unknown as [string, http.IncomingMessage];
    if (event === 'request' && (this.address() as AddressInfo | null)?.port === first.port) asked.push(request.url!);
    return emit.apply(this, given);
  } as typeof emit);
  later(() => Promise.resolve(spy.mockRestore()));
  listTasks({});
  const order = { watch: 'night', now: 10, after: 1, until: 8, routes: [] };
  const proxies = port(first.port);
  const poll = async () =>
    (await proxies.tasks('source', order)).map(({ report, problem }) => report?.instance ?? problem);
  expect([await poll(), await poll()]).toEqual([['one'], ['one']]);
  expect(asked).toEqual([ADMIN_PATHS.identity, ADMIN_PATHS.window, ADMIN_PATHS.window]);
  const [{ id, window } = { id: '' }] = await proxies.tasks('source', order, { other: 5 });
  expect(window?.aheadSeconds).toBe(1);
  expect((await proxies.tasks('source', order, { [id]: 0 }))[0]?.window?.aheadSeconds).toBe(0);
  await first.close();
  await startProcess('two', first.port);
  expect([await poll(), await poll()]).toEqual([['two'], ['two']]);
});

test('ECS may say PENDING of a container that has just started: it is listed, and unknown while it does not respond', async () => {
  const { port: admin } = await startProcess('one');
  listTasks(
    { status: 'PROVISIONING' },
    { status: 'PENDING' } as unknown as Partial<EcsTask>,
    { status: 'PENDING', ip: '127.0.8.9' } as unknown as Partial<EcsTask>,
  );
  const tasks = await port(admin).open();
  later(() => tasks.forEach(({ session }) => session?.close()));
  expect(tasks.map(({ home, address }) => [home, address])).toEqual([
    ['source', HOST],
    ['source', '127.0.8.9'],
  ]);
  expect(await tasks[0]!.session!.report()).toMatchObject({ instance: 'one' });
  await expect(tasks[1]!.session!.report()).rejects.toThrow(/ECONNREFUSED/);
});

test('one that has stopped has no session, and when it stopped is known', async () => {
  const stoppedAt = new Date('2026-01-01T00:00:00Z');
  listTasks(
    { status: 'STOPPED', desiredStatus: 'STOPPED', stoppedAt },
    {
      status: 'STOPPING',
      desiredStatus: 'STOPPED',
    },
  );
  const tasks = await port(1).open();
  later(() => tasks.forEach(({ session }) => session?.close()));
  expect(tasks.map(({ session, stoppedAtMs }) => [session !== undefined, stoppedAtMs])).toEqual([
    [false, stoppedAt.getTime()],
    [true, undefined],
  ]);
});
