import type { MadeCertificate } from '../../contract/certificate-ports';
import type { CertificateRequest } from './request';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** `dNSName` of RFC 5280, 4.2.1.6. */
const DNS_NAME = 2;

/** Makes a key and a certificate for a TLS server, signed with that key itself. */
export async function makeCertificate(request: CertificateRequest, nowMs: number): Promise<MadeCertificate> {
  // Only when it is needed: the other functions of the bundle start without it.
  const { generate } = await import('selfsigned');
  const { cert, private: privateKey } = await generate([{ name: 'commonName', value: request.domainName }], {
    keyType: 'rsa',
    keySize: 2048,
    algorithm: 'sha256',
    // ACM rejects one that is not valid yet, and clocks differ.
    notBeforeDate: new Date(nowMs - HOUR_MS),
    notAfterDate: new Date(nowMs + request.validityDays * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: request.names.map((value) => ({ type: DNS_NAME, value })) },
    ],
  });
  return { certificate: cert, privateKey };
}

/** Once a third of its time is left: early enough for months of failed attempts with the default of a year. */
export function isDue(endMs: number, nowMs: number, validityDays: number): boolean {
  return endMs - nowMs < (validityDays * DAY_MS) / 3;
}
