import type { IncomingHttpHeaders } from 'node:http';
import { createHash } from 'node:crypto';
import { AwsError } from '../../../errors/aws-error';
import { Checksum, badDigest, checkedChecksum } from './checksums';

export interface Payload {
  readonly body: Buffer;
  /** The checksum that came with it, if one came. */
  readonly checksum: Checksum | undefined;
}

/**
 * The bytes that an upload really carries: plain, or in chunks with trailers, which is how SDKs send a stream.
 *
 * @throws AwsError IncompleteBody, BadDigest, NotImplemented
 */
export function readPayload(headers: IncomingHttpHeaders, sent: Buffer): Payload {
  const isChunked = String(headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-');
  const { body, trailers } = isChunked ? decodeChunks(sent) : { body: sent, trailers: {} as Record<string, string> };
  const length = headers['x-amz-decoded-content-length'];
  if (isChunked && length !== undefined && Number(length) !== body.length) throw incomplete();
  const md5 = headers['content-md5'];
  if (md5 !== undefined && md5 !== createHash('md5').update(body).digest('base64')) throw badDigest('Content-MD5');
  return { body, checksum: checkedChecksum({ ...headers, ...trailers }, body) };
}

/**
 * `<hex size>[;chunk-signature=…]\r\n<bytes>\r\n`, a chunk of size 0, then trailers.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 */
function decodeChunks(sent: Buffer): { body: Buffer; trailers: Record<string, string> } {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = sent.indexOf('\r\n', at);
    const size = lineEnd < 0 ? undefined : chunkSize(sent.toString('latin1', at, lineEnd));
    if (size === undefined) throw incomplete();
    const start = lineEnd + 2;
    if (size === 0) return { body: Buffer.concat(chunks), trailers: readTrailers(sent.toString('latin1', start)) };
    if (sent.toString('latin1', start + size, start + size + 2) !== '\r\n') throw incomplete();
    chunks.push(sent.subarray(start, start + size));
    at = start + size + 2;
  }
}

function chunkSize(line: string): number | undefined {
  const match = /^([0-9a-fA-F]{1,8})(;.*)?$/.exec(line);
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 16);
}

function readTrailers(text: string): Record<string, string> {
  const lines = text.split('\r\n').map((line) => /^([^:]+):(.*)$/.exec(line));
  return Object.fromEntries(
    lines.flatMap((line) => (line ? [[(line[1] ?? '').trim().toLowerCase(), (line[2] ?? '').trim()] as const] : [])),
  );
}

function incomplete(): AwsError {
  return new AwsError(
    'IncompleteBody',
    'The request body terminated unexpectedly, or is not as long as its headers say',
  );
}
