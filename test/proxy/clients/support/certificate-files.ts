import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { later } from '../../support/world';

export interface CertificateFiles {
  /** PEM; it is its own authority. */
  readonly cert: string;
  /** Gives it to a proxy. */
  readonly flags: readonly string[];
}

/** A certificate for `localhost`, as an operator would give one. */
export async function certificateFiles(): Promise<CertificateFiles> {
  const pair = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-certificate-'));
  later(() => rmSync(folder, { recursive: true }));
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(certFile, pair.cert);
  writeFileSync(keyFile, pair.private);
  return { cert: pair.cert, flags: ['--tls-certificate-file', certFile, '--tls-key-file', keyFile] };
}
