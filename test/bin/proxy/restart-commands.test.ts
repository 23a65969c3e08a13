import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ProxyBundle, bundleProxy, kill } from '../../proxy/support/proxy-process';
import { SECRET } from '../../proxy/support/proxy-world';
import { startRestartable } from '../../proxy/support/restart-world';
import { get, later, stopAll, until } from '../../proxy/support/world';

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
  expect(await run('restart', '--admin', `http://${at(good)}/`)).toEqual({
    code: 0,
    stdout: `generation 2 serves at ${at(good)}\n`,
    stderr: `${at(good)}: a new generation starts and proves itself\n`,
  });
  const wrongKey = path.join(bundle.folder, 'wrong-key');
  writeFileSync(wrongKey, 'another-key-of-a-test\n');
  const unknown = await run('restart', '--admin', at(good), '--admin-secret-file', wrongKey);
  expect(unknown).toMatchObject({ code: 1, stdout: '' });
  expect(unknown.stderr).not.toContain('starts and proves itself');
  broken.write({ workers: 0 });
  const hosts = path.join(bundle.folder, 'hosts');
  // What cannot be restarted is known before the first one is.
  writeFileSync(hosts, `${at(good)}\n127.0.0.1:1\n`);
  const missing = await run('roll', '--hosts', hosts);
  expect(missing).toMatchObject({ code: 1, stdout: '0 of 2 hosts were restarted\n' });
  expect(missing.stderr).toContain('stopped at 127.0.0.1:1: ');
  const noKey = await run('roll', '--hosts', hosts, '--admin-secret-file', path.join(bundle.folder, 'none'));
  expect(noKey).toMatchObject({ code: 64, stdout: '' });
  writeFileSync(hosts, `# the fleet\n${at(good)}\n${at(broken)}  # the second\n\nhttp://${at(last)}\n`);
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

test('restart gives a share first, says how both do, takes it back or gives everything', async () => {
  const waiting: (() => void)[] = [];
  const { proxy, port, admin } = await startRestartable(bundle, { grace_period_seconds: 60 }, (request, response) => {
    if (request.url === '/slow') waiting.push(() => response.end());
    else response.end();
  });
  const at = ['--admin', `127.0.0.1:${admin}`];
  const early = await run('restart', ...at, '--share', '1');
  expect(early).toMatchObject({ code: 1, stdout: '' });
  expect(early.stderr).toContain("There must be a canary for 'share' 1, got none; without 'share' a restart is of all");
  const begun = await run('restart', ...at, '--share', '0.5', '--listeners', 'data');
  expect(begun).toMatchObject({ code: 0, stderr: expect.stringContaining('gets a share of 0.5') as unknown });
  expect(begun.stdout).toMatch(/^a share of 0.5 of the new connections, for \d+ s\n/);
  for (let nth = 0; nth < 4; nth += 1) await get({ port });
  const changed = await run('restart', ...at, '--share', '0.25');
  expect(changed.stdout).toMatch(
    /^a share of 0.25 .*\n.*1: 0 connections, 2 requests, 0 errors\n.*2: 0 .*, 2 requests, 0/,
  );
  expect((await run('restart', ...at)).stderr).toContain('A canary is under way');
  const slow = Array.from({ length: 4 }, () => get({ port, path: '/slow' }));
  await until(() => waiting.length === 4);
  const back = await run('restart', ...at, '--back');
  const some = `generation 1 gets all new connections at ${at[1]}; some of the canary have not ended\n`;
  expect(back).toMatchObject({ code: 0, stdout: some });
  for (const respond of waiting) respond();
  await Promise.all(slow);
  await until(() => proxy.lines.some(({ msg }) => msg.startsWith('The canary has ended')));
  await run('restart', ...at, '--share', '0.5');
  const whole = await run('restart', ...at, '--share', '1');
  expect(whole).toMatchObject({ code: 0, stdout: `generation 2 serves at ${at[1]}\n` });
  const wrong = [
    ['--share', '2'],
    ['--share', '0'],
    ['--share', '0.1', '--listeners', 'admin'],
    ['--listeners', 'data'],
    ['--back', '--share', '1'],
  ];
  expect((await Promise.all(wrong.map((flags) => run('restart', ...at, ...flags)))).map(({ code }) => code)).toEqual(
    Array(5).fill(64),
  );
});
