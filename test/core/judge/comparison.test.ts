import {
  Comparison,
  addToComparison,
  areInForce,
  beginComparison,
  describeParts,
  describeShare,
  findMisfit,
  findOddsAgainst,
  findShift,
  findSuspicion,
  orderWindow,
  restartComparison,
  sumSides,
  warmUp,
} from '../../../core/judge/comparison';
import { findLate, noteSilent } from '../../../core/judge/late-windows';
import { TaskReading } from '../../../core/judge/tally';
import { parsePlan } from '../../../core/plan/plan';
import { NO_WINDOW, RouteWindow, WindowReport, readWindowOrder } from '../../../core/proxy/window';
import { Problems } from '../../../core/validation/problems';

const PLAN = parsePlan({
  stages: [{ weights: { source: 90, target: 10 }, bakeSeconds: 600 }, { weights: { source: 0, target: 1 } }],
});
const START_MS = 1_000_000_000;
const START = START_MS / 1000;

const report = (all: Partial<RouteWindow>, more: Partial<WindowReport> = {}): WindowReport => ({
  aheadSeconds: 0,
  all: { ...NO_WINDOW, ...all },
  routes: {},
  segments: {},
  ...more,
});
/** Nine of ten requests take up to 2 ms, and the others up to 4 ms. */
const requests = (count: number, errors = 0): Partial<RouteWindow> => ({
  requests: count,
  unbound: count,
  responded: count,
  errors,
  erring: errors,
  latencies: [0, 0, 0, 0, Math.round(count * 0.9), 0, 0, 0, count - Math.round(count * 0.9)],
});

function begun(plan = PLAN, past = report(requests(10_000))): Comparison {
  const order = orderWindow(undefined, 'night', plan, START_MS);
  return warmUp(beginComparison(past, order, plan), plan.stages[0]!.bakeSeconds, plan, START_MS);
}

/** Windows of two seconds each, one after the other. */
function after(comparison: Comparison, count: number, source: WindowReport, target: WindowReport, plan = PLAN) {
  let next = comparison;
  for (let index = 0; index < count; index += 1) {
    const order = { after: next.until, until: next.until + 2 };
    next = addToComparison(next, { source, target }, order, plan, findShift(plan, 0));
  }
  return next;
}

test('the first order asks for what the side did before, each further one for what came since', () => {
  const first = orderWindow(undefined, 'night', PLAN, START_MS);
  expect(first).toEqual({ watch: 'night', now: START, after: START - 292, until: START - 2, routes: [] });
  const comparison = beginComparison(report({}), first, PLAN);
  // A second that ended 0.3 s ago is complete.
  expect(orderWindow(comparison, 'night', PLAN, START_MS + 4_299)).toMatchObject({ until: START + 2 });
  const later = orderWindow(comparison, 'night', PLAN, START_MS + 4_300);
  expect(later).toMatchObject({ now: START + 4.3, after: START - 2, until: START + 3 });
});

test('route classes are those of the plan, or the most frequent segments that say anything', () => {
  const past = report(requests(10_000), { segments: { '/cart': 300, '/': 200, '/pay': 120, '/rare': 1 } });
  expect(Object.keys(begun(PLAN, past).odds.routes)).toEqual(['/cart', '/pay']);
  const named = parsePlan({ judge: { routes: [{ path: '/x' }] } });
  expect(Object.keys(begun(named, past).odds.routes)).toEqual(['/x']);
});

test('polls that are further apart than proxies remember ask for what these have, and note what no one saw', () => {
  const order = (seconds: number) => orderWindow(begun(), 'night', PLAN, START_MS + seconds * 1000);
  expect([order(280).after, order(288).after]).toEqual([START - 2, START - 2]);
  expect(order(600)).toMatchObject({ after: START + 308, until: START + 598 });
  const add = (seconds: number) =>
    addToComparison(begun(), { source: report({}), target: report({}) }, order(seconds), PLAN, findShift(PLAN, 0));
  expect([add(280).unseenUntil, add(600).unseenUntil]).toEqual([undefined, START + 308]);
});

test.each([
  ['long', `/${'a'.repeat(256)}`],
  ['not of visible ASCII', '/caf\u00e9'],
  ['with a space', '/a b'],
  ['with a fragment', '/a#b'],
  ['of an absolute URL', 'http:'],
  ['of OPTIONS', '*'],
])('a first segment that is no route, %s, becomes none: every proxy accepts the orders that follow', (_, segment) => {
  const past = report(requests(10_000), { segments: { [segment]: 500, '/cart': 300 } });
  const order = orderWindow(begun(PLAN, past), 'night', PLAN, START_MS + 10_000);
  expect(order.routes).toEqual(['/cart']);
  // An order of a caller before this one, or after: what is no route is left out, and all the others count.
  const problems = new Problems();
  expect(readWindowOrder('window', { ...order, routes: [segment, 7, '/cart'] }, problems)).toEqual(order);
  expect(problems.all).toEqual([]);
});

