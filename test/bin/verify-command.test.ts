import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const COMMAND = join(resolve(__dirname, '../..'), 'dist/bin/drainshift.js');
const folder = mkdtempSync(join(tmpdir(), 'drainshift-verify-'));

afterAll(() => rmSync(folder, { recursive: true }));

function verify(args: readonly string[], input: string | Buffer = '') {
  const given = [COMMAND, 'verify', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, given, { cwd: folder, encoding: 'utf8', input });
  return { status, stdout, stderr };
}

/** An attempt that was given up before anything was held. */
const ATTEMPT = {
  ...{ epoch: 4, from: 'source', to: 'target', outcome: 'abort', by: 'night', members: 1, fence: 'drained' },
  trace: {
    before: { committed: 0, side: 'source', isJoined: false },
    members: { source: 1, target: 0 },
    names: ['a1 a1/1'],
    events: [
      { atMs: 0, kind: 'begin' },
      { atMs: 5, kind: 'enlist' },
      { atMs: 9, kind: 'decide', outcome: 'abort' },
      { atMs: 12, kind: 'decision', outcome: 'abort', by: 'night' },
      { atMs: 13, kind: 'task', tasks: '0', is: 'notHolding' },
      { atMs: 15, kind: 'settle', committed: 0, side: 'source', isJoined: false },
    ],
  },
};
const good = JSON.stringify({ schema: 'drainshift/evidence/1', switches: [ATTEMPT] });
const bad = good.replace('"decide","outcome":"abort"', '"decide","outcome":"commit"');

test('files and standard input are verified one by one, and the worst is the exit code', () => {
  writeFileSync(join(folder, 'good.json'), good);
  writeFileSync(join(folder, 'bad.json'), bad);
  const line = '  epoch 4, source to target: abort, 6 events,';
  expect(verify(['good.json', '-'], Buffer.from(`\ufeff${good}`, 'utf16le'))).toEqual({
    status: 0,
    stdout: ['good.json', '-'].map((file) => `${file}: verified\n${line} a behaviour of the checked model\n`).join(''),
    stderr: '',
  });
  expect(verify(['bad.json', 'none.json', 'good.json'])).toEqual({
    status: 1,
    stdout: `bad.json: rejected\n${line} no behaviour of the checked model\ngood.json: verified\n${line} a behaviour of the checked model\n`,
    stderr:
      'drainshift: bad.json: epoch 4, event 3 (decide outcome=commit): a commit needs every task to hold with nothing in flight, ' +
      "or to have ended so, got 1 unknown\ndrainshift: none.json: 'file' must be readable, got ENOENT\n",
  });
  const { status, stdout } = verify(['good.json', 'bad.json', 'none.json', '--json']);
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject([
    { file: 'good.json', verdict: 'verified', switches: [{ epoch: 4, outcome: 'abort', events: 6 }], faults: [] },
    { file: 'bad.json', verdict: 'rejected', switches: [{ fault: { event: 3, what: 'decide outcome=commit' } }] },
    { file: 'none.json', verdict: 'unreadable', problem: "'file' must be readable, got ENOENT" },
  ]);
});

test.each<[string, string | Buffer, string]>([
  ['empty', '', "'file' must be JSON, got an empty file"],
  ['cut off', good.slice(0, 300), "'file' must be whole JSON, got "],
  ['no JSON', 'outcome: completed', "'file' must be whole JSON, got "],
  ['no text', Buffer.from([0x1f, 0x8b, 0, 1]), "'file' must be UTF-8, or UTF-16 with a byte order mark, got "],
  [
    'another version',
    good.replace('evidence/1', 'evidence/7'),
    "'schema' must be 'drainshift/evidence/1', got \"drainshift/evidence/7\"",
  ],
  ['no switch', '{"schema":"drainshift/evidence/1","stages":[]}', 'there is no switch in it'],
])('a file that is %s cannot be verified', (_, input, message) => {
  const { status, stdout, stderr } = verify(['-'], input);
  expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
  expect(stderr.startsWith(`drainshift: -: ${message}`)).toBe(true);
});
