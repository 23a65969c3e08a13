import type { Side } from '../../../core/traffic/weights';
import { describeLostSession, findLostSessions } from '../../../rehearsal/report/lost-sessions';
import { EntryRecorder, EntryTally } from '../../../rehearsal/traffic/counting/entries';

interface Seen {
  readonly on: Side;
  readonly beganOn: Side;
  readonly right?: number;
  readonly wrong?: number;
  readonly isRenewed?: boolean;
}

const WRONG = { expected: '200', got: '401' };

function record(...all: readonly Seen[]): EntryTally[] {
  const recorder = new EntryRecorder([{ name: 'cart', kind: 'request' }]);
  for (const { on, beganOn, right = 0, wrong = 0, isRenewed = false } of all) {
    for (let n = 0; n < right; n += 1) recorder.right('cart', on, { beganOn, isRenewed });
    for (let n = 0; n < wrong; n += 1) recorder.wrong('cart', on, WRONG, { beganOn, isRenewed });
  }
  return recorder.tally();
}

const AT_HOME: Seen = { on: 'source', beganOn: 'source', right: 100 };
const OWN: Seen = { on: 'target', beganOn: 'target', right: 100 };
const say = (...all: readonly Seen[]) => findLostSessions(record(...all)).map(describeLostSession);

test('wrong with each session of the other side, and right with its own: the session is not there', () => {
  expect(say(AT_HOME, OWN, { on: 'target', beganOn: 'source', wrong: 5 })).toEqual([
    "'cart' failed on the target for clients that began on the source: session not there (each of 5: expected 200, got 401)",
  ]);
  // And the way back.
  const back: Seen[] = [
    { ...AT_HOME, on: 'target', beganOn: 'target' },
    { ...OWN, on: 'source', beganOn: 'source' },
  ];
  expect(say(...back, { on: 'source', beganOn: 'target', wrong: 5 })[0]).toMatch(
    /on the source for clients that began on the target/,
  );
});

test('another session for each client of the other side, with responses that look right, is one that is not there', () => {
  expect(say(AT_HOME, OWN, { on: 'target', beganOn: 'source', right: 5, isRenewed: true })).toEqual([
    "'cart' began another session on the target for clients that began on the source: session not there (each of 5)",
  ]);
});

test.each<[why: string, seen: Seen[]]>([
  [
    'wrong for its own clients, too: a bug',
    [AT_HOME, { ...OWN, right: 0, wrong: 20 }, { on: 'target', beganOn: 'source', wrong: 9 }],
  ],
  ['its own clients never came', [AT_HOME, { on: 'target', beganOn: 'source', wrong: 9 }]],
  [
    'right for one of them: the session is there',
    [AT_HOME, OWN, { on: 'target', beganOn: 'source', wrong: 9, right: 1 }],
  ],
  ['one of a hundred is wrong anyway', [AT_HOME, { ...OWN, wrong: 1 }, { on: 'target', beganOn: 'source', wrong: 1 }]],
  ['half of all are wrong', [AT_HOME, { ...OWN, wrong: 100 }, { on: 'target', beganOn: 'source', wrong: 4 }]],
  ['wrong at home, too', [{ ...AT_HOME, right: 0, wrong: 9 }, OWN, { on: 'target', beganOn: 'source', wrong: 9 }]],
  ['too few to be sure', [AT_HOME, { ...OWN, right: 3 }, { on: 'target', beganOn: 'source', wrong: 1 }]],
  [
    'each response sets another cookie',
    [AT_HOME, { ...OWN, isRenewed: true }, { on: 'target', beganOn: 'source', right: 9, isRenewed: true }],
  ],
  [
    'each response of the source sets another cookie',
    [{ ...AT_HOME, isRenewed: true }, OWN, { on: 'target', beganOn: 'source', right: 9, isRenewed: true }],
  ],
])('nothing is said where it is not sure: %s', (_why, seen) => {
  expect(say(...seen)).toEqual([]);
});
