import {
  ERROR_RATIOS,
  LATENCY_RATIOS,
  RatePair,
  WindowOptions,
  addWindow,
  beginRateOdds,
  findOdds,
} from '../../../core/judge/rate-odds';
import { seededRandom } from '../../../rehearsal/load-balancer/random';

const OPTIONS = { looks: 700, tolerance: 0 };
const pair = (from: [number, number], to: [number, number]): RatePair => ({
  from: { requests: from[0], hits: from[1] },
  to: { requests: to[0], hits: to[1] },
});

function oddsAfter(windows: readonly RatePair[], options: WindowOptions = OPTIONS): number {
  return findOdds(
    windows.reduce((odds, window) => addWindow(odds, ERROR_RATIOS, window, options), beginRateOdds(ERROR_RATIOS)),
  );
}

test('they are even at the beginning, and stay so without traffic on one side', () => {
  expect(findOdds(beginRateOdds(ERROR_RATIOS))).toBeCloseTo(1, 3);
  expect(oddsAfter([pair([0, 0], [500, 400]), pair([500, 400], [0, 0])])).toBeCloseTo(1, 3);
});

test('they rise with errors of the target alone, and fall with those of the source alone', () => {
  expect(oddsAfter([pair([950, 0], [50, 4])])).toBeGreaterThan(100);
  expect(oddsAfter([pair([950, 30], [50, 0])])).toBeLessThan(1);
});

test('both sides that break together say nothing', () => {
  expect(oddsAfter(Array.from({ length: 20 }, () => pair([1_000, 500], [100, 50])))).toBeLessThan(2);
});

test('a target that was good for long is found about as soon as one that never was', () => {
  const good = Array.from({ length: 300 }, () => pair([950, 5], [50, 0]));
  const bad = pair([950, 5], [50, 5]);
  const looksUntil = (before: readonly RatePair[]) => {
    for (let count = 1; ; count += 1) {
      if (oddsAfter([...before, ...Array.from({ length: count }, () => bad)]) >= 100) return count;
    }
  };
  expect(looksUntil([])).toBeLessThanOrEqual(2);
  expect(looksUntil(good)).toBeLessThanOrEqual(4);
});

test('what is tolerated is not found: with a tolerance of one, twice as many errors are as many', () => {
  const twice = Array.from({ length: 200 }, () => pair([1_000, 10], [1_000, 20]));
  expect(oddsAfter(twice)).toBeGreaterThan(1e6);
  expect(oddsAfter(twice, { ...OPTIONS, tolerance: 1 })).toBeLessThan(10);
});

test.each([
  ['a million of a side', pair([1_000_000, 5_000], [100_000, 90_000])],
  ['everything failed on the other side', pair([1_000_000, 900_000], [100_000, 0])],
  ['every request failed', pair([10, 10], [10, 10])],
  ['one request', pair([1, 0], [1, 1])],
])('figures of any size have odds that are numbers: %s', (_, window) => {
  const odds = addWindow(beginRateOdds(ERROR_RATIOS), ERROR_RATIOS, window, OPTIONS);
  expect(odds.logs.every(Number.isFinite)).toBe(true);
  expect(findOdds(odds)).toBeGreaterThan(0);
});

test('a fair target is not taken for a bad one: of a thousand, at most ten ever reach 100 : 1', () => {
  const random = seededRandom(20_261_129);
  const draw = (requests: number, rate: number) =>
    Array.from({ length: requests }, random).filter((x) => x < rate).length;
  let found = 0;
  for (let cutover = 0; cutover < 1_000; cutover += 1) {
    // The rate of both sides goes up and down together.
    let odds = beginRateOdds(ERROR_RATIOS);
    for (let look = 0; look < 40 && findOdds(odds) < 100; look += 1) {
      const rate = look % 10 === 9 ? 0.3 : 0.02;
      odds = addWindow(odds, ERROR_RATIOS, pair([40, draw(40, rate)], [10, draw(10, rate)]), {
        looks: 40,
        tolerance: 0,
      });
    }
    if (findOdds(odds) >= 100) found += 1;
  }
  expect(found).toBeLessThanOrEqual(10);
});

test('a window multiplies them by a factor that can be limited, and the rest of the rule stays', () => {
  const bad = pair([950, 0], [50, 40]);
  const limited = { ...OPTIONS, maxFactor: 6 };
  expect(oddsAfter([bad], limited)).toBeLessThanOrEqual(6);
  expect(oddsAfter([bad, bad], limited)).toBeLessThanOrEqual(36);
  // What is cut is given back: the results that are not cut say a little more.
  const good = [pair([950, 30], [50, 0])];
  expect(oddsAfter(good, limited)).toBeGreaterThan(oddsAfter(good));
  expect(oddsAfter(good, limited)).toBeLessThan(2 * oddsAfter(good));
});

test('in a window of very many requests a limit gives back twice at the most, so that a small difference says little', () => {
  const limited = { ...OPTIONS, maxFactor: 6 };
  const little = [pair([100_000, 1_000], [10_000, 105])];
  expect(oddsAfter(little, limited)).toBeLessThanOrEqual(2 * oddsAfter(little));
});

/** Exact: every split of the hits over both sides, with its hypergeometric probability. */
function meanOfFair(hits: number, from: number, to: number, options: WindowOptions): number {
  const choose = (n: number, k: number): number => (k < 0 || k > n ? 0 : k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
  let mean = 0;
  for (let ofTarget = Math.max(0, hits - from); ofTarget <= Math.min(to, hits); ofTarget += 1) {
    const probability = (choose(to, ofTarget) * choose(from, hits - ofTarget)) / choose(to + from, hits);
    mean += probability * oddsAfter([pair([from, hits - ofTarget], [to, ofTarget])], options);
  }
  return mean;
}

const THIN = [
  [6, 10, 5],
  [3, 100, 30],
  [8, 60, 6],
  [1, 19, 1],
] as const;
const DENSE = [
  [30, 60, 40],
  [50, 40, 20],
] as const;

test.each([
  ['whole', {}, [...THIN, ...DENSE], 0.999],
  ['cut at 6', { maxFactor: 6 }, THIN, 0.96],
  ['cut at 6, dense', { maxFactor: 6 }, DENSE, 0],
  ['cut at 1.2', { maxFactor: 1.2 }, [...THIN, ...DENSE], 0],
])(
  'the mean of the odds of a fair target is one at most, over every result of a window: %s',
  (_, limit, windows, least) => {
    for (const [hits, from, to] of windows) {
      const mean = meanOfFair(hits, from, to, { ...OPTIONS, ...limit });
      expect(mean).toBeLessThan(1.001);
      expect(mean).toBeGreaterThan(least);
      // A fair target is better than one that is tolerated.
      expect(meanOfFair(hits, from, to, { ...OPTIONS, ...limit, tolerance: 0.2 })).toBeLessThan(1.001);
    }
  },
);

test.each([ERROR_RATIOS, LATENCY_RATIOS])(
  'ratios and starts share one budget: without evidence the odds stay 1',
  (...ratios) => {
    expect(ratios.reduce((sum, [, weight]) => sum + weight, 0)).toBeCloseTo(1, 9);
    let odds = beginRateOdds(ratios);
    for (let look = 0; look < 1_500; look += 1) {
      expect(odds.started).toBeLessThanOrEqual(1);
      expect(findOdds(odds)).toBeLessThan(1.002);
      odds = addWindow(odds, ratios, pair([10, 0], [10, 0]), OPTIONS);
    }
  },
);
