import { MemberView } from '../../../core/switch/coordinator';
import { FIRST_REGIME, Member } from '../../../core/switch/regime';
import { formatTasks, parseTasks } from '../../../core/switch/switch-trace';
import { TraceRecorder } from '../../../core/switch/trace-recorder';

const members = (count: number): Member[] =>
  Array.from({ length: count }, (_, at) => ({ id: `t${at}`, home: 'source' as const, instance: `t${at}/1` }));

function view(at: number, inFlight: number | undefined, changed: Partial<MemberView> = {}): MemberView {
  const hold = { state: 'holding' as const, epoch: 1, leaseRemainingMs: 2_000, isOfSwitch: true };
  const report = { instance: `t${at}/1`, hold, inFlight: inFlight ?? 0, abandoned: 0, hasLost: false };
  const known = { life: 'running' as const, instance: `t${at}/1`, wasEmpty: false, hasOutlastedRequests: false };
  return { ...known, ...(inFlight !== undefined && { report }), ...changed };
}

function record(count: number): TraceRecorder {
  const recorder = new TraceRecorder(FIRST_REGIME, 1_000);
  recorder.note({ kind: 'begin' }, 1_000);
  recorder.enlist(members(count), 1_001, false);
  return recorder;
}

const see = (recorder: TraceRecorder, at: number, seen: MemberView, nowMs: number, isKept = false) =>
  recorder.see(`t${at}`, seen, 1, { nowMs, isKept, upstream: 'source' });

test('of many tasks those with the same findings are one event, and each keeps the order of its own', () => {
  const recorder = record(9);
  see(recorder, 0, view(0, 2), 1_002);
  see(recorder, 1, view(1, 0), 1_003);
  see(recorder, 2, view(2, 1), 1_004);
  see(recorder, 2, view(2, 5), 1_005);
  see(recorder, 0, view(0, 0), 1_006);
  see(recorder, 3, view(3, undefined), 1_007);
  see(recorder, 3, view(3, 0), 1_008);
  see(recorder, 2, view(2, 0), 1_009);
  expect(recorder.build(1_002).events.slice(2)).toEqual([
    { atMs: 0, untilMs: 2, kind: 'task', tasks: '0,2', is: 'holding', inFlight: 3, abandoned: 0 },
    { atMs: 1, untilMs: 7, kind: 'task', tasks: '0-2', is: 'holding', inFlight: 0, abandoned: 0 },
    { atMs: 5, kind: 'task', tasks: '3', is: 'silent' },
    { atMs: 6, kind: 'task', tasks: '3', is: 'holding', inFlight: 0, abandoned: 0 },
  ]);
});

test('of few tasks each has its own events, at its own times', () => {
  const recorder = record(8);
  see(recorder, 0, view(0, 2), 1_002);
  see(recorder, 1, view(1, 3), 1_060);
  see(recorder, 1, view(1, 0), 1_070);
  see(recorder, 0, view(0, 0), 1_090);
  expect(recorder.build(1_002).events.slice(2)).toEqual([
    { atMs: 0, kind: 'task', tasks: '0', is: 'holding', inFlight: 2, abandoned: 0 },
    { atMs: 58, kind: 'task', tasks: '1', is: 'holding', inFlight: 3, abandoned: 0 },
    { atMs: 68, kind: 'task', tasks: '1', is: 'holding', inFlight: 0, abandoned: 0 },
    { atMs: 88, kind: 'task', tasks: '0', is: 'holding', inFlight: 0, abandoned: 0 },
  ]);
});

test('nothing moves across what the coordinator does', () => {
  const recorder = record(2);
  see(recorder, 0, view(0, 0), 1_002);
  recorder.note({ kind: 'ready', leaseMs: 1_900 }, 1_003);
  see(recorder, 1, view(1, 0), 1_004);
  recorder.released('t0', 'target', 1_005);
  expect(recorder.build().events.slice(2)).toEqual([
    { atMs: 2, kind: 'task', tasks: '0', is: 'holding', inFlight: 0, abandoned: 0 },
    { atMs: 3, kind: 'ready', leaseMs: 1_900 },
    { atMs: 4, kind: 'task', tasks: '1', is: 'holding', inFlight: 0, abandoned: 0 },
    { atMs: 5, kind: 'released', tasks: '0', to: 'target' },
  ]);
});

