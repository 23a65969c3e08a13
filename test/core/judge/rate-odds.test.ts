import {
  ERROR_RATIOS,
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
  expect(oddsAfter([pair([950, 30], [50, 0])], limited)).toBe(oddsAfter([pair([950, 30], [50, 0])]));
});

test.each([
  ['whole', {}, 1, 3],
  ['limited', { maxFactor: 1.2 }, 1, 0],
])(
  'the mean of the odds of a fair target is one at most, over every result of a window: %s',
  (_, limit, most, digits) => {
    // Exact: every split of six hits over ten and five requests, with its hypergeometric probability.
    const choose = (n: number, k: number): number =>
      k < 0 || k > n ? 0 : k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k;
    let mean = 0;
    for (let hits = 0; hits <= 5; hits += 1) {
      const probability = (choose(5, hits) * choose(10, 6 - hits)) / choose(15, 6);
      mean += probability * oddsAfter([pair([10, 6 - hits], [5, hits])], { ...OPTIONS, ...limit });
    }
    expect(mean).toBeLessThan(most + 0.001);
    expect(mean).toBeCloseTo(1, digits);
  },
);
