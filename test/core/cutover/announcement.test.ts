import { AnnouncementKind, Announced, buildAnnouncement } from '../../../core/cutover/announcement';
import { CutoverRun, begin, rollBack } from '../../../core/cutover/run';
import type { SwitchRecord } from '../../../core/switch/switch-record';
import { parsePlan } from '../../../core/plan/plan';

const places = { storeBucket: 'store', weightedRuleArn: 'arn:rule' };
const run = begin('move-1', '2026-01-01T00:00:00.000Z', parsePlan({ approval: { beforeFirstShift: true } }));
const tell = (kind: AnnouncementKind, about: Announced = run) => buildAnnouncement(kind, about, places);

const KINDS: readonly AnnouncementKind[] = [
  'started',
  'notStarted',
  'waitingForApproval',
  'switched',
  'switchAborted',
  'switchedBack',
  'shifted',
  'rollingBack',
  'stuck',
  'rolledBack',
  'refused',
  'failed',
  'completed',
];

describe.each(KINDS)('%s', (kind) => {
  test('has a subject that SNS takes, and a text that names the cutover', () => {
    const { subject, text, detail } = tell(kind, { ...run, execution: `é${'x'.repeat(100)}` });
    expect(subject).toMatch(/^[\x20-\x7e]{1,99}$/);
    expect(text).toContain("Cutover 'éx");
    expect(detail).toMatchObject({ kind, storeBucket: 'store', text });
  });

  test('is reported also of a run of which nothing is known but its name', () => {
    expect(tell(kind, { execution: 'move-1' }).text).not.toMatch(/undefined|NaN/);
  });
});

test.each<[AnnouncementKind, RegExp]>([
  ['started', /4 stages \(90\/10, 50\/50, 10\/90, 0\/100\) and takes about 26 min/],
  ['started', /aws s3api put-object --bucket store --key abort\/move-1.json/],
  ['refused', /Nothing was moved/],
  ['rolledBack', /The weights 100\/0 are in force again/],
  ['rolledBack', /aws s3 cp s3:\/\/store\/evidence\/move-1.json -/],
  ['rollingBack', /If none comes within ten minutes, look yourself: aws elbv2 describe-rules --rule-arns arn:rule/],
  ['failed', /1\. Look at the weights in force: aws elbv2 describe-rules --rule-arns arn:rule/],
  ['failed', /aws s3 rm s3:\/\/store\/lock.json/],
  ['completed', /All traffic is on the target/],
])('%s says what to do: %s', (kind, text) => {
  expect(tell(kind).text).toMatch(text);
});

test('the one who lost the lock learns who may have it now, and never to remove it', () => {
  const lost = rollBack(run, 'LockLost', "the lock must be held by 'move-1', got another or none");
  const { text } = tell('failed', lost);
  expect(text).toContain('1. See who holds the lock now: drainshift weights get');
  expect(text).toContain('2. While it is held, change nothing, neither the weights nor the lock');
  expect(text).toMatch(/3\. If it is not held, look at the weights in force: aws elbv2 describe-rules/);
  expect(text).not.toMatch(/s3 rm|lock is kept/);
  // The same when a step threw it.
  const thrown = { ...run, error: { Error: 'LockLost', Cause: '{"errorMessage":"gone"}' } };
  expect(tell('failed', thrown).text).not.toMatch(/s3 rm/);
});

test('the reason is given, and cut where it is a whole response of a service', () => {
  const { text, detail } = tell('rolledBack', rollBack(run, 'AlarmRaised', "the alarm 'a' must not be in ALARM"));
  expect(text).toContain("Why: AlarmRaised: the alarm 'a' must not be in ALARM");
  expect(detail.failure).toEqual({ code: 'AlarmRaised', message: "the alarm 'a' must not be in ALARM" });
  expect(tell('failed', rollBack(run, 'Aborted', 'y'.repeat(9000))).text.length).toBeLessThan(4000);
});

test('who is asked gets one command for a yes and one for a no, what comes next, and until when', () => {
  const ask = (requireIdentity: boolean) =>
    tell('waitingForApproval', {
      ...run,
      plan: parsePlan({ approval: { beforeFirstShift: true, requireIdentity } }),
      approval: { gate: 'firstShift', askedAtMs: Date.parse('2026-01-01T00:00:00Z') },
    });
  const { text, detail } = ask(true);
  expect(text).toContain(
    'Next come the weights 90/10. Without an approval until 2026-01-01T01:00:00.000Z nothing is moved',
  );
  const sign = 'drainshift approve --stack STACK --execution move-1 --gate firstShift';
  const write = (decision: string) =>
    `echo '{"decision":"${decision}","by":"YOUR NAME"}' | aws s3 cp - s3://store/approval/move-1/first-shift${decision === 'reject' ? '.rejected' : ''}.json`;
  expect(text).toContain(`${sign}\n`);
  expect(text).toContain(`${sign.replace('approve', 'reject')}\n`);
  expect(text).toContain(write('reject'));
  // It would count for nothing.
  expect(text).not.toContain(write('approve'));
  expect(ask(false).text).toContain(write('approve'));
  expect(detail.gate).toBe('firstShift');
});

