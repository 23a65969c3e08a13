import { bakeVerdict, breakerTrips, wilsonLowerBound } from '../../core/bake';
import { since } from '../../core/counters';

const breaker = { minimumErrors: 10, maximumErrorRate: 0.05, minimumRequests: 10 };
const look = (elapsedSeconds: number, requests: number, errors = 0) =>
  bakeVerdict({ elapsedSeconds, bakeSeconds: 60, target: { requests, answered: requests, errors } }, breaker);

test('a promotion needs the whole bake and enough requests', () => {
  expect(look(59, 1000)).toBe('wait');
  expect(look(60, 10)).toBe('promote');
  expect(look(60, 9)).toBe('wait');
});

test('no traffic is no pass: after twice its length a bake is inconclusive', () => {
  expect(look(119, 9)).toBe('wait');
  expect(look(120, 9)).toBe('inconclusive');
  expect(
    bakeVerdict(
      { elapsedSeconds: 60, bakeSeconds: 60, target: { requests: 0, answered: 0, errors: 0 } },
      { ...breaker, minimumRequests: 0 },
    ),
  ).toBe('promote');
});

test('the breaker speaks at every look, also before the end of the bake', () => {
  expect(look(1, 30, 12)).toBe('rollBack');
  expect(look(60, 30, 12)).toBe('rollBack');
});

test('the breaker needs enough errors and a rate that is over the limit beyond chance', () => {
  expect(breakerTrips({ requests: 9, answered: 9, errors: 9 }, breaker)).toBe(false);
  expect(breakerTrips({ requests: 10, answered: 10, errors: 10 }, breaker)).toBe(true);
  expect(breakerTrips({ requests: 180, answered: 180, errors: 10 }, breaker)).toBe(false);
  expect(breakerTrips({ requests: 100_000, answered: 100_000, errors: 5_200 }, breaker)).toBe(true);
});

test('the Wilson bound agrees with published values', () => {
  // 10 of 100: 95 % interval 0.0552–0.1744.
  expect(wilsonLowerBound(10, 100)).toBeCloseTo(0.0552, 3);
  expect(wilsonLowerBound(0, 0)).toBe(0);
  expect(wilsonLowerBound(0, 50)).toBeCloseTo(0, 10);
});

test('counts are differences by instance: a new instance counts from zero, one that is gone takes nothing away', () => {
  const before = { a: { requests: 100, answered: 100, errors: 1 }, b: { requests: 50, answered: 50, errors: 0 } };
  const now = { a: { requests: 130, answered: 130, errors: 3 }, c: { requests: 7, answered: 7, errors: 1 } };
  expect(since(before, now)).toEqual({ requests: 37, answered: 37, errors: 3 });
});

test('more errors than answers, which requests in flight at the shift can make, trip it as well', () => {
  expect(breakerTrips({ requests: 10, answered: 10, errors: 12 }, breaker)).toBe(true);
});

test('requests that were taken and not answered promote nothing', () => {
  const target = { requests: 1000, answered: 0, errors: 0 };
  expect(bakeVerdict({ elapsedSeconds: 60, bakeSeconds: 60, target }, breaker)).toBe('wait');
  expect(bakeVerdict({ elapsedSeconds: 120, bakeSeconds: 60, target }, breaker)).toBe('inconclusive');
});