test('a task is what its process, its worker and ECS say', () => {
  const recorder = record(6);
  const { report } = view(0, 0);
  const notHeld = { state: 'none' as const, epoch: 1, leaseRemainingMs: 0, isOfSwitch: false };
  see(recorder, 0, view(0, 0, { report: { ...report!, instance: 'other' }, hasOutlastedRequests: true }), 1_001);
  see(recorder, 1, view(1, 0, { report: { ...view(1, 0).report!, hasLost: true, abandoned: 7 } }), 1_002);
  see(recorder, 2, view(2, undefined, { life: 'stopped', hasOutlastedRequests: true }), 1_003);
  see(recorder, 3, view(3, 0, { report: { ...view(3, 0).report!, hold: notHeld } }), 1_004);
  see(recorder, 4, view(4, 0, { report: { ...view(4, 0).report!, hold: { ...notHeld, epoch: 0 } } }), 1_005);
  see(
    recorder,
    5,
    view(5, 0, { report: { ...view(5, 0).report!, hold: { ...report!.hold, isOfSwitch: false } } }),
    1_006,
  );
  expect(recorder.build().events.slice(2)).toMatchObject([
    { kind: 'task', tasks: '0', is: 'holding', inFlight: 0, abandoned: 0, isRestarted: true, hasOutlasted: true },
    { kind: 'task', tasks: '1', is: 'holding', inFlight: 0, abandoned: 1, hasLost: true },
    { kind: 'task', tasks: '2', is: 'stopped', hasOutlasted: true },
    { kind: 'task', tasks: '3', is: 'notHolding', endedTo: 'source' },
    { kind: 'task', tasks: '4', is: 'notHolding' },
    { kind: 'task', tasks: '5', is: 'notHolding' },
  ]);
});

test('a task that comes and goes leaves a bounded trace, and what a decision rests on is in it', () => {
  const recorder = record(1);
  for (let look = 0; look < 500; look += 1) see(recorder, 0, view(0, look % 2 ? 0 : undefined), 1_002 + look);
  see(recorder, 0, view(0, undefined), 1_600);
  see(recorder, 0, view(0, undefined, { wasEmpty: true, life: 'stopped' }), 1_601, true);
  const { events, leftOut } = recorder.build();
  expect(leftOut).toBe(201);
  expect(events).toHaveLength(2 + 100 + 1);
  expect(events.slice(-2)).toMatchObject([{ is: 'holding', inFlight: 0 }, { is: 'stopped' }]);
});

test('a trace of 2,000 tasks, every other one late, is small', () => {
  const recorder = record(2_000);
  for (let at = 0; at < 2_000; at += 1) see(recorder, at, view(at, at % 2), 1_002 + at);
  for (let at = 1; at < 2_000; at += 2) see(recorder, at, view(at, 0), 4_000 + at);
  for (let at = 0; at < 2_000; at += 1) recorder.released(`t${at}`, 'target', 7_000);
  const trace = recorder.build();
  expect(trace.events.length).toBeLessThan(10);
  expect(JSON.stringify(trace).length).toBeLessThan(16_000);
  expect(trace.names).toHaveLength(40);
});

test('numbers of tasks are written as ranges, and read again', () => {
  expect(formatTasks([7, 0, 1, 3, 2])).toBe('0-3,7');
  expect(parseTasks('0-3,7', 8)).toEqual([0, 1, 2, 3, 7]);
  expect(() => parseTasks('0-3,8', 8)).toThrow("'tasks' must be from 0 to 7, got 8");
  expect(() => parseTasks('3-1', 8)).toThrow("'tasks' must be from 0 to 7, got 3-1");
  for (const wrong of ['', '1,', 'x', '-1', 3, null]) {
    expect(() => parseTasks(wrong, 8)).toThrow(`'tasks' must be numbers as in 0-3,7, got ${JSON.stringify(wrong)}`);
  }
});
