/** A body as it was received: its pieces in their order, and how HTTP/1.1 frames them. */
export interface CapturedBody {
  readonly pieces: readonly Uint8Array[];
  /** `length`: its length stands in the head. `chunked`: each piece is a chunk. `none`: there is none. */
  readonly framing: 'length' | 'chunked' | 'none';
  /** Lines of fields behind a chunked body. */
  readonly trailers: string;
  /** All of it is there: of one that is cut the end is missing. */
  readonly isWhole: boolean;
}

export const NO_BODY: CapturedBody = { pieces: [], framing: 'none', trailers: '', isWhole: true };

/**
 * The head of a message of HTTP/1.1.
 *
 * @param fields end-to-end lines, `name: value` CR LF each
 * @param length the value of `Content-Length`; undefined for none. Of a request or response with chunks it is not given.
 */
export function formatHead(
  startLine: string,
  fields: string,
  { framing, length }: { readonly framing: CapturedBody['framing']; readonly length: number | undefined },
): string {
  const framed = framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : '';
  const stated = framing !== 'chunked' && length !== undefined ? `Content-Length: ${length}\r\n` : '';
  return `${startLine}\r\n${fields}${stated}${framed}\r\n`;
}

/** The bytes of a body as they follow their head, the last chunk and its trailers included where it is whole. */
export function formatBody({ pieces, framing, trailers, isWhole }: CapturedBody): Uint8Array[] {
  if (framing !== 'chunked') return [...pieces];
  const chunks = pieces
    .filter(({ length }) => length > 0)
    .flatMap((piece) => [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
  return isWhole ? [...chunks, Buffer.from(`0\r\n${trailers}\r\n`)] : chunks;
}
