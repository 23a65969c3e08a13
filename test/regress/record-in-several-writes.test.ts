import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { partFile } from '../../core/capture/part-name';
import { captureTo } from '../proxy/capture/captured';
import { startTestProxy } from '../proxy/support/proxy-world';
import { get, startBackend, stopAll, until } from '../proxy/support/world';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'drainshift-several-writes-'))));
afterEach(async () => {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
});

test('a record that takes several writes is durable when all of them are, whichever is the last', async () => {
  const paths: string[] = [];
  const backend = await startBackend((request, response) => {
    paths.push(request.url ?? '');
    request.resume().on('end', () => response.end());
  });
  const capture = captureTo(folder, { bodyBytes: 2 ** 24, timeoutMs: 600_000 });
  const proxy = await startTestProxy(backend.port, { capture });
  const { port } = proxy.data;
  const post = (path: string, body: Buffer) => get({ port, method: 'POST', path }, (request) => request.end(body));
  await post('/first', Buffer.alloc(1));
  await until(() => proxy.report().capture?.pendingBytes === 0);
  const written = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.gz'));
  const place = (number: number) => join(folder, dirname(written[0]!), partFile(number));
  // The next write finds a folder in its place, and is tried again until it is gone.
  const next = written.length + 1;
  mkdirSync(place(next));
  const large = post('/large', Buffer.alloc(6_000_000, 'x'));
  await until(() => existsSync(place(next + 1)) && proxy.report().capture!.pendingBytes < 5_000_000);
  await get({ port, path: '/read' });
  expect(paths).toEqual(['/first', '/read']);
  rmSync(place(next), { recursive: true });
  await large;
  expect(paths).toEqual(['/first', '/read', '/large']);
});
