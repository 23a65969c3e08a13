import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CLIENT_CONFIG } from './client-config';
import { limited } from './limited';

interface CacheOptions {
  /** How long a value is used before it is asked for again. */
  readonly cacheMs: number;
  /** What one look-up may take. */
  readonly limitMs: number;
}

/**
 * The string of a secret, asked for once in `cacheMs`. While Secrets Manager is away the last one is used: a rollback must
 * not wait for it.
 */
export function cachedSecret(secretArn: string, { cacheMs, limitMs }: CacheOptions): () => Promise<string> {
  const client = limited('Secrets Manager', new SecretsManagerClient(CLIENT_CONFIG), limitMs);
  let cached: { value: Promise<string>; atMs: number } | undefined;
  let last: string | undefined;
  const look = async () => {
    try {
      const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn }));
      if (SecretString === undefined) throw new Error(`secret '${secretArn}' must hold a string, got none`);
      return (last = SecretString);
    } catch (error) {
      if (last === undefined) throw error;
      return last;
    }
  };
  return () => {
    if (cached && Date.now() - cached.atMs < cacheMs) return cached.value;
    const value = look();
    cached = { value, atMs: Date.now() };
    value.catch(() => (cached = undefined));
    return value;
  };
}
