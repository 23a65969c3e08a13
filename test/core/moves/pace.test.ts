import { FIRST_PACE, MovePace, findMoveLimit, paceAfter } from '../../../core/moves/pace';

const MAX = 64;
const SHORT_MS = 40;
const LONG_MS = 400;
const TOOK_MS = 900;

const follow = (pace: MovePace, stalls: readonly number[], max = MAX) =>
  stalls.reduce((next, stallMs) => paceAfter(next, stallMs, TOOK_MS, max), pace);
const times = (count: number, stallMs: number) => Array.from({ length: count }, () => stallMs);

test('the first move is alone, and each that is short lets one more begin', () => {
  expect(FIRST_PACE.limit).toBe(1);
  expect(follow(FIRST_PACE, times(9, SHORT_MS)).limit).toBe(10);
});

test('it never grows beyond what the setting allows, nor below one', () => {
  expect(follow(FIRST_PACE, times(500, SHORT_MS)).limit).toBe(MAX);
  expect(follow(FIRST_PACE, times(500, SHORT_MS), 2).limit).toBe(2);
  expect(follow(FIRST_PACE, times(500, LONG_MS), 1).limit).toBe(1);
});

test('a long one shrinks it once, however many were under way with it', () => {
  const grown = follow(FIRST_PACE, times(19, SHORT_MS));
  const shrunk = follow(grown, times(20, LONG_MS));
  expect(shrunk.limit).toBeCloseTo(0.7 * grown.limit);
  expect(follow(shrunk, [LONG_MS]).limit).toBeCloseTo(0.7 * shrunk.limit);
});

test('behind the first long one it grows by one for each round of moves', () => {
  const shrunk = follow(FIRST_PACE, [...times(19, SHORT_MS), LONG_MS]);
  const round = follow(shrunk, times(Math.round(shrunk.limit), SHORT_MS));
  expect(round.limit).toBeGreaterThan(shrunk.limit + 0.9);
  expect(round.limit).toBeLessThanOrEqual(shrunk.limit + 1);
});

test('where moves are always long it stays at a few, and does not stop', () => {
  const grown = follow(FIRST_PACE, times(30, SHORT_MS));
  const few = follow(grown, [...times(400, SHORT_MS), ...times(500, Infinity)]);
  expect(few.limit).toBe(4);
  expect(Number.isFinite(few.usualMs)).toBe(true);
});

test('a backend that is slow by itself is moved to by many at once, up to where it takes twice as long', () => {
  const slow = follow(FIRST_PACE, times(200, LONG_MS));
  expect(slow.limit).toBeGreaterThan(10);
  expect(follow(slow, [3 * LONG_MS]).limit).toBeLessThan(slow.limit);
});

test('moves that are slow only as the process begins do not count as usual', () => {
  const warm = follow(FIRST_PACE, [...times(3, 150), ...times(40, SHORT_MS)]);
  expect(follow(warm, [150]).limit).toBeLessThan(warm.limit);
});

test('what was usual on a busy machine is forgotten when moves are short again', () => {
  const busy = follow(FIRST_PACE, times(200, LONG_MS));
  const quiet = follow(busy, times(12, SHORT_MS));
  expect(follow(quiet, [LONG_MS]).limit).toBeLessThan(quiet.limit);
  expect(follow(busy, [LONG_MS]).limit).toBeGreaterThan(busy.limit);
});

test('so many wait that few at once would take too long: then more are under way, up to what the setting allows', () => {
  const busy = { ...FIRST_PACE, limit: 4, nowMs: 600 };
  expect(findMoveLimit(busy, 100, MAX)).toBe(4);
  expect(findMoveLimit(busy, 1_000, MAX)).toBe(20);
  expect(findMoveLimit(busy, 100_000, MAX)).toBe(MAX);
  expect(findMoveLimit({ ...busy, nowMs: 60 }, 1_000, MAX)).toBe(4);
});

test('what a whole move takes is followed, whether its client waited for long or not', () => {
  expect(follow(FIRST_PACE, times(200, SHORT_MS)).nowMs).toBeCloseTo(TOOK_MS, 0);
  expect(follow(FIRST_PACE, times(200, Infinity)).nowMs).toBeCloseTo(TOOK_MS, 0);
});
