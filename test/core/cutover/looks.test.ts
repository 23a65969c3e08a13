import { buildEvidence, withLooks } from '../../../core/cutover/evidence';
import { NO_LOOKS, afterWriting, keepLook, mustWriteLooks, withoutLooks } from '../../../core/cutover/looks';
import { CutoverRun, begin } from '../../../core/cutover/run';
import { LookRecord } from '../../../core/judge/look-record';
import { beginWatch, noteBlindness } from '../../../core/judge/watch';
import { parsePlan } from '../../../core/plan/plan';
import { countObjects } from '../../../lambda/shared/looks';
import { MemoryCloud } from '../../lambda/world';

const RUN = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));
const look = (at: number, characters = 0): LookRecord => {
  const windows = { all: [], routes: { ['x'.repeat(characters)]: [] } };
  const counts = { source: [], target: [] };
  const seen = { after: 0, until: 0, windows: { source: windows, target: windows }, counts };
  return { kind: 'poll', at, ...seen, isServing: true, isConfirmed: true };
};
const keep = (count: number, run: CutoverRun = RUN, characters?: number) =>
  Array.from({ length: count }, (_, at) => look(at, characters)).reduce(keepLook, run);

test('a few polls travel in the state, and eight of them, or an end, go to the store', () => {
  expect(mustWriteLooks(RUN)).toBe(false);
  expect(mustWriteLooks({ ...keep(7), verdict: 'wait' })).toBe(false);
  expect(mustWriteLooks({ ...keep(8), verdict: 'wait' })).toBe(true);
  expect(mustWriteLooks({ ...keep(1), verdict: 'drained' })).toBe(true);
});

test('a rollback waits for no store, and nothing is tried with one that is away', () => {
  expect(mustWriteLooks({ ...keep(8), verdict: 'rollBack' })).toBe(false);
  const watch = noteBlindness(beginWatch({ source: [], target: [] }, 0), ['store'], 0);
  expect(mustWriteLooks({ ...keep(8), verdict: 'wait', watch })).toBe(false);
});

test('what the state has no room for is counted as lost, the oldest first', () => {
  const many = keep(100, RUN, 500).looks!;
  expect(JSON.stringify(many.records).length).toBeLessThan(25_000);
  expect(many.lost + many.records.length).toBe(100);
  expect(many.records.at(-1)).toMatchObject({ at: 99 });
  expect(withoutLooks(keep(3)).looks).toEqual({ ...NO_LOOKS, lost: 3, kept: 3 });
});

test('what says of what the polls are is kept, whatever the state has room for', () => {
  const others: LookRecord[] = [
    { kind: 'begin', at: 0, until: 0, routes: [], past: [] },
    { kind: 'shift', at: 1, stage: 0 },
    { kind: 'bake', at: 2, elapsedSeconds: 60, canPromote: true, verdict: 'promote' },
    { kind: 'restart', at: 3 },
  ];
  const run = others.reduce((all, record) => keep(50, keepLook(all, record), 500), RUN);
  const kinds = ({ looks }: CutoverRun) => looks!.records.map(({ kind }) => kind).filter((kind) => kind !== 'poll');
  expect(kinds(run)).toEqual(['begin', 'shift', 'bake', 'restart']);
  expect(JSON.stringify(run.looks!.records).length).toBeLessThan(25_000);
  expect(run.looks!.lost + run.looks!.records.length).toBe(204);
  expect(withoutLooks(run).looks).toEqual({ ...NO_LOOKS, records: others, lost: 200, kept: 204 });
});

describe('the evidence', () => {
  const evidence = (run: CutoverRun, objects?: number) => buildEvidence(run, 'completed', 0, objects);

  test('names the objects of the store, however many there are, and has what the state still has', () => {
    const run = keep(1, afterWriting(keep(2)));
    const named = evidence(run);
    expect(named).toMatchObject({ looks: [look(0)], looksKept: 3, looksIn: { prefix: 'looks/night/', objects: 1 } });
    expect(withLooks(named, [[look(7), look(8)]]).looks).toEqual([look(7), look(8), look(0)]);
    expect(withLooks(named, [[look(7), look(8)]])).not.toHaveProperty('looksIn');
    expect(withLooks(named, [[look(7)]])).not.toHaveProperty('looksMissing');
    expect(evidence(keep(1))).not.toHaveProperty('looksIn');
  });

  test('of a state that is older than the store has nothing twice', () => {
    const named = evidence(keep(2), 1);
    expect(withLooks(named, [[look(0), look(1), look(2)]]).looks).toEqual([look(0), look(1), look(2)]);
  });

  test('says what is missing, and why', () => {
    const lost = evidence(afterWriting(keep(100, RUN, 500)), 3);
    const { looks, looksMissing } = withLooks(lost, [[look(7)], undefined]);
    expect(looksMissing).toMatch(
      /^\d+ polls could not be written while the store was away; 2 of 3 objects of polls must be in the store, got none or damaged ones, as 'looks\/night\/000002.json'$/,
    );
    expect(looks!.length).toBeGreaterThan(0);
    expect(evidence(RUN)).not.toHaveProperty('looks');
  });
});

test('how many there were of an execution that an older version began is unknown', () => {
  const old = { ...RUN, looks: { records: [], written: 3, lost: 0 } };
  const evidence = buildEvidence(keepLook(old, look(1)), 'completed', 0);
  expect(evidence).toMatchObject({ looks: [look(1)], looksIn: { objects: 3 } });
  expect(evidence).not.toHaveProperty('looksKept');
});

describe('what the store has beyond the state', () => {
  const counted = async (run: CutoverRun, ...objects: LookRecord[][]) => {
    const cloud = new MemoryCloud();
    cloud.looks = objects;
    return countObjects(run, cloud.ports);
  };

  test('is of the evidence where it goes on from the state, as after a step that died', async () => {
    const run = keep(2, afterWriting(keep(2)));
    expect(await counted(RUN)).toBe(0);
    expect(await counted(run, [look(0)])).toBe(1);
    expect(await counted(run, [look(0)], [look(0), look(1), look(2)], [look(3)])).toBe(3);
  });

  test('is not where the step was repeated and went its own way: what it saw then is in the state', async () => {
    const run = keep(2, afterWriting(keep(2)));
    expect(await counted(run, [look(0)], [look(0), look(7)])).toBe(1);
    expect(await counted(run, [look(0)], [look(0)])).toBe(1);
  });

  test('is not where the first try of a step has written more than the second, which left nothing in the state', async () => {
    const watch = beginWatch({ source: [], target: [] }, 10);
    const run = { ...afterWriting(keepLook(RUN, look(10))), watch };
    expect(await counted(run, [look(10)], [look(2), look(3)])).toBe(1);
    expect(await counted(run, [look(10)], [look(11)], [look(12)])).toBe(3);
  });

  test('is not waited for when the store is away', async () => {
    const cloud = new MemoryCloud();
    cloud.away.add('store');
    expect(await countObjects(afterWriting(keep(2)), cloud.ports)).toBe(1);
  });
});
