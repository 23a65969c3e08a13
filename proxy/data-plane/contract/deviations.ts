/**
 * What an upstream may do against HTTP, and what it then means all the same: no reader could read it in another way, and
 * nginx and HAProxy serve it. Its connection is not used again, so that nothing behind it can be taken for a response.
 */
export const DEVIATIONS = {
  bareLineFeed: 'lines end with a bare LF',
  emptyLinesBefore: 'empty lines before the status line',
  statusLine: 'the spaces or the version of the status line',
  controlBytes: 'control bytes in a field value or the reason',
  foldedLine: 'a folded field line',
  spaceBeforeColon: 'a space between a field name and its colon',
  equalLengths: 'one Content-Length several times',
  lengthAndChunked: 'Content-Length beside Transfer-Encoding',
  chunkedInHttp10: 'a chunked body in HTTP/1.0',
  noCoding: 'a Transfer-Encoding that is empty or identity',
  chunkSize: 'spaces or many zeros around the size of a chunk',
  chunkExtension: 'a malformed or long chunk extension',
  trailers: 'trailers that may not be there, or are malformed',
} as const;

export type Deviation = keyof typeof DEVIATIONS;