test('before the last stage a missing approval rolls back, and a text that cannot be read is reported', () => {
  const { text } = tell('waitingForApproval', {
    ...run,
    approval: { gate: 'lastStage', askedAtMs: 0, problem: "'decision' must be …" },
  });
  expect(text).toContain('Next come the weights 0/100');
  expect(text).toContain('it rolls back to 100/0');
  expect(text).toContain("What was written does not count: 'decision' must be …");
});

test('commands name the stack where it is known', () => {
  const { text } = buildAnnouncement('completed', run, { ...places, stackName: 'shop' });
  expect(text).toContain('drainshift rollback --stack shop');
  expect(text).not.toContain('STACK');
});

test('a shift says the stage, its weights and how long it is watched', () => {
  const stage = { index: 1, shiftedAtMs: 0, baseline: { source: {}, target: {} } };
  const { text, detail } = tell('shifted', { ...run, stage });
  expect(text).toContain('Stage 2 of 4: the weights 50/50 are in force. It now watches for 5 min');
  expect(detail).toMatchObject({ stage: 2, stages: 4, weights: { source: 50, target: 50 } });
});

const RULE = "aws elbv2 describe-rules --rule-arns arn:rule --query 'Rules[].Actions[].ForwardConfig.TargetGroups'";
const STOP =
  'To stop it and roll back: drainshift abort --stack STACK --execution move-1, or: aws s3api put-object --bucket store --key abort/move-1.json';
const EVIDENCE = 'The evidence: aws s3 cp s3://store/evidence/move-1.json -';
const WHY = 'Why: Aborted: stop';
const SET = 'drainshift weights set --stack STACK --source S --target T';
const dead = { serves: false, code: 'SmokeFailed', reason: 'GET / must return 200, got 500\nand more' } as const;
const sides = { source: dead, target: { serves: true } } as const;
const startedAt = '2026-01-01T00:00:00.000Z';

