import { mkdtempSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionPage } from '../../../core/proxy/connection-list';
import { SECRET, callAdmin, startTestProxy } from '../../proxy/support/proxy-world';
import { later, startBackend, stopAll, until } from '../../proxy/support/world';
import { run } from '../../rehearsal/command';

const VARIABLE = 'DRAINSHIFT_ADMIN_SECRET';

afterEach(async () => {
  delete process.env[VARIABLE];
  await stopAll();
});

/** A proxy with some live requests. @returns the flags that lead to it */
async function startBusyProxy(paths: readonly string[]): Promise<string[]> {
  const backend = await startBackend((request, response) => {
    if (request.url === '/feed') response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: a\n\n');
  });
  const proxy = await startTestProxy(backend.port);
  const { port } = proxy.admin!;
  for (const [index, path] of paths.entries()) {
    const request = http.get({ port: proxy.data.port, path, agent: false }, (got) => got.resume());
    request.on('error', () => undefined);
    later(() => void request.destroy());
    const live = async () =>
      (JSON.parse((await callAdmin(port, { path: '/connections' })).body) as ConnectionPage).connections;
    await until(async () => (await live()).length === index + 1);
    if (path === '/feed') await until(async () => (await live()).some(({ kind }) => kind === 'serverSentEvents'));
  }
  return ['proxy', 'connections', '--admin', `127.0.0.1:${port}`];
}

test('prints what is live, the oldest first, as a table and as JSON', async () => {
  const command = await startBusyProxy(['/feed', '/slow?token=secret', '/a%1b']);
  process.env[VARIABLE] = SECRET;
  const { code, output } = await run(command);
  const rows = output.split('\n').map((line) => line.split(/ {2,}/));
  expect(code).toBe(0);
  expect(rows.map(([kind, state]) => [kind, state])).toEqual([
    ['KIND', 'STATE'],
    ['serverSentEvents', 'responding'],
    ['http', 'awaiting'],
    ['http', 'awaiting'],
    ['', undefined],
  ]);
  expect(rows.map((row) => row.at(-1))).toEqual(['PATH', '/feed', '/slow', '/a%1b', '']);
  expect(output).not.toContain('secret');
  const json = await run([...command, '--json', '--kind', 'serverSentEvents']);
  expect(JSON.parse(json.output)).toMatchObject({ connections: [{ kind: 'serverSentEvents', path: '/feed' }] });
  const few = await run([...command, '--limit', '1']);
  expect(few.output).toMatch(/^KIND.*\nserverSentEvents .*\n\nThere are more: '--limit' is 1\.\n$/);
  const none = await run([...command, '--kind', 'websocket']);
  expect(none).toEqual({ code: 0, output: 'No live connections\n' });
});

test('the key may be in a file, beside the one before it; and what is wrong is said', async () => {
  const command = await startBusyProxy([]);
  const file = join(mkdtempSync(join(tmpdir(), 'drainshift-')), 'key');
  writeFileSync(file, `another-secret-of-a-test\n${SECRET}\n`);
  expect(await run([...command, '--admin-secret-file', file])).toMatchObject({ code: 0 });
  const none = "drainshift: '--admin-secret-file' must be given where DRAINSHIFT_ADMIN_SECRET is not set, got none\n";
  expect(await run(command)).toEqual({ code: 64, output: none });
  expect(await run([...command, '--admin-secret-file', '/none'])).toEqual({
    code: 64,
    output: "drainshift: '--admin-secret-file' must be a readable file, got '/none' (ENOENT)\n",
  });
  expect(await run(['proxy', 'connections', '--admin', 'a'])).toMatchObject({ code: 64 });
  process.env[VARIABLE] = 'another-secret-of-a-test';
  const rejected = await run(command);
  expect(rejected).toMatchObject({
    code: 1,
    output: expect.stringContaining('must respond with 2xx, got 401') as string,
  });
});
