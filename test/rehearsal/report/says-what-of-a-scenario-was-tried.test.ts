import {
  describeEntry,
  listNeverRight,
  listProblems,
  listUnexercised,
  listWrong,
  scenarioFacts,
  scenarioRows,
} from '../../../rehearsal/report/scenario-seen';
import { EntryRecorder, EntryTally, SeenOn } from '../../../rehearsal/traffic/counting/entries';

type Seen = readonly [side: SeenOn, right: number, wrong: number];

/** Entries by name, with what was seen of each. */
function record(entries: Readonly<Record<string, readonly Seen[]>>): EntryTally[] {
  const recorder = new EntryRecorder(Object.keys(entries).map((name) => ({ name, kind: 'request' })));
  for (const [name, all] of Object.entries(entries)) {
    for (const [side, right, wrong] of all) {
      for (let n = 0; n < right; n += 1) recorder.right(name, side);
      for (let n = 0; n < wrong; n += 1) recorder.wrong(name, side, { expected: '200', got: '401' });
    }
  }
  return recorder.tally();
}

const GOOD: readonly Seen[] = [
  ['source', 2, 0],
  ['target', 1, 0],
];

test('what was right on both sides is exercised; what never ran, and what never got to the target, is named', () => {
  const entries = record({ good: GOOD, never: [], wrong: [['source', 0, 3]], left: [['source', 1, 0]] });
  expect(listUnexercised(entries)).toEqual(["'never'", "'left' on the target"]);
  expect(describeEntry(entries[3]!)).toBe('left: source 1 right; target NEVER TRIED');
});

test('what was sent and never right was tried: it is named with what came instead', () => {
  const entries = record({
    never: [],
    wrong: [['source', 0, 3]],
    gone: [['noSide', 0, 1]],
    chat: [
      ['source', 2, 0],
      ['target', 0, 4],
    ],
  });
  expect(listNeverRight(entries)).toEqual(["'wrong' (expected 200, got 401)", "'gone' (expected 200, got 401)"]);
  expect(listWrong(entries)).toBe("wrong: 'chat' on the target, always");
  expect(describeEntry(entries[3]!)).toBe('chat: source 2 right; target NEVER RIGHT, 4 WRONG (expected 200, got 401)');
});

test('many names are counted, and not listed', () => {
  const many = record(Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, []])));
  expect(listUnexercised(many)).toEqual(["'a'", "'b'", "'c'", '2 more entries']);
});

test('what was wrong is named with its side, what was expected and what came', () => {
  const entries = record({ good: GOOD, cart: [...GOOD, ['target', 0, 2], ['noSide', 0, 1]] });
  expect(listWrong(entries)).toBe("wrong: 'cart' on the target and without a response of a side");
  expect(listWrong(record({ good: GOOD }))).toBeUndefined();
  expect(describeEntry(entries[1]!)).toBe(
    'cart: source 2 right; target 1 right, 2 WRONG (expected 200, got 401); 1 WRONG without a response of a side (expected 200, got 401)',
  );
  expect(listProblems(entries)).toEqual([
    "'cart': expected 200, got 401 from the target, 2 times",
    "'cart': expected 200, got 401",
  ]);
  expect(scenarioRows(entries)[1]).toEqual([
    'cart',
    '2 right',
    '1 right, 2 wrong',
    '0 right, 1 wrong',
    '',
    'target: expected 200, got 401 (2); expected 200, got 401 (1)',
  ]);
});

test('what fails each time on a side is named before what fails now and then', () => {
  const sometimes: readonly Seen[] = [...GOOD, ['target', 0, 1]];
  const entries = record({
    a: sometimes,
    b: sometimes,
    c: sometimes,
    chat: [
      ['source', 1, 0],
      ['target', 0, 1],
    ],
  });
  expect(listWrong(entries)).toBe("wrong: 'chat' on the target, always, 'a' on the target, 'b' on the target, 1 more");
});

test('a long scenario has one line for all that was right, and one for each of the rest', () => {
  const good = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`good ${n}`, GOOD]));
  expect(scenarioFacts(record({ ...good, left: [['source', 1, 0]] }))).toEqual([
    ['scenario', '30 of 31 entries right on both sides'],
    ['scenario', 'left: source 1 right; target NEVER TRIED'],
  ]);
});

test('ways in which an entry goes wrong are counted, and no more than ten are kept', () => {
  const recorder = new EntryRecorder([{ name: 'a', kind: 'request' }]);
  for (let n = 0; n < 24; n += 1) recorder.wrong('a', 'target', { expected: '1', got: `${n % 12}` });
  const [entry] = recorder.tally();
  expect(entry?.bySide.target.wrong).toBe(24);
  expect(entry?.problems.map(({ count }) => count)).toEqual(Array(10).fill(2));
});
