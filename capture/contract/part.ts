import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { formatEncodedLine } from '../../core/capture/export-line';
import type { CaptureRecord } from './store';

const compress = promisify(gzip);

/** The bytes of a `*.proto.gz`. They are written while clients wait: a fast level costs a tenth more bytes. */
export function packPart(records: readonly CaptureRecord[]): Promise<Buffer> {
  const lines = records.map(({ key, bytes }) => formatEncodedLine(key, bytes)).join('');
  return compress(lines, { level: constants.Z_BEST_SPEED });
}
