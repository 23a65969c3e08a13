import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileSource } from '../../capture/folder/file-source';
import { openFolderWriter } from '../../capture/folder/folder-writer';
import { readParts } from '../../capture/read/part-merge';
import { encodeTrafficStream } from '../../core/capture/traffic-stream';
import { until } from '../support/until';
import { T0, ok, partsOf, put } from '../support/recorded';
import { respondAfter, startBackend } from './recording-backend';
import { runReplay } from './run';

test('a replay that follows a store sends what is added, and ends in order when it is stopped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-follow-'));
  const backend = await startBackend((_, response) => respondAfter(response, 0));
  const stop = new AbortController();
  const writer = await openFolderWriter(folder, { id: 'n', startedMs: T0 });
  const append = (n: number) => {
    const parts = partsOf([
      { connection: `c${n}`, n: 0, startMs: n, endMs: n + 0.5, request: put(`/${n}`, 'x'), response: ok('x') },
    ]);
    return writer.append(
      n + 1,
      parts.map((part) => ({ key: part.connectionId, bytes: encodeTrafficStream(part) })),
    );
  };
  await append(0);
  const reader = readParts(await openFileSource(folder));
  const running = runReplay(reader, backend.url, { signal: stop.signal, follow: true, windowMs: 100 });
  await until(() => backend.arrivals.length === 1);
  await append(1);
  await append(2);
  await until(() => backend.arrivals.length === 3);
  stop.abort();
  const { replay, failure, position } = await running;
  await writer.close();
  expect(failure).toBeUndefined();
  expect(replay.counts.sent).toBe(3);
  expect(position.fromMs).toBeLessThan(Date.now());
  expect(backend.arrivals.map(({ url }) => url)).toEqual(['/0', '/1', '/2']);
  await backend.close();
  rmSync(folder, { recursive: true, force: true });
});
