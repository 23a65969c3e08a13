import { describeShortfalls, findShortfalls, measureTraffic } from '../../../core/judge/forecast';
import type { TaskReading } from '../../../core/judge/tally';
import { parsePlan } from '../../../core/plan/plan';
import { NO_WINDOW } from '../../../core/proxy/window';

const stage = (source: number, target: number, bakeSeconds = 300) => ({ weights: { source, target }, bakeSeconds });
const PLAN = parsePlan({ stages: [stage(95, 5), stage(50, 50), stage(0, 100)] });
const perMinute = (rate: number) => ({ perSecond: rate / 60, seconds: 290 });
const stages = (rate: number, plan = PLAN) => findShortfalls(plan, perMinute(rate)).map((each) => each.stage);

test('a stage falls short where its share of the rate in its longest bake is less than what proves it', () => {
  // Of 600 s a twentieth, a half and all.
  expect([598, 597, 59, 29].map((rate) => stages(rate))).toEqual([[], [0], [0, 1], [0, 1, 2]]);
  const longer = { stages: [{ ...stage(95, 5), maximumBakeSeconds: 6_000 }, stage(0, 100)] };
  expect(stages(60, parsePlan(longer))).toEqual([]);
  expect(stages(60, parsePlan({ ...longer, judge: { errorBudget: 0.005 } }))).toEqual([0]);
});

test('of a cutover the other way it is the share of the source', () => {
  const back = parsePlan({
    from: 'target',
    initialWeights: { source: 0, target: 100 },
    stages: [stage(5, 95), stage(100, 0)],
  });
  expect(stages(100, back)).toEqual([0]);
});

test('says in numbers what is missing, what happens then, and what helps', () => {
  expect(describeShortfalls(PLAN, perMinute(6))[0]).toBe(
    'stage 1 (5 %) gets about 3 requests in its maximum of 10 min, at the 6 a minute of the last 5 min; proof needs 299: it will end ' +
      "inconclusive, and a person is asked ('judge.inconclusive'). Make its maximum bake longer, 17 h would do, give the stage a larger " +
      "weight, or raise 'judge.errorBudget'",
  );
  // No plan may have that.
  expect(describeShortfalls(PLAN, perMinute(0.1))[0]).toMatch(
    /\. Make its maximum bake longer, give the stage a larger weight, /,
  );
  const rollBack = parsePlan({ ...PLAN, judge: { inconclusive: 'rollBack' } });
  const [first, ...others] = describeShortfalls(rollBack, perMinute(0));
  expect(others).toHaveLength(2);
  expect(first).toMatch(
    /gets about 0 requests .* and the cutover rolls back \('judge\.inconclusive'\)\. Make its maximum bake longer, give/,
  );
});

describe('the rate', () => {
  const WINDOW = { after: 10_000, until: 10_290 };
  const task = (requests: number | undefined, more: Partial<TaskReading> = {}): TaskReading => ({
    ...{ id: 'a', address: '10.0.0.1', life: 'running' },
    ...(requests !== undefined && {
      window: { aheadSeconds: 0, all: { ...NO_WINDOW, requests }, routes: {}, segments: {} },
    }),
    ...more,
  });

  test('is that of all tasks together, and of one that was started in the window in its own time', () => {
    expect(measureTraffic([task(290), task(580)], WINDOW)).toEqual({ perSecond: 3, seconds: 290 });
    const late = task(100, { startedAtMs: 10_190_000 });
    expect(measureTraffic([task(290), late], WINDOW)).toEqual({ perSecond: 2, seconds: 290 });
    expect(measureTraffic([late, task(undefined, { life: 'stopped' })], WINDOW)).toEqual({
      perSecond: 1,
      seconds: 100,
    });
  });

  test('is unknown where a task does not say it, where none has run for a minute, and without tasks', () => {
    expect(measureTraffic([task(290), task(undefined)], WINDOW)).toBeUndefined();
    expect(measureTraffic([task(10, { startedAtMs: 10_260_000 })], WINDOW)).toBeUndefined();
    expect(measureTraffic([], WINDOW)).toBeUndefined();
  });
});
