import { KeyObject, createHmac, createSecretKey } from 'node:crypto';

export type SuiteName = 'TLS_AES_128_GCM_SHA256' | 'TLS_AES_256_GCM_SHA384' | 'TLS_CHACHA20_POLY1305_SHA256';

/** A cipher suite of RFC 8446 appendix B.4. */
export interface Suite {
  readonly name: SuiteName;
  /** Its number on the wire. */
  readonly id: number;
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305';
  readonly keyBytes: number;
  readonly hash: 'sha256' | 'sha384';
  /** Of a traffic secret, too. */
  readonly hashBytes: number;
}

export const SUITES: readonly Suite[] = [
  { name: 'TLS_AES_128_GCM_SHA256', id: 0x1301, cipher: 'aes-128-gcm', keyBytes: 16, hash: 'sha256', hashBytes: 32 },
  { name: 'TLS_AES_256_GCM_SHA384', id: 0x1302, cipher: 'aes-256-gcm', keyBytes: 32, hash: 'sha384', hashBytes: 48 },
  {
    ...{ name: 'TLS_CHACHA20_POLY1305_SHA256', id: 0x1303, cipher: 'chacha20-poly1305' },
    ...{ keyBytes: 32, hash: 'sha256', hashBytes: 32 },
  },
];

export const IV_BYTES = 12;
const TWO_32 = 2 ** 32;

/**
 * One direction of a TLS 1.3 connection: its traffic secret, what follows from it, and the number of its next record. Secrets are
 * in private fields: nothing that prints or serialises an object shows them.
 */
export class TrafficKeys {
  #secret: Buffer;
  #key: KeyObject | undefined;
  #iv: Buffer | undefined;

  /**
   * @param secret `[sender]_application_traffic_secret_N` of RFC 8446 section 7.1. It belongs to these keys, which wipe it
   * @param sequence the number of the next record
   */
  constructor(
    readonly suite: Suite,
    secret: Buffer,
    public sequence: number,
  ) {
    this.#secret = secret;
  }

  /** As an object of Node's: a cipher takes it in a third of the time that bytes cost it. */
  get key(): KeyObject {
    return (this.#key ??= this.makeKey());
  }

  /** Writes the nonce of the next record, and counts it (RFC 8446 section 5.3). */
  nextNonce(nonce: Buffer): void {
    const iv = (this.#iv ??= expandLabel(this.suite, this.#secret, 'iv', IV_BYTES));
    iv.copy(nonce, 0, 0, 4);
    nonce.writeUInt32BE((iv.readUInt32BE(4) ^ Math.floor(this.sequence / TWO_32)) >>> 0, 4);
    nonce.writeUInt32BE((iv.readUInt32BE(8) ^ (this.sequence % TWO_32)) >>> 0, 8);
    this.sequence += 1;
  }

  /** The next generation of keys (RFC 8446 section 7.2). */
  update(): void {
    const next = expandLabel(this.suite, this.#secret, 'traffic upd', this.suite.hashBytes);
    this.wipe();
    this.#secret = next;
    this.sequence = 0;
  }

  /** Keys of the same state, to try something with. */
  copy(): TrafficKeys {
    return new TrafficKeys(this.suite, Buffer.from(this.#secret), this.sequence);
  }

  /** Writes the secret to where it goes over to the process that continues. */
  copySecret(to: Buffer, at: number): void {
    this.#secret.copy(to, at);
  }

  /** They are of no use afterwards. Node wipes the copy of the key that it has when nothing refers to it any more. */
  wipe(): void {
    this.#secret.fill(0);
    this.#iv?.fill(0);
    this.#key = undefined;
    this.#iv = undefined;
  }

  private makeKey(): KeyObject {
    const bytes = expandLabel(this.suite, this.#secret, 'key', this.suite.keyBytes);
    const key = createSecretKey(bytes);
    bytes.fill(0);
    return key;
  }
}

/**
 * HKDF-Expand-Label of RFC 8446 section 7.1, without a context.
 *
 * @param length at most that of the hash, as all of the record layer are: one block of HKDF
 */
export function expandLabel(suite: Suite, secret: Buffer, label: string, length: number): Buffer {
  const name = `tls13 ${label}`;
  const info = Buffer.alloc(2 + 1 + name.length + 1 + 1);
  info.writeUInt16BE(length, 0);
  info[2] = name.length;
  info.write(name, 3, 'latin1');
  info[info.length - 1] = 1;
  const block = createHmac(suite.hash, secret).update(info).digest();
  const expanded = Buffer.from(block.subarray(0, length));
  block.fill(0);
  return expanded;
}
