import { addToComparison, beginComparison, describeShare, warmUp } from '../../../core/judge/comparison';
import { arrivalsToProve } from '../../../core/judge/share-odds';
import { NO_WINDOW } from '../../../core/proxy/window';
import { since } from '../../../core/proxy/counters';
import { bakeVerdict, breakerTrip, unproven } from '../../../core/judge/judge';
import { SIDES } from '../../../core/traffic/weights';
import { parsePlan } from '../../../core/plan/plan';
import { TaskReading, withUnlisted } from '../../../core/judge/tally';
import { Watch, beginStage, beginWatch, lastSample, observe as observeSides } from '../../../core/judge/watch';
import { report } from '../../lambda/world';

const plan = (over: object = {}) =>
  parsePlan({ stages: [{ weights: { source: 0, target: 1 }, bakeSeconds: 60 }], ...over });
const PLAN = plan();
const SPLIT = plan({
  stages: [{ weights: { source: 1, target: 1 }, bakeSeconds: 5 }, { weights: { source: 0, target: 1 } }],
});

interface Counted {
  readonly total: number;
  readonly responded?: number;
  readonly errors?: number;
  /** Requests in flight. */
  readonly http?: number;
}
const task = (id: string, { http = 0, ...counts }: Counted): TaskReading => ({
  id,
  address: id,
  life: 'running',
  report: report(id, { ...counts, active: { http } }),
});
const NONE = { source: 0, target: 0 };
type Look = Parameters<typeof observeSides>;
const observe = (watch: Look[0], readings: Look[1], smoked: Look[2], nowMs: number, isSourceServing = true) =>
  observeSides(watch, readings, smoked, nowMs, isSourceServing ? 'source' : undefined);

/** A watch from the shift on; each look is its second and what the tasks of the target, and of the source, report then. */
function watched(...looks: [second: number, target: Counted, source?: Counted][]): Watch {
  const start = beginWatch({ source: [task('s', { total: 0 })], target: [task('t', { total: 0 })] }, 0);
  return looks.reduce((watch, [second, target, source = { total: 0 }]) => {
    const readings = { source: [task('s', source)], target: [task('t', target)] };
    return observe(watch, readings, NONE, second * 1000);
  }, start);
}
const bake = (elapsedSeconds: number, watch: Watch, given = PLAN, canPromote = true) =>
  bakeVerdict(
    { elapsedSeconds, stage: { weights: { source: 0, target: 1 }, bakeSeconds: 60 }, canPromote },
    watch,
    given,
  );

/** A stage of which new clients came to both sides in `seconds`, that many in each. */
function arrived(perSecond: { source: number; target: number }, seconds: number, before?: Watch): Watch {
  const past = { aheadSeconds: 0, all: NO_WINDOW, routes: {}, segments: {} };
  const begun = beginComparison(past, { routes: [], until: 0 }, SPLIT);
  const start = { ...watched([30, { total: 1000 }]), comparison: warmUp(begun, 60, SPLIT, 0) };
  let { comparison } = before ?? start;
  const [source, target] = [perSecond.source, perSecond.target].map((unbound) => ({
    ...past,
    all: { ...NO_WINDOW, unbound },
  }));
  for (let second = 0; second < seconds; second += 1) {
    const order = { after: comparison!.until, until: comparison!.until + 1 };
    const shift = { weights: SPLIT.stages[0]!.weights, before: SPLIT.initialWeights };
    comparison = addToComparison(comparison!, { source: source!, target: target! }, order, SPLIT, shift);
  }
  return { ...start, comparison: comparison! };
}
const look = (elapsedSeconds: number, total: number, errors = 0) =>
  bake(elapsedSeconds, watched([elapsedSeconds, { total, errors }]));
const trips = (total: number, errors: number) => breakerTrip(watched([10, { total, errors }]), PLAN) !== undefined;

test('a promotion needs the whole bake and enough requests', () => {
  expect(look(59, 1000)).toBe('wait');
  expect(look(60, 299)).toBe('promote');
  expect(look(60, 298)).toBe('wait');
});

