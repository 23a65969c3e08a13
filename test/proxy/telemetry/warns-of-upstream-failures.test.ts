import { UpstreamLog } from '../../../proxy/telemetry/upstream-log';
import { FakeClock } from '../support/fake-clock';
import { startTestProxy } from '../support/proxy-world';
import { get, startRawBackend, stopAll, until } from '../support/world';

afterEach(stopAll);

const UPSTREAM = { protocol: 'http', host: 'app', port: 8080 } as const;

function cloud() {
  const lines: [object, string][] = [];
  const clock = new FakeClock();
  const upstreams = new UpstreamLog({ warn: (figures, message) => lines.push([figures, message]) }, clock);
  return { lines, clock, upstreams };
}

test('the first failure is said at once, those behind it by their number', () => {
  const { lines, clock, upstreams } = cloud();
  upstreams.failed('connectRefused', 502, UPSTREAM);
  expect(lines).toEqual([[{ failure: 'connectRefused', status: 502, upstream: 'app:8080' }, 'Upstream failed']]);
  for (let n = 0; n < 20; n += 1) upstreams.failed('connectRefused', 502, UPSTREAM);
  upstreams.failed('idleTimeout', 504, UPSTREAM);
  expect(lines).toHaveLength(1);
  clock.advance(1);
  expect(lines.slice(1)).toEqual([
    [{ failures: { connectRefused: 20, idleTimeout: 1 } }, 'Upstream failed 21 more times within a second'],
  ]);
  upstreams.failed('reset', 502, UPSTREAM);
  clock.advance(1);
  expect(lines.slice(2)).toEqual([[{ failure: 'reset', status: 502, upstream: 'app:8080' }, 'Upstream failed']]);
});

test('a failure that comes alone makes one line, and no timer stays', () => {
  const { lines, clock, upstreams } = cloud();
  upstreams.failed('reset', undefined, UPSTREAM);
  clock.advance(1);
  upstreams.failed('reset', undefined, UPSTREAM);
  clock.advance(1);
  expect(lines.map(([, message]) => message)).toEqual(['Upstream failed', 'Upstream failed']);
  expect(clock.waiting).toBe(0);
});

test('what is not said yet is said at the end', () => {
  const { lines, clock, upstreams } = cloud();
  for (let n = 0; n < 3; n += 1) upstreams.failed('full', 503, UPSTREAM);
  upstreams.stop();
  expect(lines.at(-1)).toEqual([{ failures: { full: 2 } }, 'Upstream failed 2 more times within a second']);
  expect(clock.waiting).toBe(0);
});

test('deviations are said likewise, and neither sort takes the turn of the other', () => {
  const { lines, clock, upstreams } = cloud();
  upstreams.failed('reset', 502, UPSTREAM);
  for (let n = 0; n < 3; n += 1) upstreams.deviated('bareLineFeed', UPSTREAM);
  upstreams.failed('reset', 502, UPSTREAM);
  clock.advance(1);
  expect(lines.map(([, message]) => message)).toEqual([
    'Upstream failed',
    'Upstream response deviates from HTTP, and was accepted',
    'Upstream failed 1 more times within a second',
    'Upstream sent 2 more responses within a second that deviate from HTTP',
  ]);
  expect(lines[1]?.[0]).toMatchObject({ deviation: 'bareLineFeed', upstream: 'app:8080' });
  expect(lines[3]?.[0]).toEqual({ deviations: { bareLineFeed: 2 } });
  expect(upstreams.byDeviation).toEqual({ bareLineFeed: 3 });
});

test('a proxy whose upstream is gone says so once and counts the rest', async () => {
  const proxy = await startTestProxy(await startRawBackend((socket) => socket.destroy()));
  for (let n = 0; n < 5; n += 1) expect((await get({ port: proxy.data.port })).status).toBe(502);
  await until(() => proxy.report().requests.errors === 5);
  await proxy.close();
  const said = proxy.lines.filter(({ msg }) => msg.startsWith('Upstream failed'));
  expect(said.length).toBeLessThan(5);
  expect(said[0]).toMatchObject({ level: 40, failure: 'reset', status: 502 });
  const more = said.slice(1).map(({ msg }) => Number(/failed (\d+) more/.exec(msg)?.[1] ?? 1));
  expect(1 + more.reduce((sum, count) => sum + count, 0)).toBe(5);
});
