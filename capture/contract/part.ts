import { promisify } from 'node:util';
import { constants, gzip, gzipSync } from 'node:zlib';
import { formatEncodedLine } from '../../core/capture/export-line';
import type { CaptureRecord } from './store';

const compress = promisify(gzip);
/** Clients wait: a fast level costs a tenth more bytes. */
const OPTIONS = { level: constants.Z_BEST_SPEED };
/** What is shorter takes less time here than on its way to another thread and back. */
const MIN_ASYNC_LENGTH = 16 * 1024;

/** The bytes of a `*.proto.gz`. */
export function packPart(records: readonly CaptureRecord[]): Buffer | Promise<Buffer> {
  const lines = records.map(({ key, bytes }) => formatEncodedLine(key, bytes)).join('');
  return lines.length < MIN_ASYNC_LENGTH ? gzipSync(lines, OPTIONS) : compress(lines, OPTIONS);
}
