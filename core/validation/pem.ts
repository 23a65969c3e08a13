/** From one first line to its last; one that was cut off ends with the text. TLS reads all three labels. */
const CERTIFICATE_BLOCK = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^]*?(?:-----END \1-----|$)/g;

/**
 * Every certificate of a PEM text, in its order. Undefined when there is none, or one that cannot be read.
 *
 * @param read reads one of them, and throws when it is none
 */
export function parseCertificates<Certificate>(
  pem: string,
  read: (block: string) => Certificate,
): readonly Certificate[] | undefined {
  const blocks = pem.match(CERTIFICATE_BLOCK);
  try {
    return blocks?.map(read);
  } catch {
    return undefined;
  }
}
