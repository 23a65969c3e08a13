import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Replayed, formatTuple } from '../core/replay/tuple';
import type { ReplaySink } from './results';

/** A file that is written to the end of the work, or says why not. */
export interface ReplayFile extends ReplaySink {
  /** @throws Error that says why it could not be written */
  close(): Promise<void>;
}

/** A gzip of JSON lines, as the replayer of OpenSearch Migrations writes them. */
export function openTuplesFile(path: string): ReplayFile {
  const gzip = createGzip({ level: 1 });
  const file = createWriteStream(path, { mode: 0o600 });
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= new Error(`'${path}' must be writable, got ${error.message}`);
    gzip.destroy();
  };
  file.on('error', fail);
  gzip.on('error', () => undefined);
  const done = finished(gzip.pipe(file)).catch(fail);
  return {
    take: async (replayed: Replayed) => {
      if (failure) throw failure;
      if (gzip.write(`${JSON.stringify(formatTuple(replayed))}\n`)) return;
      await Promise.race([once(gzip, 'drain'), once(gzip, 'close')]);
    },
    close: async () => {
      gzip.end();
      await done;
      if (failure) throw failure;
    },
  };
}
