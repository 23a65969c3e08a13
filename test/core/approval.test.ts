import {
  MOST_WORD_BYTES,
  answerOf,
  approvalKey,
  approvalLooks,
  approvalPollSeconds,
  approvalVerdict,
  gatesOf,
  pendingGate,
} from '../../core/approval';

const both = { beforeFirstShift: true, beforeLastStage: true, timeoutSeconds: 3600 };
const asked = { gate: 'firstShift', askedAtMs: 0 } as const;
const read = (text: string | undefined, writtenAtMs = 0) => answerOf({ text, writtenAtMs }, asked, both);

test('each gate of a plan is asked for once, before its stage', () => {
  const plan = { approval: both, stages: [1, 2, 3] };
  expect([0, 1, 2, 3].map((index) => pendingGate(plan, [], index))).toEqual([
    'firstShift',
    undefined,
    'lastStage',
    undefined,
  ]);
  expect(pendingGate(plan, ['firstShift'], 0)).toBeUndefined();
  expect(pendingGate(plan, ['firstShift'], 2)).toBe('lastStage');
});

test('a plan that asks for nothing has no gate, and with a single stage both gates are one', () => {
  expect(gatesOf({ ...both, beforeFirstShift: false, beforeLastStage: false }, 4)).toEqual([]);
  expect(gatesOf({ ...both, beforeFirstShift: false }, 1)).toEqual(['firstShift']);
  expect(gatesOf(both, 1)).toEqual(['firstShift']);
});

test('a long wait is looked at less often', () => {
  expect(approvalPollSeconds(both, 15)).toBe(15);
  expect(approvalPollSeconds({ ...both, timeoutSeconds: 604_800 }, 15)).toBe(1210);
  expect(approvalLooks({ ...both, timeoutSeconds: 604_800 }, 4, 15)).toBe(1002);
  expect(approvalLooks(both, 4, 15)).toBe(482);
});

test('a word is read as it was written', () => {
  expect(read('{"decision":"approve","by":"ann","at":"2026-01-01T00:00:00Z"}')).toEqual({
    decision: 'approve',
    by: 'ann',
    at: '2026-01-01T00:00:00Z',
  });
  expect(read('{"decision":"reject"}')).toEqual({ decision: 'reject', by: 'somebody' });
});

test.each([
  ['no JSON', 'approve', 'got approve'],
  ['another word', '{"decision":"yes"}', 'got "yes"'],
  ['nothing', '', 'got '],
  ['a list', '["approve"]', 'got ["approve"]'],
  ['null', 'null', 'got null'],
])('%s is neither a yes nor a no', (_, text, got) => {
  expect(read(text)).toBe(`'decision' must be "approve" or "reject", ${got}`);
});

test('what people write is cut, so that no answer can outgrow the state of a run', () => {
  const long = 'x'.repeat(1900);
  expect(read(JSON.stringify({ decision: 'approve', by: long, at: long }))).toEqual({
    decision: 'approve',
    by: 'x'.repeat(200),
    at: 'x'.repeat(200),
  });
  expect(read(JSON.stringify({ decision: [long] }))).toMatch(/^'decision' must be .{1,160}$/);
  const longest = '{"decision":"approve"}'.padEnd(MOST_WORD_BYTES);
  expect(read(longest)).toMatchObject({ decision: 'approve' });
  for (const text of [`${longest} `, undefined])
    expect(read(text)).toBe('the answer must be at most 4096 bytes long, got more');
});

test('a word that is there in time counts, also when it is seen later; without one the time decides', () => {
  const at = (word: Parameters<typeof approvalVerdict>[0], seconds: number) =>
    approvalVerdict(word, asked, both, seconds * 1000);
  expect(at(undefined, 3599)).toBe('wait');
  expect(at('unreadable', 3599)).toBe('wait');
  expect(at(undefined, 3600)).toBe('overdue');
  expect(at('unreadable', 3600)).toBe('overdue');
  expect(at({ decision: 'approve', by: 'ann' }, 3601)).toBe('approved');
  expect(at({ decision: 'reject', by: 'ann' }, 1)).toBe('rejected');
});

test.each([
  ['in time', 0, true],
  ['at the last moment', 3_600_000, true],
  ['too late', 3_600_001, false],
  ['while a step that is repeated asked before', -60_000, true],
  ['before anybody asked', -60_001, false],
])('a word that was written %s counts or not', (_, writtenAtMs, counts) => {
  const word = read('{"decision":"approve"}', writtenAtMs);
  if (counts) expect(word).toMatchObject({ decision: 'approve' });
  else
    expect(word).toBe(
      `the answer must be written from 1970-01-01T00:00:00.000Z to 1970-01-01T01:00:00.000Z, got one of ${new Date(writtenAtMs).toISOString()}`,
    );
});

test('each gate has an object of its own, so that one answer does not open both', () => {
  expect(approvalKey('move-1', 'firstShift')).toBe('approval/move-1/first-shift.json');
  expect(approvalKey('move-1', 'lastStage')).toBe('approval/move-1/last-stage.json');
});
