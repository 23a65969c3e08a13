import { NO_ENDINGS } from '../../../core/proxy/connections';
import {
  NO_COUNTS,
  SideTally,
  TaskReading,
  addReadings,
  beginTally,
  pendingRequests,
  withUnlisted,
} from '../../../core/judge/tally';
import { report } from '../../lambda/world';

type Over = Partial<NonNullable<TaskReading['report']>>;
const task = (
  id: string,
  total: number,
  { over = {}, http = 0, life = 'running' as const }: { over?: Over; http?: number; life?: 'running' | 'leaving' } = {},
): TaskReading => ({
  id,
  address: id,
  life,
  report: { ...report(id, { total, active: { http } }), ...over },
});
const silent = (id: string, life: 'running' | 'leaving' = 'running'): TaskReading => ({ id, address: id, life });
const gone = (id: string, exitCode?: number): TaskReading => ({
  id,
  address: '',
  life: 'stopped',
  ...(exitCode !== undefined && { exitCode }),
});
/** One look after the other. */
const look = (first: TaskReading[], ...more: TaskReading[][]): SideTally =>
  more.reduce((tally, readings) => addReadings(tally, readings, 0), beginTally(first, 0));

test('a task that had stopped before counting began counts nowhere', () => {
  const tally = look([task('a', 5), gone('b', 1)], [task('a', 5), gone('b', 1)]);
  expect(Object.keys(tally.tasks)).toEqual(['a']);
  expect(tally.counts).toEqual(NO_COUNTS);
});

test.each<[string, TaskReading[][], Partial<SideTally['counts']>]>([
  ['one that went on', [[task('a', 5)], [task('a', 8)]], { requests: 3, responded: 3 }],
  ['one that is new', [[], [task('a', 8)]], { requests: 8, responded: 8 }],
  [
    'one that did not respond at first: where its counting begins is its first report',
    [[silent('a')], [task('a', 8)], [task('a', 9)]],
    { requests: 1, responded: 1 },
  ],
  ['one that was silent in between', [[task('a', 5)], [silent('a')], [task('a', 9)]], { requests: 4, responded: 4 }],
  ['one that ended unasked', [[task('a', 5, { http: 2 })], [gone('a', 137)]], { responded: 2, lost: 2, tasksLost: 1 }],
  ['one that ended in order', [[task('a', 5, { http: 2 })], [gone('a', 0)]], { responded: 2, unknown: 2 }],
  [
    'one that ECS was stopping, and then killed',
    [[task('a', 5, { http: 2 })], [task('a', 5, { http: 2, life: 'leaving' })], [gone('a', 137)]],
    { responded: 2, lost: 2 },
  ],
  [
    'one that ECS was stopping while it did not respond',
    [[task('a', 5, { http: 2 })], [silent('a', 'leaving')], [gone('a', 137)]],
    { responded: 2, lost: 2 },
  ],
  ['one that never responded, and ended', [[silent('a')], [gone('a', 1)]], { tasksLost: 1 }],
  ['one that never responded, and is not listed any more', [[silent('a')], []], { tasksLost: 1 }],
  [
    'another process in the same task',
    [[task('a', 5, { http: 2 })], [task('a', 3, { over: { instance: 'new', identity: 'new', drainForced: 4 } })]],
    { requests: 3, responded: 5, lost: 2, tasksLost: 1, forced: 4 },
  ],
  [
    'other workers in the same process',
    [
      [task('a', 5, { over: { drainForced: 2 } })],
      [
        task('a', 3, {
          over: {
            instance: 'new',
            drainForced: 6,
            ended: { ...report('a').ended, http: { ...NO_ENDINGS, forced: 7 } },
          },
        }),
      ],
    ],
    { requests: 3, responded: 3, lost: 7, tasksLost: 1 },
  ],
  ['a long name by its end', [[task('node-000001', 5)], [task('node-000001', 6)]], { requests: 1, responded: 1 }],
])('the counts of %s', (_, [first, ...more], counts) => {
  expect(look(first!, ...more).counts).toEqual({ ...NO_COUNTS, ...counts });
});

test('a state holds the ends of names', () => {
  const { tasks } = look([task('task', 1, { over: { instance: 'instance-123456', identity: 'identity-abcdef' } })]);
  expect(tasks.task?.[0]).toBe('123456');
  expect(tasks.task?.[11]).toBe('abcdef');
});

test('requests without a response are those of tasks that are known', () => {
  expect(pendingRequests(look([task('a', 5, { http: 2 }), task('b', 5, { http: 3 }), silent('c')]))).toBe(5);
});

/** As ECS lists them at a second. */
const listed = (tally: SideTally, second: number, ...readings: TaskReading[]): SideTally =>
  addReadings(tally, withUnlisted(tally, readings, second * 1000), second * 1000);

test('a task that a list lacks is unknown for a minute, however often it is looked at, and then gone', () => {
  let tally = look([task('a', 5, { http: 2 })]);
  for (let second = 10; second < 70; second += 1) {
    expect(withUnlisted(tally, [], second * 1000)).toEqual([
      { id: 'a', address: 'a', life: 'running', problem: 'ECS does not list it', isUnlisted: true },
    ]);
    tally = listed(tally, second);
  }
  expect(tally.counts).toEqual(NO_COUNTS);
  expect(withUnlisted(tally, [], 70_000)).toMatchObject([{ id: 'a', life: 'stopped' }]);
  const gone = listed(tally, 70);
  expect(gone.counts).toEqual({ ...NO_COUNTS, tasksLost: 1, responded: 2, lost: 2 });
  expect(withUnlisted(gone, [], 72_000)).toEqual([]);
  expect([listed(gone, 72).counts, pendingRequests(gone)]).toEqual([gone.counts, 0]);
  // It was there all the time: what it had done counts once.
  const { requests, tasksLost } = listed(listed(gone, 72), 74, task('a', 9)).counts;
  expect([requests, tasksLost]).toEqual([4, 1]);
});

test('one that is listed again in between has all of the time again, and one that never responded has none', () => {
  const missing = listed(listed(look([task('a', 5)]), 10), 60);
  expect(missing.tasks.a?.[10]).toBe(10);
  expect(listed(missing, 65, silent('a')).tasks.a?.[10]).toBe(0);
  expect(withUnlisted(look([silent('b')]), [], 0)).toMatchObject([{ id: 'b', address: 'b', life: 'stopped' }]);
  expect(withUnlisted(look([task('a', 5)]), [silent('a')], 0)).toEqual([silent('a')]);
});

test('what a task did that only the first list lacked is not of this cutover; what a new one did is', () => {
  const begun = beginTally([], 100_000);
  const old = (total: number) => ({ ...task('a', total), startedAtMs: 99_999 });
  expect(listed(begun, 102, old(900_000)).counts).toEqual(NO_COUNTS);
  expect(listed(listed(begun, 102, old(900_000)), 104, old(900_007)).counts.requests).toBe(7);
  expect(listed(begun, 102, { ...task('b', 8), startedAtMs: 100_000 }).counts.requests).toBe(8);
});
