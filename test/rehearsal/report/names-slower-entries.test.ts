import { findSlower, listSlower } from '../../../rehearsal/report/slower';
import { scenarioRows } from '../../../rehearsal/report/scenario-seen';
import { lossLine, reachVerdict } from '../../../rehearsal/report/verdict';
import { EntryRecorder, EntryTally } from '../../../rehearsal/traffic/counting/entries';
import { Recorder } from '../../../rehearsal/traffic/counting/recorder';

type Times = readonly [source: readonly number[], target: readonly number[]];

const times = (count: number, ms: number) => new Array<number>(count).fill(ms);

function record(entries: Readonly<Record<string, Times>>): EntryTally[] {
  const recorder = new EntryRecorder(Object.keys(entries).map((name) => ({ name, kind: 'request' })));
  for (const [name, [source, target]] of Object.entries(entries)) {
    for (const ms of source) recorder.took(name, 'source', ms);
    for (const ms of target) recorder.took(name, 'target', ms);
  }
  return recorder.tally();
}

const names = (entries: readonly EntryTally[], minShare?: number) =>
  findSlower(entries, { minShare }).map(({ name }) => name);

test('an entry that takes much longer on the target is named, the slowest first, with what both sides took', () => {
  const entries = record({
    home: [times(200, 5), times(200, 6)],
    search: [times(200, 5), times(60, 305)],
    report: [times(40, 700), times(40, 1800)],
  });
  expect(listSlower(findSlower(entries))).toEqual([
    "'report' on the target (half took 1,816 ms, on the source 719 ms)",
    "'search' on the target (half took 314 ms, on the source 5.2 ms)",
  ]);
});

test('of a cutover the other way what is slower on the source is named, and what the source never got', () => {
  const entries = record({ search: [times(50, 305), times(50, 5)], faster: [times(50, 5), times(50, 305)] });
  const [search] = entries;
  const bySide = { ...search!.bySide, target: { right: 1, wrong: 0 } };
  const traffic = {
    ...new Recorder().tally(),
    entries: [...entries, { ...search!, name: 'cart', bySide, times: undefined }],
  };
  const { slower, notTried } = reachVerdict({ outcome: 'completed', plan: { from: 'target' }, traffic });
  expect(slower).toEqual(["'search' on the source (half took 314 ms, on the target 5.2 ms)"]);
  expect(notTried).toContain("'cart' on the source");
});

test('neither a few slow responses, nor a few responses, nor what is slower on the source is a finding', () => {
  const entries = record({
    now: [times(200, 5), [...times(90, 5), ...times(80, 900)]],
    rare: [times(200, 5), times(19, 900)],
    faster: [times(200, 900), times(200, 5)],
    // Twice as long, and still nothing that a client notices.
    quick: [times(200, 2), times(200, 40)],
    // Longer, and not by much.
    long: [times(200, 1000), times(200, 1200)],
    never: [[], []],
  });
  expect(names(entries)).toEqual([]);
});

test('a machine that could not carry the traffic delays by itself: only what is far longer is named', () => {
  const entries = record({ delayed: [times(50, 20), times(50, 120)], slow: [times(50, 20), times(50, 320)] });
  expect(names(entries, 1)).toEqual(['slow', 'delayed']);
  expect(names(entries, 0.6)).toEqual(['slow']);
});

test('the verdict says it and loses nothing by it, the page has the times; evidence without times has none', () => {
  const entries = record({ search: [times(50, 5), times(50, 305)], feed: [[], []] });
  const traffic = { ...new Recorder().tally(), entries };
  const verdict = reachVerdict({ outcome: 'completed', traffic });
  expect(verdict.slower).toEqual(["'search' on the target (half took 314 ms, on the source 5.2 ms)"]);
  expect(lossLine({ ...verdict, lost: [], notTried: [] })).toBe(
    "nothing lost; SLOWER: 'search' on the target (half took 314 ms, on the source 5.2 ms)",
  );
  expect(scenarioRows(entries).map((row) => row[4])).toEqual(['5.2 ms, 313.5 ms', '']);
  const old = entries.map((entry): EntryTally => ({ ...entry, times: undefined }));
  expect(findSlower(old)).toEqual([]);
  expect(scenarioRows(old)[0]![4]).toBe('');
});
