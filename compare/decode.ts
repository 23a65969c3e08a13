import * as zlib from 'node:zlib';
import type { Decode, DecodedBody } from '../core/compare/response';

/** Of a body that is longer than what is compared a part is decoded. A bomb is given up when the smallest part is too long, too. */
const PARTS = [1, 8, 64, 512] as const;

interface Limits {
  readonly maxOutputLength: number;
  readonly finishFlush?: number;
}
type Decoder = (bytes: Uint8Array, limits: Limits) => Uint8Array;

interface Coding {
  readonly decode: Decoder;
  /** Has it give what is there of a body that breaks off. */
  readonly flush: number;
}

const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush: ZSTD_FLUSH } = zlib.constants;
const GZIP: Coding = { decode: zlib.gunzipSync, flush: Z_SYNC_FLUSH };
const CODINGS = new Map<string, Coding>([
  ['gzip', GZIP],
  ['x-gzip', GZIP],
  ['deflate', { decode: inflate, flush: Z_SYNC_FLUSH }],
  ['br', { decode: zlib.brotliDecompressSync, flush: BROTLI_OPERATION_FLUSH }],
]);
// Since Node.js 22.15.
if (Object.hasOwn(zlib, 'zstdDecompressSync')) {
  CODINGS.set('zstd', { decode: zlib.zstdDecompressSync, flush: ZSTD_FLUSH });
}

/** Some servers leave out the frame of zlib. */
function inflate(bytes: Uint8Array, limits: Limits): Uint8Array {
  try {
    return zlib.inflateSync(bytes, limits);
  } catch (error) {
    if (isTooLong(error)) throw error;
    return zlib.inflateRawSync(bytes, limits);
  }
}

function isTooLong(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
}

export const decodeBody: Decode = ({ bytes, isCut }, name, maxBytes) => {
  const coding = CODINGS.get(name);
  if (!coding) return undefined;
  for (const part of PARTS) {
    const input = part === 1 ? bytes : bytes.subarray(0, Math.ceil(bytes.length / part));
    const decoded = decodePart({ bytes: input, isCut: isCut || part > 1 }, coding, maxBytes);
    if (decoded !== 'too long') return decoded;
  }
  return undefined;
};

function decodePart(
  { bytes, isCut }: DecodedBody,
  { decode, flush }: Coding,
  maxBytes: number,
): DecodedBody | 'too long' | undefined {
  try {
    const limits = { maxOutputLength: maxBytes, ...(isCut && { finishFlush: flush }) };
    return { bytes: decode(bytes, limits), isCut };
  } catch (error) {
    return isTooLong(error) ? 'too long' : undefined;
  }
}
