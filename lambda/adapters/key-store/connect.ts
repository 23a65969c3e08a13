import { isIP } from 'node:net';
import { Redis, RedisOptions } from 'iovalkey';
import { StorePlan, readDatabase, usesTls } from '../../../core/plan/state-plan';

/** Reads the string of a secret. */
export type ReadSecret = (arn: string) => Promise<string>;

const DEFAULT_PORT = 6379;
/** PEXPIRETIME. Every Valkey has it. */
const MIN_VERSION = 7;

interface StoreUser {
  readonly username?: string;
  readonly password?: string;
}

async function readUser({ secretArn }: StorePlan, readSecret: ReadSecret): Promise<StoreUser> {
  if (secretArn === undefined) return {};
  const rule = `the secret '${secretArn}' must be {"username":"…","password":"…"}`;
  const text = await readSecret(secretArn);
  let user: unknown;
  try {
    user = JSON.parse(text);
  } catch {
    // Its text is a secret.
    throw new Error(`${rule}, got no JSON`);
  }
  const { username, password } = (user ?? {}) as Record<string, unknown>;
  if (typeof password !== 'string' || (username !== undefined && typeof username !== 'string'))
    throw new Error(`${rule}, got other fields`);
  return { password, ...(username !== undefined && { username }) };
}

/**
 * @param check what must hold of the server, which may still load what it holds
 * @throws Error naming the store; of `check` as it is
 */
export async function openRedis(
  store: StorePlan,
  readSecret: ReadSecret,
  limitMs: number,
  check: (info: ServerInfo) => void,
): Promise<Redis> {
  const redis = await connect(store, await readUser(store, readSecret), limitMs);
  try {
    const info = await readInfo(redis);
    checkServer(info, store);
    check(info);
    return redis;
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/** Where a store is, as other servers call it. */
export function readAddress({ url }: StorePlan): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || DEFAULT_PORT) };
}

async function connect(store: StorePlan, { username, password }: StoreUser, limitMs: number): Promise<Redis> {
  const { url, caPem } = store;
  const { host, port } = readAddress(store);
  const options: RedisOptions = {
    ...{ host, port, db: readDatabase(store) },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(usesTls(url) && {
      tls: { ...(isIP(host) === 0 && { servername: host }), ...(caPem !== undefined && { ca: caPem }) },
    }),
    lazyConnect: true,
    // Its own check calls INFO, which a user may not be allowed to.
    enableReadyCheck: false,
    // One that leaves in the middle is said, and not waited for.
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: limitMs,
    commandTimeout: limitMs,
    disconnectTimeout: 100,
  };
  const redis = new Redis(options);
  // Without a listener an error would end the process. It says why a connection closed; what fails then does not.
  let last: unknown;
  redis.on('error', (error: unknown) => (last = error));
  try {
    await redis.connect();
    // It responds while it loads, which PING does not.
    await redis.info('server');
    return redis;
  } catch (error) {
    redis.disconnect();
    const cause = last ?? error;
    throw new Error(`the store ${url} must respond, got ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause: error,
    });
  }
}

/** The fields of INFO. */
export type ServerInfo = ReadonlyMap<string, string>;

/** @see https://valkey.io/commands/info/ */
export async function readInfo(redis: Redis, ...sections: string[]): Promise<ServerInfo> {
  const lines = String(await redis.call('INFO', ...sections)).split('\r\n');
  return new Map(lines.flatMap((line) => (/^\w+:/.test(line) ? [splitAt(line, ':')] : [])));
}

/** Around the first separator. */
export function splitAt(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** @throws Error of one that has only some of the keys, or cannot say when they expire */
function checkServer(info: ServerInfo, { url }: StorePlan): void {
  if (info.get('cluster_enabled') === '1')
    throw new Error(
      `the store ${url} must be without cluster mode, got a node of a cluster, which has only some of the keys`,
    );
  const version = info.get('redis_version') ?? '';
  if (!(Number.parseInt(version, 10) >= MIN_VERSION))
    throw new Error(`the store ${url} must be Valkey, or Redis 7.0 or later, got '${version}'`);
}
