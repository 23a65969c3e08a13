import { KeyObject, X509Certificate, createPrivateKey } from 'node:crypto';

/** From one first line to its last; one that was cut off ends with the text. TLS reads all three labels. */
const CERTIFICATE_BLOCK = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^]*?(?:-----END \1-----|$)/g;

/** Every certificate of a PEM text, in its order. Undefined when there is none, or one that cannot be read. */
export function certificatesOf(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(CERTIFICATE_BLOCK);
  try {
    return blocks?.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

/** Undefined when there is none, or one that needs a passphrase. */
export function privateKeyOf(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
