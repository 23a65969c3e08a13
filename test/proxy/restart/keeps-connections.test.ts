import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ProxyBundle, bundleProxy } from '../support/proxy-process';
import { findReport } from '../support/proxy-world';
import { endOf, restart, startRestartable } from '../support/restart-world';
import { Counter, startEcho } from '../handover/support/generations';
import { stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

// From one process to two workers, and from these to others.
test('restarts keep every WebSocket, with its messages, its age and its place in the counts', async () => {
  const echo = await startEcho();
  const temporary = mkdtempSync(join(bundle.folder, 'tmp-'));
  const upstream = `http://127.0.0.1:${echo.port}`;
  const settings = { workers: 1, upstream };
  const { proxy, port, admin, write } = await startRestartable(bundle, settings, undefined, { TMPDIR: temporary });
  const counters = await Promise.all(Array.from({ length: 20 }, () => Counter.open(port)));
  for (const counter of counters) counter.sayEvery(10, 20);
  write({ workers: 2, upstream });
  for (const generation of [1, 2]) {
    const { status, body } = await restart({ admin });
    expect({ status, body }).toMatchObject({ status: 202 });
    // It has nothing left to wait for.
    await endOf(proxy, generation);
    const { active, ended } = await findReport(admin);
    const problems = proxy.lines.filter(({ level = 0 }) => level > 30).map(({ msg }) => msg);
    expect({ problems, active: active.websocket }).toEqual({ problems: [], active: 20 });
    expect(ended.websocket).toEqual({ completed: 0, moved: 0, closed: 0, forced: 0 });
    // Those of the generation that serves: each worker takes connections over a socket of its own.
    expect(readdirSync(temporary)).toHaveLength(2);
    const mark = counters.map(({ received }) => received);
    await until(() => counters.every(({ received }, index) => received > mark[index]! + 2));
  }
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ sent, received }) => sent === received));
  expect(counters.filter(({ isWhole }) => !isWhole)).toEqual([]);
  const lines = proxy.lines.filter(({ msg }) => msg === 'Connections were handed over to the next generation');
  const sums = lines.map((line) => (line as unknown as { handedOver: { upgraded: number } }).handedOver.upgraded);
  expect(sums.reduce((sum, count) => sum + count, 0)).toBe(20 * 2);
  for (const counter of counters) counter.socket.close();
  await until(async () => (await findReport(admin)).ended.websocket.completed === 20);
  expect((await findReport(admin)).requests).toEqual({ total: 20, responded: 20, errors: 0 });
});
