import { generate } from 'selfsigned';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate for this run alone: for the name that clients use, and for this machine. It is its own authority. */
export async function rehearsalCertificate(domainName: string): Promise<Certificate> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: domainName }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: domainName },
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { cert, key };
}
