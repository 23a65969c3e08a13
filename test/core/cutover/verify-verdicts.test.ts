import type { Evidence } from '../../../core/cutover/evidence';
import { VerdictCheck, verifyVerdicts } from '../../../core/cutover/verify-verdicts';
import { EvidenceUnreadable } from '../../../core/validation/shapes';
import { completed, rejected, rolledBack, unprovenAndStopped } from '../../lambda/judged-traffic';

type Json = Record<string, unknown>;
type Edited = Evidence & Json;
type Change = (evidence: Edited) => unknown;

let whole: Record<'completed' | 'rolledBack', Evidence>;
beforeAll(async () => {
  whole = { completed: await completed(), rolledBack: await rolledBack() };
});

const copy = (evidence: Evidence) => JSON.parse(JSON.stringify(evidence)) as Edited;
function edit(name: keyof typeof whole, change: Change): Edited {
  const evidence = copy(whole[name]);
  change(evidence);
  return evidence;
}
const isSame = ({ differences, contradictions, missing }: VerdictCheck) =>
  [differences, contradictions, missing].every((list) => list.length === 0);
const lines = (evidence: unknown) => {
  const { differences, contradictions, missing } = verifyVerdicts(evidence);
  return [...differences.map(() => 'differs'), ...contradictions, ...missing];
};
const rejection = (evidence: unknown): string | undefined => {
  try {
    verifyVerdicts(evidence);
    return undefined;
  } catch (error) {
    if (error instanceof EvidenceUnreadable) return error.message;
    throw error;
  }
};
const drop = (list: unknown, at: number) => void (list as unknown[]).splice(at, 1);

/** `stages.0.verdict`; `looks.poll` is the last one of this kind, `timeline.Bake` the first of this state. */
function findParent(evidence: unknown, path: string): { parent: Json; key: string } {
  const keys = path.split('.');
  const step = (value: unknown, key: string): { parent: Json; key: string } => {
    if (!Array.isArray(value) || /^\d+$/.test(key)) return { parent: value as Json, key };
    const list = value as Json[];
    const at = Math.max(
      list.findIndex(({ state }) => state === key),
      list.findLastIndex(({ kind }) => kind === key),
    );
    return { parent: value as unknown as Json, key: String(at) };
  };
  let place = step(evidence, keys[0]!);
  for (const key of keys.slice(1)) place = step(place.parent[place.key], key);
  return place;
}
const set =
  (path: string, value: unknown): Change =>
  (evidence) => {
    const { parent, key } = findParent(evidence, path);
    parent[key] = typeof value === 'function' ? (value as (before: unknown) => unknown)(parent[key]) : value;
  };
const remove =
  (path: string): Change =>
  (evidence) => {
    const { parent, key } = findParent(evidence, path);
    if (Array.isArray(parent)) drop(parent, Number(key));
    else delete parent[key];
  };
const both =
  (...changes: Change[]): Change =>
  (evidence) =>
    changes.forEach((change) => change(evidence));

test('evidence of both ends is the same, whatever the order of its keys', () => {
  for (const evidence of Object.values(whole)) {
    expect(lines(evidence)).toEqual([]);
    const turn = (value: unknown): unknown =>
      typeof value !== 'object' || value === null
        ? value
        : Array.isArray(value)
          ? value.map(turn)
          : Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([key, each]) => [key, turn(each)]),
            );
    expect(isSame(verifyVerdicts(turn(evidence)))).toBe(true);
  }
});

test('what a person approved and rejected is another thing than what the judge decided', async () => {
  const evidence = await rejected();
  expect(evidence.failure?.message).toMatch(
    /^the target must be as good .*; a person was asked, and it was rejected by/,
  );
  expect(evidence.looks!.filter(({ kind }) => kind === 'restart').length).toBe(1);
  expect(lines(evidence)).toEqual([]);
  const approvals = evidence.timeline.filter(({ state }) => state !== 'Approve');
  expect(lines({ ...evidence, timeline: approvals }).join()).toMatch(
    /the approval at .*, from which the odds start again/,
  );
  const other = evidence.failure!.message.replace(/target [\d,]+ errors/, 'target 7 errors');
  const failure = { ...evidence.failure!, message: other };
  const timeline = evidence.timeline.map((entry) =>
    entry.detail['because'] === undefined ? entry : { ...entry, detail: { because: failure } },
  );
  expect(lines({ ...evidence, failure, timeline }).join()).toMatch(/the record of TargetWorse/);
});

