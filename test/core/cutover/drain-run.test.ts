import { NO_CONNECTIONS, NO_ENDINGS } from '../../../core/proxy/connections';
import { CutoverRun, begin } from '../../../core/cutover/run';
import { afterBake } from '../../../core/cutover/stage';
import { beginDrain, describeLive, drainSeen, observeDrain, unseenEnd } from '../../../core/cutover/drain-run';
import { buildEvidence } from '../../../core/cutover/evidence';
import { MAX_DRAIN_LOOKS, parsePlan } from '../../../core/plan/plan';
import { NO_COUNTS, TaskReading } from '../../../core/judge/tally';
import { beginWatch, observe } from '../../../core/judge/watch';
import { report } from '../../lambda/world';

const task = (id: string, websocket: number, closed = 0): TaskReading => ({
  id,
  address: id,
  life: 'running',
  report: {
    ...report(id, { active: { websocket }, state: 'draining' }),
    ended: { ...report(id).ended, websocket: { ...NO_ENDINGS, closed } },
  },
});
const silent = (id: string): TaskReading => ({ id, address: id, life: 'leaving', problem: 'ETIMEDOUT' });
const stopped = (id: string, exitCode?: number): TaskReading => ({
  id,
  address: '',
  life: 'stopped',
  ...(exitCode !== undefined && { exitCode }),
});

/** The run after the first look at a drain of these tasks, and a function that looks again. */
function draining(tasks: TaskReading[], plan: unknown = { pollSeconds: 2 }) {
  const watch = beginWatch({ source: tasks, target: [] }, 0);
  const run: CutoverRun = { ...begin('e', '2026-01-01T00:00:00Z', parsePlan(plan)), watch };
  let now: CutoverRun = { ...run, drain: beginDrain(run, tasks, 0) };
  return (next: TaskReading[], atMs: number): CutoverRun => {
    const seen = observe(now.watch ?? watch, { source: next }, { source: 0, target: 0 }, atMs, 'source');
    if (!now.drain) throw new Error('no drain');
    now = observeDrain({ ...now, watch: seen }, now.drain, next, atMs);
    return now;
  };
}

test('the drain of a side adds up its tasks, and counts only what ended since it began', () => {
  const look = draining([task('a', 3, 10), task('b', 1)]);
  const going = look([task('a', 1, 12), task('b', 0, 1)], 1000);
  expect(going).toMatchObject({
    verdict: 'wait',
    waitSeconds: 2,
    drain: { atStart: { websocket: 4 }, ended: { closed: 3 }, active: { websocket: 1 } },
  });
  // A task that is gone takes nothing of what was seen with it.
  const done = look([stopped('a', 0), task('b', 0, 1)], 2000);
  expect(done).toMatchObject({ verdict: 'drained', drain: { ended: { closed: 3, lost: 0 } } });
});

test('a task that does not respond is unknown, never at zero: it drains when ECS says that it has stopped', () => {
  const look = draining([task('a', 635), task('b', 0)]);
  expect(look([silent('a'), task('b', 0)], 1000)).toMatchObject({
    verdict: 'wait',
    drain: { unknownTasks: 1, active: { websocket: 0 } },
  });
  const done = look([stopped('a', 137), task('b', 0)], 2000);
  expect(done).toMatchObject({ verdict: 'drained', drain: { unknownTasks: 0, ended: { lost: 635 } } });
  expect(buildEvidence(done, 'completed', 3000).drain).toMatchObject({ completed: 0, lost: 635 });
});

test('a task that ECS does not list any more has ended as well, and took its connections with it', () => {
  const look = draining([task('a', 44)]);
  const done = look([], 1000);
  expect(done).toMatchObject({ verdict: 'drained', drain: { ended: { lost: 44 } } });
  expect(buildEvidence(done, 'completed', 3000).drain).toMatchObject({ completed: 0, forced: 0, lost: 44 });
});

