import type { TlsWrap } from './native-tls';
import { MAX_CONTENT_BYTES } from './record-layer/records';

/** `tlsext_max_fragment_len_mode` of OpenSSL's `SSL_SESSION_ASN1`: an explicit tag. */
const LIMIT_TAG = 0xb1;
const LONG_FORM = 0x80;

/**
 * How much content the client takes in a record: 2^14 bytes, or what it asked for (RFC 6066 section 4). Node says it nowhere but in
 * the session that it can serialise.
 */
export function readMaxContentBytes(handle: Pick<TlsWrap, 'getSession'>): number {
  const session = handle.getSession();
  if (session === undefined) return MAX_CONTENT_BYTES;
  const mode = findMode(session);
  session.fill(0);
  return mode === undefined ? MAX_CONTENT_BYTES : 2 ** (8 + mode);
}

/** @param session in DER (X.690): a sequence of fields, each with a tag and a length */
function findMode(session: Buffer): number | undefined {
  let at = readField(session, 0).from;
  while (at < session.length) {
    const { tag, to } = readField(session, at);
    if (tag === LIMIT_TAG) {
      const mode = session[to - 1]!;
      return mode >= 1 && mode <= 4 ? mode : undefined;
    }
    at = to;
  }
  return undefined;
}

function readField(der: Buffer, at: number): { readonly tag: number; readonly from: number; readonly to: number } {
  const length = der[at + 1]!;
  if (length < LONG_FORM) return { tag: der[at]!, from: at + 2, to: at + 2 + length };
  const bytes = length - LONG_FORM;
  const from = at + 2 + bytes;
  return { tag: der[at]!, from, to: from + der.readUIntBE(at + 2, bytes) };
}