test('no traffic is no pass: after twice its length a bake is inconclusive', () => {
  expect(look(119, 298)).toBe('wait');
  expect(look(120, 298)).toBe('inconclusive');
  const anything = plan({ judge: { errorBudget: 1 } });
  expect(bake(120, watched([120, { total: 0 }]), anything)).toBe('inconclusive');
  expect(bake(60, watched([60, { total: 1 }]), anything)).toBe('promote');
});

test('a bake that is shorter than weights take to spread ends when what arrives has proven them', () => {
  const stage = { ...SPLIT.stages[0]!, maximumBakeSeconds: 40 };
  const verdict = (elapsedSeconds: number, watch: Watch) =>
    bakeVerdict({ elapsedSeconds, stage, canPromote: true }, watch, SPLIT);
  const fitting = arrived({ source: 25, target: 25 }, 6);
  expect(verdict(6, fitting)).toBe('promote');
  // Nothing moved, it moved in part, or too far: what is forgotten while the weights spread is no proof either.
  for (const perSecond of [
    { source: 50, target: 0 },
    { source: 36, target: 14 },
    { source: 10, target: 40 },
  ]) {
    for (const seconds of [1, 6, 12, 20]) expect(verdict(seconds, arrived(perSecond, seconds))).not.toBe('promote');
    const late = arrived({ source: 25, target: 25 }, 9, arrived(perSecond, 12));
    expect(verdict(21, late)).toBe('promote');
  }
  // They came first, and then went back.
  const turned = arrived({ source: 50, target: 0 }, 4, fitting);
  expect(verdict(10, turned)).toBe('wait');
  expect(verdict(40, turned)).toBe('inconclusive');
  expect(unproven(turned, SPLIT)).toEqual({
    code: 'ShiftNotConfirmed',
    message: expect.stringMatching(
      /^what arrives must prove that the weights are in force, got too few arrivals/,
    ) as string,
  });
});

test('few new clients are no reason to stay at a stage once its weights had the time to spread; arrivals against them are', () => {
  const verdict = (elapsedSeconds: number, watch: Watch) =>
    bakeVerdict({ elapsedSeconds, stage: SPLIT.stages[0]!, canPromote: true }, watch, SPLIT);
  const few = (seconds: number) => arrived({ source: 0.02, target: 0.02 }, seconds);
  expect([verdict(9, few(9)), verdict(10, few(10))]).toEqual(['wait', 'inconclusive']);
  expect(verdict(26, few(26))).toBe('promote');
  expect(describeShare(few(26).comparison!)).toMatch(/^too few arrivals to prove the weights: odds of/);
  // Nothing moved: it is found before it is sure enough to roll back.
  const stays = arrived({ source: 0.15, target: 0 }, 40);
  expect(verdict(60, stays)).toBe('inconclusive');
  expect(unproven(stays, SPLIT)).toMatchObject({ code: 'ShiftNotConfirmed' });
  // It was seen while they spread, and nobody came since.
  expect(verdict(60, arrived({ source: 0, target: 0 }, 60, arrived({ source: 50, target: 0 }, 3)))).toBe(
    'inconclusive',
  );
});

test('of small steps, and of the last one, some hundred arrivals prove the weights', () => {
  const needed = (before: number, now: number) =>
    arrivalsToProve(
      { before: { source: 100 - before, target: before }, weights: { source: 100 - now, target: now } },
      100,
    );
  const steps: [number, number][] = [
    ...([
      [0, 10],
      [10, 50],
      [50, 90],
      [90, 100],
      [48, 50],
      [50, 60],
      [98, 100],
      [50, 50],
      [100, 100],
    ] as const),
    ...([
      [100, 50],
      [10, 0],
      [2, 0],
      [0, 0],
    ] as const),
  ].map(([before, now]) => [before, now]);
  for (const [before, now] of steps) expect(needed(before, now)).toBeLessThan(300);
  expect([needed(0, 10), needed(50, 90), needed(90, 100)]).toEqual([223, 40, 91]);
});

test('a stage may say how long its bake goes on', () => {
  const stage = { weights: { source: 0, target: 1 }, bakeSeconds: 60, maximumBakeSeconds: 90 };
  const verdict = (elapsedSeconds: number, total: number) =>
    bakeVerdict({ elapsedSeconds, stage, canPromote: true }, watched([elapsedSeconds, { total }]), PLAN);
  expect([verdict(59, 0), verdict(89, 0), verdict(90, 0), verdict(90, 1000)]).toEqual([
    'wait',
    'wait',
    'inconclusive',
    'promote',
  ]);
});