test('a stage that proved nothing goes on by an approval alone, and what ended the next one is on record', async () => {
  const evidence = await unprovenAndStopped();
  expect(evidence.stages.map(({ verdict }) => verdict)).toEqual(['inconclusive', 'rollBack']);
  expect(evidence.looks!.at(-1)).toMatchObject({ kind: 'poll', found: 'Aborted' });
  expect(lines(evidence)).toEqual([]);
  const timeline = evidence.timeline.filter(({ state }) => state !== 'Approve');
  expect(lines({ ...evidence, timeline }).join()).toMatch(/the approval behind the bake of stage 1 in 'timeline'/);
  const failure = { code: 'TargetWorse', message: 'it was worse' };
  expect(lines({ ...evidence, failure }).join()).toMatch(/'failure' must be that of the rollback/);
});

test('a record that is taken out is noticed, each of them', () => {
  for (const name of ['completed', 'rolledBack'] as const) {
    // The first one says what judges.
    for (let at = 1; at < whole[name].looks!.length; at += 1) {
      const without = edit(name, ({ looks }) => drop(looks, at));
      expect([at, isSame(verifyVerdicts(without))]).toEqual([at, false]);
      // Also where how many there were is no more there.
      const bare = copy(without);
      remove('looksKept')(bare);
      const { kind } = whole[name].looks![at]!;
      if (kind !== 'poll') expect([at, kind, isSame(verifyVerdicts(bare))]).toEqual([at, kind, false]);
    }
  }
  expect(() => verifyVerdicts(edit('completed', ({ looks }) => drop(looks, 0)))).toThrow(
    /must start before the first shift, got 'shift'/,
  );
});

test('most records that are taken out are noticed by those beside them alone', () => {
  const { looks } = whole.completed;
  const unnoticed = looks!.filter((_, at) => {
    if (at === 0 || at === looks!.length - 1) return false;
    return isSame(verifyVerdicts(edit('completed', both(remove(`looks.${at}`), remove('looksKept')))));
  });
  // Those in which no second was counted: two looks in the same one.
  expect(unnoticed.filter((record) => record.kind !== 'poll' || record.until > record.after)).toEqual([]);
});

