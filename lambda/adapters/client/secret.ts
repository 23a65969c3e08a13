import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { findUsableKeys } from '../../../core/proxy/admin-api';
import { CLIENT_CONFIG } from './client-config';
import { limited } from './limited';

interface CacheOptions {
  /** How long a value is used before it is asked for again. */
  readonly cacheMs: number;
  /** What one look-up may take. */
  readonly limitMs: number;
}

/** A value that is at most so old; without a number, as old as a cache allows. */
type Cached<T> = (maxAgeMs?: number) => Promise<T>;

/**
 * The string of a secret, asked for once in `cacheMs`. While Secrets Manager is away the last one is used: a rollback must
 * not wait for it.
 */
export function cachedSecret(secretArn: string, { cacheMs, limitMs }: CacheOptions): Cached<string> {
  const read = findReader(secretArn, limitMs);
  return cached(() => read('AWSCURRENT'), cacheMs);
}

/**
 * The keys that a secret holds, as {@link cachedSecret}: that of its current version, and that of the one before it. Who was not
 * told yet of a rotation knows the latter alone.
 */
export function cachedKeys(secretArn: string, { cacheMs, limitMs }: CacheOptions): Cached<readonly string[]> {
  const read = findReader(secretArn, limitMs);
  let previous: string | undefined;
  const readPrevious = async () => {
    try {
      previous = await read('AWSPREVIOUS');
    } catch (error) {
      if (error instanceof ResourceNotFoundException) previous = undefined;
      // Otherwise the one that was known stays: most of the time the current key is enough.
    }
  };
  const look = async () => {
    const [current] = await Promise.all([read('AWSCURRENT'), readPrevious()]);
    // As the proxies do: who could guess a key could respond for them.
    return findUsableKeys(previous === undefined || previous === current ? [current] : [current, previous]).keys;
  };
  return cached(look, cacheMs);
}

function findReader(secretArn: string, limitMs: number): (stage: string) => Promise<string> {
  const client = limited('Secrets Manager', new SecretsManagerClient(CLIENT_CONFIG), limitMs);
  return async (VersionStage) => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn, VersionStage }));
    if (SecretString === undefined) throw new Error(`secret '${secretArn}' must hold a string, got none`);
    return SecretString;
  };
}

function cached<T>(look: () => Promise<T>, cacheMs: number): Cached<T> {
  let held: { value: Promise<T>; atMs: number } | undefined;
  let last: { value: T } | undefined;
  const lookOrLast = async () => {
    try {
      last = { value: await look() };
    } catch (error) {
      if (last === undefined) throw error;
    }
    return last.value;
  };
  return (maxAgeMs = cacheMs) => {
    if (held && Date.now() - held.atMs < maxAgeMs) return held.value;
    const value = lookOrLast();
    held = { value, atMs: Date.now() };
    value.catch(() => (held = undefined));
    return value;
  };
}