test('the breaker speaks at every poll, also before the end of the bake', () => {
  expect(look(1, 30, 12)).toBe('rollBack');
  expect(look(60, 30, 12)).toBe('rollBack');
});

test('the breaker needs enough errors and a rate that is over the limit beyond chance', () => {
  expect(trips(9, 9)).toBe(false);
  expect(trips(10, 10)).toBe(true);
  expect(trips(180, 10)).toBe(false);
  expect(trips(100_000, 5_200)).toBe(true);
});

test('more errors than responses, which requests in flight at the shift can make, trip it as well', () => {
  expect(breakerTrip(watched([10, { total: 12, responded: 10, errors: 12 }]), PLAN)).toBeDefined();
});

test('the last minutes count by themselves: an hour of good responses hides no dead target', () => {
  const hour = Array.from({ length: 230 }, (_, i) => [(i + 1) * 15, { total: (i + 1) * 300 }] as [number, Counted]);
  const dead = (second: number): [number, Counted] => {
    const failed = Math.round((second - 3450) * 20);
    return [second, { total: 69_000 + failed, errors: failed }];
  };
  expect(breakerTrip(watched(...hour), PLAN)).toBeUndefined();
  expect(breakerTrip(watched(...hour, dead(3465)), PLAN)?.message).toMatch(
    /at most 0.05, got 300 errors in \d+ responses/,
  );
  const slow = hour.map(([second, { total }]) => [second, { total: total * 20 }] as [number, Counted]);
  const trickle: [number, Counted] = [3600, { total: 1_380_000 + 60, errors: 60 }];
  expect(breakerTrip(watched(...slow, trickle), PLAN)?.message).toContain('got 60 errors');
});

test('errors just before a promotion count, however few they are', () => {
  const nineOfMany = watched([60, { total: 400, errors: 9 }]);
  expect(bake(60, nineOfMany)).toBe('wait');
  expect(unproven(nineOfMany, PLAN)).toMatchObject({ code: 'TargetNotProven' });
  expect(bake(120, watched([120, { total: 400, errors: 9 }]))).toBe('inconclusive');
  const late = watched([60, { total: 1000 }], [115, { total: 1000 }], [120, { total: 1008, errors: 8 }]);
  expect(bake(60, late)).toBe('wait');
  const clean = watched([60, { total: 1000, errors: 3 }], [120, { total: 1100, errors: 3 }]);
  expect(bake(60, clean)).toBe('promote');
});

test('requests that were accepted and got no response count against the target', () => {
  const source: Counted = { total: 5000, responded: 4990, http: 10 };
  const hung = watched([60, { total: 5000, responded: 10, http: 4990 }, source]);
  expect(breakerTrip(hung, PLAN)?.message).toContain('4990 of 5000 requests without a response');
  expect(bake(60, watched([60, { total: 60, responded: 11, http: 49 }, source]))).not.toBe('promote');
});

test('a target that is as slow as the source, or three times as slow, is not taken for a hung one', () => {
  // 50 requests a second that take two seconds each: a hundred in flight.
  const source: Counted = { total: 3000, responded: 2900, http: 100 };
  const atFirst: Counted = { total: 750, responded: 650, http: 100 };
  expect(breakerTrip(watched([15, { total: 750, responded: 450, http: 300 }, atFirst]), PLAN)).toBeUndefined();
  expect(bake(60, watched([60, { total: 3000, responded: 2900, http: 100 }, source]))).toBe('promote');
  // One client of ten leaves before its response, on both sides.
  const leaving: Counted = { total: 3000, responded: 2700 };
  expect(bake(60, watched([60, { total: 3000, responded: 2700 }, leaving]))).toBe('promote');
});

test('a long poll that gets a response after a minute trips nothing on a target that responds as the source does', () => {
  const source: Counted = { total: 1000, responded: 0, http: 1000 };
  expect(breakerTrip(watched([15, { total: 500, responded: 0, http: 500 }, source]), PLAN)).toBeUndefined();
});

