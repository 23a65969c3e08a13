import { seededRandom } from '../../../rehearsal/load-balancer/random';
import { BUCKETS, findBucket } from '../../../core/proxy/latency-buckets';
import {
  NONE,
  RouteCounts,
  WindowPair,
  addToOdds,
  beginOdds,
  describeSuspicion,
  formatOdds,
  listWeighed,
  sumOdds,
  totalOdds,
} from '../../../core/judge/odds';

const EXACT = { errors: 0, latency: 0 };

/** So many requests, most of 40 ms, some of a second; and so many that failed. */
function counts(requests: number, { errors = 0, slow = Math.round(requests * 0.02) } = {}): RouteCounts {
  const latencies = new Array<number>(BUCKETS).fill(0);
  // Half of them a little below the middle.
  latencies[findBucket(33)] = Math.ceil((requests - slow) / 2);
  latencies[findBucket(40)] = Math.floor((requests - slow) / 2);
  latencies[findBucket(1_000)] = slow;
  return { requests, errors, failures: errors, latencies };
}

const PAST = counts(10_000).latencies;
const ROUTES = ['/cart', '/checkout'];

function pair(to: { cart?: RouteCounts; checkout?: RouteCounts }): WindowPair {
  const [cart, checkout] = [to.cart ?? counts(100), to.checkout ?? counts(100)];
  const all = {
    requests: cart.requests + checkout.requests,
    errors: cart.errors + checkout.errors,
    failures: cart.failures + checkout.failures,
    latencies: cart.latencies.map((count, bucket) => count + (checkout.latencies[bucket] ?? 0)),
  };
  return {
    from: { all: counts(2_000), routes: { '/cart': counts(1_000), '/checkout': counts(1_000) } },
    to: { all, routes: { '/cart': cart, '/checkout': checkout } },
  };
}

const after = (windows: readonly WindowPair[]) =>
  windows.reduce((odds, window) => addToOdds(odds, window, EXACT), beginOdds(PAST, ROUTES, 700));

test('of an equal target they stay low, whatever is compared', () => {
  const { odds } = totalOdds(after(Array.from({ length: 100 }, () => pair({}))));
  expect(odds).toBeLessThan(2);
});

test.each([[[]], [['/cart']], [ROUTES], [Array.from({ length: 8 }, (_, index) => `/${index}`)]])(
  'all that is compared shares one budget of false alarms: %j',
  (names) => {
    for (const past of [PAST, counts(15).latencies]) {
      const weights = listWeighed(beginOdds(past, names, 700)).map(({ weight }) => weight);
      expect(Math.min(...weights)).toBeGreaterThan(0);
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeLessThan(1 + 1e-9);
    }
    expect(sumOdds(beginOdds(PAST, names, 700))).toBeCloseTo(1, 3);
  },
);

test('a dead route of few requests is found, and named', () => {
  const dead = pair({ cart: counts(2_000), checkout: counts(10, { errors: 10 }) });
  const { odds, parts } = totalOdds(after([dead]));
  expect(odds).toBeGreaterThan(100);
  expect(parts[0]).toMatchObject({ what: 'errors', route: '/checkout' });
});

test('a slow tail is found, and named as latency', () => {
  const { odds, parts } = totalOdds(after(Array.from({ length: 5 }, () => pair({ cart: counts(100, { slow: 20 }) }))));
  expect(odds).toBeGreaterThan(100);
  expect(parts[0]).toMatchObject({ what: 'latency' });
});

describe('a process of the target that stands still for a second', () => {
  /** Of a side whose requests are late in a standstill, and otherwise as those of the other. */
  const draw = (requests: number, random: () => number, isLate: boolean): RouteCounts => {
    const latencies = new Array<number>(BUCKETS).fill(0);
    for (let index = 0; index < requests; index += 1) {
      const ms = random() < 0.02 ? 240 : 40 * Math.exp(random() + random() + random() - 1.5);
      latencies[findBucket(ms + (isLate ? random() * 1_000 : 0))]! += 1;
    }
    return { ...NONE, requests, latencies };
  };
  const TOLERANCES = { errors: 0, latency: 0.2 };

  test.each([1, 2])('does not roll back, at any rate and at any time: seen in %i windows', (seen) => {
    const random = seededRandom(20_261_129 + seen);
    for (let cutover = 0; cutover < 60; cutover += 1) {
      const requests = Math.ceil(10 ** (random() * 2.5));
      const at = Math.floor(random() * 12);
      let odds = beginOdds(draw(3_000, random, false).latencies, [], 700);
      let highest = 0;
      for (let window = 0; window < 15; window += 1) {
        const all = draw(requests, random, window >= at && window < at + seen);
        const from = { all: draw(requests * 2, random, false), routes: {} };
        odds = addToOdds(odds, { from, to: { all, routes: {} } }, TOLERANCES);
        highest = Math.max(highest, totalOdds(odds).odds);
      }
      expect(highest).toBeLessThan(100);
    }
  });

  test('that goes on standing still is found within five windows', () => {
    const random = seededRandom(7);
    let odds = beginOdds(draw(3_000, random, false).latencies, [], 700);
    for (let window = 0; window < 5; window += 1) {
      const pair = { from: draw(600, random, false), to: draw(60, random, true) };
      odds = addToOdds(odds, { from: { all: pair.from, routes: {} }, to: { all: pair.to, routes: {} } }, TOLERANCES);
    }
    expect(totalOdds(odds).odds).toBeGreaterThan(100);
  });
});

