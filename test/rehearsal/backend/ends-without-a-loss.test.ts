import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { WebSocket } from 'ws';
import { Running, startBackend } from '../../../rehearsal/backend/backend';
import { startStore } from '../../../rehearsal/backend/store';
import { entryPath, startEntry } from '../../../rehearsal/processes/entry';
import { afterwards } from './afterwards';

const stopLater = afterwards();
let store: Running;
beforeAll(async () => (store = await startStore()));
afterAll(() => store.stop());

async function connect(backend: Running, client: string): Promise<{ socket: WebSocket; responses: number[] }> {
  const socket = new WebSocket(`${backend.url.replace('http', 'ws')}/ws/counter?client=${client}`);
  const responses: number[] = [];
  socket.on('message', (data: Buffer) => responses.push((JSON.parse(data.toString()) as { n: number }).n));
  await once(socket, 'open');
  return { socket, responses };
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test("responds everything that came before a peer's Close, and then echoes it", async () => {
  const backend = stopLater(await startBackend({ side: 'source', storeUrl: store.url }));
  const { socket, responses } = await connect(backend, 'closing');
  for (const n of numbers(100)) socket.send(JSON.stringify({ n }));
  socket.close(1001);
  const [code] = (await once(socket, 'close')) as [number];
  expect([code, responses]).toEqual([1001, numbers(100)]);
});

test('stops by closing every connection in its own way, with every count that it made reported', async () => {
  const backend = stopLater(await startBackend({ side: 'source', storeUrl: store.url }));
  const { socket, responses } = await connect(backend, 'stopping');
  const clock = await fetch(`${backend.url}/clock?client=stopping`);
  for (const n of numbers(100)) socket.send(JSON.stringify({ n }));
  const closed = once(socket, 'close') as Promise<[number]>;
  const [, text, [code]] = await Promise.all([backend.stop(), clock.text(), closed]);
  expect(text.endsWith('\n\n')).toBe(true);
  expect(code).toBe(1001);
  expect(responses).toEqual(numbers(responses.length));

  const next = stopLater(await startBackend({ side: 'target', storeUrl: store.url }));
  const again = await connect(next, 'stopping');
  again.socket.send(JSON.stringify({ n: responses.length + 1 }));
  const [data] = (await once(again.socket, 'message')) as [Buffer];
  expect(JSON.parse(String(data))).toEqual({ n: responses.length + 1, count: responses.length + 1, sequence: 1 });
  again.socket.close();
});

test('responds to an upload that is under way when it is asked to stop', async () => {
  const backend = stopLater(await startBackend({ side: 'source', storeUrl: store.url }));
  const upload = request(`${backend.url}/echo`, { method: 'POST', headers: { expect: '100-continue' } });
  upload.flushHeaders();
  await once(upload, 'continue');
  upload.write('one');
  const stopped = backend.stop();
  upload.end('two');
  const [response] = (await once(upload, 'response')) as [{ statusCode: number; resume(): void }];
  response.resume();
  expect(response.statusCode).toBe(200);
  await stopped;
});

test('leaves nothing behind when the one who started it is gone', async () => {
  const options = JSON.stringify({ side: 'source', storeUrl: store.url });
  const backend = fork(entryPath('backend/app'), [options], { execArgv: [] });
  await once(backend, 'message');
  backend.disconnect();
  expect(await once(backend, 'exit')).toEqual([0, null]);
});

test('says what it needs: an entry that is not built, a store that is not there', async () => {
  expect(() => entryPath('backend/nothing')).toThrow(
    /^'backend\/nothing' must be built first \(npm run build\), got no file .*nothing\.js$/,
  );
  const nowhere = startBackend({ side: 'source', storeUrl: 'tcp://127.0.0.1:1' });
  await expect(nowhere).rejects.toThrow(/^'backend\/app' must start, got exit code 1 .*ECONNREFUSED/);
});

test('an entry that is never ready is ended, and named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-entry-'));
  const built = dirname(dirname(entryPath('backend/app')));
  const name = relative(built, join(folder, 'silent'));
  const script =
    "require('fs').writeFileSync(JSON.parse(process.argv[2]), String(process.pid)); setTimeout(() => 0, 20_000)";
  writeFileSync(join(folder, 'silent.js'), script);
  const pidFile = join(folder, 'pid');
  try {
    await expect(startEntry(name, pidFile, 2_000)).rejects.toThrow(
      `'${name}' must be ready within 2000 ms, got nothing`,
    );
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