test('a task that ended in order lost nothing, and no one saw how what it held at the last poll has ended', () => {
  const look = draining([task('a', 4), task('b', 3)]);
  look([task('a', 2, 1), task('b', 3)], 1000);
  const done = look([stopped('a', 0), task('b', 0)], 2000);
  expect(done).toMatchObject({ verdict: 'drained' });
  const ended = { completed: 4, closed: 1, forced: 0, lost: 0, unknown: 2 };
  expect(buildEvidence(done, 'completed', 3000).drain).toMatchObject(ended);
});

describe('forced is what the drain has cut', () => {
  /** A task whose drain has cut some, and of whose other clients some vanished. */
  const cutting = (websocket: number, cut: number, vanished: number, instance = 'a'): TaskReading => {
    const reading = task('a', websocket);
    const ended = { ...report('a').ended, websocket: { ...NO_ENDINGS, forced: cut + vanished } };
    return { ...reading, report: { ...reading.report!, instance, ended, drainForced: cut } };
  };

  test('a client that vanished has left by itself', () => {
    const look = draining([cutting(10, 0, 5)]);
    expect(look([cutting(7, 1, 7)], 1000)).toMatchObject({ drain: { ended: { forced: 1 } } });
    const done = look([cutting(0, 3, 12)], 2000);
    expect(buildEvidence(done, 'completed', 3000).drain).toMatchObject({
      completed: 7,
      forced: 3,
      lost: 0,
      unknown: 0,
    });
  });

  test('what a lost worker held is lost, and what the others have cut is not counted again', () => {
    const look = draining([cutting(10, 0, 0)]);
    look([cutting(6, 4, 0)], 1000);
    // The report of the others under a new instance: of the lost worker's connections 2 were live, and 1 it had cut.
    const after = cutting(4, 3, 0, 'b');
    const lost = { ...report('a').ended, websocket: { ...NO_ENDINGS, forced: 2 } };
    const look2 = look([{ ...after, report: { ...after.report!, ended: lost } }], 2000);
    expect(look2).toMatchObject({ drain: { ended: { forced: 4, lost: 2 } } });
    const more = cutting(3, 4, 0, 'b');
    expect(look([{ ...more, report: { ...more.report!, ended: lost } }], 3000)).toMatchObject({
      drain: { ended: { forced: 5, lost: 2 } },
    });
  });
});

test('requests of testers keep no drain waiting, however many there are', () => {
  const tested = (http: number, streaming: number, ofTesters: number): TaskReading => ({
    ...task('a', 0),
    report: { ...report('a', { active: { http, streaming }, state: 'draining' }), ofTesters },
  });
  const look = draining([tested(4, 1, 3)]);
  expect(look([tested(3, 2, 4)], 1000)).toMatchObject({
    verdict: 'wait',
    drain: { atStart: { http: 1, streaming: 1 }, active: { http: 0, streaming: 1 } },
  });
  expect(look([tested(3, 0, 3)], 2000).verdict).toBe('drained');
});

test('a drain that is overdue rolls back, and says what was left and who did not respond', () => {
  const look = draining([task('a', 2), task('b', 1)], {});
  const overdue = look([task('a', 2), silent('b')], 86_400_000);
  expect(overdue.verdict).toBe('rollBack');
  expect(overdue.failure?.code).toBe('DrainOverdue');
  expect(overdue.failure?.message).toContain('got 2 websocket, and 1 tasks that did not respond: b (ETIMEDOUT)');
});

test('where nothing is live but what is unknown, the drain waits until ECS has replaced a task that hangs', () => {
  const look = draining([task('a', 2), task('b', 1)]);
  const limitMs = look([task('a', 0), silent('b')], 1000).drain!.limitMs;
  expect(look([task('a', 0), silent('b')], limitMs)).toMatchObject({ verdict: 'wait', waitSeconds: 10 });
  expect(look([task('a', 0), silent('b')], limitMs + 599_999).verdict).toBe('wait');
  const overdue = look([task('a', 0), silent('b')], limitMs + 600_000);
  expect(overdue.failure?.message).toContain('got none live, and 1 tasks that did not respond: b (ETIMEDOUT)');
  expect(look([task('a', 0), stopped('b', 137)], limitMs + 60_000)).toMatchObject({
    verdict: 'drained',
    drain: { ended: { lost: 1 } },
  });
});