test('connections that died with a task are errors, and no promotion comes before the last minute is clean', () => {
  const before = watched([10, { total: 100, http: 20 }]);
  const replaced = [{ id: 't', address: '', life: 'stopped' as const, exitCode: 137 }, task('t2', { total: 900 })];
  const died = observe(before, { source: [task('s', { total: 0 })], target: replaced }, NONE, 20_000);
  expect(lastSample(died).target).toMatchObject({ requests: 1000, lost: 20, tasksLost: 1 });
  expect(bake(60, died)).toBe('wait');
  const later = observe(
    died,
    { source: [task('s', { total: 0 })], target: [task('t2', { total: 5000 })] },
    NONE,
    100_000,
  );
  expect(bake(90, later)).toBe('promote');
});

test('the errors of a task that is replaced do not vanish with it', () => {
  const before = watched([10, { total: 30, errors: 8 }]);
  const target = [
    { id: 't', address: '', life: 'stopped' as const, exitCode: 0 },
    task('t2', { total: 10, errors: 4 }),
  ];
  const after = observe(before, { source: [], target }, NONE, 20_000);
  expect(lastSample(after).target).toMatchObject({ requests: 40, errors: 12 });
  expect(breakerTrip(after, PLAN)).toBeDefined();
});

test("the cutover's own smoke requests prove nothing", () => {
  const start = watched();
  const smoked = observe(
    start,
    { source: [task('s', { total: 0 })], target: [task('t', { total: 12 })] },
    { source: 0, target: 12 },
    60_000,
  );
  expect(bake(60, smoked)).toBe('wait');
  expect(unproven(smoked, PLAN)?.message).toContain('got 0');
});

test('nothing is promoted on what was not seen', () => {
  const good = watched([60, { total: 1000 }]);
  expect(bake(60, good, PLAN, false)).toBe('wait');
  expect(bake(120, good, PLAN, false)).toBe('inconclusive');
});

test('a watch of a week stays small', () => {
  const looks = Array.from({ length: 5000 }, (_, i) => [(i + 1) * 120, { total: i }] as [number, Counted]);
  expect(watched(...looks).samples.length).toBeLessThan(150);
});

test('the state of two thousand tasks leaves room in the 256 KiB of Step Functions', () => {
  const many = (side: string) =>
    Array.from({ length: 1000 }, (_, i) => {
      const counts = { total: 123_456_789, responded: 123_456_780, errors: 12_345, http: 120 };
      return { ...task(`${side}${i}`.padStart(12, '0'), counts), address: '10.0.0.1' };
    });
  const watch = beginWatch({ source: many('s'), target: many('t') }, 0);
  expect(JSON.stringify(watch).length).toBeLessThan(200 * 1024);
});

test('counts are differences by instance: a new instance counts from zero, one that is gone takes nothing away', () => {
  const before = { a: { requests: 100, responded: 100, errors: 1 }, b: { requests: 50, responded: 50, errors: 0 } };
  const now = { a: { requests: 130, responded: 130, errors: 3 }, c: { requests: 7, responded: 7, errors: 1 } };
  expect(since(before, now)).toEqual({ requests: 37, responded: 37, errors: 3 });
});

describe('a healthy target is not taken for a hung one', () => {
  /** Requests of a steady rate that take so long, as the counters of a side tell them `second` s after it began. */
  const steady = (perSecond: number, takes: number, second: number): Counted => ({
    total: Math.round(perSecond * second),
    responded: Math.max(0, Math.round(perSecond * (second - takes))),
    http: Math.round(perSecond * Math.min(second, takes)),
  });

  test.each([
    [500, 0.2],
    [50, 2],
    [500, 0.5],
    [3, 30],
    [33, 30],
    [150, 25],
    [100, 60],
  ])('%d requests a second of %d s each, all at once on the target', (perSecond, takes) => {
    let watch = beginWatch({ source: [task('s', { total: 0 })], target: [task('t', { total: 0 })] }, 0);
    for (let second = 1; second <= 120; second += 1) {
      // What still reaches the source while the weights propagate.
      const source = { total: Math.min(60, second * 30), responded: Math.min(60, second * 30) };
      const readings = { source: [task('s', source)], target: [task('t', steady(perSecond, takes, second))] };
      watch = observe(watch, readings, NONE, second * 1000, false);
      expect(breakerTrip(watch, PLAN)).toBeUndefined();
    }
  });

  test.each([
    [500, 0.5],
    [33, 30],
    [150, 25],
  ])('%d requests a second of %d s each, half and then all of them', (perSecond, takes) => {
    const start = { source: [task('s', steady(perSecond, takes, 1000))], target: [task('t', { total: 0 })] };
    let watch = beginWatch(start, 0);
    for (let second = 1; second <= 120; second += 1) {
      const source = steady(perSecond, takes, 1000);
      const more = Math.round((perSecond / 2) * second);
      const half = { total: source.total + more, responded: (source.responded ?? 0) + more, http: source.http };
      const readings = { source: [task('s', half)], target: [task('t', steady(perSecond / 2, takes, second))] };
      watch = observe(watch, readings, NONE, second * 1000, true);
      expect(breakerTrip(watch, PLAN)).toBeUndefined();
    }
  });
});

