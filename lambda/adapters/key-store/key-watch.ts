import type { Redis } from 'iovalkey';
import type { KeyName, KeyWatch } from '../../contract/store-ports';
import { readInfo } from './connect';

const SETTING = 'notify-keyspace-events';

/**
 * Keyspace events on a connection of its own. The store says them where its setting has `K` and `A`, which is set where the user may, and
 * put back at the end.
 *
 * @see https://valkey.io/topics/notifications/
 */
export async function watchKeys(redis: Redis, database: number, pattern: string): Promise<KeyWatch | undefined> {
  const setting = await letNotify(redis);
  if (!setting) return undefined;
  const subscriber = redis.duplicate({ lazyConnect: true });
  const swaps = await countSwaps(redis);
  const prefix = `__keyspace@${database}__:`;
  let changed = new Set<KeyName>();
  let lost: string | undefined;
  subscriber.on('error', (error: Error) => (lost = error.message));
  subscriber.on('end', () => (lost ??= 'the connection closed'));
  subscriber.on('pmessageBuffer', (_: unknown, channel: Buffer) => {
    changed.add(channel.toString('latin1').slice(prefix.length));
  });
  const close = async () => {
    subscriber.disconnect();
    if (setting.before !== undefined) await redis.config('SET', SETTING, setting.before).catch(() => undefined);
  };
  try {
    await subscriber.connect();
    await subscriber.psubscribe(`${prefix}${pattern}`);
  } catch {
    await close();
    return undefined;
  }
  return {
    close,
    take: async () => {
      // Behind all events of what was written before it.
      await subscriber.ping();
      if ((await countSwaps(redis)) !== swaps) lost ??= 'databases that were swapped (SWAPDB)';
      if (lost !== undefined) throw new Error(`the store must say each key that changes, got ${lost}`);
      const taken = changed;
      changed = new Set();
      return taken;
    },
  };
}

/** Keyspace events do not say that a database has become another one. */
async function countSwaps(redis: Redis): Promise<string | undefined> {
  return (await readInfo(redis, 'commandstats')).get('cmdstat_swapdb')?.split(',')[0];
}

/** @returns what to put back; undefined where the store does not notify, and may not be told to */
async function letNotify(redis: Redis): Promise<{ readonly before?: string } | undefined> {
  try {
    const [, now = ''] = (await redis.config('GET', SETTING)) as string[];
    if (now.includes('K') && now.includes('A')) return {};
    await redis.config('SET', SETTING, `${now}KA`);
    return { before: now };
  } catch {
    return undefined;
  }
}
