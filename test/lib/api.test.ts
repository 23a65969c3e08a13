import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

test('jsii compiles the constructs, and API.md is what it makes of them', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/api.mjs', '--check'], {
    cwd: resolve(__dirname, '../..'),
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
});