test.each(SIDES)(
  'clients that try again make errors of both sides alike: from %s a side as good is promoted',
  (from) => {
    const given = plan({ ...(from === 'target' && { from, stages: [{ weights: { source: 1, target: 0 } }] }) });
    const past = { aheadSeconds: 0, all: NO_WINDOW, routes: {}, segments: {} };
    const lack = (ofTarget: Counted, ofSource: Counted) => {
      const sides = [ofTarget, ofSource] as const;
      const watch = watched([60, ...(from === 'source' ? sides : ([...sides].reverse() as [Counted, Counted]))]);
      // One error of each client: a tenth of them.
      const ends = (responded: number, erring: number) => ({ ...past, all: { ...NO_WINDOW, responded, erring } });
      const windows = { source: ends(40_000, 80), target: ends(4_000, 8) };
      const begun = beginComparison(past, { routes: [], until: 0 }, given);
      const shift = { weights: { source: 1, target: 1 }, before: { source: 1, target: 1 } };
      const odds = addToComparison(begun, windows, { after: 0, until: 60 }, given, shift);
      // What proves the weights is no matter here.
      return unproven({ ...watch, comparison: { ...odds, share: { wrong: [-9], inForce: 9 } } }, given);
    };
    expect(lack({ total: 4_000, errors: 80 }, { total: 40_000, errors: 800 })).toBeUndefined();
    expect(lack({ total: 4_000, errors: 160 }, { total: 40_000, errors: 800 })).toMatchObject({
      code: 'TargetNotProven',
    });
    expect(lack({ total: 4_000, errors: 80 }, { total: 40_000, errors: 80 })).toMatchObject({
      code: 'TargetNotProven',
    });
  },
);

