import { generate } from 'selfsigned';

/** PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** A private authority, made for a test. */
export async function authority(name: string): Promise<Pair> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  return { cert, key };
}

/** A certificate for this host name, which the authority has signed. */
export async function certificateFrom(ca: Pair, hostName: string): Promise<Pair> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: hostName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: hostName }] }],
  });
  return { cert, key };
}
