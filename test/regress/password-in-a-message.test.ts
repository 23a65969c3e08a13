import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parsePlan } from '../../core/plan/plan';

const COMMAND = join(__dirname, '../../dist/bin/drainshift.js');

test('a password in a URL of a plan is in no message', () => {
  const state = { valkey: { source: { url: 'redis://:secret@h' }, target: { url: 'redis://t' } } };
  const read = () => parsePlan({ strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared', state } });
  expect(read).toThrow('got "redis://***@h"');
});

test.each([
  [['check', 'health', '--url', 'http://me:secret@'], "got 'http://***@'"],
  [['rehearse', '--app', 'http://me:secret@h'], 'http://***@h'],
])('nor one of a flag: %j', (args, shown) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' });
  expect([status, stdout.includes('secret'), stderr.includes('secret')]).toEqual([64, false, false]);
  expect(stderr).toContain(shown);
});
