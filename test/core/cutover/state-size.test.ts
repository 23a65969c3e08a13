import { CutoverRun, begin } from '../../../core/cutover/run';
import {
  MAX_STATE_BYTES,
  firstLines,
  isTooLarge,
  tooManyTasks,
  withWhatFits,
  withoutTasks,
} from '../../../core/cutover/state-size';
import { keepLook } from '../../../core/cutover/looks';
import { addToComparison, beginComparison, findShift } from '../../../core/judge/comparison';
import { packCounts, packReport } from '../../../core/judge/look-record';
import { addReadings } from '../../../core/judge/tally';
import { Watch, beginWatch, observe } from '../../../core/judge/watch';
import { NO_WINDOW, RouteWindow } from '../../../core/proxy/window';
import { explainPlan } from '../../../core/plan/explain';
import { EVENT_BUDGET, parsePlan } from '../../../core/plan/plan';
import { FIRST_REGIME } from '../../../core/switch/regime';
import { report } from '../../lambda/world';

const run = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));
const task = (id: string, total = 0) => ({ id, address: id, life: 'running', report: report(id, { total }) }) as const;
const watch = beginWatch({ source: [task('a'), task('b')], target: [task('c')] }, 0);
const tallies = { ...watch.tallies, target: addReadings(watch.tallies.target, [task('c', 7)], 0) };
const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const watched = { ...run, watch: { ...watch, tallies } };

test('a state may have the most bytes, and not one more', () => {
  const bytes = Buffer.byteLength(JSON.stringify({ ...run, execution: '' }));
  expect(isTooLarge({ ...run, execution: 'x'.repeat(MAX_STATE_BYTES - bytes) })).toBe(false);
  expect(isTooLarge({ ...run, execution: 'x'.repeat(MAX_STATE_BYTES - bytes + 1) })).toBe(true);
  expect(isTooLarge({ ...run, execution: 'é'.repeat(MAX_STATE_BYTES / 2) })).toBe(true);
});

test('without its tasks a run keeps what was counted, and all else', () => {
  const { source, target } = tallies;
  expect(target.counts.requests).toBe(7);
  expect(withoutTasks(watched)).toEqual({
    ...watched,
    watch: {
      ...watch,
      tallies: { source: { counts: source.counts, tasks: {} }, target: { counts: target.counts, tasks: {} } },
    },
  });
  expect(withoutTasks(run)).toBe(run);
});

test('a state goes on without the traces of its switches where it is too large with them', () => {
  const trace = { before: FIRST_REGIME, members: { source: 1, target: 0 }, names: ['x'.repeat(1_000)], events: [] };
  const record = { epoch: 1, from: 'source', to: 'target', outcome: 'abort', by: 'night', trace } as const;
  const times = { startedAt: run.startedAt, members: 1, fence: 'drained', abandoned: 0, maxWaiting: 0 } as const;
  const switched = { ...run, switches: [{ ...record, ...times }] };
  const bytes = Buffer.byteLength(JSON.stringify({ ...switched, execution: '' }));
  const small = { ...switched, execution: 'x'.repeat(MAX_STATE_BYTES - bytes) };
  expect(withWhatFits(small)).toBe(small);
  const large = withWhatFits({ ...switched, execution: 'x'.repeat(MAX_STATE_BYTES - bytes + 1) });
  expect(isTooLarge(large)).toBe(false);
  expect(large.switches).toEqual([{ ...record, ...times, trace: undefined }]);
});

test('the tasks of both sides are too many', () => {
  const rule = 'the state of a cutover must have at most 220000 bytes, got more with';
  expect(tooManyTasks(watched)).toBe(`${rule} 3 proxy tasks`);
  expect(tooManyTasks(run)).toBe(`${rule} 0 proxy tasks`);
});

test.each([
  [0, []],
  [20, []],
  [21, ['and 1 more']],
  [1000, ['and 980 more']],
])('of %i lines it reports the first twenty, and how many more there are', (count, more) => {
  const lines = Array.from({ length: count }, (_, index) => `line ${index}`);
  expect(firstLines(lines)).toEqual([...lines.slice(0, 20), ...more]);
});

describe('a cutover that bakes for 24 hours', () => {
  const DAY = 86_400;
  const stages = Array.from({ length: 10 }, (_, index) => ({
    weights: { source: 9 - index, target: 1 + index },
    bakeSeconds: DAY / 10,
    maximumBakeSeconds: DAY / 10,
  }));
  const plan = parsePlan({ stages, pollSeconds: 78 });
  const busyTasks = (side: string, count: number) =>
    Array.from({ length: count }, (_, index) =>
      task(`${side}${index.toString(16).padStart(11, '0')}`, 123_456_789 + index),
    );

  test('fits into one history of 25,000 events', () => {
    expect(explainPlan(plan).history.most).toBeLessThanOrEqual(EVENT_BUDGET);
    expect(() => parsePlan({ stages, pollSeconds: 15 })).toThrow(
      /'pollSeconds' must be at least \d+ for bakes of up to 86400 s/,
    );
  });

  test('and its state grows no more, also with a store that is away and 1,000 busy tasks a side', () => {
    const PATHS = Array.from({ length: 8 }, (_, index) => `/a-long-name-of-a-route-class-${index}`);
    const latencies = Array.from({ length: 65 }, () => 1_234);
    const large = { requests: 80_000, unbound: 70_000, responded: 80_000, errors: 12, erring: 9, latencies };
    const all = { ...NO_WINDOW, requests: 40, responded: 40, latencies: latencies.map(() => 1) };
    const asReport = (each: RouteWindow) => ({
      aheadSeconds: 0,
      all: each,
      routes: Object.fromEntries(PATHS.map((path) => [path, each])),
      segments: {},
    });
    const packed = { source: packReport(asReport(large)), target: packReport(asReport(large)) };
    const sides = { source: asReport(all), target: asReport(all) };
    const busy = (count: number) => ({ source: busyTasks('a', count), target: busyTasks('b', count) });
    const comparison = beginComparison(asReport(large), { routes: PATHS, until: 0 }, plan);
    let watch: Watch = { ...beginWatch(busy(1), 0), comparison };
    let next: CutoverRun = { ...run, plan };
    let halfway = 0;
    for (let second = 4; second <= DAY; second += 4) {
      watch = observe(watch, busy(1), { source: 1, target: 1 }, second * 1_000, 'source');
      if (second % 120 !== 0) continue;
      const order = { after: second - 120, until: second };
      watch = { ...watch, comparison: addToComparison(watch.comparison!, sides, order, plan, findShift(plan, 0)) };
      const poll = { kind: 'poll', at: second * 1_000, ...order, windows: packed, counts: packCounts(watch) } as const;
      next = { ...keepLook(next, { ...poll, isServing: true, isConfirmed: true }), watch };
      if (second === DAY / 2) halfway = bytesOf(next);
    }
    expect(bytesOf(next)).toBeLessThan(halfway * 1.1);
    const last = observe(watch, busy(1_000), { source: 1, target: 1 }, (DAY + 2) * 1_000, 'source');
    expect(isTooLarge({ ...next, watch: last })).toBe(false);
  });
});