test('a request that arrived in the drain has its full time, up to twice that of the drain', () => {
  const late = (seconds: number): TaskReading => {
    const reading = task('a', 1);
    return { ...reading, report: reading.report && { ...reading.report, drainRemainingSeconds: seconds } };
  };
  const look = draining([task('a', 1)]);
  const limitMs = look([late(1)], 1000).drain?.limitMs ?? 0;
  expect(look([late(20)], limitMs).verdict).toBe('wait');
  expect(look([late(20)], limitMs * 2).verdict).toBe('rollBack');
  expect(look([late(0)], limitMs).verdict).toBe('rollBack');
});

test('another process in the same task has lost what the first one held; a worker that was replaced has not', () => {
  const restarted = task('a', 0);
  const look = draining([task('a', 5), task('b', 1)]);
  const report = restarted.report && { ...restarted.report, identity: 'another', instance: 'another' };
  const done = look([{ ...restarted, ...(report && { report }) }, task('b', 1)], 1000);
  expect(done.drain?.ended.lost).toBe(5);
  const replaced = task('b', 0);
  const withWorker = replaced.report && { ...replaced.report, instance: 'new' };
  const after = look(
    [
      { ...restarted, ...(report && { report }) },
      { ...replaced, ...(withWorker && { report: withWorker }) },
    ],
    2000,
  );
  expect(after.drain?.ended.lost).toBe(5);
});

describe('the limit of a drain', () => {
  const run = begin(
    'e',
    '2026-01-01T00:00:00Z',
    parsePlan({ pollSeconds: 5, drain: { closeRatePerSecond: 1, jitter: 0 } }),
  );
  // Its longest deadline, one paced close a second, and the last handshake.
  const { perKindSeconds } = run.plan.drain;
  const longest = Math.max(...Object.values(perKindSeconds)) + 5;

  test.each([
    ['without tasks is two polls', [], 10],
    ['is that of its slowest task and two polls', [task('a', 3), task('b', 7)], longest + 7 + 10],
    ['is that of a task without connections where none responds', [silent('a')], longest + 10],
  ])('%s', (_, tasks, seconds) => {
    const drain = beginDrain(run, tasks, 1000);
    expect(drain).toMatchObject({ startedAtMs: 1000, limitMs: seconds * 1000 });
    expect(drain.ended).toEqual({ moved: 0, closed: 0, forced: 0, lost: 0, unknown: 0 });
  });

  test('decides the pace of the looks: a long drain has as many as a short one', () => {
    const [drain, tasks] = [beginDrain(run, [], 0), [task('a', 1)]];
    expect(observeDrain(run, { ...drain, limitMs: 60_000 }, tasks, 0).waitSeconds).toBe(5);
    const long = observeDrain(run, { ...drain, limitMs: 100 * 3_600_000 }, tasks, 0);
    expect(long.waitSeconds).toBe(Math.ceil((100 * 3600) / MAX_DRAIN_LOOKS));
  });

  test('is in the message in whole seconds, with the time of what came late', () => {
    const drain = { ...beginDrain(run, [], 0), limitMs: 10_400 };
    const { failure } = observeDrain(run, drain, [task('a', 1)], 10_400);
    expect(failure?.message).toBe('the source must be at zero 10 s after the drain began, got 1 websocket');
  });
});

test('what came late has its time from now on, in seconds', () => {
  const run = begin('e', '2026-01-01T00:00:00Z', parsePlan({ pollSeconds: 2 }));
  const drain = { ...beginDrain(run, [], 50_000), limitMs: 100_000 };
  const reading = task('a', 1);
  const late = { ...reading, report: { ...reading.report!, drainRemainingSeconds: 30 } };
  // It began at 50 s and has its limit at 150 s. At 149 s something has 30 s left: until 179 s.
  expect(observeDrain(run, drain, [late], 149_000).verdict).toBe('wait');
  expect(observeDrain(run, drain, [late], 170_000).verdict).toBe('wait');
  const done = { ...reading, report: { ...reading.report!, drainRemainingSeconds: 0 } };
  expect(observeDrain(run, drain, [done], 149_999).verdict).toBe('wait');
  expect(observeDrain(run, drain, [done], 150_000).verdict).toBe('rollBack');
});

