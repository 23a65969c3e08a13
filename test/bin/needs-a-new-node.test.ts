import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const COMMAND = join(__dirname, '../../dist/bin/drainshift.js');
const folder = mkdtempSync(join(tmpdir(), 'drainshift-node-'));

afterAll(() => rmSync(folder, { recursive: true }));

/** A command on a Node.js that says it has another version. */
function runOn(version: string, ...args: string[]) {
  const preload = join(folder, 'version.js');
  const versions = `{ ...process.versions, node: '${version}' }`;
  writeFileSync(preload, `Object.defineProperty(process, 'versions', { value: ${versions} });`);
  return spawnSync(process.execPath, ['--require', preload, COMMAND, ...args], { encoding: 'utf8' });
}

test.each([['rehearse'], ['weights', 'get', '--stack', 'shop'], ['proxy', '--help'], ['--version']])(
  'an older Node.js is rejected in one line: %s',
  (...args) => {
    expect(runOn('20.20.2', ...args)).toMatchObject({
      status: 64,
      stdout: '',
      stderr: 'drainshift: Node.js must be 22 or newer, got 20.20.2\n',
    });
  },
);

test('the oldest that will do is accepted', () => {
  expect(runOn('22.0.0', '--version')).toMatchObject({ status: 0, stderr: '' });
});
