import { hkdfSync, randomBytes } from 'node:crypto';
import type { Server } from 'node:tls';
import type { FoundTicketKey, TicketKey, TicketKeyRing } from '../contract/ticket-keys';

/** One key encrypts session tickets for so long, and decrypts them for as long again. */
const PERIOD_MS = 12 * 60 * 60 * 1000;
const PERIOD_BYTES = 8;
const SECRET_BYTES = 40;
const PACKED_BYTES = PERIOD_BYTES + SECRET_BYTES;
/** Some three years: what is further away is no time of ours. */
const MAX_PERIODS = 2_000;
const KEY_BYTES = 16;

/**
 * The keys of TLS session tickets. All processes of a host have the same ones without a word between them: each follows from the one
 * before, at a time that all know. Those before the last two cannot be computed from what is kept: who reads this memory today reads
 * no session of the day before yesterday.
 */
export class TicketKeys implements TicketKeyRing {
  private previous!: TicketKey;
  private current!: TicketKey;

  /** @param secret of the period before this one */
  private constructor(
    private period: number,
    private secret: Buffer,
  ) {
    this.derive();
  }

  /** @param nowMs since the epoch, as all such */
  static draw(nowMs: number): TicketKeys {
    return new TicketKeys(findPeriod(nowMs), randomBytes(SECRET_BYTES));
  }

  /** Those of another process, as it has packed them; new ones where it has not. */
  static unpack(packed: Uint8Array | undefined, nowMs: number): TicketKeys {
    const bytes = Buffer.from(packed ?? []);
    if (bytes.length !== PACKED_BYTES) return TicketKeys.draw(nowMs);
    const period = Number(bytes.readBigUInt64BE(0));
    if (Math.abs(findPeriod(nowMs) - period) > MAX_PERIODS) return TicketKeys.draw(nowMs);
    return new TicketKeys(period, bytes.subarray(PERIOD_BYTES)).turned(nowMs);
  }

  /** For another process of this host. */
  pack(nowMs: number): Uint8Array {
    const { period, secret } = this.turned(nowMs);
    const packed = Buffer.alloc(PACKED_BYTES);
    packed.writeBigUInt64BE(BigInt(period), 0);
    secret.copy(packed, PERIOD_BYTES);
    return packed;
  }

  at(nowMs: number): TicketKey {
    return this.turned(nowMs).current;
  }

  find(name: Buffer, nowMs: number): FoundTicketKey | undefined {
    const { current, previous } = this.turned(nowMs);
    if (current.name.equals(name)) return { key: current, isCurrent: true };
    return previous.name.equals(name) ? { key: previous, isCurrent: false } : undefined;
  }

  /** A clock that is set back turns nothing back. */
  private turned(nowMs: number): this {
    const now = findPeriod(nowMs);
    if (now <= this.period) return this;
    for (let steps = Math.min(now - this.period, MAX_PERIODS); steps > 0; steps -= 1) {
      const next = expand(this.secret, 'next', SECRET_BYTES);
      this.secret.fill(0);
      this.secret = next;
    }
    this.period = now;
    this.derive();
    return this;
  }

  private derive(): void {
    const next = expand(this.secret, 'next', SECRET_BYTES);
    this.previous = deriveKey(this.secret);
    this.current = deriveKey(next);
    next.fill(0);
  }
}

/** What Node has for this and does not document: a set of keys that it documents is one key, and nothing of the one before it. */
interface TicketContext {
  enableTicketKeyCallback?(): void;
  onticketkeycallback?: (name: Buffer, iv: Buffer, isNew: boolean) => readonly unknown[];
}

const REJECT = 0;
const USE = 1;
const USE_AND_RENEW = 2;
/** Node.js ends the process where it is given less than it looks for: this was tried with these versions. */
const KNOWN_MAJORS: readonly number[] = [24];
/** Where one key has to do, it is another one so soon after its time. */
const LOOK_MS = 60_000;

/** Has a server encrypt its session tickets with these keys; where this is not a Node.js that is known, with the one of now alone. */
export function useTicketKeys(server: Server, keys: TicketKeyRing, now: () => number = Date.now): void {
  const { context } = (server as unknown as { _sharedCreds?: { context?: TicketContext } })._sharedCreds ?? {};
  const major = Number.parseInt(process.versions.node, 10);
  if (!KNOWN_MAJORS.includes(major) || typeof context?.enableTicketKeyCallback !== 'function')
    return useOneKey(server, keys, now);
  context.onticketkeycallback = (name, _iv, isNew) => {
    const nowMs = now();
    const found = isNew ? { key: keys.at(nowMs), isCurrent: true } : keys.find(name, nowMs);
    const { key, isCurrent } = found ?? { key: keys.at(nowMs), isCurrent: true };
    const what = found === undefined ? REJECT : isCurrent ? USE : USE_AND_RENEW;
    return [what, key.mac, key.cipher, key.name, randomBytes(KEY_BYTES)];
  };
  context.enableTicketKeyCallback();
}

/** As Node.js documents it. */
function useOneKey(server: Server, keys: TicketKeyRing, now: () => number): void {
  const set = () => {
    const { name, mac, cipher } = keys.at(now());
    server.setTicketKeys(Buffer.concat([name, mac, cipher]));
  };
  set();
  const timer = setInterval(set, LOOK_MS).unref();
  server.once('close', () => clearInterval(timer));
}

function findPeriod(nowMs: number): number {
  return Math.floor(nowMs / PERIOD_MS);
}

function deriveKey(secret: Buffer): TicketKey {
  return {
    name: expand(secret, 'name', KEY_BYTES),
    mac: expand(secret, 'mac', KEY_BYTES),
    cipher: expand(secret, 'cipher', KEY_BYTES),
  };
}

function expand(secret: Buffer, label: string, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `drainshift ticket ${label}`, length));
}