describe('what the source showed once excuses nothing for the rest of the night', () => {
  /** A look every 2 s at 100 requests a second of each side. */
  const shows = (seconds: number, source: (second: number) => Counted, target: (second: number) => Counted): Watch => {
    const given = Array.from({ length: seconds / 2 }, (_, index) => (index + 1) * 2);
    return watched(...given.map((second): [number, Counted, Counted] => [second, target(second), source(second)]));
  };
  const answered = (second: number): Counted => ({ total: second * 100, responded: second * 100 - 3, http: 3 });
  const stalls = (second: number): Counted =>
    second > 4 ? answered(second) : { total: second * 100, responded: 0, http: second * 100 };
  /** From the 30th second on half of its clients leave without a response. */
  const blackHole = (second: number): Counted => {
    const left = Math.max(0, second - 30) * 50;
    return { total: second * 100, responded: second * 100 - left };
  };

  test.each([
    ['without a stall', answered],
    ['a stall of 4 s', stalls],
    // Clients leave in the first seconds.
    [
      'clients that left',
      (second: number) => ({ total: second * 100, responded: second * 100 - Math.min(second, 4) * 80 }),
    ],
  ])('%s', (_, source) => {
    for (const seconds of [2, 4, 10, 30]) expect(breakerTrip(shows(seconds, source, answered), SPLIT)).toBeUndefined();
    expect(breakerTrip(shows(120, source, blackHole), SPLIT)?.message).toMatch(/without a response in \d+ s$/);
    expect(unproven(shows(120, source, blackHole), SPLIT)).toBeDefined();
  });

  test('requests in flight are no clients that left', () => {
    expect(shows(4, stalls, answered).habits).toMatchObject({ abandonedShare: 0 });
    // They were in flight when the watch began, and ended; others are now.
    const begun = beginWatch({ source: [task('s', { total: 900, responded: 0, http: 900 })], target: [] }, 0);
    const ended = [task('s', { total: 1900, responded: 950, http: 900 })];
    const { habits } = observe(begun, { source: ended, target: [] }, NONE, 60_000);
    expect(habits?.abandonedShare).toBeCloseTo(0.05, 5);
  });

  test('of a stall more than a minute ago no request takes longer', () => {
    expect(shows(10, stalls, answered).habits?.requestSeconds).toBeGreaterThan(1);
    expect(shows(90, stalls, answered).habits?.requestSeconds).toBeCloseTo(0.03, 5);
  });

  test('what a stage showed is known in the next one until that has shown more, and goes then', () => {
    const leaving = (second: number): Counted => ({ total: second * 100, responded: second * 60 });
    const next = (seconds: number) => {
      let watch = beginStage(shows(60, leaving, answered), 60_000);
      for (let second = 62; second <= 60 + seconds; second += 2) {
        const source = [task('s', { total: second * 100, responded: second * 100 - 2_400 })];
        watch = observe(watch, { source, target: [task('t', answered(second))] }, NONE, second * 1000);
      }
      return watch.habits?.abandonedShare;
    };
    expect([next(2), next(58), next(60)]).toEqual([0.4, 0.4, 0]);
  });

  test('where clients of both sides leave, for what both share, the target is as good', () => {
    const both = (second: number): Counted => ({
      total: second * 100,
      responded: second * 100 - Math.min(second, 30) * 80,
    });
    for (const seconds of [10, 30, 60, 120, 300]) {
      expect(breakerTrip(shows(seconds, both, both), SPLIT)).toBeUndefined();
    }
  });
});

test('streams that are open for long say nothing of requests: a target that responds to none is found', () => {
  const streaming: TaskReading = {
    id: 's',
    address: 's',
    life: 'running',
    report: report('s', { total: 600, active: { streaming: 500, http: 2 } }),
  };
  const start = beginWatch({ source: [task('s', { total: 0 })], target: [task('t', { total: 0 })] }, 0);
  const early = observe(start, { source: [streaming], target: [task('t', { total: 0 })] }, NONE, 30_000);
  const hung = observe(
    early,
    { source: [streaming], target: [task('t', { total: 120, responded: 0, http: 120 })] },
    NONE,
    60_000,
  );
  expect(breakerTrip(hung, PLAN)).toBeDefined();
});

test('a dead task counts once: its requests are lost, and no longer without a response', () => {
  const two = { source: [], target: [task('a', { total: 0 }), task('b', { total: 0 })] };
  const start = beginWatch(two, 0);
  const busy = [task('a', { total: 2550, responded: 2400, http: 150 }), task('b', { total: 2550 })];
  const before = observe(start, { source: [], target: busy }, NONE, 30_000);
  const died = [{ id: 'a', address: '', life: 'stopped' as const, exitCode: 137 }, task('b', { total: 2550 })];
  const after = observe(before, { source: [], target: died }, NONE, 45_000);
  expect(lastSample(after).target).toMatchObject({ requests: 5100, responded: 5100, lost: 150 });
  expect(breakerTrip(after, PLAN)).toBeUndefined();
});

test('a task that one list lacks is unknown; only one that several lack is gone', () => {
  const start = beginWatch({ source: [], target: [task('t', { total: 9000, errors: 9000 })] }, 0);
  const read = (watch: Watch, target: readonly TaskReading[], atMs: number) =>
    observe(watch, { target: withUnlisted(watch.tallies.target, target, atMs) }, NONE, atMs);
  const missing = read(start, [], 1000);
  expect(withUnlisted(start.tallies.target, [], 0)).toMatchObject([{ id: 't', life: 'running' }]);
  expect(lastSample(missing).target).toMatchObject({ lost: 0, tasksLost: 0 });
  const back = read(missing, [task('t', { total: 9001, errors: 9000 })], 2000);
  expect(lastSample(back).target).toMatchObject({ requests: 1, errors: 0 });
  const gone = read(read(read(start, [], 1000), [], 2000), [], 61_000);
  expect(lastSample(read(read(start, [], 1000), [], 60_000)).target).toMatchObject({ tasksLost: 0 });
  expect(lastSample(gone).target).toMatchObject({ tasksLost: 1 });
});

