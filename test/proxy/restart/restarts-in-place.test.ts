import type { LedgerReport, LookReport } from '../../../core/proxy/admin-api';
import { ProxyBundle, bundleProxy, findDescendants, isAlive } from '../support/proxy-process';
import { callAdmin, findReport, adminHeaders, findIdentity } from '../support/proxy-world';
import { Askers, endOf, findPid, restart, startRestartable, watchCounters } from '../support/restart-world';
import { get, later, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

async function metric(admin: number, name: string): Promise<number> {
  const { body } = await callAdmin(admin, { path: '/metrics' });
  const lines = body.split('\n').filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Counts what the windows of a judge say, each from where the one before ended. */
class Windows {
  counted = 0;
  private afterSeconds = thisSecond() - 2;

  constructor(private readonly admin: number) {}

  async look(until = thisSecond() - 1): Promise<void> {
    const order = { watch: 'a-cutover', now: Date.now() / 1000, after: this.afterSeconds, until };
    const { body } = await callAdmin(this.admin, { method: 'POST', path: '/window', body: JSON.stringify(order) });
    this.counted += (JSON.parse(body) as LookReport).window.all.responded;
    this.afterSeconds = until;
  }

  /** Of all that was asked before. */
  async lookAtRest(): Promise<void> {
    const end = Math.max(thisSecond(), this.afterSeconds + 1);
    await until(() => Date.now() / 1000 >= end + 1);
    await this.look(end);
  }
}

function thisSecond(): number {
  return Math.floor(Date.now() / 1000);
}

// From one process to two workers, and from these to others.
test('restarts under load cost no request, and counters, metrics and windows of the judge go on', async () => {
  const { proxy, port, admin, write } = await startRestartable(bundle, { workers: 1 });
  const before = await findReport(admin);
  const windows = new Windows(admin);
  await windows.look();
  const askers = new Askers(port, 4);
  await askers.more(50);
  const first = findPid(proxy, 1)!;
  let last: LedgerReport | undefined;
  const wentBack: string[] = [];
  const names = new Set<string>();
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const seen = await watchCounters(admin, last);
      last = seen.report;
      wentBack.push(...seen.wentBack);
      names.add(`${last.identity} ${last.instance} ${last.state}`);
    }
  })();
  later(() => void (isOver = true));
  write({ workers: 2 });
  for (const generation of [2, 3]) {
    const { status, body } = await restart({ admin });
    expect({ status, body }).toMatchObject({ status: 202 });
    expect((JSON.parse(body) as LedgerReport).generations).toMatchObject({ number: generation, restart: 'none' });
    await windows.look();
    await askers.more(50);
    await endOf(proxy, generation - 1);
  }
  const requests = await metric(admin, 'drainshift_requests_total');
  await askers.more(50);
  expect(await metric(admin, 'drainshift_requests_total')).toBeGreaterThan(requests);
  await askers.stop();
  isOver = true;
  await watching;
  expect(askers.problems).toEqual([]);
  expect(wentBack).toEqual([]);
  // One name, and no drain: a cutover that watches sees nothing of it.
  expect([...names]).toEqual([`${before.identity} ${before.instance} serving`]);
  const after = await findReport(admin);
  expect(after.requests).toEqual({ total: askers.asked, responded: askers.asked, errors: 0 });
  expect(after.ended.http.completed).toBe(askers.asked);
  expect(await metric(admin, 'drainshift_requests_total')).toBe(askers.asked);
  await windows.lookAtRest();
  expect(windows.counted).toBe(askers.asked);
  // The first process is still there for whoever started it, and carries nothing.
  expect(first).toBe(proxy.child.pid);
  await until(() => !isAlive(findPid(proxy, 2)!));
  proxy.child.kill('SIGTERM');
  expect(await proxy.exit).toBe(0);
  await until(() => !isAlive(findPid(proxy, 3)!));
  expect(proxy.stderr()).toBe('');
});

test('what was ordered before is in force afterwards, at both generations, and no call is let in again', async () => {
  const { proxy, port, admin } = await startRestartable(bundle, { workers: 2 });
  const post = async (path: string, order: object) => {
    const { status, body } = await callAdmin(admin, { method: 'POST', path, body: JSON.stringify(order) });
    expect({ status, body }).toMatchObject({ status: 202 });
  };
  const body = JSON.stringify({ epoch: 7, leaseMs: 60_000, maxWaiting: 100 });
  const call = { method: 'POST', path: '/hold', body, identity: await findIdentity(admin) };
  const headers = adminHeaders(admin, call);
  expect((await get({ port: admin, ...call, headers }, body)).status).toBe(202);
  const held = get({ port, path: '/before' });
  await until(async () => (await findReport(admin)).hold.waiting === 1);
  expect((await restart({ admin })).status).toBe(202);
  const heldAfter = get({ port, path: '/after' });
  await until(async () => (await findReport(admin)).hold.waiting === 2);
  expect((await findReport(admin)).hold).toMatchObject({ state: 'holding', epoch: 7 });
  const again = await get({ port: admin, ...call, headers }, body);
  expect({ status: again.status, body: again.body }).toEqual({
    status: 401,
    body: expect.stringContaining('was used before') as string,
  });
  const late = await callAdmin(admin, {
    method: 'POST',
    path: '/hold',
    body: JSON.stringify({ epoch: 6, leaseMs: 1000, maxWaiting: 1 }),
  });
  expect(late.status).toBe(409);
  await post('/release', { epoch: 7, to: 'target' });
  expect((await held).body).toBe('target');
  expect((await heldAfter).body).toBe('target');
  await endOf(proxy, 1);

  await post('/drain', { perKindSeconds: { http: 60 } });
  expect((await restart({ admin })).status).toBe(202);
  await endOf(proxy, 2);
  expect(await findReport(admin)).toMatchObject({ state: 'drained', upstream: 'target', hold: { epoch: 7 } });
  expect((await get({ port })).body).toBe('target');
  await post('/undrain', {});
  expect((await findReport(admin)).state).toBe('serving');
});

test('SIGUSR2 starts the next generation from the settings that are in the file by then, which responds to calls that the old one has', async () => {
  const { proxy, port, admin, write } = await startRestartable(bundle, { workers: 1 });
  const body = '{"perKindSeconds":{}}';
  const call = { method: 'POST', path: '/drain', body, identity: await findIdentity(admin) };
  const headers = { ...adminHeaders(admin, call), 'content-length': body.length };
  let finish: () => void = () => undefined;
  const called = get({ port: admin, ...call, headers }, (request) => {
    request.flushHeaders();
    finish = () => void request.end(body);
  });
  write({ workers: 2, upstream: 'http://127.0.0.1:1' });
  proxy.child.kill('SIGUSR2');
  await until(() => findPid(proxy, 2) !== undefined);
  expect((await get({ port })).status).toBe(502);
  finish();
  expect(await called).toMatchObject({ status: 202, body: expect.stringContaining('"number":2') as string });
  await endOf(proxy, 1);
  // To the first process, which passes it on.
  proxy.child.kill('SIGUSR2');
  await until(() => findPid(proxy, 3) !== undefined);
  await until(() => findDescendants({ pid: findPid(proxy, 3)! }).length === 2);
});
