import fc from 'fast-check';
import type { SwitchRecord } from '../../../core/switch/switch-record';
import { parseTasks } from '../../../core/switch/switch-trace';
import { verifyEvidence } from '../../../core/switch/verify-evidence';
import { EvidenceUnreadable } from '../../../core/validation/shapes';
import { switchOver } from '../../../lambda/switch/switch-over';
import { DEFAULT_PLAN, SwitchWorld } from '../../lambda/switch/switch-world';

type Event = Record<string, unknown> & { kind: string; tasks?: string };
interface Edited extends Omit<SwitchRecord, 'trace'> {
  trace: { members: { source: number; target: number }; events: Event[] };
}

const PLAN = { ...DEFAULT_PLAN, maxPauseMs: 200 };
/** An abort, a commit after requests had ended, and the way back. */
let records: readonly Edited[];

beforeAll(async () => {
  const world = new SwitchWorld(2, 1);
  const findStop = () => Promise.resolve(undefined);
  const switchTo = async (to: 'source' | 'target') =>
    (await switchOver({ to, execution: 'night', plan: PLAN, findStop }, world.ports)) as unknown as Edited;
  world.tasks[1]!.inFlight = 1;
  const abort = await switchTo('target');
  setTimeout(() => (world.tasks[1]!.inFlight = 0), 50);
  records = [abort, await switchTo('target'), await switchTo('source')];
  world.stop();
});

const evidence = (switches: unknown, more: object = {}) => ({ schema: 'drainshift/evidence/1', switches, ...more });
const verify = (switches: unknown, more?: object) => verifyEvidence(evidence(switches, more));
const clone = (record: Edited): Edited => structuredClone(record);

function edit(at: number, change: (record: Edited) => void): Edited[] {
  return records.map((record, index) => {
    const edited = clone(record);
    if (index === at) change(edited);
    return edited;
  });
}

const findEvent = ({ trace }: Edited, kind: string): Event => trace.events.find((each) => each.kind === kind)!;
const drop = (record: Edited, kind: string) => {
  record.trace.events = record.trace.events.filter((event) => event.kind !== kind);
};

test('genuine evidence is verified, also as text and back', () => {
  expect(records.map(({ outcome }) => outcome)).toEqual(['abort', 'commit', 'commit']);
  const { faults, switches } = verify(JSON.parse(JSON.stringify(records)));
  expect(faults).toEqual([]);
  expect(switches.map(({ epoch, outcome, events }) => [epoch, outcome, events > 8])).toEqual([
    [1, 'abort', true],
    [2, 'commit', true],
    [3, 'commit', true],
  ]);
});

test('another call of the same execution may commit first, and release tasks before this one asks', () => {
  const released = { atMs: 1, kind: 'task', tasks: '0', is: 'notHolding', endedTo: 'target' };
  const edited = edit(1, ({ trace }) => {
    const at = trace.events.findIndex(({ kind }) => kind === 'ready');
    trace.events = trace.events.toSpliced(at + 1, 0, released);
  });
  expect(verify(edited).faults).toEqual([]);
  const early = edit(1, ({ trace }) => {
    const at = trace.events.findIndex(({ kind }) => kind === 'ready');
    trace.events = trace.events.toSpliced(at, 0, released);
  });
  expect(verify(early).faults).toEqual([expect.stringMatching(/ends by its decision alone \(commit\)/)]);
});

