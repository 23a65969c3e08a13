import { NO_CONNECTIONS, NOTHING_ENDED } from '../../../core/proxy/connections';
import type { LedgerReport } from '../../../core/proxy/admin-api';
import { packMoves, sumCarried, withoutCarried } from '../../../core/judge/move-tally';
import { TaskReading, addReadings, beginTally } from '../../../core/judge/tally';
import { summarizeStall } from '../../../core/judge/stall';
import { findBucket } from '../../../core/proxy/latency-buckets';
import { report } from '../../lambda/world';

interface Moved {
  readonly carried?: number;
  readonly ended?: Partial<LedgerReport['ended']['http']>;
  readonly rejected?: NonNullable<LedgerReport['moves']>['rejected'];
  /** Milliseconds of each. */
  readonly stalls?: readonly number[];
}

const stallCounts = (stalls: readonly number[]) => {
  const counts: number[] = Array.from({ length: Math.max(0, ...stalls.map((ms) => findBucket(ms) + 1)) }, () => 0);
  for (const ms of stalls) counts[findBucket(ms)]! += 1;
  return counts;
};

function task(id: string, { carried = 0, ended = {}, rejected = {}, stalls = [] }: Moved, over = {}): TaskReading {
  const longestStallMs = Math.max(0, ...stalls);
  return {
    id,
    address: id,
    life: 'running',
    report: {
      ...report(id),
      carried: { ...NO_CONNECTIONS, websocket: carried },
      carriedEnded: { ...NOTHING_ENDED, websocket: { ...NOTHING_ENDED.websocket, ...ended } },
      moves: { rejected, stall: stallCounts(stalls), longestStallMs, underWay: 0 },
      ...over,
    },
  };
}

const gone = (id: string, exitCode?: number): TaskReading => ({
  ...{ id, address: '', life: 'stopped' as const },
  ...(exitCode !== undefined && { exitCode }),
});

const tally = (first: TaskReading[], ...more: TaskReading[][]) =>
  more.reduce((sum, readings) => addReadings(sum, readings, 0), beginTally(first, 0, true)).moves!;

test('moves are counted from where counting began, over all tasks, and the longest stall is one of these', () => {
  const first = [task('a', { rejected: { noToken: 2 }, stalls: [900] }), task('b', {})];
  const next = [
    task('a', { rejected: { noToken: 5, late: 1 }, stalls: [900] }),
    task('b', { carried: 2, stalls: [20, 40] }),
  ];
  const { rejected, stall, longestStallMs } = tally(first, next);
  expect(rejected).toEqual({ noToken: 3, late: 1 });
  expect(summarizeStall(stall, longestStallMs)).toEqual({ count: 2, p50Ms: 22.6, p99Ms: 40, longestMs: 40 });
});

test.each<[string, TaskReading[][], object]>([
  [
    'by themselves, closed and moved back',
    [[task('a', { carried: 1, ended: { completed: 2, closed: 3, moved: 4, forced: 1 } })]],
    { completed: 2, closed: 3, movedBack: 4, forced: 1 },
  ],
  ['with a task that died', [[task('a', { carried: 3 })], [gone('a', 137)]], { lost: 3 }],
  ['with a task that ended in order, unseen', [[task('a', { carried: 3 })], [gone('a', 0)]], { unknown: 3 }],
  ['with a task that is not listed any more', [[task('a', { carried: 3 })], []], { lost: 3 }],
  [
    'with another process in the task',
    [[task('a', { carried: 3 })], [task('a', {}, { identity: 'two', instance: 'b' })]],
    { lost: 3 },
  ],
  [
    'with a worker of the task',
    [[task('a', { carried: 3 })], [task('a', { carried: 1, ended: { forced: 2 } }, { instance: 'b' })]],
    { lost: 2 },
  ],
  [
    'at no time: a task that was silent in between',
    [[task('a', { carried: 3 })], [{ id: 'a', address: 'a', life: 'running' }], [task('a', { carried: 3 })]],
    {},
  ],
])('carried connections end %s', (_, looks, expected) => {
  const { ended } = tally([task('a', {})], ...looks);
  expect(ended.websocket).toEqual({
    completed: 0,
    movedBack: 0,
    closed: 0,
    forced: 0,
    lost: 0,
    unknown: 0,
    ...expected,
  });
  expect(sumCarried(ended, 'lost')).toBe(ended.websocket.lost);
});

test('a task takes a few bytes, and none while it has moved nothing', () => {
  expect(packMoves(task('a', {}).report!)).toBe('');
  expect(packMoves(report('older'))).toBe('');
  const { report: moved } = task('a', { carried: 40, rejected: { late: 3 }, stalls: [20, 21, 22, 40] });
  const packed = packMoves(moved!);
  expect(packed).toBe('1.14;;k.3;i.3,m.1');
  expect(withoutCarried(packed)).toBe(';;k.3;i.3,m.1');
});

test('of a side whose tasks say nothing of moves nothing is counted', () => {
  expect(beginTally([task('a', {})], 0).moves).toBeUndefined();
  expect(tally([{ id: 'a', address: 'a', life: 'running', report: report('a') }], []).stall).toEqual([]);
});

test('where nothing moved there is no stall', () => {
  expect(summarizeStall([], 0)).toBeUndefined();
  expect(summarizeStall([0, 0], 0)).toBeUndefined();
});
