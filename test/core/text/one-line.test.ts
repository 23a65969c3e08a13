import { checkAlarms } from '../../../core/judge/alarm-check';
import { buildAnnouncement } from '../../../core/cutover/announcement';
import { begin, findFailure, rollBack } from '../../../core/cutover/run';
import { describeHolder } from '../../../core/traffic/lock';
import { oneLine, printable } from '../../../core/text/one-line';
import { parsePlan } from '../../../core/plan/plan';

const HOSTILE = 'x\r\n\nLine of ours: all is well\u001b[2J\u0085\u2028\u202e\ud800';
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const UNSEEN_IN_LINES = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

test('a line stays a line, and is cut between characters', () => {
  expect(oneLine(HOSTILE)).toBe('x Line of ours: all is well [2J');
  expect(oneLine('é😀ß', 2)).toBe('é😀…');
  expect(oneLine('x'.repeat(10_000), 3)).toBe('xxx…');
  expect(oneLine('plain, with "signs" & ümläuts 😀')).toBe('plain, with "signs" & ümläuts 😀');
});

test('a message of several lines keeps them, and nothing that a terminal obeys', () => {
  expect(printable('a\nb\r\u001b[31mc')).toBe('a\nb  [31mc');
  expect(printable(HOSTILE)).not.toMatch(UNSEEN_IN_LINES);
});

test.each<[string, () => string]>([
  [
    'the reason of an alarm',
    () =>
      checkAlarms(
        { source: { metric: [], other: [] }, target: { metric: ['a'], other: [] } },
        [{ name: 'a', state: 'ALARM', reason: HOSTILE }],
        'target',
      )!.message,
  ],
  ['the name in a lock', () => describeHolder({ execution: HOSTILE, startedAt: HOSTILE, expiresAt: HOSTILE })],
  ['a key of a plan', () => formatMessage(() => parsePlan({ [HOSTILE]: 1 }))],
  ['a value of a plan', () => formatMessage(() => parsePlan({ strategy: HOSTILE }))],
])('%s is no second line of a message', (_, message) => {
  expect(message()).toContain('Line of ours');
  expect(message()).not.toMatch(UNSEEN);
});

function formatMessage(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

test('whatever a failure holds, mails, events, causes and evidence have none of it', () => {
  const run = begin('move-1', '2026-01-01T00:00:00.000Z', parsePlan({}));
  const thrown = { ...run, error: { Error: 'Error', Cause: JSON.stringify({ errorMessage: HOSTILE }) } };
  for (const failed of [rollBack(run, 'SmokeFailed', HOSTILE), thrown]) {
    expect(findFailure(failed)?.message).not.toMatch(UNSEEN_IN_LINES);
    const { text, detail } = buildAnnouncement('failed', failed, { storeBucket: 'store', weightedRuleArn: 'arn:rule' });
    expect(text).not.toMatch(UNSEEN_IN_LINES);
    expect(detail.failure?.message).not.toMatch(UNSEEN_IN_LINES);
  }
});

test('a name of an execution forges no line of a mail', () => {
  const { text, detail } = buildAnnouncement(
    'notStarted',
    { execution: HOSTILE },
    { storeBucket: 's', weightedRuleArn: 'r' },
  );
  expect(text.split('\n')[0]).toBe("Cutover 'x Line of ours: all is well [2J' did not start.");
  expect(detail.execution).not.toMatch(UNSEEN);
});
