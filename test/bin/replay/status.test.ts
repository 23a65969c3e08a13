import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CaptureWriter } from '../../../capture/contract/store';
import { openFolderWriter } from '../../../capture/folder/folder-writer';
import { formatNodeId } from '../../../core/capture/node-id';
import { encodeTrafficStream } from '../../../core/capture/traffic-stream';
import { ReplayStatus, parseReplayStatus } from '../../../core/replay/replay-status';
import type { Side } from '../../../core/traffic/weights';
import { Command } from '../../rehearsal/command';
import { Backend, respondAfter, startBackend } from '../../replay/recording-backend';
import { T0, ok, partsOf, put } from '../../support/recorded';
import { until } from '../../support/until';

let folder: string;
let backend: Backend;
let command: Command | undefined;
const writers: CaptureWriter[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'replay-status-'));
  backend = await startBackend(({ url }, response) => {
    if (url === '/stranger') return void response.writeHead(401).end();
    if (url !== '/poison') return respondAfter(response, 0);
    return void response.writeHead(503).end();
  });
});
afterEach(async () => {
  command?.signal('SIGTERM');
  await command?.ended;
  for (const writer of writers.splice(0)) await writer.close();
  await backend.close();
  rmSync(folder, { recursive: true, force: true });
});

const place = () => join(folder, 'back.json');
const status = (): ReplayStatus | undefined =>
  existsSync(place()) ? parseReplayStatus(readFileSync(place(), 'utf8'), 'it') : undefined;
const order = (catchUp: string) => writeFileSync(join(folder, 'back.order.json'), JSON.stringify({ catchUp }));

/** What a process records of what a backend serves. */
async function openProxy(side: Side) {
  const nodeId = formatNodeId('p1', side);
  const writer = await openFolderWriter(join(folder, 'captured'), { id: `p1${side}`, startedMs: T0 });
  writers.push(writer);
  let count = 0;
  return async (path: string, ms?: number) => {
    count += 1;
    const [startMs, endMs] = [ms ?? count, (ms ?? count) + 0.5];
    const made = { connection: `${nodeId}.${count}`, n: 0, startMs, endMs, request: put(path, '{}'), response: ok('') };
    const records = partsOf([made], nodeId).map((part) => ({
      key: part.connectionId,
      bytes: encodeTrafficStream(part),
    }));
    await writer.append(count, records);
  };
}

function start(...more: string[]): Command {
  const where = ['--from', 'captured', '--to', backend.url.href, '--follow', '--status', 'back.json'];
  // Nothing would be sent within the hour that its records may be apart.
  return new Command(
    ['replay', ...where, '--served-by', 'target', '--key', 'all', '--window', '1h', '--speed', 'max', ...more],
    {
      cwd: folder,
    },
  );
}

test('an order has it send all that one backend has served, and the status says when the last of it is finished', async () => {
  const [source, target] = [await openProxy('source'), await openProxy('target')];
  await source('/of-the-source');
  await target('/1');
  await target('/2');
  command = start();
  await until(() => status() !== undefined);
  expect(status()).toMatchObject({ servedBy: 'target', to: backend.url.href, parked: 0 });
  expect(status()?.caughtUp).toBeUndefined();
  order('e.1');
  await until(() => status()?.caughtUp === 'e.1');
  expect(backend.arrivals.map(({ url }) => url)).toEqual(['/1', '/2']);
  await target('/3');
  order('e.2');
  await until(() => status()?.caughtUp === 'e.2');
  expect(backend.arrivals.map(({ url }) => url)).toEqual(['/1', '/2', '/3']);
  expect(status()).toMatchObject({ sent: 3 });
  command.signal('SIGTERM');
  expect((await command.ended).code).toBe(0);
  expect(status()?.ended).toBe('it was stopped');
});

test('while the target is away the first request that is missing is named, and another order is followed when it is back', async () => {
  const target = await openProxy('target');
  const { port } = backend.url;
  await target('/1');
  await backend.close();
  command = start();
  await until(() => status() !== undefined);
  order('e.1');
  await until(() => status()?.outage !== undefined);
  expect(status()).toMatchObject({ oldest: { method: 'PUT', path: '/1', id: 'p1@target.1.0' }, sent: 0 });
  expect(status()?.caughtUp).toBeUndefined();
  order('e.2');
  backend = await startBackend((_, response) => respondAfter(response, 0), Number(port));
  await until(() => status()?.caughtUp === 'e.2');
  expect(backend.arrivals.map(({ url }) => url)).toEqual(['/1']);
});

