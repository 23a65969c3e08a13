import {
  MAX_WORD_BYTES,
  readResponse,
  approvalKey,
  approvalLooks,
  approvalPollSeconds,
  approvalVerdict,
  describeResponder,
  findStageBehind,
  findGate,
  formatGateName,
  isGateName,
  listGates,
  pendingGate,
  proven,
  buildStatement,
} from '../../../core/approval/approval';

const both = {
  beforeFirstShift: true,
  beforeLastStage: true,
  beforeStages: [],
  timeoutSeconds: 3600,
  requireIdentity: true,
};
const asked = { gate: 'firstShift', askedAtMs: 0 } as const;
const read = (text: string | undefined, writtenAtMs = 0) => readResponse({ text, writtenAtMs }, asked, both);

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
  expect(listGates({ ...both, beforeFirstShift: false, beforeLastStage: false }, 4)).toEqual([]);
  expect(listGates({ ...both, beforeFirstShift: false }, 1)).toEqual(['firstShift']);
  expect(listGates(both, 1)).toEqual(['firstShift']);
});

test('a plan may ask before any stage, and before none twice', () => {
  const some = { ...both, beforeFirstShift: false, beforeLastStage: false, beforeStages: [3, 2, 4] };
  expect(listGates(some, 4)).toEqual(['stage2', 'stage3', 'lastStage']);
  expect(listGates({ ...both, beforeStages: [1, 4] }, 4)).toEqual(['firstShift', 'lastStage']);
  const plan = { approval: some, stages: [1, 2, 3, 4] };
  expect([0, 1, 2, 3].map((index) => pendingGate(plan, ['stage3'], index))).toEqual([
    undefined,
    'stage2',
    undefined,
    'lastStage',
  ]);
  expect(['firstShift', 'stage12', 'lastStage'].map((gate) => findStageBehind(gate as 'stage12', 20))).toEqual([
    0, 11, 19,
  ]);
  expect(approvalKey('night', 'stage12')).toBe('approval/night/stage-12.json');
  expect(['firstShift', 'lastStage', 'stage2', 'stage49'].every(isGateName)).toBe(true);
  expect(['stage1', 'stage02', 'stage50', 'stage', 'Stage2', 'first', ''].some(isGateName)).toBe(false);
});

test('a gate that asks again has another question, with a key and a statement of its own', () => {
  const gates = ['firstShift', 'lastStage', 'judge', 'stage2', 'stage22'] as const;
  const names = gates.flatMap((gate) => [1, 2, 22].map((number) => formatGateName(gate, number)));
  expect(names.slice(0, 3)).toEqual(['firstShift', 'firstShift-2', 'firstShift-22']);
  expect(names.every(isGateName)).toBe(true);
  expect(['judge-1', 'judge-0', 'judge-02', 'judge-', 'judge2', 'judge-2-2', '-2'].some(isGateName)).toBe(false);
  expect(names.map(findGate)).toEqual(gates.flatMap((gate) => [gate, gate, gate]));
  const says = names.map((gate) => buildStatement({ decision: 'approve', gate, execution: 'night' }, 'store'));
  expect(says[7]).toBe('approve/judge-2/store/night');
  expect(approvalKey('night', 'judge-2')).toBe('approval/night/judge-2.json');
  expect(approvalKey('night', 'stage2-2')).toBe('approval/night/stage-2-2.json');
  for (const keys of [says, names.map((each) => approvalKey('night', each))]) {
    expect(new Set(keys).size).toBe(names.length);
  }
});

test('a long wait is looked at less often', () => {
  expect(approvalPollSeconds(both, 15)).toBe(15);
  expect(approvalPollSeconds({ ...both, timeoutSeconds: 36_000 }, 15)).toBe(72);
  expect(approvalLooks({ ...both, timeoutSeconds: 36_000 }, 4, 15)).toBe(1002);
  expect(approvalLooks(both, 4, 15)).toBe(482);
});

