import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { openFileSource } from '../../../capture/folder/file-source';
import { openFolderWriter } from '../../../capture/folder/folder-writer';
import { readParts } from '../../../capture/read/part-merge';
import type { ReadOptions } from '../../../capture/contract/reader';
import { formatExportLine } from '../../../core/capture/export-line';
import { T0, get, part, read } from '../../support/recorded';

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'reader-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const line = (ms: number, connectionId = `c${ms}`, index = 0) =>
  formatExportLine(part(index, [read(ms, get(`/${ms}`))], { connectionId }));

async function put(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

interface Seen {
  readonly times: number[];
  readonly warnings: string[];
  readonly failure: string | undefined;
}

async function readAll(path: string, options: Partial<ReadOptions> = {}): Promise<Seen> {
  const times: number[] = [];
  const warnings: string[] = [];
  const warn = (text: string) => warnings.push(text.replaceAll(folder, ''));
  const reader = readParts(await openFileSource(path));
  const all = { signal: new AbortController().signal, follow: false, warn, ...options };
  try {
    for await (const { records } of reader.read(all)) times.push(...records.map(({ timeMs }) => timeMs - T0));
    expect(reader.progress.doneBytes).toBe(reader.progress.totalBytes);
    return { times, warnings, failure: undefined };
  } catch (error) {
    return { times, warnings, failure: (error as Error).message.replaceAll(folder, '') };
  }
}

test('one file is read as a gzip, as several in a row, and as its lines', async () => {
  const lines = [1, 2, 3].map((ms) => line(ms));
  const whole = { times: [1, 2, 3], warnings: [], failure: undefined };
  expect(await readAll(await put('a.proto.gz', gzipSync(lines.join(''))))).toEqual(whole);
  expect(await readAll(await put('b', Buffer.concat(lines.map((each) => gzipSync(each)))))).toEqual(whole);
  expect(await readAll(await put('c', lines.join('').trimEnd()))).toEqual(whole);
  expect(await readAll(await put('d', lines.join('').replaceAll('\n', '\r\n')))).toEqual(whole);
  expect(await readAll(await put('e', ''))).toEqual({ ...whole, times: [] });
});

test('what several processes wrote comes by its time, each in its own order', async () => {
  const write = (name: string, times: number[]) => put(name, gzipSync(times.map((ms) => line(ms)).join('')));
  await write('2026-09-21T12/a/0000000001.proto.gz', [1, 5, 6]);
  await write('2026-09-21T12/a/0000000002.proto.gz', [20, 21]);
  await write('2026-09-21T12/b/0000000001.proto.gz', [2, 3, 22]);
  // One that started later, and a file that is not of ours.
  await write('2026-09-21T13/c/0000000001.proto.gz', [4, 30]);
  await put('2026-09-21T12/a/0000000003.proto.gz.draft', 'half');
  expect((await readAll(folder)).times).toEqual([1, 2, 3, 4, 5, 6, 20, 21, 22, 30]);
});

test('parts that were written long before what is asked for are left out', async () => {
  const old = await put('n/1.proto.gz', gzipSync(line(1)));
  await utimes(old, T0 / 1000, T0 / 1000);
  await put('n/2.proto.gz', gzipSync(line(2)));
  expect((await readAll(folder, { fromMs: T0 + 100_000 })).times).toEqual([1, 2]);
  expect((await readAll(folder, { fromMs: T0 + 400_000 })).times).toEqual([2]);
});

const DAMAGED: readonly (readonly [name: string, content: () => string | Buffer, message: RegExp])[] = [
  ['a foreign file', () => 'PK\x03\x04 something else', /'\/x', line 1: .*has no '\|', got "PK/],
  ['a corrupted line', () => `${line(1)}c|AAA!\n${line(3)}`, /'\/x', line 2: .*must be base64.*got "c\|AAA!"/],
  [
    'what is no protobuf',
    () => `${line(1)}c|/////w==\n${line(3)}`,
    /'\/x', line 2: a record must be '<key>\|<base64 of a TrafficStream>': its 4 bytes/,
  ],
  [
    'an observation of a kind that came later',
    () => `${line(1)}c|CgFjEggKAggFigECCgAYAA==\n`,
    /'\/x', line 2: .*no known kind/,
  ],
  [
    'a gzip that is damaged',
    () => damage(gzipSync([1, 2, 3].map((ms) => line(ms)).join(''), { level: 0 })),
    /'\/x' after line \d: .*damaged/,
  ],
];

function damage(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  // Within a name: the sum over all of it does not fit.
  copy[bytes.length - 30] = copy[bytes.length - 30]! ^ 1;
  return copy;
}

test.each(DAMAGED)('%s is one line that says where, the rule and the value', async (_, content, message) => {
  const path = await put('x', content());
  const { failure, warnings } = await readAll(path);
  expect(failure).toMatch(message);
  expect(failure).not.toContain('\n');
  expect(warnings).toEqual([]);
  const left: string[] = [];
  const skipped = await readAll(path, { skip: (problem) => left.push(problem.replaceAll(folder, '')) });
  expect(skipped.failure).toBeUndefined();
  expect(left.join()).toMatch(message);
});

test('a last part that is cut gives what is whole before, and says so; an earlier one is damage', async () => {
  const lines = Array.from({ length: 2_000 }, (_, n) => line(n)).join('');
  const cut = gzipSync(lines).subarray(0, -2_000);
  await put('n/1.proto.gz', gzipSync(line(0)));
  await put('n/2.proto.gz', cut);
  const seen = await readAll(folder);
  expect(seen.failure).toBeUndefined();
  expect(seen.times.length).toBeGreaterThan(100);
  expect(seen.warnings).toEqual([
    `'/n/2.proto.gz' after line ${seen.times.length - 1}: it must be a whole file, got one where it ends within its gzip; what is whole before it counts`,
  ]);
  await put('n/3.proto.gz', gzipSync(line(3_000)));
  expect((await readAll(folder)).failure).toMatch(/^'\/n\/2.proto.gz' after line \d+: it must be a whole file/);
});

test('with follow, parts are read as they are written, and the time goes on without them', async () => {
  const writer = await openFolderWriter(folder, { id: 'n', startedMs: T0 });
  const stop = new AbortController();
  const seen: number[] = [];
  const watermarks: number[] = [];
  const reader = readParts(await openFileSource(folder));
  const append = (ms: number) =>
    writer.append(ms, [{ key: 'c', bytes: Buffer.from(line(ms).split('|')[1]!, 'base64') }]);
  await append(1);
  for await (const { records, watermarkMs } of reader.read({
    signal: stop.signal,
    follow: true,
    warn: fail,
  })) {
    seen.push(...records.map(({ timeMs }) => timeMs - T0));
    watermarks.push(watermarkMs);
    if (records.length > 0 && seen.length < 3) await append(seen.length + 1);
    if (seen.length === 3 && watermarkMs > T0 + 3) stop.abort();
  }
  await writer.close();
  expect(seen).toEqual([1, 2, 3]);
  expect(watermarks.at(-1)).toBeGreaterThan(Date.now() - 60_000);
});

function fail(text: string): never {
  throw new Error(text);
}

test('a store that breaks off while it is read is no end of it', async () => {
  const lines = gzipSync(Array.from({ length: 2_000 }, (_, n) => line(n)).join(''));
  const broken = () =>
    Readable.from(
      (async function* () {
        yield await Promise.resolve(lines.subarray(0, 5_000));
        throw new Error('read ECONNRESET');
      })(),
    );
  const place = { node: 'n', writtenMs: T0, notBeforeMs: -Infinity, bytes: lines.length };
  const source = {
    grows: false,
    list: () => Promise.resolve([{ ...place, name: 's3://b/1', open: () => Promise.resolve(broken()) }]),
  };
  const all = { signal: new AbortController().signal, follow: false, skip: fail, warn: fail };
  await expect(async () => {
    for await (const { records } of readParts(source).read(all)) expect(records).not.toEqual([]);
  }).rejects.toThrow("'s3://b/1' must be readable to its end, got read ECONNRESET");
});