test('a target that is warming up is not compared', () => {
  const bad = report(requests(20, 10));
  const cold = after(begun(), 5, report(requests(180)), bad);
  expect(cold.until).toBe(START + 8);
  expect(findOddsAgainst(cold)).toBeCloseTo(1, 2);
  expect(findSuspicion(after(cold, 5, report(requests(180)), bad), PLAN)).toMatch(
    /^the target must be as good as the source, got odds of [\d,]+ : 1 against it: target \d+ errors in \d+ requests, source 0 in [\d,]+$/,
  );
});

test('no traffic moves no odds, of either kind', () => {
  const quiet = after(begun(), 100, report({}), report({}));
  expect([
    Math.round(findOddsAgainst(quiet)),
    findSuspicion(quiet, PLAN),
    findMisfit(quiet),
    areInForce(quiet),
  ]).toEqual([1, undefined, undefined, false]);
  expect(describeShare(quiet)).toBe('too few arrivals to prove the weights: odds of 1 : 1 for them');
});

test('arrivals by the weights prove them; those that stay behind are found once the nodes have had their time', () => {
  const fit = after(begun(), 30, report(requests(180)), report(requests(20)));
  expect([areInForce(fit), findMisfit(fit)]).toEqual([true, undefined]);
  expect(describeShare(fit)).toBe('the arrivals fit the weights');
  const early = after(begun(), 12, report(requests(200)), report({}));
  expect(findMisfit(early)).toBeUndefined();
  expect(findMisfit(after(early, 5, report(requests(200)), report({})))).toMatch(/^what arrives must fit the weights/);
});

test.each([
  ['endAtStage', true],
  ['shorten', true],
  ['keep', false],
])(
  'with %s, clients of a cookie prove the weights where no action names the side that is left: %s',
  (policy, isProven) => {
    const given = parsePlan({ stages: [{ weights: { source: 0, target: 1 } }], stickiness: { policy } });
    const returning = report({ ...requests(100), unbound: 0 });
    expect(areInForce(after(begun(given), 30, report({}), returning, given))).toBe(isProven);
    const late = after(begun(given), 15, returning, returning, given);
    expect(findMisfit(late) !== undefined).toBe(isProven);
  },
);

test('a slow target is named with what is slow, and the largest parts come first', () => {
  const slow = { ...requests(20), latencies: [...Array<number>(20).fill(0), 20] };
  const odds = after(begun(), 60, report(requests(180)), report(slow));
  expect(findSuspicion(odds, PLAN)).toMatch(/: target [\d,]+ responses later than \d+ ms in [\d,]+ requests, source/);
  expect(describeParts(odds, PLAN)).toHaveLength(3);
  expect(describeParts(begun(), PLAN)).toEqual([]);
});

test('without traffic of the source its errors are the measure, and its latency is none: that changes with the hour', () => {
  const both = after(begun(), 60, report(requests(180, 1)), report(requests(20)));
  const slow = { ...requests(200), latencies: [...Array<number>(20).fill(0), 200] };
  expect(findSuspicion(after(both, 200, report({}), report(slow)), PLAN)).toBeUndefined();
  expect(findSuspicion(after(both, 20, report({}), report(requests(200, 20))), PLAN)).toMatch(/: target \d+ errors in/);
});

test('after a person said that it is good, the odds start again, and what is slow stays', () => {
  const bad = after(begun(), 60, report(requests(180)), report(requests(20, 2)));
  expect(findOddsAgainst(bad)).toBeGreaterThan(100);
  const again = restartComparison(bad);
  expect(findOddsAgainst(again)).toBeCloseTo(1, 2);
  const buckets = ({ odds }: Comparison) => odds.all.latency.map((part) => part?.bucket);
  expect(buckets(again)).toEqual(buckets(bad));
  expect(findOddsAgainst(after(again, 60, report(requests(180)), report(requests(20, 2))))).toBeGreaterThan(100);
});

