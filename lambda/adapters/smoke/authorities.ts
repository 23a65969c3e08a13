import { X509Certificate } from 'node:crypto';
import { parseCertificates } from '../../../core/validation/pem';
import { cachedSecret } from '../client/secret';

/** An authority changes once in years: it is as good as read once. */
const CACHE_MS = 300_000;
/** A rollback waits for it, once. */
const LIMIT_MS = 2_000;

/**
 * Reads the authorities that the certificates of the smoke requests are checked against.
 *
 * @returns PEM; the promise is rejected when the secret cannot be read, or holds none
 */
export function authoritiesIn(secretArn: string): () => Promise<string> {
  const read = cachedSecret(secretArn, { cacheMs: CACHE_MS, limitMs: LIMIT_MS });
  return async () => {
    const pem = await read();
    if (parseCertificates(pem, (block) => new X509Certificate(block))) return pem;
    const rule = `secret '${secretArn}' of 'trustedAuthorities' must be PEM with certificates`;
    throw new Error(`${rule}, got ${pem.length} characters`);
  };
}
