import Redis from 'iovalkey';
import type { StoredLine } from '../writes/write-log';
import type { Store } from './store-state';

/** What a backend keeps in the Valkey or Redis of its side. The log of writes stays outside: it is the rehearsal's. */
export class ValkeyStore implements Store {
  private readonly redis: Redis;

  /**
   * @param url `redis://127.0.0.1:6379`
   * @param logs where the log of writes is
   */
  constructor(
    url: string,
    private readonly logs: Pick<Store, 'log' | 'readLog'>,
  ) {
    this.redis = new Redis(url);
    // Each call says it, too.
    this.redis.on('error', () => undefined);
  }

  increment(key: string): Promise<number> {
    return this.redis.incr(key);
  }

  async append(key: string, value: string): Promise<string[]> {
    const responses = await this.redis.multi().rpush(key, value).lrange(key, 0, -1).exec();
    return responses?.[1]?.[1] as string[];
  }

  list(key: string): Promise<string[]> {
    return this.redis.lrange(key, 0, -1);
  }

  async setOnce(key: string, value: string): Promise<string> {
    await this.redis.setnx(key, value);
    return (await this.redis.get(key)) ?? value;
  }

  get(key: string): Promise<string | null> {
    return this.redis.get(key);
  }

  log(key: string, line: string): Promise<number> {
    return this.logs.log(key, line);
  }

  readLog(key: string): Promise<StoredLine[]> {
    return this.logs.readLog(key);
  }
}