test('a worker that died is no clean minute', () => {
  const start = beginWatch({ source: [], target: [task('t', { total: 100 })] }, 0);
  const again = report('other', { total: 50 });
  const ended = { ...again.ended, websocket: { ...again.ended.websocket, forced: 300 } };
  const target: TaskReading[] = [
    { id: 't', address: 't', life: 'running', report: { ...again, identity: report('t').identity, ended } },
  ];
  const after = observe(start, { source: [], target }, NONE, 60_000);
  expect(lastSample(after).target).toMatchObject({ lost: 300, tasksLost: 1 });
});

describe('each window counts by itself', () => {
  /** A look every 15 s, at what was counted since the shift. */
  const each15 = (seconds: number, counts: (second: number) => Counted): Watch =>
    watched(
      ...Array.from({ length: seconds / 15 }, (_, index) => [(index + 1) * 15, counts((index + 1) * 15)] as const).map(
        ([second, target]): [number, Counted] => [second, target],
      ),
    );

  test('the last five minutes: errors in four of them that the last minute and the hour before are clean of', () => {
    const bad = (second: number) => Math.max(0, Math.min(second, 3540) - 3300);
    const clean = each15(3600, (second) => ({ total: second * 10 }));
    expect(breakerTrip(clean, PLAN)).toBeUndefined();
    const after = each15(3600, (second) => ({ total: second * 10, errors: bad(second) }));
    expect(breakerTrip(after, PLAN)?.message).toMatch(/got 240 errors in 3\d{3} responses in 3\d\d s$/);
  });

  test('the stage: errors that are too few in any five minutes', () => {
    const after = each15(3600, (second) => ({
      total: Math.floor(second / 60),
      errors: Math.floor(second / 120),
    }));
    expect(breakerTrip(after, PLAN)?.message).toMatch(/got \d+ errors in \d+ responses in \d{3,4} s$/);
  });
});

test('where the source reports nothing of how long requests take, those without a response hold a promotion up', () => {
  const hung = watched([60, { total: 5000, responded: 300 }]);
  expect(breakerTrip(hung, PLAN)).toBeUndefined();
  expect(unproven(hung, PLAN)).toMatchObject({ code: 'TargetNotProven' });
});

test('connections that died with their task trip the breaker by their number', () => {
  const before = watched([10, { total: 2000, http: 600 }]);
  const died: TaskReading = { id: 't', address: '', life: 'stopped', exitCode: 137 };
  const after = observe(before, { source: [], target: [died, task('t2', { total: 10 })] }, NONE, 20_000);
  expect(breakerTrip(after, PLAN)?.message).toContain('600 errors');
});

test('what a task had counted stays when nothing lists it any more, and one that ECS was stopping has not ended unasked', () => {
  const two = { source: [], target: [task('a', { total: 0 }), task('b', { total: 0 })] };
  const counted = { source: [], target: [task('a', { total: 90, errors: 40, http: 3 }), task('b', { total: 5 })] };
  const seen = observe(beginWatch(two, 0), counted, NONE, 1000);
  const gone = observe(seen, { source: [], target: [task('b', { total: 6 })] }, NONE, 2000);
  expect(lastSample(gone).target).toMatchObject({ requests: 96, errors: 40, lost: 3, tasksLost: 1 });
  const leaving = { ...task('a', { total: 90, errors: 40, http: 3 }), life: 'leaving' as const };
  const left = observe(seen, { source: [], target: [leaving, task('b', { total: 6 })] }, NONE, 2000);
  const killed: TaskReading = { id: 'a', address: '', life: 'stopped', exitCode: 137 };
  const ended = observe(left, { source: [], target: [killed, task('b', { total: 6 })] }, NONE, 3000);
  expect(lastSample(ended).target).toMatchObject({ errors: 40, lost: 3, tasksLost: 0 });
});