test('what was parked stays in the status when the replay is started anew', async () => {
  const target = await openProxy('target');
  await target('/poison');
  await target('/fine');
  command = start('--attempts', '1', '--checkpoint', 'checkpoint.json');
  await until(() => status() !== undefined);
  order('e.1');
  await until(() => status()?.caughtUp === 'e.1');
  const parked = { parked: 1, firstParked: { path: '/poison', problem: expect.stringContaining('503') as string } };
  expect(status()).toMatchObject(parked);
  command.signal('SIGTERM');
  await command.ended;
  const before = status()!.run;
  command = start('--attempts', '1', '--checkpoint', 'checkpoint.json');
  await until(() => status()?.run !== before);
  expect(status()).toMatchObject({ ...parked, sent: 0 });
});

test('a record that its store took late is sent by a run that goes on, also with a short window', async () => {
  const target = await openProxy('target');
  const more = ['--window', '1s', '--checkpoint', 'checkpoint.json'];
  await target('/1', 60_000);
  command = start(...more);
  await until(() => status() !== undefined);
  order('e.1');
  await until(() => status()?.caughtUp === 'e.1');
  command.signal('SIGTERM');
  await command.ended;
  await target('/late', 50_000);
  order('e.2');
  command = start(...more);
  await until(() => status()?.caughtUp === 'e.2');
  expect(backend.arrivals.map(({ url }) => url)).toEqual(['/1', '/late']);
});

test('what was left out, and what had another outcome, is in the status with its first write, and stays there', async () => {
  const target = await openProxy('target');
  await target('/left-out');
  await target('/stranger');
  await target('/fine');
  writeFileSync(
    join(folder, 'drop.mjs'),
    `export default ({ path, ...rest }) => (path === '/left-out' ? undefined : { ...rest, path });`,
  );
  const more = ['--transform', './drop.mjs', '--checkpoint', 'checkpoint.json', '--from-time', '1970-01-01T00:00:00Z'];
  command = start(...more);
  await until(() => status() !== undefined);
  order('e.1');
  await until(() => status()?.caughtUp === 'e.1');
  const lacking = {
    fromTime: '1970-01-01T00:00:00.000Z',
    skippedWrites: 1,
    firstSkippedWrite: { method: 'PUT', path: '/left-out' },
    differingWrites: 1,
    firstDifferingWrite: { path: '/stranger', recorded: 200, got: 401 },
  };
  expect(status()).toMatchObject({ sent: 2, ...lacking });
  command.signal('SIGTERM');
  await command.ended;
  const before = status()!.run;
  command = start('--checkpoint', 'checkpoint.json');
  expect(await command.ended).toMatchObject({
    code: 1,
    output: expect.stringContaining(
      "must be of a replay with '--served-by target', got one with '--served-by target --from-time 1970-01-01T00:00:00.000Z'",
    ) as string,
  });
  command = start('--checkpoint', 'checkpoint.json', '--from-time', '1970-01-01T00:00:00Z');
  await until(() => status()?.run !== before);
  expect(status()).toMatchObject({ sent: 0, ...lacking });
});

test('of two replays with one status the later one goes on, and the earlier one ends and says why', async () => {
  await openProxy('target');
  const earlier = start();
  await until(() => status() !== undefined);
  command = start();
  expect(await earlier.ended).toMatchObject({
    code: 1,
    output: expect.stringContaining("'back.json' must be written by one replay, got what another one wrote") as string,
  });
  const { run } = status()!;
  const { writtenAt } = status()!;
  await until(() => status()?.writtenAt !== writtenAt);
  expect(status()).toMatchObject({ run });
  expect(status()?.ended).toBeUndefined();
});

test('a status that cannot be written, or stands without --follow, is wrong at once', async () => {
  await openProxy('target');
  command = start('--status', 'nowhere/back.json');
  expect(await command.ended).toMatchObject({
    code: 1,
    output: expect.stringContaining("'--status nowhere/back.json' must be readable and writable") as string,
  });
  const alone = new Command(['replay', '--from', '.', '--to', 'http://localhost/', '--status', 'a.json'], {
    cwd: folder,
  });
  expect(await alone.ended).toMatchObject({
    code: 64,
    output: expect.stringContaining("'--status' must stand beside '--follow'") as string,
  });
});