test('within ten milliseconds nothing is slow, however fast the source is', () => {
  const of = (ms: number): RouteCounts => {
    const latencies = new Array<number>(BUCKETS).fill(0);
    latencies[findBucket(ms)] = 1_000;
    return { ...NONE, requests: 1_000, latencies };
  };
  const after = (ms: number) => {
    let odds = beginOdds(of(1).latencies, [], 700);
    for (let window = 0; window < 10; window += 1) {
      odds = addToOdds(odds, { from: { all: of(1), routes: {} }, to: { all: of(ms), routes: {} } }, EXACT);
    }
    return totalOdds(odds).odds;
  };
  expect(after(9)).toBeLessThan(2);
  expect(after(30)).toBeGreaterThan(100);
});

test('a source that showed too little before the shift has no thresholds: latency is not judged, errors are', () => {
  const little = counts(15).latencies;
  const slow = pair({ cart: counts(100, { slow: 100 }), checkout: counts(100, { slow: 100 }) });
  const blind = addToOdds(beginOdds(little, ROUTES, 700), slow, EXACT);
  expect(blind.all.latency).toEqual([null, null, null]);
  expect(totalOdds(blind).odds).toBeLessThan(2);
  const failing = pair({ cart: counts(100, { errors: 50 }) });
  expect(totalOdds(addToOdds(blind, failing, EXACT)).odds).toBeGreaterThan(100);
});

test('a class that no request of a side was in changes nothing', () => {
  const { from, to } = pair({});
  const onlyCart = { from, to: { all: to.all, routes: { '/cart': to.routes['/cart']! } } };
  expect(totalOdds(after([onlyCart])).odds).toBeLessThan(2);
});

test('they are the sum of their parts, and pass through JSON', () => {
  const odds = after(Array.from({ length: 200 }, () => pair({ cart: counts(100, { errors: 90 }) })));
  const again = JSON.parse(JSON.stringify(odds)) as typeof odds;
  expect(again).toEqual(odds);
  const { odds: sum, parts } = totalOdds(again);
  expect(Number.isFinite(sum)).toBe(true);
  // Errors and two thresholds of latency each: the 99th percentile is that of the tail.
  expect(parts.length).toBeGreaterThanOrEqual(6);
  expect(JSON.stringify(odds).length).toBeLessThan(4_000);
});

test('a person reads what differs', () => {
  const { odds, parts } = totalOdds(after([pair({ checkout: counts(100, { errors: 9 }) })]));
  expect(describeSuspicion(parts[0]!)).toBe('target 9 errors in 200 requests, source 0 in 2,000');
  expect(formatOdds(odds)).toMatch(/^[\d,]+ : 1$/);
  const slow = totalOdds(after(Array.from({ length: 9 }, () => pair({ cart: counts(100, { slow: 40 }) })))).parts[0]!;
  expect(describeSuspicion(slow)).toMatch(
    /^target \d+ responses later than \d+ ms in [\d,]+ requests(?: to \/cart)?, source [\d,]+ in [\d,]+$/,
  );
});

test('errors of which one of each client is counted are not taken for all of them', () => {
  const failing = (errors: number, failures: number) =>
    after([pair({ cart: { ...counts(100, { errors }), failures } })]);
  const say = (odds: ReturnType<typeof after>) => describeSuspicion(totalOdds(odds).parts[0]!);
  const text = 'target 8 errors in 200 requests, source 0 in 2,000';
  expect(say(failing(8, 80))).toBe(`${text} (at most one error of each client in 10 s)`);
  expect(say(failing(8, 8))).toBe(text);
  // Its other figures are about all errors, too.
  const both = pair({ cart: { ...counts(100, { errors: 8 }), failures: 80 } });
  const alike = { ...both, from: { ...both.from, all: { ...both.from.all, failures: 800 } } };
  const byAll = totalOdds(addToOdds(beginOdds(PAST, [], 700), alike, EXACT)).parts.find(
    ({ what }) => what === 'errors',
  )!;
  expect(describeSuspicion(byAll)).toBe('target 80 errors in 200 requests, source 800 in 2,000');
});

test('where the source has no traffic any more, the target is compared with what that had shown', () => {
  const before = after(Array.from({ length: 10 }, () => pair({})));
  const alone = (errors: number): WindowPair => ({
    ...pair({ cart: counts(100, { errors }) }),
    from: { all: counts(0), routes: {} },
  });
  expect(totalOdds(addToOdds(before, alone(0), EXACT)).odds).toBeLessThan(2);
  expect(totalOdds(addToOdds(before, alone(20), EXACT)).odds).toBeGreaterThan(100);
  // And with nothing where it had shown nothing.
  expect(totalOdds(addToOdds(beginOdds(counts(15).latencies, ROUTES, 700), alone(20), EXACT)).odds).toBeLessThan(2);
});
