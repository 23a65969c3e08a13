/**
 * The two checksums of S3 that Node.js has not got. Both are reflected CRCs: bit by bit from the lowest.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
const CASTAGNOLI = 0x82f63b78;
/** 0x9a6c9329ac4bc9b5, as two 32-bit numbers: these are quicker than bigints. */
const NVME = { high: 0x9a6c9329, low: 0xac4bc9b5 };

const BYTES = Array.from({ length: 256 }, (_, byte) => byte);
const TABLE_32 = Uint32Array.from(BYTES, (byte) => times8(byte, (crc) => (crc >>> 1) ^ (crc & 1 ? CASTAGNOLI : 0)));
const TABLE_64 = BYTES.map((byte) =>
  times8({ high: 0, low: byte }, ({ high, low }) => {
    const [polynomialHigh, polynomialLow] = low & 1 ? [NVME.high, NVME.low] : [0, 0];
    return { high: (high >>> 1) ^ polynomialHigh, low: ((low >>> 1) | (high << 31)) ^ polynomialLow };
  }),
);
const HIGH_64 = Int32Array.from(TABLE_64, ({ high }) => high);
const LOW_64 = Int32Array.from(TABLE_64, ({ low }) => low);

function times8<T>(start: T, step: (value: T) => T): T {
  return BYTES.slice(0, 8).reduce(step, start);
}

/** CRC-32C, big-endian. */
export function crc32c(body: Buffer): Buffer {
  let crc = ~0;
  for (const byte of body) crc = (crc >>> 8) ^ (TABLE_32[(crc ^ byte) & 0xff] ?? 0);
  const digest = Buffer.alloc(4);
  digest.writeInt32BE(~crc);
  return digest;
}

/** CRC-64/NVME, big-endian. */
export function crc64nvme(body: Buffer): Buffer {
  let [high, low] = [~0, ~0];
  for (const byte of body) {
    const index = (low ^ byte) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ (LOW_64[index] ?? 0);
    high = (high >>> 8) ^ (HIGH_64[index] ?? 0);
  }
  const digest = Buffer.alloc(8);
  digest.writeInt32BE(~high);
  digest.writeInt32BE(~low, 4);
  return digest;
}
