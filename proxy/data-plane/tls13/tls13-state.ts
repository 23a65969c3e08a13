import { MAX_CONTENT_BYTES, openRecord, readRecordLength } from './record-layer/records';
import { SUITES, TrafficKeys } from './record-layer/traffic-keys';

/** All that a TLS 1.3 connection is between two records, in the process that leaves it and in the one that continues. */
export interface Tls13State {
  /** Of the client's records. */
  readonly read: TrafficKeys;
  /** Of ours. */
  readonly write: TrafficKeys;
  /** Of content that the client takes in a record: less than 2^14 where it asked for that (RFC 6066 section 4). */
  readonly maxContentBytes: number;
  /** Came in and was not used yet. */
  readonly plaintext: Buffer;
  /** Came in behind that, as records, the last of which may not be whole. */
  readonly unopened: Buffer;
}

export function wipeState({ read, write }: Pick<Tls13State, 'read' | 'write'>): void {
  read.wipe();
  write.wipe();
}

/** `opened`: the numbers and keys are right. `untried`: nothing that could be opened has come. */
export type Trial = 'opened' | 'untried' | 'wrong';

/** Tries to open the first record that has come. The state stays as it is. */
export function tryState({ read, unopened }: Pick<Tls13State, 'read' | 'unopened'>): Trial {
  const keys = read.copy();
  try {
    const length = readRecordLength(unopened, 0, unopened.length);
    if (length === undefined || length > unopened.length) return 'untried';
    openRecord(keys, unopened.subarray(0, length));
    return 'opened';
  } catch {
    return 'wrong';
  } finally {
    keys.wipe();
  }
}

const VERSION = 1;
const FIXED_BYTES = 29;

/** For a pipe between two processes: the bytes have both secrets, and are to be wiped (`fill(0)`) when they were written. */
export function encodeState({ read, write, maxContentBytes, plaintext, unopened }: Tls13State): Buffer {
  const { id, hashBytes } = read.suite;
  const bytes = Buffer.alloc(FIXED_BYTES + 2 * hashBytes + plaintext.length + unopened.length);
  bytes[0] = VERSION;
  bytes.writeUInt16BE(id, 1);
  bytes.writeUInt16BE(maxContentBytes, 3);
  bytes.writeBigUInt64BE(BigInt(read.sequence), 5);
  bytes.writeBigUInt64BE(BigInt(write.sequence), 13);
  bytes.writeUInt32BE(plaintext.length, 21);
  bytes.writeUInt32BE(unopened.length, 25);
  read.copySecret(bytes, FIXED_BYTES);
  write.copySecret(bytes, FIXED_BYTES + hashBytes);
  const plaintextAt = FIXED_BYTES + 2 * hashBytes;
  plaintext.copy(bytes, plaintextAt);
  unopened.copy(bytes, plaintextAt + plaintext.length);
  return bytes;
}

/**
 * Reads what `encodeState` wrote, and wipes it.
 *
 * @throws {Error} where it is something else; it is wiped then, too, and the message says nothing of what it held
 */
export function decodeState(bytes: Buffer): Tls13State {
  try {
    return decode(bytes);
  } finally {
    bytes.fill(0);
  }
}

function decode(bytes: Buffer): Tls13State {
  const check = (isRight: boolean, rule: string) => {
    if (!isRight) throw new Error(`a TLS 1.3 state ${rule}`);
  };
  check(bytes.length >= FIXED_BYTES && bytes[0] === VERSION, `has the version ${VERSION}`);
  const suite = SUITES.find(({ id }) => id === bytes.readUInt16BE(1));
  if (suite === undefined) throw new Error('a TLS 1.3 state has a cipher suite of RFC 8446');
  const maxContentBytes = bytes.readUInt16BE(3);
  check(maxContentBytes > 0 && maxContentBytes <= MAX_CONTENT_BYTES, 'has a length of records');
  const [readSequence, writeSequence] = [Number(bytes.readBigUInt64BE(5)), Number(bytes.readBigUInt64BE(13))];
  check(Number.isSafeInteger(readSequence) && Number.isSafeInteger(writeSequence), 'has two sequence numbers');
  const [plaintextBytes, unopenedBytes] = [bytes.readUInt32BE(21), bytes.readUInt32BE(25)];
  let at = FIXED_BYTES;
  check(bytes.length === at + 2 * suite.hashBytes + plaintextBytes + unopenedBytes, 'is as long as it says');
  const take = (length: number) => {
    const taken = Buffer.allocUnsafeSlow(length);
    bytes.copy(taken, 0, at, at + length);
    at += length;
    return taken;
  };
  return {
    read: new TrafficKeys(suite, take(suite.hashBytes), readSequence),
    write: new TrafficKeys(suite, take(suite.hashBytes), writeSequence),
    maxContentBytes,
    plaintext: take(plaintextBytes),
    unopened: take(unopenedBytes),
  };
}