/** What a person reads at night is the product: each text as a whole, of a run that an operator has stopped. */
const TEXTS: [AnnouncementKind, string, Partial<CutoverRun>, readonly string[]][] = [
  [
    'started',
    'started',
    { failure: undefined },
    [
      'It has 4 stages (90/10, 50/50, 10/90, 0/100) and takes about 26 min when nothing goes wrong. Nothing has moved yet, and there is nothing to do.',
      STOP,
    ],
  ],
  [
    'notStarted',
    'did not start',
    {},
    [
      WHY,
      'Nothing was moved. Fix what it says, then start another execution under another name.',
      'If the lock is held by an execution that has ended: look at the weights, then free the lock: aws s3 rm s3://store/lock.json',
    ],
  ],
  [
    'shifted',
    'shifted',
    { stage: { index: 3, shiftedAtMs: 0 }, failure: undefined },
    ['Stage 4 of 4: the weights 0/100 are in force. It now watches for 5 min; there is nothing to do.', STOP],
  ],
  [
    'rollingBack',
    'is rolling back',
    {},
    [
      WHY,
      'The cutover rolls back to 100/0. A message follows when they read back.',
      `If none comes within ten minutes, look yourself: ${RULE}`,
    ],
  ],
  [
    'stuck',
    'NEEDS YOU: it cannot roll back',
    { rollback: { startedAt, sides } },
    [
      WHY,
      'the source does not serve (GET / must return 200, got 500)',
      'the target serves',
      'It leaves the weights as they are, because the source would serve no better. The cutover rolls back to 100/0 as soon as the source serves. It waits a few minutes for that, then ends as failed and keeps the lock.',
      `1. Get one of the two sides to serve. The weights in force: ${RULE}`,
      '2. Then, if it has ended, free the lock: aws s3 rm s3://store/lock.json',
      `3. ${SET}`,
    ],
  ],
  [
    'stuck',
    'NEEDS YOU: it rolled back, and the source does not serve',
    { rollback: { startedAt, strandedAt: startedAt } },
    [
      WHY,
      'The weights 100/0 are in force again, and the source does not serve with them: requests fail now. It waits a few minutes for the source, sets no weights meanwhile, then ends as failed and keeps the lock.',
      `1. Get one of the two sides to serve. The weights in force: ${RULE}`,
      '2. Then, if it has ended, free the lock: aws s3 rm s3://store/lock.json',
      `3. ${SET}`,
    ],
  ],
  [
    'rolledBack',
    'was rolled back',
    { rollback: { startedAt, strandedAt: startedAt } },
    [
      WHY,
      'The weights 100/0 are in force again, and the source responds. Nothing is urgent.',
      `When you are awake: read the evidence, fix the reason, start under another name. ${EVIDENCE}`,
    ],
  ],
  [
    'refused',
    'was rejected, nothing moved',
    {},
    [
      WHY,
      'Nothing was moved: the traffic is where it was. Fix every line above, then start under another name.',
      EVIDENCE,
    ],
  ],
  [
    'failed',
    'FAILED: look at the weights now',
    { rollback: { startedAt, sides } },
    [
      WHY,
      'the source does not serve (GET / must return 200, got 500)',
      'the target serves',
      `1. Look at the weights in force: ${RULE}`,
      '2. The lock is kept on purpose, so that no other cutover starts before you have checked. Then free the lock: aws s3 rm s3://store/lock.json',
      `3. If the weights are not what you want (the cutover began with 100/0): ${SET}`,
      EVIDENCE,
    ],
  ],
  [
    'failed',
    'FAILED: look at the weights now',
    { failure: { code: 'LockLost', message: 'gone' } },
    [
      'Why: LockLost: gone',
      'It touches nothing any more, and puts nothing back.',
      '1. See who holds the lock now: drainshift weights get --stack STACK, or: aws s3 cp s3://store/lock.json -',
      '2. While it is held, change nothing, neither the weights nor the lock: the traffic belongs to its holder.',
      `3. If it is not held, look at the weights in force: ${RULE}`,
      `   This cutover began with 100/0. If they are not what you want: ${SET}`,
      EVIDENCE,
    ],
  ],
  [
    'failed',
    'FAILED: look at the weights now',
    { failure: { code: 'LockDamaged', message: 'not JSON' } },
    [
      'Why: LockDamaged: not JSON',
      'Whether this execution ever held the lock, and what it has moved, cannot be read. Nothing was put back. The recovery tries again every few minutes, for hours.',
      `1. Look at the weights in force: ${RULE}`,
      '2. If the bucket keeps versions, put the last good one of lock.json back, and the recovery goes on by itself: aws s3api list-object-versions --bucket store --prefix lock.json',
      `3. Else, if no other cutover runs: aws s3 rm s3://store/lock.json, then, if the weights are not what you want: ${SET}`,
    ],
  ],
  [
    'completed',
    'completed',
    { failure: undefined },
    [
      'All traffic is on the target, and the connections of the source are at zero. The source runs on, ready, at weight 0: keep it for as long as you want to be able to roll back.',
      'To roll back: drainshift rollback --stack STACK',
      EVIDENCE,
    ],
  ],
];

test.each(TEXTS)('%s: the whole text of "%s"', (kind, headline, over, lines) => {
  const { subject, text } = tell(kind, { ...rollBack(run, 'Aborted', 'stop'), ...over });
  expect(subject).toBe(`Cutover 'move-1' ${headline}`);
  expect(text.split('\n\n')).toEqual([`Cutover 'move-1' ${headline}.`, ...lines]);
});

test('a cutover that waits for a person says each thing once, and nothing that it does not know', () => {
  const plan = parsePlan({ approval: { beforeLastStage: true, requireIdentity: false } });
  const approval = { gate: 'lastStage', askedAtMs: 0 } as const;
  expect(tell('waitingForApproval', { ...run, plan, approval }).text.split('\n\n')).toEqual([
    "Cutover 'move-1' waits for your approval.",
    'Next come the weights 0/100. Without an approval until 1970-01-01T01:00:00.000Z it rolls back to 100/0.',
    'To approve, signed as who you are at AWS:\n  drainshift approve --stack STACK --execution move-1 --gate lastStage\nor, without a name in the record:\n  echo \'{"decision":"approve","by":"YOUR NAME"}\' | aws s3 cp - s3://store/approval/move-1/last-stage.json',
    'To reject, after which it rolls back to 100/0:\n  drainshift reject --stack STACK --execution move-1 --gate lastStage\nor, where that command is not at hand:\n  echo \'{"decision":"reject","by":"YOUR NAME"}\' | aws s3 cp - s3://store/approval/move-1/last-stage.rejected.json',
  ]);
});

