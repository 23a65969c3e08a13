import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstLine } from '../support/first-line';
import { ROOT } from './support/installed';

const EXAMPLE = join(ROOT, 'examples/single-writer');

let folder: string;
const processes: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'single-writer-'));
});
afterEach(async () => {
  for (const each of processes.splice(0)) {
    const end = once(each, 'exit');
    each.kill();
    await end;
  }
  rmSync(folder, { recursive: true });
});

type Answered = { readonly status: number; readonly body: { readonly number?: number; readonly side: string } };
type Write = ((id: string, epoch?: number | string) => Promise<Answered>) & {
  /** The hook's call, by the path that the plan of the example has. */
  readonly hook: (name: string, body?: string, headers?: Record<string, string>) => Promise<Response>;
};

/** A backend of the example on the database that all of a test share. @returns what writes one invoice to it */
async function startBackend(side: 'source' | 'target'): Promise<Write> {
  const args = [join(EXAMPLE, 'backend.js'), '--side', side, '--database', join(folder, 'invoices.db')];
  const backend = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  processes.push(backend);
  const url = `http://127.0.0.1:${(await firstLine(backend)).split(' ').pop()}`;
  const write = async (id: string, epoch?: number | string) => {
    const headers = epoch === undefined ? {} : { 'x-drainshift-epoch': String(epoch) };
    const response = await fetch(`${url}/invoices`, { method: 'POST', body: JSON.stringify({ id }), headers });
    return { status: response.status, body: (await response.json()) as Answered['body'] };
  };
  const hook = (name: string, body?: string, headers = {}) =>
    fetch(`${url}/internal/${name}`, { method: 'POST', body, headers });
  return Object.assign(write, { hook });
}

const ofEpoch = (epoch: unknown) => JSON.stringify({ part: 'freeze', side: 'source', epoch });

test('the numbers go on without a gap when the other side becomes the writer, and back', async () => {
  const [source, target] = [await startBackend('source'), await startBackend('target')];
  const numbers: unknown[] = [];
  for (const [write, id, epoch] of [
    [source, 'a', 0],
    [source, 'b', 0],
    [target, 'c', 1],
    [target, 'd', 1],
    [source, 'e', 2],
  ] as const) {
    const { status, body } = await write(id, epoch);
    expect(status).toBe(201);
    numbers.push(body.number);
  }
  expect(numbers).toEqual([1, 2, 3, 4, 5]);
});

test('a late request of the side that was left is rejected, and changes nothing', async () => {
  const [source, target] = [await startBackend('source'), await startBackend('target')];
  await source('before', 3);
  await target('after', 4);
  const late = await source('late', 3);
  expect(late).toMatchObject({ status: 409, body: { side: 'source', error: 'a later epoch than 3 has written' } });
  expect((await target('next', 4)).body.number).toBe(3);
});

test.each<[string, number | string | undefined]>([
  ['no epoch', undefined],
  ['one that is no number', 'x'],
  ['two', '4, 3'],
])('a request with %s is rejected once there was a switch', async (_, epoch) => {
  const source = await startBackend('source');
  expect((await source('first')).status).toBe(201);
  expect((await source('second', 4)).status).toBe(201);
  expect((await source('third', epoch)).status).toBe(409);
});

test('a side that is frozen rejects writes and the probe write, until it is thawed', async () => {
  const source = await startBackend('source');
  expect((await source.hook('probe-write')).status).toBe(200);
  const frozen = await source.hook('freeze', ofEpoch(7));
  expect([frozen.status, await frozen.json()]).toEqual([200, { ok: true, epoch: 7 }]);
  expect((await source.hook('probe-write')).status).toBe(423);
  expect((await source('a', 6)).status).toBe(423);
  await source.hook('thaw', ofEpoch(7));
  expect((await source.hook('probe-write')).status).toBe(200);
  expect(await source('a', 6)).toMatchObject({ status: 201, body: { number: 1 } });
});

test('the freeze of one side is none of the other, and outlives its process', async () => {
  const [source, target] = [await startBackend('source'), await startBackend('target')];
  await source.hook('freeze', ofEpoch(7));
  expect((await target('a', 7)).status).toBe(201);
  expect((await (await startBackend('source'))('b', 7)).status).toBe(423);
});

test('a call of the hook that is late, or no call at all, changes nothing', async () => {
  const source = await startBackend('source');
  await source.hook('thaw', ofEpoch(7));
  for (const epoch of [7, 6, undefined, 'x']) {
    const response = await source.hook('freeze', ofEpoch(epoch));
    expect(await response.json()).toMatchObject({ ok: false });
  }
  expect((await source('a', 7)).status).toBe(201);
});

test('a client cannot freeze a side', async () => {
  const source = await startBackend('source');
  expect((await source.hook('freeze', ofEpoch(7), { 'x-forwarded-for': '203.0.113.7' })).status).toBe(403);
  expect((await source('a', 0)).status).toBe(201);
});

test('what the pages show of it is what it does', () => {
  const lines = readFileSync(join(EXAMPLE, 'backend.js'), 'utf8')
    .split('\n')
    .map((line) => line.trim());
  const start = lines.findIndex((line) => line.startsWith('const { changes } = raiseFence'));
  const shown = [lines.find((line) => line.startsWith('const raiseFence')), ...lines.slice(start, start + 2)];
  const page = readFileSync(join(ROOT, 'docs/application.md'), 'utf8')
    .split('\n')
    .map((line) => line.trim());
  for (const line of shown) expect(page).toContain(line);
});