test('a run that has watched nothing counts from zero', () => {
  const run = begin('e', '2026-01-01T00:00:00Z', parsePlan({}));
  const drain = beginDrain(run, [task('a', 3)], 0);
  expect(drain.before).toEqual(NO_COUNTS);
  expect(drainSeen(run, drain, [task('a', 2)])).toMatchObject({
    active: { websocket: 2 },
    ended: { moved: 0, closed: 0, forced: 0, lost: 0, unknown: 0 },
  });
});

test('what died with a task between the last verdict and the first poll of the drain is lost, and was not completed', () => {
  const watch = beginWatch({ source: [task('a', 3), task('b', 2)], target: [] }, 0);
  const plan = parsePlan({ stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 60 }] });
  const [stage] = plan.stages;
  const baked = afterBake(
    { ...begin('e', '2026-01-01T00:00:00Z', plan), watch },
    { stage: stage!, progress: { index: 0, shiftedAtMs: 0, confirmedAtMs: 0 }, watch, verdict: 'promote' },
    1000,
  );
  expect(baked.verdict).toBe('drain');
  const tasks = [stopped('a', 137), task('b', 2)];
  const seen = observe(watch, { source: tasks }, { source: 0, target: 0 }, 2000, 'source');
  const begun = { ...baked, watch: seen };
  const drain = beginDrain(begun, tasks, 2000);
  expect(drain).toMatchObject({ atStart: { websocket: 2 }, ended: { lost: 3, unknown: 0 } });
  const done = observeDrain({ ...begun, drain }, drain, [task('b', 0)], 3000);
  const evidence = buildEvidence(done, 'completed', 4000);
  expect(evidence.drain).toMatchObject({ lost: 3, completed: 2, unknown: 0 });
});

test('counts begin where the watch was when the drain began', () => {
  const watch = beginWatch({ source: [task('a', 3, 1)], target: [] }, 0);
  const seen = observe(watch, { source: [task('a', 1, 5)] }, { source: 0, target: 0 }, 1000, 'source');
  const run = { ...begin('e', '2026-01-01T00:00:00Z', parsePlan({})), watch: seen };
  expect(beginDrain(run, [task('a', 1, 5)], 1000).before.closed).toBe(4);
});

test('a task that did not respond and was alone in having connections holds the drain up', () => {
  const run = begin('e', '2026-01-01T00:00:00Z', parsePlan({}));
  expect(observeDrain(run, beginDrain(run, [], 0), [task('a', 1), silent('b')], 0).verdict).toBe('wait');
});

test('what was live at the last poll of a cutover that ended unseen has ended unknown', () => {
  const run = begin('e', '2026-01-01T00:00:00Z', parsePlan({}));
  const drain = beginDrain(run, [task('a', 3), silent('b')], 0);
  const ended = { ...drain.ended, closed: 1, unknown: 2 };
  expect(unseenEnd({ ...drain, ended })).toEqual({
    ...drain,
    active: NO_CONNECTIONS,
    unknownTasks: 0,
    ended: { ...ended, unknown: 5 },
  });
});

test.each([
  ['nothing', {}, [], 'none live'],
  ['some of two kinds', { http: 2, streaming: 1 }, [], '2 http, 1 streaming'],
  [
    'of many tasks without a response the first three',
    {},
    [{ ...silent('a'), problem: undefined }, silent('b'), silent('c'), silent('d')],
    'none live, and 4 tasks that did not respond: a (no response), b (ETIMEDOUT), c (ETIMEDOUT)',
  ],
])('a message says what is live: %s', (_, active, unknown, text) => {
  expect(describeLive({ ...NO_CONNECTIONS, ...active }, unknown)).toBe(text);
});
