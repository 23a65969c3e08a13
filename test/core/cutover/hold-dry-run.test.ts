import { HoldDryRun, TaskDryRun, listBySide, summarizeDryRun } from '../../../core/cutover/hold-dry-run';

const counted = (id: string, waiting: number, full = 0, longestRequestMs = 40): TaskDryRun => ({
  ...{ id, side: 'source' },
  ...{ waiting, full, longestRequestMs },
});
const unknown: TaskDryRun = { id: 't0', side: 'target', problem: 't0 must respond, got ECONNREFUSED' };
const dryRun = (tasks: readonly TaskDryRun[], changes: Partial<HoldDryRun> = {}): HoldDryRun => ({
  ...{ seconds: 2, rules: { maxPauseMs: 5_000, maxWaiting: 100 }, isPlanned: true, tasks },
  ...changes,
});

test('is the sum of the tasks, and the longest request of all', () => {
  expect(summarizeDryRun(dryRun([counted('s0', 20, 0, 900), counted('s1', 16)]))).toEqual({
    ...{ waiting: 36, full: 0, longestRequestMs: 900, unknown: 0, isWithinPlan: true },
    meaning: [
      'The longest request of the last minute took 900 ms, within switch.maxPauseMs (5000 ms): a switch waits about so long for it.',
      'In the longest pause (5000 ms) about 50 requests wait at the busiest task (s0), within switch.maxWaiting (100).',
    ],
  });
});

test.each([
  [
    'a request that is longer than the pause',
    counted('s0', 0, 0, 5_001),
    /5001 ms, longer than switch\.maxPauseMs \(5000/,
  ],
  [
    'requests over the cap',
    counted('s0', 107, 7),
    /^7 requests in 2 s did not fit into switch\.maxWaiting \(100\) of their task/,
  ],
  [
    'more in a pause than the cap',
    counted('s0', 41),
    /about 103 requests .* \(s0\), more than switch\.maxWaiting \(100\)/,
  ],
])('%s does not keep to the plan', (_, task, sentence) => {
  const { isWithinPlan, meaning } = summarizeDryRun(dryRun([task, counted('s1', 1)]));
  expect(isWithinPlan).toBe(false);
  expect(meaning).toContainEqual(expect.stringMatching(sentence));
  expect(summarizeDryRun(dryRun([task, unknown])).isWithinPlan).toBe(false);
});

test('what is as much as the plan accepts keeps to it', () => {
  expect(summarizeDryRun(dryRun([counted('s0', 40, 0, 5_000)])).isWithinPlan).toBe(true);
});

test('a task that is unknown is no zero', () => {
  const { isWithinPlan, unknown: count, meaning } = summarizeDryRun(dryRun([counted('s0', 2), unknown]));
  expect([isWithinPlan, count]).toEqual([undefined, 1]);
  expect(meaning.at(-1)).toBe('1 of 2 tasks are unknown, and in none of these figures.');
  expect(summarizeDryRun(dryRun([unknown]))).toEqual({
    ...{ waiting: 0, full: 0, longestRequestMs: 0, unknown: 1, isWithinPlan: undefined },
    meaning: ['1 of 1 tasks are unknown, and in none of these figures.'],
  });
});

test('a plan that does not switch is said to', () => {
  expect(summarizeDryRun(dryRun([counted('s0', 0)], { isPlanned: false })).meaning[0]).toMatch(/does not switch/);
});

test('the tasks of the source come first', () => {
  expect(listBySide([unknown, counted('s0', 1), counted('s1', 1)]).map(({ id }) => id)).toEqual(['s0', 's1', 't0']);
});
