import { RecentTraffic } from '../../../proxy/telemetry/recent-traffic';
import { SMOKE_AGENT } from '../../../core/plan/smoke';
import { WindowOrder } from '../../../core/proxy/window';

/** The wall clock at 0 of the other one. */
const EPOCH_MS = 1_800_000_000_000;
const START = EPOCH_MS / 1000;

let nowMs: number;
let recent: RecentTraffic;
beforeEach(() => {
  nowMs = 500;
  recent = new RecentTraffic(EPOCH_MS, nowMs);
});

const at = (second: number) => (nowMs = second * 1000 + 500);
const look = (over: Partial<WindowOrder> = {}) =>
  recent.report(
    { watch: 'night', now: START + Math.floor(nowMs / 1000), after: 0, until: START + 1_000_000, routes: [], ...over },
    nowMs,
  );

function request(
  path: string,
  { cookie, agent, tookMs = 10 }: { cookie?: string; agent?: string; tookMs?: number } = {},
): number {
  const taken = recent.take(path, cookie, agent, nowMs);
  recent.responded(taken, tookMs, nowMs);
  return taken;
}

test('two windows that meet count every second once', () => {
  for (let second = 0; second < 10; second += 1) {
    at(second);
    for (let count = 0; count <= second; count += 1) request('/');
  }
  const first = look({ after: START - 1, until: START + 3 });
  const second = look({ after: START + 3, until: START + 9 });
  expect([first.all.requests, second.all.requests]).toEqual([1 + 2 + 3 + 4, 5 + 6 + 7 + 8 + 9 + 10]);
  expect(look().all).toMatchObject({ requests: 55, responded: 55, errors: 0 });
});

test('an order without routes leaves those that are counted', () => {
  look({ routes: ['/cart'] });
  request('/cart/7');
  expect(look({ watch: 'doctor', routes: undefined }).routes['/cart']?.requests).toBe(1);
  expect(look({ routes: ['/cart'] }).routes['/cart']?.requests).toBe(1);
});

test('what is older than five minutes is gone, also when nothing happened in between', () => {
  request('/');
  at(299);
  expect(look().all.requests).toBe(1);
  at(300);
  request('/');
  expect(look().all.requests).toBe(1);
  at(100_000);
  expect(look().all.requests).toBe(0);
});

test('a request is unbound without the cookie of its group, under either name', () => {
  request('/');
  request('/', { cookie: 'a=b' });
  request('/', { cookie: 'a=b; AWSALBTG=x' });
  request('/', { cookie: 'AWSALBTGCORS=x' });
  request('/', { cookie: 'AWSALB=x' });
  expect(look().all).toMatchObject({ requests: 5, unbound: 3 });
});

test('it counts by route from the first order on, each request in the first class that it is in', () => {
  request('/cart');
  look({ routes: ['/cart', '/'] });
  request('/cart/7');
  request('/cart?x');
  request('/cartoon');
  const { all, routes } = look({ routes: ['/cart', '/'] });
  expect(all.requests).toBe(4);
  expect([routes['/cart']?.requests, routes['/']?.requests]).toEqual([2, 1]);
});

test('a request that began under other routes counts in none of the new ones', () => {
  look({ routes: ['/a', '/b'] });
  const taken = recent.take('/a', undefined, undefined, nowMs);
  look({ routes: ['/c'] });
  recent.responded(taken, 10, nowMs);
  recent.failed(taken, 'x', nowMs);
  const { all, routes } = look({ routes: ['/c'] });
  expect(all).toMatchObject({ responded: 1, errors: 1 });
  expect(routes['/c']).toMatchObject({ responded: 0, errors: 0 });
});

test('of a client that fails again and again its first error in ten seconds counts', () => {
  for (let second = 0; second < 20; second += 1) {
    at(second);
    recent.failed(recent.take('/', undefined, undefined, nowMs), '10.0.0.1', nowMs);
    recent.failed(recent.take('/', undefined, undefined, nowMs), `10.0.1.${second}`, nowMs);
  }
  const { errors, erring } = look().all;
  expect(errors).toBe(40);
  expect(erring).toBe(22);
});

