import { ProxyBundle, bundleProxy, listening } from '../support/proxy-process';
import { callAdmin, findReport } from '../support/proxy-world';
import { get, startBackend, stopAll } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const REQUESTS = 48;

test('requests are held by all workers, and all are released to one side', async () => {
  let isUntouched = true;
  const source = await startBackend((_, response) => {
    isUntouched = false;
    response.end('source');
  });
  const target = await startBackend((_, response) => response.end('target'));
  const proxy = bundle.run([
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '3'],
    ...['--upstream', `http://127.0.0.1:${source.port}`, '--other-upstream', `http://127.0.0.1:${target.port}`],
  ]);
  const { port, admin } = await listening(proxy);
  const post = async (path: string, order: unknown) =>
    (await callAdmin(admin, { method: 'POST', path, body: JSON.stringify(order) })).status;
  expect(await post('/hold', { epoch: 1, leaseMs: 60_000, maxWaiting: 3 * REQUESTS })).toBe(202);
  const asked = Array.from({ length: REQUESTS }, () => get({ port }));
  for (const one of asked) one.catch(() => undefined);
  let { hold, active } = await findReport(admin);
  while (hold.waiting < REQUESTS) ({ hold, active } = await findReport(admin));
  expect(hold).toMatchObject({ state: 'holding', epoch: 1, waiting: REQUESTS });
  expect(active.http).toBe(0);
  expect(await post('/release', { epoch: 1, to: 'target' })).toBe(202);
  const responses = await Promise.all(asked);
  expect(new Set(responses.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(['200 target']));
  expect(isUntouched).toBe(true);
  expect(await findReport(admin)).toMatchObject({ hold: { state: 'none', waiting: 0 }, upstream: 'target' });
  expect(await post('/release', { epoch: 1, to: 'source' })).toBe(409);
});

test('a dry run holds nothing, and the report has what all workers counted of it', async () => {
  const source = await startBackend((_, response) => response.end('source'));
  const proxy = bundle.run([
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '3'],
    ...['--upstream', `http://127.0.0.1:${source.port}`],
  ]);
  const { port, admin } = await listening(proxy);
  expect(await findReport(admin)).not.toHaveProperty('dryRun');
  const dryRun = async (epoch: number, leaseMs: number) => {
    const order = { epoch, leaseMs, maxWaiting: 6, dryRun: true };
    return (await callAdmin(admin, { method: 'POST', path: '/hold', body: JSON.stringify(order) })).status;
  };
  const ask = async () => {
    const responses = await Promise.all(Array.from({ length: REQUESTS }, () => get({ port })));
    expect(new Set(responses.map(({ body }) => body))).toEqual(new Set(['source']));
  };
  expect(await dryRun(9, 60_000)).toBe(202);
  await ask();
  const counted = (await findReport(admin)).dryRun;
  // Each worker has its share of the room: some have none left while others have.
  expect(counted).toMatchObject({ epoch: 9, waiting: REQUESTS, isOver: false });
  expect(counted!.full).toBeGreaterThanOrEqual(REQUESTS - 6);
  expect(await dryRun(2, 1)).toBe(202);
  let { dryRun: last, hold } = await findReport(admin);
  while (!last?.isOver) ({ dryRun: last, hold } = await findReport(admin));
  await ask();
  ({ dryRun: last, hold } = await findReport(admin));
  expect(last).toEqual({ epoch: 2, waiting: 0, full: 0, isOver: true });
  expect(hold).toMatchObject({ state: 'none', epoch: 0 });
});
