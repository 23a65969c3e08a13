import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ProxyBundle, bundleProxy, kill } from '../../proxy/support/proxy-process';
import { SECRET } from '../../proxy/support/proxy-world';
import { startRestartable } from '../../proxy/support/restart-world';
import { get, later, stopAll } from '../../proxy/support/world';

const COMMAND = path.join(__dirname, '../../../dist/bin/drainshift.js');

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [COMMAND, 'proxy', ...args], {
    env: { ...process.env, DRAINSHIFT_ADMIN_SECRET: SECRET },
  });
  later(() => kill(child.pid));
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

test('restart and roll restart proxies, and roll stops at the first that does not serve again', async () => {
  const [good, broken, last] = [
    await startRestartable(bundle),
    await startRestartable(bundle),
    await startRestartable(bundle),
  ];
  const at = ({ admin }: { admin: number }) => `127.0.0.1:${admin}`;
  expect(await run('restart', '--admin', at(good))).toEqual({
    code: 0,
    stdout: `generation 2 serves at ${at(good)}\n`,
    stderr: `${at(good)}: a new generation starts and proves itself\n`,
  });
  broken.write({ workers: 0 });
  const hosts = path.join(bundle.folder, 'hosts');
  writeFileSync(hosts, `# the fleet\n${at(good)}\n${at(broken)}  # the second\n\n${at(last)}\n`);
  const rolled = await run('roll', '--hosts', hosts, '--wait', 'drained');
  expect(rolled).toMatchObject({ code: 1, stdout: '1 of 3 hosts were restarted\n' });
  expect(rolled.stderr).toMatch(/generation 3 serves\n.*all connections of the generation before have ended\n/);
  expect(rolled.stderr).toContain(`stopped at ${at(broken)}`);
  expect(rolled.stderr).toContain("'workers' must be an integer from 1 to 64, got 0");
  expect((await get({ port: broken.port })).body).toBe('source');
  writeFileSync(hosts, 'no host\n');
  const wrong = await run('roll', '--hosts', hosts);
  expect(wrong).toMatchObject({ code: 64 });
  expect(wrong.stderr).toMatch(/line 1 of '--hosts' must be .*, got 'no host'/);
});
