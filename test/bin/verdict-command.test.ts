import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Evidence } from '../../core/cutover/evidence';
import { BeginRecord, JUDGE, PollRecord } from '../../core/judge/look-record';
import { rolledBack } from '../lambda/judged-traffic';

const COMMAND = join(resolve(__dirname, '../..'), 'dist/bin/drainshift.js');
const folder = mkdtempSync(join(tmpdir(), 'drainshift-verdict-'));
afterAll(() => rmSync(folder, { recursive: true }));

let whole: Evidence;
beforeAll(async () => {
  whole = await rolledBack();
});

function verdict(evidence: unknown, ...flags: string[]) {
  const file = join(folder, 'evidence.json');
  writeFileSync(file, typeof evidence === 'string' ? evidence : JSON.stringify(evidence));
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, 'verdict', file, ...flags], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr: stderr.replaceAll(file, 'FILE') };
}

test('the same verdicts come out of the evidence, with what they rest on', () => {
  const { status, stdout } = verdict(whole);
  const polls = whole.looks!.filter(({ kind }) => kind === 'poll').length;
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^2026-01-01T00:\d\d:\d\d\.\d+Z stage 1: TargetWorse at odds of [\d,]+ : 1$/);
  expect(lines.slice(1)).toEqual([
    `  ${whole.failure!.message}`,
    `same: 1 verdicts and the odds of ${polls} polls, computed again`,
    '',
  ]);
  expect(status).toBe(0);
  const { stdout: json } = verdict(whole, '--json');
  expect(JSON.parse(json)).toMatchObject({ same: true, polls, differences: [], contradictions: [], missing: [] });
});

test('a verdict that does not follow from what is on record is named, with exit code 1', () => {
  const last = whole.looks!.at(-1) as PollRecord;
  const { status, stdout } = verdict({ ...whole, looks: whole.looks!.with(-1, { ...last, said: 'BreakerTripped' }) });
  expect(status).toBe(1);
  expect(stdout).toMatch(/^differs: .* stage 1: BreakerTripped at odds of .* on record, TargetWorse at odds of .*$/m);
});

test('what is missing, or does not follow, is no proof', () => {
  const { looks, failure, ...rest } = whole;
  expect(verdict({ ...whole, looksMissing: '3 could not be written' })).toMatchObject({ status: 1 });
  expect(verdict({ ...whole, looks: looks!.slice(2) })).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/must start before the first shift, got 'poll'/) as unknown,
  });
  expect(verdict({ ...whole, looks: undefined })).toMatchObject({ status: 1 });
  const without = verdict({ ...rest, looks });
  expect([without.status, without.stdout]).toEqual([
    1,
    expect.stringMatching(/^missing: 'failure' must say why it ended as 'rolled-back', got nothing\nnot the same: /m),
  ]);
  const other = verdict({ ...whole, failure: { ...failure, code: 'Aborted' } });
  expect([other.status, other.stdout]).toEqual([
    1,
    expect.stringMatching(/^differs: 'failure' must be that of the rollback in 'timeline' \(/m),
  ]);
});

test('evidence of another judge is not verified by this one, and says so', () => {
  const { judge, ...older } = whole.looks![0] as BeginRecord;
  expect(judge).toBe(JUDGE);
  // Its plan and its records may have other forms, too.
  const { pollSeconds, ...plan } = whole.plan;
  expect(pollSeconds).toBeGreaterThan(0);
  for (const given of [{ looks: [older] }, { plan, looks: [older, { kind: 'glance' }] }]) {
    const { status, stdout, stderr } = verdict({ ...whole, ...given });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(`must be of judge ${JUDGE}, got judge 1: verify them with the release that wrote them`);
  }
});

test.each([
  ['{}', "FILE: 'schema' must be 'drainshift/evidence/1', got nothing"],
  ['', "FILE: 'file' must be JSON, got an empty file"],
  ['null', 'FILE: evidence must be a JSON object, got null'],
  ['[]', 'FILE: evidence must be a JSON object, got []'],
  ['{"schema":"drainshift/evidence/1","plan":', "FILE: 'file' must be whole JSON, got Unexpected end of JSON input"],
  [
    '{"schema":"drainshift/evidence/1","plan":7,"looks":[null]}',
    "FILE: 'plan' must be an object, got 7\ndrainshift: FILE: 'looks[0]' must be an object, got null",
  ],
])('%s is no evidence', (text, said) => {
  expect(verdict(text)).toEqual({ status: 64, stdout: '', stderr: `drainshift: ${said}\n` });
});

test('records in another order, or twice, are no evidence', () => {
  const looks = whole.looks!;
  expect(verdict({ ...whole, looks: looks.with(5, looks[8]!).with(8, looks[5]!) })).toMatchObject({
    status: 64,
    stdout: '',
    stderr: expect.stringMatching(/^drainshift: FILE: 'looks\[6\]' must be of the seconds after \d+/) as unknown,
  });
  expect(verdict({ ...whole, looks: looks.toSpliced(5, 0, looks[5]!) }).status).toBe(64);
});
