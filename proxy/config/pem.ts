import { KeyObject, X509Certificate, createPrivateKey } from 'node:crypto';
import { parseCertificates as readCertificates } from '../../core/validation/pem';

/** Every certificate of a PEM text, in its order. Undefined when there is none, or one that cannot be read. */
export function parseCertificates(pem: string): readonly X509Certificate[] | undefined {
  return readCertificates(pem, (block) => new X509Certificate(block));
}

/** Undefined when there is none, or one that needs a passphrase. */
export function parsePrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