const ALARM = { code: 'AlarmRaised', message: 'an alarm' };
const OTHER_FIGURES = (failure: unknown) => {
  const { code, message } = failure as { code: string; message: string };
  return { code, message: message.replace(/target [\d,]+ errors/, 'target 7 errors') };
};
const CHANGES: Record<string, [keyof typeof whole, Change, RegExp]> = {
  'no outcome': ['completed', remove('outcome'), /'outcome' must be there/],
  'another outcome': ['completed', set('outcome', 'rolled-back'), /'rolled-back'/],
  'a rollback as completed': ['rolledBack', set('outcome', 'completed'), /'outcome' must be/],
  'a rollback as failed': ['rolledBack', set('outcome', 'failed'), /'outcome' must be "rolled-back"/],
  'a rollback as rejected': ['rolledBack', set('outcome', 'refused'), /must not be refused/],
  'no failure': ['rolledBack', remove('failure'), /'failure' must say why/],
  'another code': ['rolledBack', set('failure.code', 'BreakerTripped'), /'failure' must be that/],
  'another message': ['rolledBack', set('failure.message', 'it was slow'), /'failure' must be that/],
  'another reason in both places': [
    'rolledBack',
    both(set('failure', ALARM), set('timeline.Rollback.detail.because', ALARM)),
    /'failure' must be .*TargetWorse/,
  ],
  'a reason of the judge in both places': [
    'rolledBack',
    both(set('failure.code', 'TargetNotProven'), set('timeline.Rollback.detail.because.code', 'TargetNotProven')),
    /'failure' must be .*TargetWorse/,
  ],
  'figures of another reason in both places': [
    'rolledBack',
    both(set('failure', OTHER_FIGURES), set('timeline.Rollback.detail.because', OTHER_FIGURES)),
    /'failure' must be/,
  ],
  'a failure of what completed': ['completed', set('failure', ALARM), /'failure' must be absent/],
  'a rollback of what completed': ['completed', set('rollback', {}), /'rollback' must be absent/],
  'no rollback': ['rolledBack', remove('rollback'), /'rollback.restoredAt' must say/],
  'no stages': ['completed', remove('stages'), /'stages' must be there/],
  'the first stage away': ['completed', remove('stages.0'), /stages/],
  'the last stage away': ['completed', remove('stages.1'), /stages/],
  'a stage twice': [
    'completed',
    (e) => (e.stages as unknown[]).push(e.stages[1]),
    /'stages\[2\]' must be one of the 2/,
  ],
  'the interrupted stage away': ['rolledBack', remove('stages.0'), /stages/],
  'another verdict of a stage': ['completed', set('stages.0.verdict', 'inconclusive'), /'stages\[0\].verdict'/],
  'a stage that went on as one that failed': ['completed', set('stages.1.verdict', 'rollBack'), /'stages\[1\]/],
  'an interrupted stage as promoted': ['rolledBack', set('stages.0.verdict', 'promote'), /the record of the bake/],
  'other weights of a stage': ['completed', set('stages.0.weights.target', 40), /'stages\[0\].weights'/],
  'other errors of a stage': ['completed', set('stages.1.errors.target', 3), /'stages\[1\].errors'/],
  'other errors of the interrupted stage': ['rolledBack', set('stages.0.errors.target', 0), /'stages\[0\]'/],
  'other odds of a stage': ['completed', set('stages.0.judge.odds', 7), /'stages\[0\].judge'/],
  'no judge of a stage': ['completed', remove('stages.0.judge'), /'stages\[0\].judge'/],
  'a stage that was not confirmed': ['completed', set('stages.0.confirmed', false), /confirmed/],
  'another end of a stage': ['completed', set('stages.0.seconds', 600), /'stages\[0\].seconds'/],
  'another end of the interrupted stage': ['rolledBack', set('stages.0.seconds', 600), /'stages\[0\].seconds'/],
  'no timeline': ['completed', remove('timeline'), /'timeline' must be there/],
  'a bake away in the timeline': ['completed', remove('timeline.Bake'), /in 'timeline'/],
  'another bake in the timeline': ['completed', set('timeline.Bake.detail.verdict', 'rollBack'), /Bake of stage 1/],
  'a shift away in the timeline': ['completed', remove('timeline.Shift'), /in 'timeline'/],
  'other weights in the timeline': ['completed', set('timeline.Shift.detail.weights.target', 1), /Shift of stage 1/],
  'no end in the timeline': ['completed', remove('timeline.Complete'), /the end as/],
  'no record in the timeline': ['rolledBack', remove('timeline.Record'), /the end as/],
  'no looks': ['completed', remove('looks'), /'looks' must have/],
  'an empty list of looks': ['completed', set('looks', []), /'looks' must have/],
  'fewer looks': ['completed', set('looksKept', 1_000), /'looks' must have 1000 records/],
  'looks that the store alone has': [
    'completed',
    set('looksIn', { prefix: 'looks/night/', objects: 3 }),
    /'drainshift evidence' fetches them/,
  ],
  'looks that were lost': ['completed', set('looksMissing', '3 polls could not be written'), /^3 polls/],
  'a poll that said nothing': ['rolledBack', remove('looks.poll.said'), /differs/],
  'a poll that said something else': ['rolledBack', set('looks.poll.said', 'BreakerTripped'), /differs/],
  'a poll with other odds': ['completed', set('looks.poll.odds', 50), /differs/],
  'a poll with other windows': ['rolledBack', set('looks.poll.windows.target.all', [200, 200, 200, 0, 0]), /differs/],
  'a poll that an alarm ended': ['rolledBack', set('looks.poll.found', 'AlarmRaised'), /'failure.code'/],
  'a poll in the middle that ended it': ['completed', set('looks.5.found', 'AlarmRaised'), /must be the last one/],
  'another bake': ['completed', set('looks.bake.verdict', 'inconclusive'), /differs/],
  'a restart that no one approved': [
    'completed',
    (e) => (e.looks as unknown[]).splice(4, 0, { kind: 'restart', at: 1_767_225_600_000 }),
    /the approval at/,
  ],
  'a stall that its counts do not give': [
    'completed',
    set('moves', { moved: 3, stallCounts: [0, 2, 1], stall: { count: 3, p50Ms: 1, p99Ms: 1.4, longestMs: 1.4 } }),
    /'moves.stall' must be \{"count":3,"p50Ms":1.2,"p99Ms":1.4,"longestMs":1.4\}, as the records say, got/,
  ],
  'another budget in the plan': ['completed', set('plan.judge.errorBudget', 0.0001), /differs/],
  'a longer bake in the plan': ['completed', set('plan.stages.0.bakeSeconds', 600), /differs/],
};

test.each(Object.entries(CHANGES))('%s is noticed', (_, [name, change, said]) => {
  expect(lines(edit(name, change)).join('\n')).toMatch(said);
});

const DAMAGE: Record<string, [Change, RegExp]> = {
  'a plan that is a text': [set('plan', 'x'), /^'plan' must be an object, got "x"$/],
  'no plan': [remove('plan'), /^'plan' must be an object, got nothing$/],
  'a plan without its judge': [remove('plan.judge'), /^'plan.judge' must be an object, got nothing$/],
  'a plan with a text for a number': [
    set('plan.breaker.minimumErrors', '10'),
    /^'plan.breaker.minimumErrors' must be a number of at least 0, got "10"$/,
  ],
  'stages that are null': [set('plan.stages', null), /^'plan.stages' must be a list, got null$/],
  'an outcome of another type': [set('outcome', 7), /^'outcome' must be one of completed, .*, got 7$/],
  'a failure that is a text': [set('failure', 'no'), /^'failure' must be an object with .*, got "no"$/],
  'a stage that is null': [set('stages.1', null), /^'stages\[1\]' must be an object, got null$/],
  'a timeline that is an object': [set('timeline', {}), /^'timeline' must be a list, got \{\}$/],
  'an entry without a time': [set('timeline.0.at', 'x'), /^'timeline\[0\].at' must be a time, got "x"$/],
  'looks that are an object': [set('looks', {}), /^'looks' must be a list, got \{\}$/],
  'a look that is null': [set('looks.3', null), /^'looks\[3\]' must be an object, got null$/],
  'a look of another kind': [set('looks.3.kind', 'toString'), /^'looks\[3\].kind' must be one of begin, /],
  'a poll without counts': [remove('looks.3.counts'), /^'looks\[3\].counts' must be an object with/],
  'a count that is a text': [set('looks.3.counts.source.0', '1'), /^'looks\[3\].counts' must be/],
  'windows of one side': [remove('looks.3.windows.target'), /^'looks\[3\].windows' must be/],
  'a time beyond time': [set('looks.3.at', 1e300), /^'looks\[3\].at' must be milliseconds/],
  'moves without counts': [set('moves', { moved: 1 }), /^'moves' must be an object with/],
  'odds that are a text': [set('looks.3.odds', '1'), /^'looks\[3\].odds' must be a number, or null/],
  'a poll twice': [
    (e) => (e.looks as unknown[]).splice(4, 0, e.looks![3]),
    /^'looks\[4\]' must be another record than the one before it, got the same 'poll' twice$/,
  ],
  'a poll at two places': [
    (e) => (e.looks as unknown[]).splice(9, 0, e.looks![3]),
    /^'looks\[9\]' must be of the seconds after/,
  ],
  'all of them twice': [
    (e) => Object.assign(e, { looks: [...e.looks!, ...e.looks!] }),
    /must be the first record, if it is 'begin'/,
  ],
  'the last first': [(e) => Object.assign(e, { looks: e.looks!.toReversed() }), /must be/],
  'two polls exchanged': [
    (e) => Object.assign(e, { looks: e.looks!.with(5, e.looks![8]!).with(8, e.looks![5]!) }),
    /^'looks\[6\]' must be of the seconds after \d+, where the poll before it ended, got after \d+$/,
  ],
  'a bake at another place': [
    (e) => {
      const at = e.looks!.findIndex(({ kind }) => kind === 'bake');
      (e.looks as unknown[]).splice(at + 2, 0, ...(e.looks as unknown[]).splice(at, 1));
    },
    /must be at the time of the poll before it/,
  ],
  'the schema of another': [set('schema', 'x'), /^'schema' must be 'drainshift\/evidence\/1', got "x"$/],
};

test.each(Object.entries(DAMAGE))('%s is no evidence', (_, [change, said]) => {
  expect(rejection(edit('completed', change))).toMatch(said);
});

test.each([null, [], 7, 'x', true])('%j is no evidence', (value) => {
  expect(rejection(value)).toBe(`evidence must be a JSON object, got ${JSON.stringify(value)}`);
});

test('any part of another type, or away, is said in words, and never by an error of the language', () => {
  const values: unknown[] = [null, 'x', -1, 1e300, true, [], {}, [null], undefined];
  const visit = (value: unknown, path: readonly string[]): string[] => {
    const own = path.length === 0 ? [] : [path.join('.')];
    if (typeof value !== 'object' || value === null) return own;
    const children = Object.entries(value).slice(0, 12);
    return [...own, ...children.flatMap(([key, each]) => visit(each, [...path, key]))];
  };
  const small = edit('completed', (e) => Object.assign(e, { looks: e.looks!.slice(0, 6) }));
  for (const path of visit(small, [])) {
    const damaged = copy(small);
    set(path, values[path.length % values.length])(damaged);
    try {
      verifyVerdicts(copy(damaged));
    } catch (error) {
      const isSaid = error instanceof EvidenceUnreadable || /^the records must/.test((error as Error).message);
      if (!isSaid) throw new Error(path, { cause: error });
    }
  }
});
