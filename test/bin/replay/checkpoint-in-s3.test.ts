import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { formatExportLine } from '../../../core/capture/export-line';
import { openS3Text } from '../../../replay/s3/s3-text';
import { LocalCloud, startLocalCloud } from '../../rehearsal/aws/world';
import { Command } from '../../rehearsal/command';
import { Backend, respondAfter, startBackend } from '../../replay/recording-backend';
import { MadeExchange, ok, partsOf, put } from '../../support/recorded';
import { until } from '../../support/until';

let folder: string;
let cloud: LocalCloud;
let backend: Backend;
const commands: Command[] = [];
const before = { ...process.env };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'checkpoint-in-s3-'));
  cloud = await startLocalCloud();
  const credentials = { AWS_ACCESS_KEY_ID: 'OPERATOR', AWS_SECRET_ACCESS_KEY: 'none' };
  Object.assign(process.env, { AWS_ENDPOINT_URL: cloud.url, AWS_REGION: 'eu-central-1', ...credentials });
});
afterEach(async () => {
  for (const command of commands.splice(0)) {
    command.signal('SIGKILL');
    await command.ended;
  }
  process.env = { ...before };
  await backend.close();
  await cloud.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** So many writes, one after the other. */
function makeCapture(count: number): void {
  const exchanges = Array.from({ length: count }, (_, n): MadeExchange => ({
    ...{ connection: 'c', n, startMs: n, endMs: n + 0.5 },
    ...{ request: put(`/items/${n}`, '{}'), response: ok('') },
  }));
  writeFileSync(join(folder, 'capture.proto.gz'), gzipSync(partsOf(exchanges).map(formatExportLine).join('')));
}

function start(...more: string[]): Command {
  const ends = ['--from', 'capture.proto.gz', '--to', backend.url.href, '--checkpoint', 's3://store/replays/a.json'];
  const command = new Command(['replay', ...ends, '--window', '0ms', '--speed', 'max', ...more], { cwd: folder });
  commands.push(command);
  return command;
}

const readObject = async (key: string) => (await (await openS3Text('store', key)).read())?.text;

test('a second replay waits for the first one, and goes on where that ended: each request is sent once, in order', async () => {
  makeCapture(2_000);
  backend = await startBackend((_, response) => respondAfter(response, 2));
  const first = start();
  await until(() => backend.arrivals.length >= 20);
  const second = start('--json');
  await second.says(/is held by process \d+ of .*: waiting for its end/);
  first.signal('SIGTERM');
  const stopped = await first.ended;
  expect([stopped.code, stopped.output]).toEqual([
    7,
    expect.stringContaining('--checkpoint s3://store/replays/a.json'),
  ]);
  const sentBefore = backend.arrivals.length;
  expect(sentBefore).toBeLessThan(2_000);
  const { code, output } = await second.ended;
  expect([code, JSON.parse(output.slice(output.indexOf('\n{') + 1))]).toEqual([
    0,
    expect.objectContaining({ sent: 2_000 - sentBefore, parked: 0 }),
  ]);
  expect(backend.arrivals.map(({ url }) => url)).toEqual(Array.from({ length: 2_000 }, (_, n) => `/items/${n}`));
  expect(JSON.parse((await readObject('replays/a.json'))!)).toMatchObject({ hasEnded: true });
});

test('what is parked stands in S3, once for each request, and is sent again from there', async () => {
  makeCapture(5);
  let isBroken = true;
  backend = await startBackend(({ url }, response) => {
    if (isBroken && url === '/items/3') response.statusCode = 503;
    return respondAfter(response, 0);
  });
  const flags = ['--attempts', '1', '--parked', 's3://store/replays/a.parked/'];
  const { code, output } = await start(...flags).ended;
  expect([code, output]).toEqual([1, expect.stringContaining('parked requests are in s3://store/replays/a.parked/')]);
  const line = JSON.parse((await readObject('replays/a.parked/c.3.json'))!) as { record: string };
  expect(line).toMatchObject({ id: 'c.3', problem: expect.stringContaining('503') as string });
  isBroken = false;
  writeFileSync(join(folder, 'again.proto.gz'), gzipSync(`${line.record}\n`));
  const sent = new Command(['replay', '--from', 'again.proto.gz', '--to', backend.url.href], { cwd: folder });
  expect((await sent.ended).code).toBe(0);
  expect(backend.arrivals.at(-1)).toMatchObject({ id: 'c.3', url: '/items/3' });
});

test('a replay that cannot park what it cannot send ends, and has not finished it', async () => {
  makeCapture(3);
  backend = await startBackend(({ url }, response) => {
    if (url === '/items/1') response.statusCode = 503;
    return respondAfter(response, 0);
  });
  const flags = ['--attempts', '1', '--parked', 's3://no-such-bucket/parked/'];
  const { code, output } = await start(...flags).ended;
  expect([code, output]).toEqual([1, expect.stringContaining("'s3://no-such-bucket/parked/' must be writable, got")]);
  const { finished } = JSON.parse((await readObject('replays/a.json'))!) as { finished: [string, number][] };
  expect(finished.map(([id]) => id)).not.toContain('c.1');
});

test.each([
  [['--checkpoint', 's3://store/folder/'], "must be a file or s3://BUCKET/KEY, got 's3://store/folder/'"],
  [['--parked', 's3://store/parked'], "must be a file or s3://BUCKET/PREFIX/, got 's3://store/parked'"],
  [['--checkpoint', 'http://store/a'], 'must be a file or s3://BUCKET/KEY'],
])('%j is wrong use', async (flags, message) => {
  makeCapture(1);
  backend = await startBackend((_, response) => respondAfter(response, 0));
  const { code, output } = await start(...flags).ended;
  expect([code, output]).toEqual([64, expect.stringContaining(message)]);
});
