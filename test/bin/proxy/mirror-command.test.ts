import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MirrorReport } from '../../../core/compare/mirror-report';
import { findMirror, mirrorTo } from '../../proxy/mirror/mirrored';
import { SECRET, startTestProxy } from '../../proxy/support/proxy-world';
import { get, later, startBackend, stopAll } from '../../proxy/support/world';
import { run } from '../../rehearsal/command';

const VARIABLE = 'DRAINSHIFT_ADMIN_SECRET';

afterEach(async () => {
  delete process.env[VARIABLE];
  await stopAll();
});

test('prints counts, verdict and fields, and writes the comparison as JSON and as a page', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-mirror-'));
  later(() => rmSync(folder, { recursive: true, force: true }));
  const source = await startBackend((_, response) => response.end('{"price":10}'));
  const target = await startBackend((_, response) => response.end('{"price":11}'));
  const proxy = await startTestProxy(source.port, { mirror: mirrorTo(target.port, { repeatShare: 100 }) });
  process.env[VARIABLE] = SECRET;
  const command = ['proxy', 'mirror', '--admin', `127.0.0.1:${proxy.admin!.port}`];
  expect(await run(command)).toMatchObject({
    code: 7,
    output: expect.stringMatching(/0 sent.*\ninconclusive/) as string,
  });
  for (let at = 0; at < 150; at += 1) {
    await get({ port: proxy.data.port, path: `/items/${at}`, headers: { accept: 'application/json' } });
  }
  await findMirror(proxy);
  const page = join(folder, 'mirror.html');
  const { code, output } = await run([...command, '--compare', page]);
  expect([code, output]).toEqual([1, expect.stringContaining('150 sent, 150 compared, 150 repeated\nroll back: ')]);
  expect(output).toMatch(/differs +GET \/items\/\{id\}/);
  expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>[^]*GET \/items\/\{id\}/i);
  const file = join(folder, 'mirror.json');
  const json = JSON.parse((await run([...command, '--json', '--compare', file])).output) as MirrorReport;
  expect(json).toMatchObject({ sent: 150, comparison: { verdict: 'roll back' } });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(json.comparison);
});

test('of a proxy without a mirror it says so', async () => {
  const source = await startBackend((_, response) => response.end());
  const proxy = await startTestProxy(source.port);
  process.env[VARIABLE] = SECRET;
  const { code, output } = await run(['proxy', 'mirror', '--admin', `127.0.0.1:${proxy.admin!.port}`]);
  expect([code, output]).toEqual([1, expect.stringContaining("'mirror_url' must be configured")]);
});
