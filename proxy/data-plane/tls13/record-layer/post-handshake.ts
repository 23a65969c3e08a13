import { TlsFault } from './alerts';

/** RFC 8446 section 4.6.3. */
const KEY_UPDATE = 24;
const HEADER_BYTES = 4;
const KEY_UPDATE_BYTES = HEADER_BYTES + 1;
/** Between two records of the application: more of them are a flood, as for OpenSSL. */
const MAX_KEY_UPDATES = 32;

export function formatKeyUpdate(isRequest: boolean): Buffer {
  return Buffer.from([KEY_UPDATE, 0, 0, 1, isRequest ? 1 : 0]);
}

/** What a client's message after the handshake asks for. */
export type KeyUpdate = 'update' | 'updateBoth';

/**
 * Reads the messages of the handshake that a client may send after it. That is the KeyUpdate alone: no certificate was asked for, and
 * there is no renegotiation.
 */
export class PostHandshakeReader {
  private readonly message = Buffer.alloc(KEY_UPDATE_BYTES);
  private filled = 0;
  private updates = 0;

  /** A message is not whole. */
  get isWithin(): boolean {
    return this.filled > 0;
  }

  /**
   * @param content of a record of the type handshake
   * @param length of what counts of it
   * @returns undefined while a message is not whole
   * @throws {TlsFault} at anything but a KeyUpdate
   */
  read(content: Buffer, length: number): KeyUpdate | undefined {
    if (length === 0) throw new TlsFault('unexpected_message', 'a record of the handshake is not empty');
    const taken = content.copy(this.message, this.filled, 0, length);
    this.filled += taken;
    this.check();
    if (this.filled < KEY_UPDATE_BYTES) return undefined;
    // All that follows is protected by other keys (RFC 8446 section 5.1).
    if (taken < length) throw new TlsFault('unexpected_message', 'a KeyUpdate is the end of its record');
    this.filled = 0;
    this.updates += 1;
    if (this.updates > MAX_KEY_UPDATES)
      throw new TlsFault('unexpected_message', `at most ${MAX_KEY_UPDATES} KeyUpdates come without data in between`);
    return this.message[HEADER_BYTES] === 1 ? 'updateBoth' : 'update';
  }

  /**
   * A record of another type comes.
   *
   * @throws {TlsFault} in the middle of a message
   */
  interrupt(isData: boolean): void {
    if (this.filled > 0)
      throw new TlsFault('unexpected_message', 'no other record comes within a message of the handshake');
    if (isData) this.updates = 0;
  }

  private check(): void {
    const { message, filled } = this;
    if (message[0] !== KEY_UPDATE)
      throw new TlsFault('unexpected_message', `a client sends no handshake message ${message[0]} after the handshake`);
    if (filled >= HEADER_BYTES && message.readUIntBE(1, 3) !== 1)
      throw new TlsFault('decode_error', `a KeyUpdate has 1 byte, got ${message.readUIntBE(1, 3)}`);
    if (filled === KEY_UPDATE_BYTES && message[HEADER_BYTES]! > 1)
      throw new TlsFault('illegal_parameter', `a KeyUpdate asks for 0 or 1, got ${message[HEADER_BYTES]}`);
  }
}
