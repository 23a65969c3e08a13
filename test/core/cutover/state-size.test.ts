import { begin } from '../../../core/cutover/run';
import {
  MAX_STATE_BYTES,
  firstLines,
  isTooLarge,
  tooManyTasks,
  withWhatFits,
  withoutTasks,
} from '../../../core/cutover/state-size';
import { addReadings } from '../../../core/judge/tally';
import { beginWatch } from '../../../core/judge/watch';
import { parsePlan } from '../../../core/plan/plan';
import { FIRST_REGIME } from '../../../core/switch/regime';
import { report } from '../../lambda/world';

const run = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));
const task = (id: string, total = 0) => ({ id, address: id, life: 'running', report: report(id, { total }) }) as const;
const watch = beginWatch({ source: [task('a'), task('b')], target: [task('c')] }, 0);
const tallies = { ...watch.tallies, target: addReadings(watch.tallies.target, [task('c', 7)]) };
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
