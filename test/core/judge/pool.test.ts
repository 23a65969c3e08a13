import { NO_POOL, Pool, addToPool, endLook } from '../../../core/judge/pool';
import type { RouteCounts, WindowPair } from '../../../core/judge/odds';

const counts = (requests: number, errors = 0): RouteCounts => ({
  requests,
  errors,
  failures: errors,
  latencies: [0, requests],
});
const pair = (from: RouteCounts, to: RouteCounts): WindowPair => ({
  from: { all: from, routes: { '/cart': from } },
  to: { all: to, routes: {} },
});
const THIN: Pool = { isThin: true };

/** The windows that are compared, by the second in which each ends. */
function compare(windows: readonly WindowPair[], pool: Pool = NO_POOL): [until: number, whole: WindowPair][] {
  const all: [number, WindowPair][] = [];
  for (const [index, window] of windows.entries()) {
    const until = 602 + 2 * index;
    const next = addToPool(pool, window, { after: until - 2, until });
    pool = next.pool;
    if (next.whole) all.push([until, next.whole]);
  }
  return all;
}
const endsOf = (windows: readonly WindowPair[]) => compare(windows).map(([until]) => until);

test('dense traffic is compared at each poll, thin traffic every six seconds by the clock', () => {
  expect(endsOf(Array.from({ length: 5 }, () => pair(counts(30), counts(10))))).toEqual([602, 604, 606, 608, 610]);
  expect(endsOf(Array.from({ length: 9 }, () => pair(counts(29), counts(10))))).toEqual([602, 606, 612, 618]);
});

test('a long window is the sum of all that was seen in it', () => {
  const windows = [pair(counts(10, 1), counts(1)), pair(counts(12), counts(0)), pair(counts(8), counts(2, 1))];
  expect(compare(windows, THIN)).toEqual([
    [
      606,
      {
        from: { all: counts(30, 1), routes: { '/cart': counts(30, 1) } },
        to: { all: counts(3, 1), routes: {} },
      },
    ],
  ]);
});

test('when a window ends does not depend on what its requests came to', () => {
  const requests = [3, 50, 9, 0, 70, 41, 2, 8, 30, 12, 60, 1];
  const good = requests.map((count) => pair(counts(count), counts(count % 7)));
  const bad = requests.map((count) => pair(counts(count, count), counts(count % 7, count % 7)));
  expect(endsOf(bad)).toEqual(endsOf(good));
});

test('in thin traffic a poll asks to the end of a long window at the most, so that the time of the poll does not decide either', () => {
  expect(endLook(NO_POOL, { after: 604, until: 607 })).toBe(607);
  expect(endLook(THIN, { after: 604, until: 607 })).toBe(606);
  expect(endLook(THIN, { after: 606, until: 608 })).toBe(608);
  expect(endLook(THIN, { after: 606, until: 640 })).toBe(636);
  // However often one looks, the same windows are compared.
  for (const every of [1, 2, 3]) {
    let [pool, after] = [THIN, 600];
    const ends: number[] = [];
    for (let now = 600 + every; now <= 640; now += every) {
      const until = endLook(pool, { after, until: now });
      const next = addToPool(pool, pair(counts(2 * (until - after)), counts(1)), { after, until });
      [pool, after] = [next.pool, until];
      if (next.whole) ends.push(until);
    }
    expect(ends).toEqual([606, 612, 618, 624, 630, 636]);
  }
});
