import { randomBytes } from 'node:crypto';

const FIN = 0x80;
const MASKED = 0x80;
/** Of the second byte: the length has so many bytes behind it. */
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;

/**
 * A whole message or control frame in one frame; what a client sends must be masked.
 *
 * @param mask of four bytes
 * @see RFC 6455 section 5.2
 */
export function encodeFrame(
  opcode: number,
  payload: Buffer,
  isMasked: boolean,
  mask = isMasked ? randomBytes(4) : undefined,
): Buffer {
  const { length } = payload;
  const lengthBytes = length < IN_TWO_BYTES ? 0 : length < 2 ** 16 ? 2 : 8;
  const header = Buffer.alloc(2 + lengthBytes);
  header[0] = FIN | opcode;
  header[1] = lengthBytes === 0 ? length : lengthBytes === 2 ? IN_TWO_BYTES : IN_EIGHT_BYTES;
  if (lengthBytes === 2) header.writeUInt16BE(length, 2);
  else if (lengthBytes === 8) header.writeBigUInt64BE(BigInt(length), 2);
  if (mask === undefined) return Buffer.concat([header, payload]);
  header[1] |= MASKED;
  const masked = Buffer.from(payload);
  for (let index = 0; index < length; index += 1) masked[index]! ^= mask[index & 3]!;
  return Buffer.concat([header, mask, masked]);
}
