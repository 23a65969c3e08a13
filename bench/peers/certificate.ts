import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { CertificateFiles } from './peer';

/** One certificate (P-256) for all peers. */
export async function makeCertificate(directory: string): Promise<CertificateFiles> {
  const pair = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  const files = {
    certificate: join(directory, 'certificate.pem'),
    key: join(directory, 'key.pem'),
    both: join(directory, 'both.pem'),
  };
  writeFileSync(files.certificate, pair.cert);
  writeFileSync(files.key, pair.private);
  writeFileSync(files.both, `${pair.cert}\n${pair.private}`);
  return files;
}
