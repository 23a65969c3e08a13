import type { TlsConfig } from '../config/config';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const DAYS = 3650;

/**
 * The certificate of the data port. A load balancer does not verify its targets, so one that is made at the start and
 * dies with the process is as good there as any, and no key lies in the image.
 */
export async function certificate(tls: TlsConfig): Promise<Certificate | undefined> {
  if (tls === 'off') return undefined;
  if (tls !== 'self-signed') return tls;
  // Loading it takes a fifth of the time of a start, and most processes have a certificate already.
  const { generate } = await import('selfsigned');
  const name = 'drainshift-proxy';
  const pair = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + DAYS * 86_400_000),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: name }] }],
  });
  return { cert: pair.cert, key: pair.private };
}
