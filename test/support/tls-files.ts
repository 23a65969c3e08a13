import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authority, certificateFrom } from '../proxy/support/authority';

export interface TlsFiles {
  /** The authority that the certificate of `localhost` is signed by. */
  readonly caPem: string;
  /** Options of a Valkey or Redis that has it. Clients need none of their own. */
  readonly options: readonly string[];
  remove(): void;
}

export async function makeTlsFiles(): Promise<TlsFiles> {
  const ca = await authority('authority of the stores');
  const { cert, key } = await certificateFrom(ca, 'localhost');
  const folder = mkdtempSync(join(tmpdir(), 'store-tls-'));
  const options = Object.entries({ cert, key, 'ca-cert': ca.cert }).flatMap(([name, pem]) => {
    const file = join(folder, `${name}.pem`);
    writeFileSync(file, pem);
    return [`--tls-${name}-file`, file];
  });
  return {
    caPem: ca.cert,
    options: [...options, '--tls-auth-clients', 'no', '--tls-replication', 'yes'],
    remove: () => rmSync(folder, { recursive: true }),
  };
}