test('a side is the sum of its tasks, also of those that are gone or have nothing to say', () => {
  const task = (id: string, window?: WindowReport): TaskReading => ({
    ...{ id, address: id, life: 'running' },
    ...(window && { window }),
  });
  const { source, target } = sumSides({
    source: [task('a', report(requests(5))), task('b'), task('c', report(requests(7)))],
  });
  expect([source.all.responded, target.all.responded]).toEqual([12, 0]);
});

test('the share of tasks that do not all respond is not known: no arrivals are held against the weights', () => {
  const task = (id: string, life: TaskReading['life'], window?: WindowReport): TaskReading => ({
    ...{ id, address: id, life },
    ...(window && { window }),
  });
  const source = [task('a', 'running', report(requests(180)))];
  const one = task('b', 'running', report(requests(10)));
  const sum = (...target: TaskReading[]) => sumSides({ source, target });
  const hung = sum(one, task('c', 'running'));
  expect([hung.source.all.unbound, hung.target.all.unbound, hung.target.all.responded]).toEqual([0, 0, 10]);
  // What is leaving gets no new requests, and what has stopped gets none.
  expect(sum(one, task('c', 'leaving'), task('d', 'stopped')).source.all.unbound).toBe(180);
  let next = begun();
  for (let look = 0; look < 60; look += 1) next = after(next, 1, hung.source, hung.target);
  expect([findMisfit(next), areInForce(next)]).toEqual([undefined, false]);
});

describe('what a silent task did is asked for at the next poll', () => {
  const running = (id: string, window?: WindowReport): TaskReading => ({
    ...{ id, address: id, life: 'running' },
    ...(window && { window }),
  });

  /** Four tasks of the target, of which the last one fails a fifth and responds to one look of so many. Each look is of 2 s. */
  function findSick(everyLook: number): number | undefined {
    let next = after(begun(), 8, report(requests(360)), report(requests(40)));
    for (let look = 1; look <= 150; look += 1) {
      const order = { after: next.until, until: next.until + 2 };
      const late = findLate(next, order);
      const did = (id: string, errors: number) => {
        const seconds = order.until - (late.target?.[id] ?? order.after);
        return report(requests(seconds * 10, seconds * errors));
      };
      const target = ['a', 'b', 'c'].map((id) => running(id, did(id, 0)));
      const sick = look % everyLook === 0 ? running('d', did('d', 2)) : running('d');
      const readings = { source: [running('s', report(requests(360)))], target: [...target, sick] };
      next = addToComparison(next, sumSides(readings, late), order, PLAN, findShift(PLAN, 0));
      next = { ...next, late: noteSilent(late, readings, order) };
      if (findSuspicion(next, PLAN) !== undefined) return look * 2;
    }
    return undefined;
  }

  test.each([1, 3, 10, 33])(
    'a task that fails is found with the first response to one poll of %d, or soon after',
    (every) => {
      expect(findSick(every)).toBeLessThan(Math.max(20, every * 2 + 10));
    },
  );

  test('each second once, none of before it was compared, and none of one that has stopped', () => {
    const order = (seconds: number) => ({ after: seconds, until: seconds + 2 });
    const readings = {
      target: [running('a'), running('b', report({})), { ...running('c'), life: 'stopped' as const }],
    };
    const silent = noteSilent({}, readings, order(100));
    expect(silent).toEqual({ target: { a: 100 } });
    expect(noteSilent(findLate({ late: silent, coldUntil: 0 }, order(102)), readings, order(102))).toEqual({
      target: { a: 100 },
    });
    expect(findLate({ late: silent, coldUntil: 104.5 }, order(110))).toEqual({ source: {}, target: { a: 105 } });
    expect(findLate({ late: silent, coldUntil: 120 }, order(110))).toEqual({});
    expect(noteSilent(silent, { target: [running('a', report({}))] }, order(110))).toEqual({});
    const many = Array.from({ length: 1_000 }, (_, at) => running(`${at}`));
    expect(JSON.stringify(noteSilent({}, { source: many, target: many }, order(1e9))).length).toBeLessThan(8_000);
  });

  test('arrivals of other seconds are compared with none, and the record says why', () => {
    const readings = { source: [running('s')], target: [running('t', report(requests(20)))] };
    const late = { source: { s: 1 } };
    const next = { ...begun(), late: noteSilent({}, readings, { after: 1 }) };
    expect(describeShare(next)).toBe('the arrivals are not known, because a proxy did not respond at the last poll');
    const back = { ...readings, source: [running('s', report(requests(540)))] };
    const { source, target } = sumSides(back, late);
    expect([source.all.unbound, target.all.unbound, source.all.responded]).toEqual([0, 0, 540]);
  });
});
