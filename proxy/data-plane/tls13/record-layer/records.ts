import { createCipheriv, createDecipheriv } from 'node:crypto';
import { TlsFault } from './alerts';
import { IV_BYTES, TrafficKeys } from './traffic-keys';

/** RFC 8446 section 5.1 and B.1. */
export const CONTENT = { alert: 21, handshake: 22, applicationData: 23 } as const;

export type ContentType = (typeof CONTENT)[keyof typeof CONTENT];

export const HEADER_BYTES = 5;
export const TAG_BYTES = 16;
/** What a record costs beside its content: header, type, and tag. */
export const RECORD_OVERHEAD = HEADER_BYTES + 1 + TAG_BYTES;
/** Of content in a record (RFC 8446 section 5.1). */
export const MAX_CONTENT_BYTES = 2 ** 14;
/** Of a record behind its header (RFC 8446 section 5.2). */
export const MAX_CIPHERTEXT_BYTES = MAX_CONTENT_BYTES + 256;

/** Node's types know the calls of all three by this one. */
type TypedCipher = 'aes-128-gcm';
const OPTIONS = { authTagLength: TAG_BYTES } as const;

/** Of use within one call. */
const nonce = Buffer.allocUnsafeSlow(IV_BYTES);
/** The content of a record, with its type behind it. */
const inner = Buffer.allocUnsafeSlow(MAX_CONTENT_BYTES + 1);

/**
 * Protects content (RFC 8446 section 5.2), without padding.
 *
 * @param content at most `MAX_CONTENT_BYTES`, all of them latin1 where it is text
 * @param to where the record begins at `at`
 * @returns where it ends
 */
export function sealRecord(
  keys: TrafficKeys,
  type: ContentType,
  content: Buffer | string,
  to: Buffer,
  at: number,
): number {
  const { length } = content;
  if (typeof content === 'string') inner.write(content, 0, 'latin1');
  else content.copy(inner, 0);
  inner[length] = type;
  const ciphertextBytes = length + 1 + TAG_BYTES;
  to[at] = CONTENT.applicationData;
  to[at + 1] = 3;
  to[at + 2] = 3;
  to.writeUInt16BE(ciphertextBytes, at + 3);
  const { key } = keys;
  keys.nextNonce(nonce);
  const cipher = createCipheriv(keys.suite.cipher as TypedCipher, key, nonce, OPTIONS);
  cipher.setAAD(to.subarray(at, at + HEADER_BYTES));
  const body = at + HEADER_BYTES;
  cipher.update(inner.subarray(0, length + 1)).copy(to, body);
  cipher.final();
  cipher.getAuthTag().copy(to, body + length + 1);
  return body + ciphertextBytes;
}

export interface OpenedRecord {
  type: ContentType;
  content: Buffer;
  /** Of the content; its type and padding follow. */
  length: number;
}

/** The one that was opened last: it is read before the next one is. */
const opened: OpenedRecord = { type: CONTENT.applicationData, content: inner, length: 0 };

/**
 * Opens a record (RFC 8446 section 5.2).
 *
 * @param record with its header
 * @returns valid until the next call
 * @throws {TlsFault} where it was changed on its way, has another number, or holds what no record may
 */
export function openRecord(keys: TrafficKeys, record: Buffer): OpenedRecord {
  const tagAt = record.length - TAG_BYTES;
  if (tagAt < HEADER_BYTES) throw new TlsFault('bad_record_mac', 'a record is shorter than its tag');
  const content = decrypt(keys, record, tagAt);
  let at = content.length - 1;
  while (at >= 0 && content[at] === 0) at -= 1;
  if (at > MAX_CONTENT_BYTES || content.length > MAX_CONTENT_BYTES + 1)
    throw new TlsFault('record_overflow', `a record holds at most ${MAX_CONTENT_BYTES} bytes`);
  if (at < 0) throw new TlsFault('unexpected_message', 'a record has a type');
  opened.type = readType(content[at]!);
  opened.content = content;
  opened.length = at;
  return opened;
}

function readType(type: number): ContentType {
  switch (type) {
    case CONTENT.alert:
    case CONTENT.handshake:
    case CONTENT.applicationData:
      return type;
    default:
      throw new TlsFault('unexpected_message', `no record is of the type ${type}`);
  }
}

function decrypt(keys: TrafficKeys, record: Buffer, tagAt: number): Buffer {
  const { key } = keys;
  keys.nextNonce(nonce);
  const decipher = createDecipheriv(keys.suite.cipher as TypedCipher, key, nonce, OPTIONS);
  decipher.setAAD(record.subarray(0, HEADER_BYTES));
  decipher.setAuthTag(record.subarray(tagAt));
  const content = decipher.update(record.subarray(HEADER_BYTES, tagAt));
  try {
    decipher.final();
  } catch {
    content.fill(0);
    throw new TlsFault('bad_record_mac', 'a record was changed on its way, or is not the next one');
  }
  return content;
}

/**
 * @param bytes begin with a record
 * @returns how long the record is with its header; undefined while that is not known
 * @throws {TlsFault} where no record of this connection begins like that
 */
export function readRecordLength(bytes: Buffer, at: number, end: number): number | undefined {
  if (end <= at) return undefined;
  // A change of the cipher is no message any more after the handshake (RFC 8446 section 5), and all else is protected.
  if (bytes[at] !== CONTENT.applicationData)
    throw new TlsFault('unexpected_message', `no record begins with the type ${bytes[at]} after the handshake`);
  if (end - at < HEADER_BYTES) return undefined;
  const length = bytes.readUInt16BE(at + 3);
  if (length > MAX_CIPHERTEXT_BYTES)
    throw new TlsFault('record_overflow', `a record is at most ${MAX_CIPHERTEXT_BYTES} bytes long, got ${length}`);
  return HEADER_BYTES + length;
}
