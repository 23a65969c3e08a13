import { BackOff } from '../../../../rehearsal/traffic/clients/reconnect';

/** A connection that ends at once, or after so long. */
function fail(
  backOff: BackOff,
  clock: { ms: number },
  { servedMs, reason = '403' }: { servedMs?: number; reason?: string } = {},
) {
  backOff.begin();
  if (servedMs !== undefined) backOff.served();
  clock.ms += servedMs ?? 1;
  return backOff.fail(reason);
}

const make = () => {
  const clock = { ms: 0 };
  return { clock, backOff: new BackOff(() => clock.ms) };
};

test('each pause is about twice the one before, with jitter, and none is longer than five seconds', () => {
  const { backOff, clock } = make();
  for (const [min, max] of [
    [200, 500],
    [400, 1_000],
    [800, 2_000],
    [1_600, 4_000],
    [3_200, 5_000],
    [4_000, 5_000],
    [4_000, 5_000],
  ] as const) {
    fail(backOff, clock);
    const pauses = Array.from({ length: 50 }, () => backOff.pauseMs());
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(min);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(max);
    expect(new Set(pauses).size).toBeGreaterThan(40);
  }
});

test('a reason counts once in a row of failures, another one counts, and a connection that served ends the row', () => {
  const { backOff, clock } = make();
  const isFirst = ['403', '403', '500', '403'].map((reason) => fail(backOff, clock, { reason }));
  expect(isFirst).toEqual([true, false, true, false]);
  backOff.begin();
  backOff.served();
  expect(backOff.endInOrder()).toBe(0);
  expect(fail(backOff, clock)).toBe(true);
});

test('a connection that serves for a moment and fails does not begin a new row; one that lasted does', () => {
  const { backOff, clock } = make();
  expect([1, 2, 3].map(() => fail(backOff, clock, { servedMs: 1_000 }))).toEqual([true, false, false]);
  expect(backOff.pauseMs()).toBeGreaterThanOrEqual(800);
  expect(fail(backOff, clock, { servedMs: 60_000 })).toBe(true);
  expect(backOff.pauseMs()).toBeLessThanOrEqual(500);
});

test('connections that end in order and bring nothing are tried later each time, too', () => {
  const { backOff } = make();
  const fruitless = [1, 2, 3, 4].map(() => {
    backOff.begin();
    return backOff.endInOrder();
  });
  expect(fruitless).toEqual([1, 2, 3, 4]);
  expect(backOff.pauseMs()).toBeGreaterThanOrEqual(1_600);
  backOff.hurry();
  expect(backOff.pauseMs()).toBeLessThanOrEqual(500);
});