test('a word is read as it was written', () => {
  expect(read('{"decision":"approve","by":"ann","at":"2026-01-01T00:00:00Z"}')).toEqual({
    decision: 'approve',
    claims: 'ann',
    at: '2026-01-01T00:00:00Z',
  });
  expect(read('{"decision":"reject"}')).toEqual({ decision: 'reject' });
  expect(read('{"decision":"reject","statement":{"says":1}}')).toEqual({ decision: 'reject', statement: { says: 1 } });
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

test('what people write is cut, so that no approval can outgrow the state of a run', () => {
  const long = 'x'.repeat(1900);
  expect(read(JSON.stringify({ decision: 'approve', by: long, at: long }))).toEqual({
    decision: 'approve',
    claims: `${'x'.repeat(200)}…`,
    at: `${'x'.repeat(200)}…`,
  });
  expect(read(JSON.stringify({ decision: [long] }))).toMatch(/^'decision' must be .{1,160}$/);
  const longest = '{"decision":"approve"}'.padEnd(MAX_WORD_BYTES);
  expect(read(longest)).toMatchObject({ decision: 'approve' });
  for (const text of [`${longest} `, undefined])
    expect(read(text)).toBe('the approval must be at most 16384 bytes long, got more');
});

test('an approval is looked at before a statement that was signed after the last poll has expired', () => {
  for (const [timeoutSeconds, pollSeconds] of [
    [604_800, 15],
    [3600, 3600],
  ] as const) {
    const approval = { ...both, timeoutSeconds };
    expect(approvalPollSeconds(approval, pollSeconds)).toBe(600);
    expect(approvalLooks(approval, 4, pollSeconds)).toBe(2 * (timeoutSeconds / 600 + 1));
  }
});

test.each([
  ['line breaks', 'ann\r\nApproved by: the board', 'ann Approved by: the board'],
  ['escapes of terminals', '\u001b[2Jann\u0007\u009b1m', '[2Jann 1m'],
  ['marks that turn text', '\u202enna\u2066', 'nna'],
  ['separators of lines and lone surrogates', 'a\u2028b\u2029c\ud800d', 'a b c d'],
])('%s of an approver stay out of what others read', (_, by, claims) => {
  expect(read(JSON.stringify({ decision: 'approve', by, at: by }))).toMatchObject({ claims, at: claims });
  expect(read(JSON.stringify({ decision: by }))).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
  expect(read(by)).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
});

describe('who approved', () => {
  const yes = { decision: 'approve', claims: 'bob' } as const;
  const no = { decision: 'reject', claims: 'bob' } as const;
  const account = '123456789012';
  const arn = `arn:aws:sts::${account}:assumed-role/Operators/ann@example.com`;
  const open = { requireIdentity: false, account };
  const strict = { requireIdentity: true, account };

  test('is whom STS names, and what they call themselves stays beside it', () => {
    for (const rules of [open, strict]) {
      const response = proven(yes, { arn }, rules);
      expect(response).toEqual({ decision: 'approve', claims: 'bob', by: arn, byProof: 'sts' });
    }
    expect(describeResponder({ ...no, by: arn, byProof: 'sts' })).toBe(`'${arn}'`);
  });

  test('is no one of another account: anyone at all can sign a call of STS', () => {
    const theirs = 'arn:aws:iam::999999999999:user/ann';
    const rule = `the statement must be signed by a principal of account ${account}, got ${theirs}`;
    for (const rules of [open, strict]) expect(proven(yes, { arn: theirs }, rules)).toBe(rule);
  });

  test('is unknown without a statement: a yes counts only where the plan has it so, a no always', () => {
    expect(proven(yes, undefined, strict)).toMatch(
      /^'statement' must be there, .* got none: use 'drainshift approve'$/,
    );
    expect(proven(yes, undefined, open)).toEqual({ ...yes, by: 'unknown', byProof: 'none' });
    for (const rules of [open, strict]) {
      expect(proven(no, undefined, rules)).toEqual({ ...no, by: 'unknown', byProof: 'none' });
    }
    const unknown = { by: 'unknown', byProof: 'none' } as const;
    expect(describeResponder({ ...no, ...unknown })).toBe("an unknown signer, who claims to be 'bob'");
    expect(describeResponder({ decision: 'reject', ...unknown })).toBe('an unknown signer');
  });

  test('a statement that proves nothing makes no yes, whatever the plan; a no is one all the same, and says so', () => {
    for (const rules of [open, strict]) {
      expect(proven(yes, { problem: 'why' }, rules)).toBe('why');
      const unproven = { ...no, by: 'unknown', byProof: 'none', statementProblem: 'why' };
      expect(proven(no, { problem: 'why' }, rules)).toEqual(unproven);
    }
  });
});

test('what is signed is one approval of one gate of one execution in one store, and no part looks like two', () => {
  const all = (['approve', 'reject'] as const).flatMap((decision) =>
    (['firstShift', 'lastStage'] as const).flatMap((gate) =>
      ['move-1', 'a/b', 'a%2Fb', 'é\n'].map((execution) => buildStatement({ decision, gate, execution }, 'store')),
    ),
  );
  expect(new Set(all).size).toBe(all.length);
  for (const says of all) expect(says).toMatch(/^[\x21-\x7e]+$/);
  expect(all[0]).toBe('approve/firstShift/store/move-1');
});

test('a word that is there in time counts, also when it is seen later; without one the time decides', () => {
  const at = (word: Parameters<typeof approvalVerdict>[0], seconds: number) =>
    approvalVerdict(word, asked, both, seconds * 1000);
  expect(at(undefined, 3599)).toBe('wait');
  expect(at('unreadable', 3599)).toBe('wait');
  expect(at(undefined, 3600)).toBe('overdue');
  expect(at('unreadable', 3600)).toBe('overdue');
  expect(at({ decision: 'approve' }, 3601)).toBe('approved');
  expect(at({ decision: 'reject' }, 1)).toBe('rejected');
});

test.each([
  ['in time', 0, true],
  ['at the last moment', 3_600_000, true],
  ['too late', 3_600_001, false],
  ['while a step that is repeated asked before', -60_000, true],
  ['before the request for it', -60_001, false],
])('a word that was written %s counts or not', (_, writtenAtMs, counts) => {
  const word = read('{"decision":"approve"}', writtenAtMs);
  if (counts) expect(word).toMatchObject({ decision: 'approve' });
  else
    expect(word).toBe(
      `the approval must be written from 1970-01-01T00:00:00.000Z to 1970-01-01T01:00:00.000Z, got one of ${new Date(writtenAtMs).toISOString()}`,
    );
});

test('each gate has an object of its own, so that one approval does not open both', () => {
  expect(approvalKey('move-1', 'firstShift')).toBe('approval/move-1/first-shift.json');
  expect(approvalKey('move-1', 'lastStage')).toBe('approval/move-1/last-stage.json');
});
