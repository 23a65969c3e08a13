import { createHash, randomUUID } from 'node:crypto';
import { AwsError } from '../../../errors/aws-error';
import { AwsObject } from '../../operations/operation';
import { HttpReply } from '../../protocols/protocol';
import {
  Checksum,
  ChecksumType,
  checksumMembers,
  computeChecksum,
  claimedChecksum,
  findMember,
  partHeaders,
  partMembers,
} from './checksums';
import { copiedObject } from './copy';
import { malformed, readDocument } from './documents';
import { Exchange, findCondition, describedBy, empty, xml } from './exchange';
import { ObjectContent, computeEtag, unquoted } from './object-store';
import { readPayload } from './payload';
import { sliceRange } from './read';

const MAX_PARTS = 10_000;
/** Of every part but the last. @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_PAGE = 1000;

interface Part {
  readonly number: number;
  readonly body: Buffer;
  readonly etag: string;
  readonly modifiedAt: Date;
  readonly checksum: Checksum | undefined;
}

interface Upload {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly startedAt: Date;
  readonly content: Pick<ObjectContent, 'headers' | 'tagging'>;
  /** What the client said that it would send. */
  readonly checksum: { readonly algorithm: string; readonly type: ChecksumType } | undefined;
  readonly parts: Map<number, Part>;
}

type Handler = (exchange: Exchange) => HttpReply;

/** Uploads in parts. @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html */
export class MultipartUploads {
  private readonly uploads = new Map<string, Upload>();