describe('a run of which nothing is known but its name', () => {
  const nothing = (kind: AnnouncementKind) => tell(kind, { execution: 'move-1' });

  test.each<[AnnouncementKind, string]>([
    ['started', 'It has 0 stages. Nothing has moved yet, and there is nothing to do.'],
    ['rollingBack', 'The cutover rolls back to the old weights. A message follows when they read back.'],
    ['rolledBack', 'The old weights are in force again, and the source responds. Nothing is urgent.'],
    ['shifted', 'Stage 0 of 0: the weights of the plan are in force. It now watches for 0 s; there is nothing to do.'],
    ['failed', `1. Look at the weights in force: ${RULE}`],
  ])('%s', (kind, first) => {
    expect(nothing(kind).text.split('\n\n')[1]).toBe(first);
  });

  test('has a detail without the parts that are not known', () => {
    const { text } = nothing('waitingForApproval');
    expect(text).toBe("Cutover 'move-1' waits for your approval.");
    const detail = { kind: 'waitingForApproval', execution: 'move-1', storeBucket: 'store', text };
    expect(nothing('waitingForApproval').detail).toStrictEqual(detail);
  });
});

test('the detail of other kinds names no gate, although one was waited for', () => {
  const approval = { gate: 'lastStage', askedAtMs: 0 } as const;
  expect(tell('rolledBack', { ...run, approval }).detail).not.toHaveProperty('gate');
});

test('a subject is cut where SNS would not take it, and has no other characters', () => {
  const { subject } = tell('completed', { execution: `é${'x'.repeat(120)}` });
  expect(subject).toBe(`Cutover '?${'x'.repeat(89)}`);
});

test.each([
  [2000, 'y'.repeat(2000)],
  [2001, `${'y'.repeat(2000)}…`],
])('a reason of %i characters', (length, told) => {
  const { text, detail } = tell('rolledBack', rollBack(run, 'Aborted', 'y'.repeat(length)));
  expect(text.split('\n\n')[1]).toBe(`Why: Aborted: ${told}`);
  expect(detail.failure?.message).toBe(told);
});

test.each([
  [119, '119 s'],
  [120, '2 min'],
  [200, '3 min'],
])('a bake of %i s is watched for %s', (bakeSeconds, time) => {
  const plan = parsePlan({ stages: [{ weights: { source: 0, target: 1 }, bakeSeconds }] });
  expect(tell('shifted', { ...run, plan, stage: { index: 0, shiftedAtMs: 0 } }).text).toContain(`watches for ${time};`);
});

describe('a switch', () => {
  const plan = parsePlan({ strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared', attemptSeconds: 9 } });
  const attempt: SwitchRecord = {
    ...{ epoch: 3, from: 'source', to: 'target', outcome: 'commit', by: 'move-1', startedAt: 'x', members: 2 },
    ...{ fence: 'drained', abandoned: 0, maxWaiting: 41, releasedMs: 87 },
  };
  const of = (kind: AnnouncementKind, more: object) =>
    tell(kind, { ...run, plan, switches: [{ ...attempt, ...more }] }).text;

  test('says what clients felt, and who decided', () => {
    const text = of('switched', {});
    expect(text).toContain(
      "Epoch 3 to the target: commit, decided by 'move-1'. Requests waited for at most 87 ms, 41 of them",
    );
    expect(text).toContain('forward to the target, whatever the weights are');
  });

  test('that another call had begun claims no pause', () => {
    const text = of('switched', { isResumed: true, maxWaiting: 0, releasedMs: 0 });
    expect(text).toContain('how long requests waited is unknown.');
    expect(text).not.toContain('0 ms');
  });

  test('that was aborted says why, and whether it is tried again', () => {
    const aborted = { outcome: 'abort', why: 'a task hung', maxWaiting: 0, releasedMs: undefined };
    expect(of('switchAborted', aborted)).toMatch(/Nothing was held\. Why: a task hung/);
    expect(of('switchAborted', aborted)).toContain('It is tried again in 9 s: attempt 2 of 3.');
    const last = {
      ...run,
      plan: { ...plan, switch: { ...plan.switch!, attempts: 1 } },
      switches: [{ ...attempt, ...aborted }],
    };
    expect(tell('switchAborted', last as Announced).text).toContain('It is not tried again.');
  });

  test('back names the side, and where to read what became of the writes', () => {
    expect(of('switchedBack', { from: 'target', to: 'source' })).toMatch(/Epoch 3 to the source[^]*pointOfNoReturn/);
  });
});