test('latencies are in their buckets, without the empty ones at the end', () => {
  request('/', { tookMs: 0.5 });
  request('/', { tookMs: 2 });
  request('/', { tookMs: 2 });
  expect(look().all.latencies).toEqual([1, 0, 0, 0, 2]);
});

test('a clock that is wrong by hours loses no second and counts none twice', () => {
  const watcher = START + 7_200;
  for (let second = 0; second < 6; second += 1) {
    at(second);
    request('/');
  }
  const order = { now: watcher + 5, after: watcher - 1, until: watcher + 2 };
  expect(look(order)).toMatchObject({ aheadSeconds: -7_200, all: { requests: 3 } });
  at(7);
  // The order comes a little late: the difference is the one that was found first.
  expect(look({ now: watcher + 6, after: watcher + 2, until: watcher + 5 })).toMatchObject({
    aheadSeconds: -7_200,
    all: { requests: 3 },
  });
});

test.each([-7_200.4, -0.7, -0.05, 0, 0.05, 0.6, 86_400.3])(
  'a second that has ended by the clock of the caller is complete, whatever the clock of the task is ahead: %f s',
  (ahead) => {
    for (const firstTookMs of [0, 5, 150]) {
      nowMs = 0;
      recent = new RecentTraffic(EPOCH_MS, nowMs);
      let [after, counted, sent] = [0, 0, 0];
      let callerMs = EPOCH_MS - ahead * 1000;
      // Every 70 ms a request, and a look about every two seconds.
      for (let step = 0; step < 300; step += 1, nowMs += 70, callerMs += 70) {
        request('/');
        sent += 1;
        if (step % 29 !== 28) continue;
        const until = Math.floor(callerMs / 1000 - 1.3);
        const order = { watch: 'night', now: callerMs / 1000, after, until, routes: [] };
        counted += recent.report(order, nowMs + (after === 0 ? firstTookMs : 3)).all.requests;
        after = until;
      }
      // All but those of the last seconds, which were not asked for.
      expect(counted).toBeLessThanOrEqual(sent);
      expect(counted).toBeGreaterThan(sent - 3_200 / 70);
    }
  },
);

test('the most frequent segments are named, and no crawler fills the memory with others', () => {
  for (let count = 0; count < 16 * 40; count += 1) request('/cart/1');
  for (let count = 0; count < 16 * 1_000; count += 1) request(`/page-${count}/x`);
  const { segments } = look();
  expect(Object.keys(segments)[0]).toBe('/cart');
  expect(Object.keys(segments)).toHaveLength(20);
});

test('a first segment that is no route is not named', () => {
  for (let count = 0; count < 16 * 40; count += 1) request(`/${'a'.repeat(300)}/${count}`);
  for (let count = 0; count < 16; count += 1) request('/cart/1');
  expect(look().segments).toEqual({ '/cart': 1 });
});

test('smoke requests of the cutover count nowhere: they follow no weights, and prove nothing of clients', () => {
  const taken = request('/', { agent: SMOKE_AGENT });
  recent.failed(taken, '10.0.0.1', nowMs);
  request('/', { agent: 'curl' });
  expect(look().all).toMatchObject({ requests: 1, unbound: 1, responded: 1, errors: 0 });
});

test('latencies are those of requests that the weights decided on', () => {
  look({ routes: ['/cart'] });
  request('/cart', { tookMs: 1 });
  request('/cart', { tookMs: 2_000, cookie: 'AWSALBTG=x' });
  const { all, routes } = look({ routes: ['/cart'] });
  expect([all.responded, all.latencies]).toEqual([2, [1]]);
  expect([routes['/cart']?.responded, routes['/cart']?.latencies]).toEqual([2, [1]]);
});