describe('a trace is rejected at its first wrong event', () => {
  test.each<[string, RegExp, (record: Edited) => void]>([
    ['without its start', /event 1 \(enlist\): a call begins a switch, or goes on with one/, (r) => drop(r, 'begin')],
    ['without its list', /event 2 \(hold .*\): tasks are held after they are listed/, (r) => drop(r, 'enlist')],
    ['without its hold', /\(ready .*\): a commit is of a call that has held the tasks$/, (r) => drop(r, 'hold')],
    ['without any look', /\(ready .*\): a commit needs every task to hold .* got 3 unknown$/, (r) => drop(r, 'task')],
    [
      'without what a commit needs',
      /\(targets .*\): the registered targets are compared when/,
      (r) => drop(r, 'ready'),
    ],
    [
      'without the registered targets',
      /\(decide .*\): a commit needs every registered target/,
      (r) => drop(r, 'targets'),
    ],
    [
      'without what was asked for',
      /\(decision .*\): what a call writes is what it asked for \(nothing\)/,
      (r) => drop(r, 'decide'),
    ],
    ['without its decision', /\(released .*\): a task is released after the decision$/, (r) => drop(r, 'decision')],
    [
      'without its releases',
      /\(settle .*\): every task that held is told .* got 3 that were not$/,
      (r) => drop(r, 'released'),
    ],
    [
      'without its end',
      /event \d+ \(the end of the trace\): a switch ends with a settled regime, got none$/,
      (r) => drop(r, 'settle'),
    ],
    [
      'with a stranger',
      /a commit needs every registered target to be a member$/,
      (r) => (findEvent(r, 'targets').strangers = 1),
    ],
    [
      'with a short lease',
      /needs at least 500 ms of every lease, got 499$/,
      (r) => (findEvent(r, 'ready').leaseMs = 499),
    ],
    [
      'without a lease',
      /needs at least 500 ms of every lease, got nothing$/,
      (r) => delete findEvent(r, 'ready').leaseMs,
    ],
    [
      'with something in flight',
      /got .*busy$/,
      (r) => r.trace.events.forEach((each) => 'inFlight' in each && (each.inFlight = 1)),
    ],
    ['with an unknown number in flight', /must be known/, (r) => delete findEvent(r, 'task').inFlight],
    [
      'with a task that forwards to the other side',
      /ends by its decision alone \(commit\), got .* the source$/,
      (r) => (findEvent(r, 'released').to = 'source'),
    ],
    [
      'with the other regime',
      /after a commit the regime is target, joined, committed 2, got source/,
      (r) => (findEvent(r, 'settle').side = 'source'),
    ],
    [
      'of the other outcome',
      /the record must say commit, as the decision does, got abort$/,
      (r) => Object.assign(r, { outcome: 'abort' }),
    ],
    [
      'with the other decision',
      /what a call writes is what it asked for \(commit\), got abort$/,
      (r) => (findEvent(r, 'decision').outcome = 'abort'),
    ],
    [
      'with fewer members',
      /the record must have as many members as the trace \(3\), got 2$/,
      (r) => Object.assign(r, { members: 2 }),
    ],
    ['with an unknown task', /'tasks' must be from 0 to 2, got 3$/, (r) => (findEvent(r, 'released').tasks = '3')],
    [
      'that a hook fences, which never ran',
      /needs it to have frozen the side that is left$/,
      (r) => Object.assign(r, { fence: 'frozen' }),
    ],
    ['after its end', /nothing comes after the regime is settled$/, (r) => r.trace.events.push(findEvent(r, 'hold'))],
  ])('%s', (_, fault, change) => {
    const { faults } = verify(edit(1, change));
    expect(faults.length).toBeGreaterThan(0);
    expect(faults[0]).toMatch(/^epoch 2, event \d+ \(/);
    expect(faults[0]).toMatch(fault);
  });
});

describe('evidence is rejected', () => {
  const first = (switches: unknown, more?: object) => verify(switches, more).faults[0];

  test('whose switches do not follow each other', () => {
    expect(first([records[1], { ...records[0], epoch: 3 }])).toMatch(
      /^epoch 3: it must find the regime that epoch 2 left \(target, committed 2\), got source, committed 0$/,
    );
    expect(first([records[1], records[0]])).toMatch(
      /^epoch 1: its epoch must be over that of the switch before it \(2\), got 1$/,
    );
    expect(first([records[0], records[1], records[1]])).toBe(
      'epoch 2: an epoch begins once, got two records that begin it',
    );
    // The call that made the one in between was killed before it could leave a record.
    expect(first([records[0], records[2]])).toBeUndefined();
  });

  test('that the plan, the timeline or the logs of both sides contradict', () => {
    const plan = (fields: object) => ({ plan: { switch: { fence: 'drained', ...fields } } });
    expect(first(records, plan({}))).toBeUndefined();
    expect(first(records, plan({ dryRun: true }))).toBe('epoch 2: a dry run commits nothing, got a commit');
    expect(first(records, plan({ fence: 'epoch' }))).toBe(
      'epoch 1: the fence must be that of the plan (epoch), got drained',
    );
    const timeline = [{ state: 'Switch', detail: { epoch: 1, outcome: 'commit' } }];
    expect(first(records, { timeline })).toBe('epoch 1: the timeline must say abort, as the record does, got "commit"');
    const entry = (epoch: number, more: object = {}) => {
      const { to, outcome } = records.find((record) => record.epoch === epoch) ?? { to: 'target', outcome: 'abort' };
      return { state: 'Switch', detail: { epoch, to, outcome, ...more } };
    };
    const whole = [entry(1), entry(2), entry(3)];
    expect(first(records, { timeline: whole })).toBeUndefined();
    expect(first(records, { timeline: whole.slice(0, 2) })).toBe('epoch 3: the timeline must have it');
    expect(first(records.slice(0, 2), { timeline: whole })).toBe(
      'epoch 3: it must have a record, as the timeline has it',
    );
    expect(first(records, { timeline: [...whole, entry(4, { leftBy: 'another' }), entry(5, { to: undefined })] })).toBe(
      undefined,
    );
    const to = records.at(-1)!.to;
    const from = to === 'target' ? 'source' : 'target';
    expect(first(records, { timeline: whole, outcome: 'completed', plan: { from } })).toBeUndefined();
    expect(first(records, { timeline: whole, outcome: 'completed', plan: { from: to } })).toBe(
      `epoch 3: what completed has a commit to the ${from}, got a commit to the ${to}`,
    );
    const writes = { overlaps: 0, staleEpochs: 0, lost: 0, doubled: 0, faults: [] };
    expect(first(records, { switchSeen: { writes } })).toBeUndefined();
    const overlap = { ...writes, overlaps: 2, faults: ['write a 1 of the target must begin after'] };
    expect(first(records, { switchSeen: { writes: overlap } })).toBe(
      "the logs of both sides: 'overlaps' must be 0, got 2: write a 1 of the target must begin after",
    );
    expect(first(records, { switchSeen: {} })).toBe("the logs of both sides: 'overlaps' must be 0, got nothing");
  });

  test('of which an attempt has no trace', () => {
    expect(first(edit(0, (record) => delete (record as Partial<Edited>).trace))).toMatch(
      /^epoch 1, event 1 \(no trace\)/,
    );
  });
});

test.each([
  [[], 'evidence must be a JSON object, got []'],
  [null, 'evidence must be a JSON object, got null'],
  [{}, "'schema' must be 'drainshift/evidence/1', got nothing"],
  [{ schema: 'drainshift/evidence/2' }, "'schema' must be 'drainshift/evidence/1', got \"drainshift/evidence/2\""],
  [evidence(undefined), 'there is no switch in it'],
  [evidence([]), 'there is no switch in it'],
  [evidence({}), "'switches' must be a list, got {}"],
  [evidence([3]), "'switches[0]' must be an object, got 3"],
])('what is no evidence of a switch is said: %j', (value, message) => {
  expect(() => verifyEvidence(value)).toThrow(message);
});

test('a record of another shape is said by name, rule and value', () => {
  const broken = edit(0, (record) => {
    Object.assign(record, { epoch: 'one', from: 'middle' });
    record.trace.events[0]!.kind = 'ended';
    Object.assign(findEvent(record, 'task'), { is: 'asleep', tasks: 7 });
    Object.assign(record.trace.members, { source: 1e15 });
  });
  expect(() => verify(broken)).toThrow(
    [
      '\'switches[0].epoch\' must be an integer of at least 0, got "one"',
      '\'switches[0].from\' must be one of source, target, got "middle"',
      "'switches[0].trace.members.source' must be an integer from 0 to 100000, got 1000000000000000",
      '\'switches[0].trace.events[0].kind\' must be one of begin, resume, enlist, hold, task, hook, ready, targets, decide, decision, released, settle, got "ended"',
      "'switches[0].trace.events[3].tasks' must be a text, got 7",
      '\'switches[0].trace.events[3].is\' must be one of holding, deciding, notHolding, silent, stopped, got "asleep"',
    ].join('\n'),
  );
});

function isRejectedAs(switches: unknown): boolean {
  try {
    return verify(switches).faults.length > 0;
  } catch (error) {
    if (error instanceof EvidenceUnreadable) return true;
    throw error;
  }
}

/** What makes a commit right, read off a trace without the model: the order of its parts, and what it says of each task. */
function provesCommit({ trace, outcome, to }: Edited): boolean {
  const at = (kind: string) => trace.events.findIndex((event) => event.kind === kind);
  const order = ['begin', 'enlist', 'hold', 'ready', 'targets', 'decide', 'decision', 'settle'].map(at);
  if (outcome !== 'commit' || order.some((place, index) => place < 0 || place < (order[index - 1] ?? 0))) return false;
  const count = trace.members.source + trace.members.target;
  const of = (task: number) =>
    trace.events
      .map((event, place) => ({ event, place }))
      .filter(({ event }) => event.tasks !== undefined && parseTasks(event.tasks, count).includes(task));
  return Array.from({ length: count }, (_, task) => of(task)).every((seen) => {
    const before = seen.filter(({ place }) => place < at('ready')).at(-1);
    const after = seen.filter(({ place }) => place > at('decision') && place < at('settle'));
    const isEmpty = before?.event.is === 'holding' && before.event.inFlight === 0;
    return isEmpty && after.some(({ event }) => event.kind === 'released' && event.to === to);
  });
}

test('a trace that was edited at random is rejected, or still shows why its commit was right', () => {
  const seed = Number(process.env.DRAINSHIFT_TEST_SEED ?? Date.now() % 1_000_000);
  const place = fc.nat(30);
  const change = fc.oneof(
    fc.record({ drop: place }),
    fc.record({ swap: place, with: place }),
    fc.record({
      turn: place,
      what: fc.constantFrom('outcome', 'to', 'side', 'inFlight', 'strangers', 'is', 'isJoined'),
    }),
  );
  const turned: Record<string, unknown> = {
    commit: 'abort',
    abort: 'commit',
    source: 'target',
    target: 'source',
    holding: 'silent',
    true: false,
    false: true,
    0: 1,
    1: 0,
  };
  let rejected = 0;
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const edited = clone(records[1]!);
      const { events } = edited.trace;
      for (const each of changes) {
        const from = events[('drop' in each ? each.drop : 'swap' in each ? each.swap : each.turn) % events.length]!;
        if ('drop' in each) events.splice(events.indexOf(from), 1);
        else if ('swap' in each) {
          const [a, b] = [events.indexOf(from), each.with % events.length];
          [events[a], events[b]] = [events[b]!, from];
        } else if (each.what in from) from[each.what] = turned[String(from[each.what])];
      }
      const isRejected = isRejectedAs([edited]);
      rejected += Number(isRejected);
      expect(isRejected || provesCommit(edited)).toBe(true);
    }),
    { numRuns: 2_000, seed },
  );
  expect(rejected).toBeGreaterThan(1_000);
});
