import { isIP } from 'node:net';
import { Redis, RedisOptions } from 'iovalkey';
import { KeyPattern, formatMatch, readKeyId } from '../core/check/key-pattern';
import { showError } from './target';
import { ClusterMode, Unreadable } from './unreadable';

/** A Valkey or Redis, and how it is reached. */
export interface StoreAddress {
  /** `redis:` and `valkey:`, `rediss:` and `valkeys:` with TLS, `unix:` of a socket. */
  readonly url: URL;
  readonly user?: string;
  readonly password?: string;
  readonly database: number;
  /** PEM. */
  readonly ca?: string;
  readonly insecure: boolean;
  readonly timeoutMs: number;
}

const PAGE = 1_000;
const DEFAULT_PORT = 6379;
const MAX_KEYS = 1_000_000;

/** A connection to a store. It only reads: SCAN, MGET, INFO. */
export class Store {
  private constructor(private readonly redis: Redis) {}

  /** @throws Unreadable, and ClusterMode where a node has only a part of the keys */
  static async open(address: StoreAddress): Promise<Store> {
    const redis = new Redis(listOptions(address));
    // Without a listener an error would end the process. It says why a connection closed; what fails then does not.
    let last: unknown;
    redis.on('error', (error: unknown) => (last = error));
    try {
      await redis.connect();
      // Where the library does it, what follows may run before, as the user without a password.
      await signIn(redis, address);
      await checkWhole(redis);
      return new Store(redis);
    } catch (error) {
      redis.disconnect();
      if (error instanceof ClusterMode) throw error;
      throw new Unreadable(`the store must respond, got ${showError(last ?? error)}`);
    }
  }

  close(): void {
    this.redis.disconnect();
  }

  /** The ids in the keys of a pattern, by SCAN: the store goes on with its work between two pages. @throws Unreadable */
  async listIds(pattern: KeyPattern, signal: AbortSignal, onPage: (count: number) => void): Promise<Set<string>> {
    const ids = new Set<string>();
    let cursor = '0';
    try {
      do {
        const [next, keys] = await this.redis.scan(cursor, 'MATCH', formatMatch(pattern), 'COUNT', PAGE);
        for (const key of keys) {
          const id = readKeyId(pattern, key);
          if (id !== undefined) ids.add(id);
        }
        cursor = next;
        onPage(ids.size);
      } while (cursor !== '0' && !signal.aborted && ids.size <= MAX_KEYS);
    } catch (error) {
      throw new Unreadable(`the store must allow SCAN, got ${showError(error)}`);
    }
    if (ids.size > MAX_KEYS) throw new Unreadable(`a pattern must have at most ${MAX_KEYS} keys, got more`);
    return ids;
  }

  /** The values of keys; undefined of what is no string, or is gone. @throws Unreadable */
  async readTexts(keys: readonly string[]): Promise<(string | undefined)[]> {
    const values: (string | undefined)[] = [];
    try {
      for (let at = 0; at < keys.length; at += PAGE) {
        const page = await this.redis.mget(...keys.slice(at, at + PAGE));
        values.push(...page.map((value) => value ?? undefined));
      }
    } catch (error) {
      throw new Unreadable(`the store must allow MGET, got ${showError(error)}`);
    }
    return values;
  }
}

function listOptions(address: StoreAddress): RedisOptions {
  const { url, ca, insecure, timeoutMs } = address;
  const usesTls = url.protocol === 'rediss:' || url.protocol === 'valkeys:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    ...(url.protocol === 'unix:'
      ? { path: decodeURIComponent(url.pathname) }
      : { host, port: Number(url.port || DEFAULT_PORT) }),
    ...(usesTls && {
      tls: {
        ...(isIP(host) === 0 && { servername: host }),
        rejectUnauthorized: !insecure,
        ...(ca !== undefined && { ca }),
      },
    }),
    lazyConnect: true,
    // Its own check calls INFO, which a user may not be allowed to.
    enableReadyCheck: false,
    // One that leaves in the middle is said, and not waited for.
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    // It only reads: nothing of it is on its way when it ends.
    disconnectTimeout: 100,
    commandTimeout: timeoutMs,
  };
}

async function signIn(redis: Redis, { user, password, database }: StoreAddress): Promise<void> {
  if (password !== undefined) await (user === undefined ? redis.auth(password) : redis.auth(user, password));
  if (database !== 0) await redis.select(database);
}

/** @throws ClusterMode: a node of a cluster has only some of the keys, and SCAN would not say so */
async function checkWhole(redis: Redis): Promise<void> {
  const info = await askCluster(redis);
  if (info)
    throw new ClusterMode(
      "'--store' must be a store without cluster mode, got a node of a cluster, which has only some of the keys",
    );
}

/** Whether it is in cluster mode. A user may have the right to one of the two calls alone. */
async function askCluster(redis: Redis): Promise<boolean> {
  try {
    return /^cluster_enabled:1\b/m.test(await redis.info('cluster'));
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
  try {
    await redis.cluster('INFO');
    return true;
  } catch (error) {
    if (/cluster support disabled/i.test(showError(error))) return false;
    if (!isForbidden(error)) throw error;
    throw new Error('a user that may call neither INFO nor CLUSTER INFO: whether it is in cluster mode is unknown');
  }
}

const isForbidden = (error: unknown) => /^NOPERM\b/.test(showError(error));
