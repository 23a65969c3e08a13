import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { formatExportLine } from '../../../core/capture/export-line';
import { findRecording } from '../../../rehearsal/run/recording';
import { MadeExchange, get, ok, partsOf } from '../../support/recorded';

let folder: string;
let steps: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drainshift-recording-'));
  steps = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const BACKENDS = { source: 'http://127.0.0.1:1', target: 'http://127.0.0.1:2' };

type Asked = Parameters<typeof findRecording>[0];

function find(asked: Partial<Asked>) {
  const reporter = { step: (text: string) => void steps.push(text) } as unknown as Parameters<typeof findRecording>[1];
  return findRecording({ traffic: 1, ...asked }, reporter, new AbortController().signal);
}

function write(exchanges: readonly MadeExchange[], cut = 0): string {
  const file = join(folder, 'capture.proto.gz');
  const bytes = gzipSync(partsOf(exchanges).map(formatExportLine).join(''));
  writeFileSync(file, bytes.subarray(0, bytes.length - cut));
  return file;
}

const exchange = (n: number, request: string): MadeExchange => ({
  ...{ connection: `c${n}`, n: 0, startMs: 500 * n, endMs: 500 * n + 1, request, response: ok('{}') },
});

test('what is in it is said at the start, with the rate at which it is sent', async () => {
  const upgrade = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  const events = 'GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n';
  const replay = write([get('/a'), get('/b'), upgrade, events, get('/c')].map((request, n) => exchange(n, request)));
  expect(await find({ replay, ...BACKENDS, traffic: 0.5 })).toMatchObject({
    options: { path: replay, speed: 0.5, roundSeconds: 4, key: { kind: 'connection' } },
    requestsPerSecond: 0.75,
  });
  expect(steps).toEqual([
    'the recording: 3 requests of 2.0s, sent at 0.750 a second and from the first one again after 4.0s; ' +
      '2 WebSockets, event streams and requests that are not whole are left out',
  ]);
});

test('without a recording there is none', async () => {
  expect(await find(BACKENDS)).toBeUndefined();
});

test('what cannot be sent is rejected before anything starts', async () => {
  const replay = write([exchange(0, get('/a'))]);
  await expect(find({ replay, source: BACKENDS.source })).rejects.toThrow(
    "'--replay' must come with '--source' and '--target', the backends of the application that was recorded, got no '--target'",
  );
  await expect(find({ replay, ...BACKENDS, har: 'a.har' })).rejects.toThrow(
    `'--replay' and '--har' must not be given together, got '${replay}' and 'a.har'`,
  );
  await expect(find({ replay: 's3://bucket/prefix', ...BACKENDS })).rejects.toThrow(
    "'--replay' must be a file or a folder, got 's3://bucket/prefix'; drainshift capture export --from STORE --to FILE.proto.gz makes one",
  );
  await expect(find({ replay: join(folder, 'none'), ...BACKENDS })).rejects.toThrow(
    `'--replay' must be captured traffic: '${join(folder, 'none')}' must be a capture file or a folder of them that can be read, got ENOENT`,
  );
  await expect(find({ compare: 'a.html' })).rejects.toThrow("'--compare' must come with '--replay', got it alone");
  await expect(find({ traffic: 11 })).rejects.toThrow(
    "'--traffic' must be a number from 0.1 to 10 without '--replay', got 11",
  );
});

test('a foreign file, one that breaks off in its middle and one without a request are rejected with their names', async () => {
  const foreign = join(folder, 'foreign.proto.gz');
  writeFileSync(foreign, '{"not": "a capture"}');
  await expect(find({ replay: foreign, ...BACKENDS })).rejects.toThrow(
    new RegExp(`^'--replay' must be captured traffic: .*${foreign}`),
  );
  const damaged = join(folder, 'damaged.proto.gz');
  writeFileSync(damaged, gzipSync('c|AAAA\nnot a line\n'));
  await expect(find({ replay: damaged, ...BACKENDS })).rejects.toThrow(damaged);
  const empty = join(folder, 'empty.proto.gz');
  writeFileSync(empty, gzipSync(''));
  await expect(find({ replay: empty, ...BACKENDS })).rejects.toThrow(
    `'--replay' must have at least one request that can be sent again, got 0 in '${empty}'`,
  );
});
