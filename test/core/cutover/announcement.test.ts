import { AnnouncementKind, Announced, buildAnnouncement } from '../../../core/cutover/announcement';
import { begin, rollBack } from '../../../core/cutover/run';
import { parsePlan } from '../../../core/plan/plan';

const places = { storeBucket: 'store', weightedRuleArn: 'arn:rule' };
const run = begin('move-1', '2026-01-01T00:00:00.000Z', parsePlan({ approval: { beforeFirstShift: true } }));
const tell = (kind: AnnouncementKind, about: Announced = run) => buildAnnouncement(kind, about, places);

const KINDS: readonly AnnouncementKind[] = [
  'started',
  'notStarted',
  'waitingForApproval',
  'shifted',
  'rollingBack',
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

  test('is told also of a run of which nothing is known but its name', () => {
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

test('whoever lost the lock is told who may have it now, and never to remove it', () => {
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
    `echo '{"decision":"${decision}","by":"YOUR NAME"}' | aws s3 cp - s3://store/approval/move-1/first-shift.json`;
  expect(text).toContain(`${sign}\n`);
  expect(text).toContain(`${sign} --reject\n`);
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

test('a shift says the stage, its weights and how long it is watched', () => {
  const stage = { index: 1, shiftedAtMs: 0, baseline: { source: {}, target: {} } };
  const { text, detail } = tell('shifted', { ...run, stage });
  expect(text).toContain('Stage 2 of 4: the weights 50/50 are in force. It now watches for 5 min');
  expect(detail).toMatchObject({ stage: 2, stages: 4, weights: { source: 50, target: 50 } });
});
