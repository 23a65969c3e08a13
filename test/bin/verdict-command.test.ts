import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BeginRecord, JUDGE, LookRecord, PollRecord } from '../../core/judge/look-record';
import { parsePlan } from '../../core/plan/plan';

const COMMAND = join(resolve(__dirname, '../..'), 'dist/bin/drainshift.js');
const folder = mkdtempSync(join(tmpdir(), 'drainshift-verdict-'));
afterAll(() => rmSync(folder, { recursive: true }));

const START = 1_800_000_000_000;
const poll = (second: number, errors: number, more: Partial<PollRecord> = {}): PollRecord => ({
  ...{ kind: 'poll', at: START + second * 1000, after: START / 1000 + second - 4, until: START / 1000 + second - 2 },
  counts: {
    source: [100 * second, 100 * second, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    target: [100 * second, 100 * second, errors, 0, 0, 0, 0, 0, 0, 0, 0],
  },
  ...{ isServing: true, isConfirmed: true, odds: 1 },
  ...more,
});
const LOOKS: LookRecord[] = [
  { kind: 'begin', judge: JUDGE, at: START, until: START / 1000 - 2, routes: [], past: [1000, 1000, 1000, 0, 0, 1000] },
  { kind: 'shift', at: START, stage: 0 },
  poll(2, 0),
  poll(4, 90, { said: 'BreakerTripped' }),
];

function verdict(evidence: unknown, ...flags: string[]) {
  const file = join(folder, 'evidence.json');
  writeFileSync(file, typeof evidence === 'string' ? evidence : JSON.stringify(evidence));
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, 'verdict', file, ...flags], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}
const evidence = (over: object = {}) => ({
  schema: 'drainshift/evidence/1',
  plan: parsePlan({}),
  looks: LOOKS,
  ...over,
});

test('the same verdicts come out of the evidence, with what they rest on', () => {
  const { status, stdout } = verdict(evidence());
  expect(stdout.split('\n')).toEqual([
    '2027-01-15T08:00:04.000Z stage 1: BreakerTripped at odds of 1 : 1',
    "  the target's error rate must be at most 0.05, got 90 errors in 400 responses in 4 s",
    'same: 1 verdicts and the odds of 2 polls, computed again',
    '',
  ]);
  expect(status).toBe(0);
  const { stdout: json } = verdict(evidence(), '--json');
  expect(JSON.parse(json)).toMatchObject({ same: true, polls: 2, differences: [] });
});

test('a verdict that does not follow from what is on record is named, with exit code 1', () => {
  const looks = LOOKS.with(3, poll(4, 1, { said: 'BreakerTripped' }));
  expect(verdict(evidence({ looks }))).toMatchObject({
    status: 1,
    stdout: expect.stringContaining(
      'differs: 2027-01-15T08:00:04.000Z stage 1: BreakerTripped at odds of 1 : 1 on record, goes on at odds of 1 : 1 computed again',
    ) as unknown,
  });
});

test('what is missing is no proof', () => {
  expect(verdict(evidence({ looksMissing: '3 could not be written' }))).toMatchObject({ status: 1 });
  expect(verdict(evidence({ looks: LOOKS.slice(2) })).stderr).toMatch(/must start before the first shift, got 'poll'/);
  expect(verdict(evidence({ looks: undefined }))).toMatchObject({ status: 1 });
});

test('evidence of another judge is not verified by this one, and says so', () => {
  const { judge, ...older } = LOOKS[0] as BeginRecord;
  expect(judge).toBe(2);
  const { status, stdout, stderr } = verdict(evidence({ looks: LOOKS.with(0, older) }));
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/must be of judge 2, got judge 1: verify them with the release that wrote them/);
});

test.each([['{}'], ['no JSON'], ['null']])('%s is no evidence', (text) => {
  expect(verdict(text)).toMatchObject({ status: 64, stdout: '' });
});
