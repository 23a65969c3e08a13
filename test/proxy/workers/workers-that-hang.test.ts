import { readFileSync } from 'node:fs';
import { ProxyBundle, bundleProxy, findChildren, listening } from '../support/proxy-process';
import { callAdmin, findReport } from '../support/proxy-world';
import { get, startBackend, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const REASON = 'worker 2 did not respond within 2 s';

function toNumber(pid: number): number {
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
  return Number(/(?:^|\0)DRAINSHIFT_WORKER_NUMBER=(\d+)/.exec(environment)?.[1]);
}

test('a worker that hangs is named to who asks and in the log, and all is well when it goes on', async () => {
  const { proxy, admin, goOn } = await worldWithHungWorker(1);
  for (const path of ['/drain-status', '/metrics']) {
    const response = await callAdmin(admin, { path });
    expect(response).toMatchObject({ status: 504, headers: { 'content-type': 'application/json' } });
    expect(JSON.parse(response.body)).toEqual({ problems: [REASON] });
  }
  const logged = () => proxy.lines.filter(({ msg }) => msg === 'A call to the workers failed');
  await until(() => logged().length === 2);
  expect(logged()).toMatchObject([{ err: { message: REASON } }, { err: { message: REASON } }]);
  goOn();
  await untilResponded(admin);
});

test('a hold that one does not hear of is none: the caller hears it, and no one waits', async () => {
  const backend = await startBackend((_, response) => response.end('served'));
  const { admin, port, goOn } = await worldWithHungWorker(backend.port);
  const response = await post(admin, '/hold', { epoch: 1, leaseMs: 60_000, maxWaiting: 10 });
  expect(response).toEqual([504, [`${REASON}: no worker holds, and requests go to source`]]);
  // The one that responds takes all connections: they wait in one queue.
  expect(await get({ port })).toMatchObject({ body: 'served' });
  goOn();
  await untilResponded(admin);
  expect(await findReport(admin)).toMatchObject({ hold: { state: 'none', epoch: 1, waiting: 0 } });
  expect((await post(admin, '/hold', { epoch: 2, leaseMs: 60_000, maxWaiting: 10 }))[0]).toBe(202);
});

test('a drain begins at all others, and at the hung one when it goes on', async () => {
  const { admin, goOn } = await worldWithHungWorker(1);
  const perKindSeconds = { http: 60, websocket: 60, grpcStream: 60, serverSentEvents: 60, streaming: 60 };
  const response = await post(admin, '/drain', { perKindSeconds, closeRatePerSecond: 1, jitter: 0 });
  expect(response).toEqual([504, [`${REASON}: all others follow the order`]]);
  goOn();
  await untilResponded(admin);
  expect((await findReport(admin)).state).toBe('drained');
});

async function worldWithHungWorker(upstreamPort: number) {
  const proxy = bundle.run([
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '2'],
    ...['--upstream', `http://127.0.0.1:${upstreamPort}`],
  ]);
  const { admin, port } = await listening(proxy);
  const second = findChildren(proxy.child).find((pid) => toNumber(pid) === 2)!;
  process.kill(second, 'SIGSTOP');
  return { proxy, admin, port, goOn: () => process.kill(second, 'SIGCONT') };
}

/** A worker that was late has a short time to respond until it was heard again. */
async function untilResponded(admin: number): Promise<void> {
  while ((await callAdmin(admin, { path: '/drain-status' })).status !== 200);
}

async function post(admin: number, path: string, order: object): Promise<[number, string[]]> {
  const { status, body } = await callAdmin(admin, { method: 'POST', path, body: JSON.stringify(order) });
  return [status, (JSON.parse(body) as { problems: string[] }).problems];
}
