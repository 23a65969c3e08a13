import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { openFolderWriter } from '../../../capture/folder/folder-writer';
import { parseExportLine } from '../../../core/capture/export-line';
import { encodeTrafficStream } from '../../../core/capture/traffic-stream';

const folder = mkdtempSync(join(tmpdir(), 'drainshift-capture-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const stream = { nodeId: 'n', priorRequests: 0, wasReading: false, index: 0, isLast: true, observations: [] };
const record = (key: string) => ({ key, bytes: encodeTrafficStream({ ...stream, connectionId: key }) });
const list = () => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('proto'));

test('each call is one file of gzipped lines, whose names sort in the order of the calls', async () => {
  const writer = await openFolderWriter(folder, { id: 'node-1', startedMs: Date.UTC(2026, 0, 2, 3, 4) });
  await writer.append(1, [record('x')]);
  // A repeated one takes the place of the first.
  await writer.append(1, ['a', 'b'].map(record));
  await writer.append(2, [record('c')]);
  expect(list().sort()).toEqual([
    '2026-01-02T03/node-1/0000000001.proto.gz',
    '2026-01-02T03/node-1/0000000002.proto.gz',
  ]);
  const lines = list()
    .sort()
    .map((name) => gunzipSync(readFileSync(join(folder, name))).toString());
  expect(
    lines.map((text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => parseExportLine(line).connectionId),
    ),
  ).toEqual([['a', 'b'], ['c']]);
  await writer.close();
});

test('a folder that cannot be written to fails the call, and leaves no half of a file', async () => {
  const blocked = join(folder, 'blocked');
  const writer = await openFolderWriter(blocked, { id: 'node', startedMs: 0 });
  writeFileSync(join(blocked, '1970-01-01T00'), 'a file where a folder must be');
  await expect(writer.append(1, [record('a')])).rejects.toThrow(/EEXIST|ENOTDIR/);
  expect(readdirSync(blocked)).toEqual(['1970-01-01T00']);
});
