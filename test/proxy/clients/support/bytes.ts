import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';

const PIECE = randomBytes(64 * 1024);

/** The same bytes for the same length, all through a test file; they do not compress. */
export function* pieces(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= PIECE.length) yield PIECE.subarray(0, Math.min(left, PIECE.length));
}

export function findStream(length: number): Readable {
  return Readable.from(pieces(length), { objectMode: false });
}

/** In hex. */
export function sha256(bytes: Iterable<Buffer>): string {
  const hash = createHash('sha256');
  for (const piece of bytes) hash.update(piece);
  return hash.digest('hex');
}

export interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

/** What was read of a stream, without keeping it. */
export async function computeDigest(stream: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of stream) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}
