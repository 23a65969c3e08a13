import type { Redis } from 'iovalkey';
import type { DumpedKey, Guard, KeyName, KeyState, KeyStore, KeyWatch } from '../../contract/store-ports';
import { READERS, Reply, computeDigest, listGroups } from './canonical';
import { watchKeys } from './key-watch';

const PAGE = '500';

export class ValkeyStore implements KeyStore {
  constructor(
    protected readonly redis: Redis,
    private readonly database: number,
  ) {}

  async scan(cursor: string, pattern: string) {
    const [next, keys] = await this.redis.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', PAGE);
    return { cursor: next.toString(), keys: keys.map((key) => key.toString('latin1')) };
  }

  async digest(keys: readonly KeyName[]): Promise<(KeyState | undefined)[]> {
    const found = await this.all(
      keys.flatMap(
        (key) =>
          [
            ['TYPE', bytes(key)],
            ['PEXPIRETIME', bytes(key)],
          ] as Command[],
      ),
    );
    const types = keys.map((_, at) => String(found[2 * at]));
    const there = keys.flatMap((_, at) => (types[at] === 'none' ? [] : [at]));
    for (const at of there) {
      if (!READERS[types[at]!])
        throw new Error(`a key must be of a type that can be compared, got '${types[at]}' of '${showKey(keys[at]!)}'`);
    }
    const values = await this.all(there.map((at) => READERS[types[at]!]!.command(bytes(keys[at]!))));
    const streams = there.filter((at) => types[at] === 'stream');
    const groups = await this.all(streams.map((at) => ['XINFO', 'GROUPS', bytes(keys[at]!)] as Command));
    const states: (KeyState | undefined)[] = keys.map(() => undefined);
    for (const [index, at] of there.entries()) {
      const of = streams.indexOf(at);
      const digest = computeDigest(types[at]!, values[index]!, of < 0 ? [] : listGroups(groups[of]!));
      states[at] = { digest, ...expiry(found[2 * at + 1]) };
    }
    return states;
  }

  async count(keys: readonly KeyName[]): Promise<number> {
    return keys.length === 0 ? 0 : this.redis.exists(...keys.map(bytes));
  }

  async dump(keys: readonly KeyName[]): Promise<DumpedKey[]> {
    const found = await this.all(
      keys.flatMap(
        (key) =>
          [
            ['DUMP', bytes(key)],
            ['PEXPIRETIME', bytes(key)],
          ] as Command[],
      ),
    );
    return keys.flatMap((key, at) => {
      const payload = found[2 * at];
      return Buffer.isBuffer(payload) ? [{ key, payload, ...expiry(found[2 * at + 1]) }] : [];
    });
  }

  async restore(dumped: readonly DumpedKey[], guard: Guard): Promise<void> {
    await this.write(
      dumped.map(({ key, payload, expiresAtMs = 0 }) => {
        const time = expiresAtMs === 0 ? [] : ['ABSTTL'];
        return ['RESTORE', bytes(key), String(expiresAtMs), payload, 'REPLACE', ...time] as Command;
      }),
      guard,
    );
  }

  async remove(keys: readonly KeyName[], guard: Guard): Promise<void> {
    await this.write(keys.length > 0 ? [['UNLINK', ...keys.map(bytes)]] : [], guard);
  }

  async readText(key: KeyName): Promise<string | undefined> {
    return (await this.redis.get(bytes(key))) ?? undefined;
  }

  async writeText(key: KeyName, text: string): Promise<void> {
    await this.redis.set(bytes(key), text);
  }

  freeze(limitMs: number): Promise<boolean> {
    return this.mayDo(() => this.redis.call('CLIENT', 'PAUSE', String(limitMs), 'WRITE'));
  }

  async thaw(): Promise<void> {
    await this.mayDo(() => this.redis.call('CLIENT', 'UNPAUSE'));
  }

  watch(pattern: string): Promise<KeyWatch | undefined> {
    return watchKeys(this.redis, this.database, pattern);
  }

  close(): void {
    this.redis.disconnect();
  }

  protected async mayDo(call: () => Promise<unknown>): Promise<boolean> {
    try {
      await call();
      return true;
    } catch (error) {
      if (isForbidden(error)) return false;
      throw error;
    }
  }

  protected async write(commands: readonly Command[], { key, text }: Guard): Promise<void> {
    if (commands.length === 0) return;
    await this.redis.watch(bytes(key));
    const isOurs = (await this.readText(key)) === text;
    const transaction = this.redis.multi();
    for (const [name, ...given] of isOurs ? commands : []) transaction.callBuffer(name, ...given);
    const replies = await transaction.exec();
    if (!isOurs || !replies)
      throw new Error('only a store of this copy may be written to, got one that is not any more');
    for (const [error] of replies) if (error) throw error;
  }

  /** One way to the store and back, whatever their number. */
  protected async all(commands: readonly Command[]): Promise<Reply[]> {
    if (commands.length === 0) return [];
    const pipeline = this.redis.pipeline();
    for (const [name, ...given] of commands) pipeline.callBuffer(name, ...given);
    const replies = (await pipeline.exec()) ?? [];
    return replies.map(([error, reply]) => {
      if (error) throw error;
      return reply as Reply;
    });
  }
}

export type Command = [string, ...(Buffer | string)[]];

/** Of a command that a user may not call, or that a service has taken away. */
export function isForbidden(error: unknown): boolean {
  return /^(NOPERM\b|ERR unknown (sub)?command\b)/i.test(error instanceof Error ? error.message : '');
}

/** For a message. */
function showKey(key: KeyName): string {
  return bytes(key).toString().slice(0, 80);
}

function bytes(key: KeyName): Buffer {
  return Buffer.from(key, 'latin1');
}

/** PEXPIRETIME responds -1 of a key that does not expire. */
function expiry(reply: Reply | undefined): { readonly expiresAtMs?: number } {
  const at = Number(reply);
  return at > 0 ? { expiresAtMs: at } : {};
}
