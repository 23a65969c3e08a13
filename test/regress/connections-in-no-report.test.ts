import { Counter, startEcho } from '../proxy/handover/support/generations';
import { ProxyBundle, bundleProxy } from '../proxy/support/proxy-process';
import { findReport } from '../proxy/support/proxy-world';
import { endOf, restart, startRestartable } from '../proxy/support/restart-world';
import { stopAll } from '../proxy/support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const SOCKETS = 300;

// Both generations were asked at once: what went over between their responses was in neither, and a report had fewer than there were.
test('a report in a restart has every connection', async () => {
  const backend = await startEcho();
  const upstream = `http://127.0.0.1:${backend.port}`;
  const { proxy, port, admin } = await startRestartable(bundle, { upstream, workers: 2 });
  const counters: Counter[] = [];
  for (let nth = 0; nth < SOCKETS; nth += 1) counters.push(await Counter.open(port));
  let isOver = false;
  const seen: number[] = [];
  const poll = async () => {
    while (!isOver) seen.push((await findReport(admin)).active.websocket);
  };
  for (let round = 1; round <= 3; round += 1) {
    isOver = false;
    expect((await restart({ admin })).status).toBe(202);
    const polls = [poll(), poll(), poll(), poll()];
    await endOf(proxy, round);
    isOver = true;
    await Promise.all(polls);
  }
  expect(Math.min(...seen)).toBe(SOCKETS);
});
