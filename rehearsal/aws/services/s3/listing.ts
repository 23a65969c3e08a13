import { AwsError } from '../../../errors/aws-error';
import { AwsObject } from '../../operations/operation';
import { ObjectStore, StoredObject } from './object-store';

const MAX_KEYS = 1000;

interface Asked {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly after: string;
  readonly isUrlEncoded: boolean;
}

type Entry = { readonly object: StoredObject } | { readonly prefix: string };

/**
 * The content of a ListBucketResult.
 *
 * @throws AwsError NoSuchBucket, InvalidArgument
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 */
export function listObjects(store: ObjectStore, bucket: string, query: URLSearchParams): AwsObject {
  const { shared, keyCount, isTruncated, last } = listPage(store, bucket, query, after(query));
  return {
    ...shared,
    KeyCount: keyCount,
    ContinuationToken: query.get('continuation-token') ?? undefined,
    StartAfter: query.get('start-after') ?? undefined,
    NextContinuationToken: isTruncated && last !== undefined ? buildToken(last) : undefined,
  };
}

/**
 * The same of the first version, whose pages go on by a key.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
 */
export function listObjectsV1(store: ObjectStore, bucket: string, query: URLSearchParams): AwsObject {
  const marker = query.get('marker') ?? '';
  const { shared, isTruncated, last, encode } = listPage(store, bucket, query, marker);
  return {
    ...shared,
    Marker: encode(marker),
    NextMarker: isTruncated && last !== undefined ? encode(last) : undefined,
  };
}

interface ListPage {
  readonly shared: AwsObject;
  readonly keyCount: number;
  readonly isTruncated: boolean;
  /** Where the next page goes on. */
  readonly last: string | undefined;
  readonly encode: (text: string) => string;
}

function listPage(store: ObjectStore, bucket: string, query: URLSearchParams, start: string): ListPage {
  const asked = readAsked(query, start);
  const all = entries(store.list(bucket, asked.prefix), asked).filter((entry) => isAfter(findMark(entry), asked.after));
  const some = all.slice(0, asked.maxKeys);
  const isTruncated = some.length < all.length && some.length > 0;
  const last = some.at(-1);
  const encode = (text: string) => (asked.isUrlEncoded ? encodeURIComponent(text).replaceAll('%2F', '/') : text);
  const shared = {
    Name: bucket,
    Prefix: encode(asked.prefix),
    Delimiter: asked.delimiter === '' ? undefined : encode(asked.delimiter),
    MaxKeys: asked.maxKeys,
    EncodingType: asked.isUrlEncoded ? 'url' : undefined,
    IsTruncated: isTruncated,
    Contents: some.flatMap((entry) => ('object' in entry ? [writeObject(entry.object, encode)] : [])),
    CommonPrefixes: some.flatMap((entry) => ('prefix' in entry ? [{ Prefix: encode(entry.prefix) }] : [])),
  };
  return { shared, keyCount: some.length, isTruncated, last: last && findMark(last), encode };
}

function after(query: URLSearchParams): string {
  const token = query.get('continuation-token');
  return token === null ? (query.get('start-after') ?? '') : markIn(token);
}

function readAsked(query: URLSearchParams, start: string): Asked {
  const maxKeys = query.get('max-keys') ?? String(MAX_KEYS);
  if (!/^\d{1,9}$/.test(maxKeys))
    throw new AwsError('InvalidArgument', `'max-keys' must be an integer, got ${maxKeys}`);
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    maxKeys: Math.min(Number(maxKeys), MAX_KEYS),
    after: start,
    isUrlEncoded: query.get('encoding-type') === 'url',
  };
}

/** Keys that share what stands before the delimiter fall into one common prefix. */
function entries(objects: readonly StoredObject[], { prefix, delimiter }: Asked): Entry[] {
  const seen = new Set<string>();
  return objects.flatMap((object): Entry[] => {
    const at = delimiter === '' ? -1 : object.key.indexOf(delimiter, prefix.length);
    if (at < 0) return [{ object }];
    const common = object.key.slice(0, at + delimiter.length);
    if (seen.has(common)) return [];
    seen.add(common);
    return [{ prefix: common }];
  });
}

function findMark(entry: Entry): string {
  return 'object' in entry ? entry.object.key : entry.prefix;
}

function isAfter(mark: string, after: string): boolean {
  return Buffer.compare(Buffer.from(mark), Buffer.from(after)) > 0;
}

function buildToken(mark: string): string {
  return Buffer.from(`after:${mark}`).toString('base64url');
}

function markIn(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (!text.startsWith('after:')) {
    throw new AwsError('InvalidArgument', 'The continuation token provided is incorrect');
  }
  return text.slice('after:'.length);
}

function writeObject(object: StoredObject, encode: (text: string) => string): AwsObject {
  return {
    Key: encode(object.key),
    LastModified: object.modifiedAt,
    ETag: object.etag,
    ChecksumAlgorithm: object.checksum?.algorithm.toUpperCase(),
    ChecksumType: object.checksum?.type,
    Size: object.body.length,
    StorageClass: 'STANDARD',
  };
}
