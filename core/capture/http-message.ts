/** How the end of a message is found. @see RFC 9112 section 6.3 */
export type Framing =
  { readonly kind: 'none' | 'chunked' | 'untilClose' } | { readonly kind: 'length'; readonly bytes: number };

/** One request or response of HTTP/1.1, as its bytes were seen. */
export interface HttpMessage {
  /** Head and body, as recorded; chunked where it was. */
  readonly raw: Uint8Array;
  readonly headBytes: number;
  /** Without its end. */
  readonly startLine: string;
  /** In the order and the case in which they were sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly framing: Framing;
  /** Milliseconds since 1970, with fractions. */
  readonly firstByteMs: number;
  readonly lastByteMs: number;
  /** Why it is not whole, or none at all. */
  readonly problem?: string;
}

/** The first value of a header; its name in lowercase. */
export function findHeader({ headers }: Pick<HttpMessage, 'headers'>, name: string): string | undefined {
  return headers.find(([each]) => each.toLowerCase() === name)?.[1];
}

/** What a body says, without chunks. Of a message with a problem: as far as it came. */
export function readBody({ raw, headBytes, framing }: HttpMessage): Uint8Array {
  const body = raw.subarray(headBytes);
  return framing.kind === 'chunked' ? joinChunks(body) : body;
}

function joinChunks(body: Uint8Array): Uint8Array {
  const found: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const end = body.indexOf(LF, at);
    if (end < 0) break;
    const size = readChunkSize(text(body.subarray(at, end)));
    if (size === undefined || size === 0) break;
    found.push(body.subarray(end + 1, end + 1 + size));
    at = body.indexOf(LF, end + 1 + size) + 1;
    if (at === 0) break;
  }
  return found.length === 1 ? found[0]! : Buffer.concat(found);
}

export const LF = 10;

/** Bytes as characters, one each. */
export const text = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** RFC 9112 section 7.1, without extensions. */
export function readChunkSize(line: string): number | undefined {
  const digits = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?\r?$/s.exec(line)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

export interface RequestLine {
  readonly method: string;
  /** As it stood there: a path with its query, mostly. */
  readonly target: string;
  readonly version: string;
}

/** Undefined of a line that is none. @see RFC 9112 section 3 */
export function parseRequestLine(line: string): RequestLine | undefined {
  const [, method, target, version] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\s]+) (HTTP\/[0-9.]+)$/.exec(line) ?? [];
  return method === undefined ? undefined : { method, target: target!, version: version! };
}

export interface StatusLine {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
}

/** Undefined of a line that is none. @see RFC 9112 section 4 */
export function parseStatusLine(line: string): StatusLine | undefined {
  const [, version, status, reason = ''] = /^(HTTP\/[0-9.]+) ([1-9][0-9]{2})(?: (.*))?$/.exec(line) ?? [];
  return version === undefined ? undefined : { version, status: Number(status), reason };
}
