import type { IncomingHttpHeaders } from 'node:http';
import { AwsError } from '../../../errors/aws-error';
import { HttpReply } from '../../protocols/protocol';
import { checksumHeaders } from './checksums';
import { Exchange, bucketArn, xml } from './exchange';
import { StoredObject, fits, noSuchKey, preconditionFailed } from './object-store';
import { RESPONSE_PARAMETERS } from './s3-request';

/** Part of an object: bytes `start` to `end`, both included. */
interface Slice {
  readonly start: number;
  readonly end: number;
}

/**
 * GetObject and HeadObject: the object or a range of it.
 *
 * @throws AwsError NoSuchKey, PreconditionFailed, NotModified, InvalidRange, InvalidPartNumber
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 */
export function readObject(exchange: Exchange): HttpReply {
  const { asked, request } = exchange;
  const object = presentObject(exchange, asked.bucket, asked.key);
  checkRead(object, request.headers);
  const headers = { ...objectHeaders(object), ...overrides(asked.query) };
  const slice = sliceAsked(object, exchange);
  if (!slice) {
    const isChecked = String(request.headers['x-amz-checksum-mode']).toUpperCase() === 'ENABLED';
    return {
      status: 200,
      headers: { ...headers, ...(isChecked && checksumHeaders(object.checksum)) },
      body: object.body,
    };
  }
  const { start, end } = slice;
  const range = { 'content-range': `bytes ${start}-${end}/${object.body.length}` };
  return { status: 206, headers: { ...headers, ...range }, body: object.body.subarray(start, end + 1) };
}

export function readTagging(exchange: Exchange): HttpReply {
  const { tagging = '' } = presentObject(exchange, exchange.asked.bucket, exchange.asked.key);
  return xml('Tagging', { TagSet: { Tag: [...new URLSearchParams(tagging)].map(([Key, Value]) => ({ Key, Value })) } });
}

/** Who may not list the bucket is not told that an object is missing, but denied. @throws AwsError NoSuchKey, AccessDenied */
export function presentObject({ store, demand }: Exchange, bucket: string, key: string): StoredObject {
  const object = store.find(bucket, key);
  if (object) return object;
  demand({ action: 's3:ListBucket', resources: [bucketArn(bucket)], context: {} });
  throw noSuchKey();
}

/**
 * Conditions of a read, an ETag before a time (RFC 9110 §13.2.2).
 *
 * @param prefix `x-amz-copy-source-` for the source of a copy, whose failures are all 412
 */
export function checkRead(object: StoredObject, headers: IncomingHttpHeaders, prefix = ''): void {
  const value = (name: string) => {
    const found = headers[`${prefix}${name}`];
    return typeof found === 'string' ? found : undefined;
  };
  const [match, noneMatch] = [value('if-match'), value('if-none-match')];
  const unmodifiedSince = match === undefined ? timeIn(value('if-unmodified-since')) : undefined;
  const modifiedSince = noneMatch === undefined ? timeIn(value('if-modified-since')) : undefined;
  const modifiedMs = Math.floor(object.modifiedAt.getTime() / 1000) * 1000;
  if (match !== undefined && !fits(object, match)) throw preconditionFailed();
  if (unmodifiedSince !== undefined && modifiedMs > unmodifiedSince) throw preconditionFailed();
  const isNotNew =
    (noneMatch !== undefined && fits(object, noneMatch)) ||
    (modifiedSince !== undefined && modifiedMs <= modifiedSince);
  if (isNotNew) throw prefix === '' ? new AwsError('NotModified', 'Not Modified', 304) : preconditionFailed();
}

function timeIn(text: string | undefined): number | undefined {
  const timeMs = Date.parse(text ?? '');
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

function sliceAsked(object: StoredObject, { asked, request }: Exchange): Slice | undefined {
  const { range, 'if-range': ifRange } = request.headers;
  const part = asked.query.get('partNumber');
  if (part !== null) {
    if (range === undefined) return slicePart(object, part);
    throw new AwsError('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter');
  }
  const isOther = typeof ifRange === 'string' && !fits(object, ifRange);
  return range === undefined || isOther ? undefined : sliceRange(range, object.body.length);
}

/**
 * One range of bytes, as RFC 9110 §14.1.2 writes it. What is not one (several, another unit, the end before the start) is
 * ignored, and the whole is meant.
 *
 * @throws AwsError InvalidRange for one that lies behind the end
 */
export function sliceRange(range: string, length: number): Slice | undefined {
  const [, first = '', last = ''] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(range) ?? [];
  if (first === '' && last === '') return undefined;
  const [start, end] =
    first === ''
      ? [Math.max(0, length - Number(last)), length - 1]
      : [Number(first), last === '' ? length - 1 : Math.min(Number(last), length - 1)];
  if (first !== '' && last !== '' && Number(last) < start) return undefined;
  if (start < length) return { start, end };
  throw new AwsError('InvalidRange', 'The requested range is not satisfiable', 416);
}

/** What was not uploaded in parts is one part. */
function slicePart({ body, partEnds = [body.length] }: StoredObject, part: string): Slice | undefined {
  const number = /^[1-9]\d{0,4}$/.test(part) ? Number(part) : 0;
  const end = partEnds[number - 1];
  if (end === undefined) {
    throw new AwsError('InvalidPartNumber', 'The requested partnumber is not satisfiable', 416);
  }
  return body.length === 0 ? undefined : { start: partEnds[number - 2] ?? 0, end: end - 1 };
}

function objectHeaders(object: StoredObject): Record<string, string> {
  const { partEnds, tagging } = object;
  return {
    'content-type': 'binary/octet-stream',
    ...object.headers,
    'last-modified': object.modifiedAt.toUTCString(),
    etag: object.etag,
    'accept-ranges': 'bytes',
    ...(partEnds && { 'x-amz-mp-parts-count': String(partEnds.length) }),
    ...(tagging !== undefined && { 'x-amz-tagging-count': String(new URLSearchParams(tagging).size) }),
  };
}

function overrides(query: URLSearchParams): Record<string, string> {
  return Object.fromEntries(
    RESPONSE_PARAMETERS.flatMap((name) => {
      const value = query.get(name);
      return value === null ? [] : [[name.slice('response-'.length), value.replace(/[\r\n]/g, ' ')] as const];
    }),
  );
}
