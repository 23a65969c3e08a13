import fc from 'fast-check';
import { KIND_ENDINGS, packKinds, sumEnding } from '../../../core/judge/kind-tally';
import { TaskReading, addReadings, beginTally, withUnlisted } from '../../../core/judge/tally';
import type { LedgerReport } from '../../../core/proxy/admin-api';
import { ByKind, CONNECTION_KINDS, KindCounts, addKinds, eachKind, total } from '../../../core/proxy/connections';
import { report } from '../../lambda/world';

const count = fc.nat(40);
const counts: fc.Arbitrary<KindCounts> = fc.record(eachKind(() => count));
const IDS = ['a', 'b', 'c'];

/** What happens to a task between two looks. */
const change = fc.record({
  id: fc.constantFrom(...IDS),
  what: fc.constantFrom(
    'goesOn',
    'silent',
    'stopped',
    'stoppedInOrder',
    'unlisted',
    'restarted',
    'losesWorker',
    'undrained',
  ),
  active: counts,
  moved: counts,
  closed: counts,
  forced: counts,
});

interface State {
  readonly life: TaskReading['life'];
  readonly isSilent: boolean;
  readonly isUnlisted: boolean;
  readonly exitCode?: number;
  readonly report: LedgerReport;
}

const NAMES = Array.from({ length: 200 }, (_, index) => `name-${index}`);

test('the endings of all kinds add up to those that are counted for all, whatever becomes of a task', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 12 }), (looks) => {
      let names = 0;
      const fresh = (): State => ({
        ...{ life: 'running', isSilent: false, isUnlisted: false },
        report: { ...report(NAMES[names]!), identity: NAMES[(names += 1)]! },
      });
      const states: Record<string, State> = Object.fromEntries(IDS.map((id) => [id, fresh()]));
      const read = (): TaskReading[] =>
        Object.entries(states).flatMap(([id, { life, isSilent, isUnlisted, exitCode, report: said }]) => {
          if (isUnlisted) return [];
          const reading = { id, address: id, life, ...(exitCode !== undefined && { exitCode }) };
          return [life === 'stopped' || isSilent ? reading : { ...reading, report: said }];
        });
      let tally = beginTally(read(), 0, true);
      looks.forEach((changes, index) => {
        // One change of each task between two looks.
        for (const each of new Map(changes.map((one) => [one.id, one])).values())
          states[each.id] = alter(states[each.id]!, each, fresh);
        const nowMs = (index + 1) * 40_000;
        tally = addReadings(tally, withUnlisted(tally, read(), nowMs), nowMs);
        for (const ending of KIND_ENDINGS) expect(sumEnding(tally.kinds!, ending)).toBe(tally.counts[ending]);
      });
    }),
    { numRuns: 300 },
  );
});

function alter(
  state: State,
  { what, active, moved, closed, forced }: Record<string, unknown> & { what: string },
  fresh: () => State,
): State {
  const given = { active, moved, closed, forced } as Record<'active' | 'moved' | 'closed' | 'forced', KindCounts>;
  if (state.life === 'stopped') return state;
  const next = { ...state, isSilent: what === 'silent', isUnlisted: what === 'unlisted' };
  if (what === 'stopped') return { ...next, life: 'stopped', exitCode: 137 };
  if (what === 'stoppedInOrder') return { ...next, life: 'stopped', exitCode: 0 };
  const from = what === 'restarted' ? fresh().report : state.report;
  const ended = eachKind((kind) => ({
    completed: 0,
    moved: from.ended[kind].moved + given.moved[kind],
    closed: from.ended[kind].closed + given.closed[kind],
    forced: 0,
  }));
  if (what === 'losesWorker') {
    // From zero, but for what the worker held.
    const held = eachKind((kind) => ({ completed: 0, moved: 0, closed: 0, forced: given.active[kind] }));
    return { ...next, report: { ...from, instance: `${from.instance}+`, active: given.active, ended: held } };
  }
  const before = what === 'undrained' ? undefined : from.drainForcedByKind;
  const drainForcedByKind: ByKind<number> =
    what === 'undrained' ? eachKind(() => 0) : addKinds(before ?? eachKind(() => 0), given.forced);
  return {
    ...next,
    report: { ...from, active: given.active, ended, drainForcedByKind, drainForced: total(drainForcedByKind) },
  };
}

test('what is kept of a task takes a few bytes', () => {
  expect(packKinds(report('a'))).toBe('');
  expect(packKinds({ ...report('a', { active: { websocket: 1_234, http: 56 } }) })).toBe('1k,,,,ya');
  const most = eachKind(() => 99_999);
  const ended = eachKind(() => ({ completed: 0, moved: 99_999, closed: 99_999, forced: 0 }));
  expect(packKinds({ ...report('a', { active: most }), ended, drainForcedByKind: most })).toHaveLength(
    CONNECTION_KINDS.length * 4 * 5 - 1,
  );
});