  readonly create: Handler = ({ asked, request, store }) => {
    const { bucket, key } = asked;
    store.bucket(bucket);
    const upload = {
      id: randomUUID(),
      bucket,
      key,
      startedAt: new Date(),
      content: describedBy(request.headers),
      checksum: promisedChecksum(request.headers),
      parts: new Map<number, Part>(),
    };
    this.uploads.set(upload.id, upload);
    const promise = upload.checksum;
    const headers: Record<string, string> = promise
      ? { 'x-amz-checksum-algorithm': promise.algorithm.toUpperCase(), 'x-amz-checksum-type': promise.type }
      : {};
    return xml('InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: upload.id }, headers);
  };

  readonly uploadPart: Handler = (exchange) => {
    const upload = this.find(exchange);
    const number = partNumber(exchange.asked.query.get('partNumber'));
    const { body, checksum } = readPayload(exchange.request.headers, exchange.request.body);
    const part = { number, body, etag: computeEtag(body), modifiedAt: new Date(), checksum };
    upload.parts.set(number, part);
    return empty(200, { etag: part.etag, ...partHeaders(checksum) });
  };

  readonly uploadPartCopy: Handler = (exchange) => {
    const upload = this.find(exchange);
    const number = partNumber(exchange.asked.query.get('partNumber'));
    const source = copiedObject(exchange).body;
    const range = exchange.request.headers['x-amz-copy-source-range'];
    const slice = typeof range === 'string' ? sliceRange(range, source.length) : undefined;
    if (typeof range === 'string' && !slice) {
      throw new AwsError('InvalidArgument', 'The x-amz-copy-source-range value must be of the form bytes=first-last');
    }
    const body = slice ? source.subarray(slice.start, slice.end + 1) : source;
    const { checksum: promise } = upload;
    const checksum: Checksum | undefined = promise && {
      algorithm: promise.algorithm,
      value: computeChecksum(promise.algorithm, body).toString('base64'),
      type: 'FULL_OBJECT',
    };
    const part = { number, body, etag: computeEtag(body), modifiedAt: new Date(), checksum };
    upload.parts.set(number, part);
    return xml('CopyPartResult', { LastModified: part.modifiedAt, ETag: part.etag, ...partMembers(checksum) });
  };

  readonly complete: Handler = (exchange) => {
    const { asked, request, store } = exchange;
    const upload = this.find(exchange);
    const { items } = readDocument(request.body, { root: 'CompleteMultipartUpload', element: 'Part' });
    const content = assemble(upload, chosenParts(upload, items), request.headers);
    const { etag, checksum } = store.put(asked.bucket, asked.key, content, findCondition(request));
    this.uploads.delete(upload.id);
    return xml('CompleteMultipartUploadResult', {
      Location: `${request.headers.host ?? ''}${request.url.split('?')[0]}`,
      Bucket: asked.bucket,
      Key: asked.key,
      ETag: etag,
      ...checksumMembers(checksum),
    });
  };

  readonly abort: Handler = (exchange) => {
    this.uploads.delete(this.find(exchange).id);
    return empty(204);
  };

  readonly listParts: Handler = (exchange) => {
    const { asked } = exchange;
    const upload = this.find(exchange);
    const after = limit(asked.query, 'part-number-marker', 0);
    const max = Math.min(limit(asked.query, 'max-parts', MAX_PAGE), MAX_PAGE);
    const rest = [...upload.parts.values()].sort((a, b) => a.number - b.number).filter(({ number }) => number > after);
    const page = rest.slice(0, max);
    return xml('ListPartsResult', {
      Bucket: asked.bucket,
      Key: asked.key,
      UploadId: upload.id,
      PartNumberMarker: after,
      NextPartNumberMarker: page.at(-1)?.number,
      MaxParts: max,
      IsTruncated: page.length < rest.length,
      Part: page.map(writePart),
    });
  };

  readonly listUploads: Handler = ({ asked, store }) => {
    store.bucket(asked.bucket);
    const prefix = asked.query.get('prefix') ?? '';
    const found = [...this.uploads.values()].filter(
      ({ bucket, key }) => bucket === asked.bucket && key.startsWith(prefix),
    );
    return xml('ListMultipartUploadsResult', {
      Bucket: asked.bucket,
      Prefix: prefix,
      IsTruncated: false,
      Upload: found.map(({ id, key, startedAt }) => ({ Key: key, UploadId: id, Initiated: startedAt })),
    });
  };

  /** @throws AwsError NoSuchUpload */
  private find({ asked }: Exchange): Upload {
    const upload = this.uploads.get(asked.query.get('uploadId') ?? '');
    if (upload?.bucket === asked.bucket && upload.key === asked.key) return upload;
    throw new AwsError(
      'NoSuchUpload',
      'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      404,
    );
  }
}

/** The sum of each part, or of the whole; CRC-64 is of the whole only. */
function promisedChecksum(headers: Exchange['request']['headers']): Upload['checksum'] {
  const algorithm = headers['x-amz-checksum-algorithm'] ?? headers['x-amz-sdk-checksum-algorithm'];
  if (typeof algorithm !== 'string') return undefined;
  const name = algorithm.toLowerCase();
  const isWhole = headers['x-amz-checksum-type'] === 'FULL_OBJECT' || name === 'crc64nvme';
  // That it is one of those that are here.
  computeChecksum(name, Buffer.alloc(0));
  return { algorithm: name, type: isWhole ? 'FULL_OBJECT' : 'COMPOSITE' };
}

function partNumber(text: string | null): number {
  const number = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  if (number >= 1 && number <= MAX_PARTS) return number;
  throw new AwsError('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
}

function limit(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name) ?? String(fallback);
  if (!/^\d{1,9}$/.test(text)) throw new AwsError('InvalidArgument', `'${name}' must be an integer, got ${text}`);
  return Number(text);
}

/** The parts that a client lists, in its order, which must be theirs. @throws AwsError InvalidPart, InvalidPartOrder, EntityTooSmall */
function chosenParts(upload: Upload, items: readonly ReadonlyMap<string, string>[]): Part[] {
  if (items.length === 0) throw malformed();
  const parts = items.map((item) => {
    const part = upload.parts.get(Number(item.get('PartNumber')));
    const isSame = part !== undefined && unquoted(item.get('ETag') ?? '') === unquoted(part.etag);
    const claimed = part?.checksum && item.get(findMember(part.checksum.algorithm));
    if (!isSame || (claimed !== undefined && claimed !== part.checksum?.value)) {
      throw new AwsError(
        'InvalidPart',
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
      );
    }
    return part;
  });
  if (parts.some(({ number }, index) => number <= (parts[index - 1]?.number ?? 0))) {
    throw new AwsError(
      'InvalidPartOrder',
      'The list of parts was not in ascending order. The parts list must be specified in order by part number.',
    );
  }
  if (parts.slice(0, -1).some(({ body }) => body.length < MIN_PART_BYTES)) {
    throw new AwsError('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed object size.');
  }
  return parts;
}

function assemble(upload: Upload, parts: readonly Part[], headers: Exchange['request']['headers']): ObjectContent {
  const body = Buffer.concat(parts.map((part) => part.body));
  const sums = parts.map(({ etag }) => Buffer.from(unquoted(etag), 'hex'));
  let end = 0;
  return {
    ...upload.content,
    body,
    // Not the MD5 of the object, and known by its dash.
    etag: `"${createHash('md5').update(Buffer.concat(sums)).digest('hex')}-${parts.length}"`,
    partEnds: parts.map((part) => (end += part.body.length)),
    checksum: wholeChecksum(upload, parts, body, claimedChecksum(headers)?.value),
  };
}

/** @throws AwsError BadDigest when the client claims another one */
function wholeChecksum(
  { checksum }: Upload,
  parts: readonly Part[],
  body: Buffer,
  claimed: string | undefined,
): Checksum | undefined {
  if (!checksum) return undefined;
  const { algorithm, type } = checksum;
  const sums = parts.map((part) => computeChecksum(algorithm, part.body));
  const value =
    type === 'FULL_OBJECT'
      ? computeChecksum(algorithm, body).toString('base64')
      : `${computeChecksum(algorithm, Buffer.concat(sums)).toString('base64')}-${parts.length}`;
  if (claimed !== undefined && claimed !== value && !value.startsWith(`${claimed}-`)) {
    throw new AwsError(
      'BadDigest',
      `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
    );
  }
  return { algorithm, type, value };
}

function writePart({ number, body, etag, modifiedAt, checksum }: Part): AwsObject {
  return { PartNumber: number, Size: body.length, ETag: etag, LastModified: modifiedAt, ...partMembers(checksum) };
}
