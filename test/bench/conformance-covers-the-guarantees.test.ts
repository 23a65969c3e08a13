import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

test('each row of "What it rejects" has a probe', () => {
  const script = `import { rowsWithoutProbe } from './bench/conformance/suites/probes.ts';
    process.stdout.write(JSON.stringify(rowsWithoutProbe()));`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: join(__dirname, '../..'),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(JSON.parse(said)).toEqual([]);
});
