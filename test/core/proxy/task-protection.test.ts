import { NO_CONNECTIONS } from '../../../core/proxy/connections';
import {
  GIVE_WAY_MINUTES,
  Snapshot,
  MAX_PROTECTION_MINUTES,
  PROTECTION_MINUTES,
  ProtectionOrder,
  UNPROTECTED,
  observeProtection,
  settleProtection,
} from '../../../core/proxy/task-protection';

const MINUTE = 60;
const IDLE: Snapshot = { active: { ...NO_CONNECTIONS, http: 5 }, isServing: true };
const LIVE: Snapshot = { active: { ...NO_CONNECTIONS, websocket: 1 }, isServing: true };
const DRAINING: Snapshot = { ...LIVE, isServing: false };

/** Looks every second of a time; `answers` says whether an order at that second is followed. */
function run(phases: readonly (readonly [Snapshot, number])[], responses: (second: number) => boolean = () => true) {
  let protection = UNPROTECTED;
  let second = 0;
  const orders: [ProtectionOrder, number][] = [];
  for (const [seen, seconds] of phases) {
    for (const end = second + seconds; second < end; second += 1) {
      const { next, order } = observeProtection(protection, seen, second * 1000);
      protection = next;
      if (order === undefined) continue;
      orders.push([order, second]);
      protection = settleProtection(protection, order, responses(second), second * 1000);
    }
  }
  return orders;
}

test('plain requests need no protection', () => {
  expect(run([[IDLE, 3600]])).toEqual([]);
});

test.each(['websocket', 'grpcStream', 'serverSentEvents', 'streaming'] as const)('a %s does, at once', (kind) => {
  const seen = { active: { ...NO_CONNECTIONS, [kind]: 1 }, isServing: true };
  expect(run([[seen, 2]])).toEqual([['protect', 0]]);
});

test('it is renewed before it ends', () => {
  const orders = run([[LIVE, 60 * MINUTE]]);
  expect(orders.map(([order]) => order)).toEqual(Array(6).fill('protect'));
  for (const [index, [, second]] of orders.entries()) {
    expect(second - (orders[index - 1]?.[1] ?? 0)).toBeLessThan(PROTECTION_MINUTES * MINUTE);
  }
});

test('it gives way in time, so that no deployment waits for ever, and is asked for again after a while', () => {
  const hours = 10;
  const orders = run([[LIVE, hours * 60 * MINUTE]]);
  let since: number | undefined;
  let released: number | undefined;
  let rows = 0;
  for (const [order, second] of orders) {
    if (order === 'release') {
      expect(second - (since ?? second)).toBe(MAX_PROTECTION_MINUTES * MINUTE);
      [since, released, rows] = [undefined, second, rows + 1];
    } else if (since === undefined) {
      if (released !== undefined) expect(second - released).toBe(GIVE_WAY_MINUTES * MINUTE);
      since = second;
    }
  }
  expect(rows).toBe(Math.floor((hours * 60) / (MAX_PROTECTION_MINUTES + GIVE_WAY_MINUTES)));
});

test('a protection that cannot be taken back is left to end by itself before it is asked for again', () => {
  const isReleased = (second: number) => second < MAX_PROTECTION_MINUTES * MINUTE;
  const orders = run([[LIVE, 100 * MINUTE]], isReleased);
  const lastProtect = 50 * MINUTE;
  const next = orders.find(([order, second]) => order === 'protect' && second > lastProtect);
  expect(orders.filter(([order]) => order === 'release').length).toBeGreaterThan(1);
  expect(next?.[1]).toBeGreaterThanOrEqual(lastProtect + PROTECTION_MINUTES * MINUTE);
});

test('a client that comes in the gap is not protected, and one that came and went does not shorten the next time', () => {
  const orders = run([
    [LIVE, 59 * MINUTE],
    [IDLE, MINUTE],
    [LIVE, 60 * MINUTE],
  ]);
  expect(orders.filter(([order]) => order === 'release').map(([, second]) => second)).toEqual([59 * MINUTE + 29]);
});

test('it goes a while after the last one has gone: clients that come and go cost no calls', () => {
  const flapping = Array.from({ length: 20 }, () => [[LIVE, 1] as const, [IDLE, 20] as const]).flat();
  expect(run(flapping)).toEqual([['protect', 0]]);
  expect(
    run([
      [LIVE, 10],
      [IDLE, 300],
    ]),
  ).toEqual([
    ['protect', 0],
    ['release', 39],
  ]);
});

test('a drain ends it at once; after the drain it is there again', () => {
  expect(
    run([
      [LIVE, 10],
      [DRAINING, 10],
      [LIVE, 10],
    ]),
  ).toEqual([
    ['protect', 0],
    ['release', 10],
    ['protect', 20],
  ]);
});

test('what fails is tried again ever more slowly, as long as it is needed', () => {
  const seconds = run([[LIVE, 300]], () => false).map(([, second]) => second);
  expect(seconds).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
});

test('a drain does not wait for what failed before, and takes back what may have been followed', () => {
  const orders = run(
    [
      [LIVE, 40],
      [DRAINING, 10],
    ],
    (second) => second >= 40,
  );
  expect(orders.at(-1)).toEqual(['release', 40]);
});

test('whom no one can reach is reported no more when the protection has ended by itself', () => {
  const orders = run(
    [
      [LIVE, 10],
      [DRAINING, 60 * MINUTE],
    ],
    (second) => second < 10,
  );
  const last = orders.at(-1)![1];
  expect(last).toBeLessThan(PROTECTION_MINUTES * MINUTE);
  expect(last).toBeGreaterThan((PROTECTION_MINUTES - 2) * MINUTE);
});
