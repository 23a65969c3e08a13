import { AwsError } from '../../../errors/aws-error';
import { AwsRequest } from '../../protocols/protocol';

export type S3Action = (typeof ROUTES)[number]['action'];

export interface S3Request {
  readonly action: S3Action;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
}

interface Route {
  readonly action: string;
  readonly method: string;
  readonly level: 'service' | 'bucket' | 'object';
  /** Parameters that make a request this one; a value where it must be that. */
  readonly marks?: Readonly<Record<string, string | undefined>>;
  /** Whether `x-amz-copy-source` must be there; absent, it must not. */
  readonly isCopy?: true;
  /** Further parameters that it understands. */
  readonly takes?: readonly string[];
}

const LIST = ['prefix', 'delimiter', 'max-keys', 'encoding-type', 'fetch-owner'];
/** Set headers of the response. @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
export const RESPONSE_PARAMETERS = [
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
] as const;
const PART = { partNumber: undefined, uploadId: undefined };

/** The first that fits counts. */
const ROUTES = [
  { action: 'ListBuckets', level: 'service', method: 'GET' },
  { action: 'GetBucketLocation', level: 'bucket', method: 'GET', marks: { location: undefined } },
  { action: 'ListMultipartUploads', level: 'bucket', method: 'GET', marks: { uploads: undefined }, takes: ['prefix'] },
  {
    action: 'ListObjectsV2',
    level: 'bucket',
    method: 'GET',
    marks: { 'list-type': '2' },
    takes: [...LIST, 'continuation-token', 'start-after'],
  },
  { action: 'ListObjects', level: 'bucket', method: 'GET', takes: [...LIST, 'marker'] },
  { action: 'HeadBucket', level: 'bucket', method: 'HEAD' },
  { action: 'DeleteObjects', level: 'bucket', method: 'POST', marks: { delete: undefined } },
  { action: 'UploadPartCopy', level: 'object', method: 'PUT', marks: PART, isCopy: true },
  { action: 'UploadPart', level: 'object', method: 'PUT', marks: PART },
  { action: 'CopyObject', level: 'object', method: 'PUT', isCopy: true },
  { action: 'PutObject', level: 'object', method: 'PUT' },
  { action: 'CreateMultipartUpload', level: 'object', method: 'POST', marks: { uploads: undefined } },
  { action: 'CompleteMultipartUpload', level: 'object', method: 'POST', marks: { uploadId: undefined } },
  {
    action: 'ListParts',
    level: 'object',
    method: 'GET',
    marks: { uploadId: undefined },
    takes: ['max-parts', 'part-number-marker'],
  },
  { action: 'GetObjectTagging', level: 'object', method: 'GET', marks: { tagging: undefined } },
  { action: 'GetObject', level: 'object', method: 'GET', takes: ['partNumber', ...RESPONSE_PARAMETERS] },
  { action: 'HeadObject', level: 'object', method: 'HEAD', takes: ['partNumber', ...RESPONSE_PARAMETERS] },
  { action: 'AbortMultipartUpload', level: 'object', method: 'DELETE', marks: { uploadId: undefined } },
  { action: 'DeleteObject', level: 'object', method: 'DELETE' },
] as const satisfies readonly Route[];

/**
 * Reads a path-style request: `/bucket/key`.
 *
 * @throws AwsError InvalidURI, MethodNotAllowed; NotImplemented for the many other things that S3 can do.
 */
export function readS3Request(request: AwsRequest): S3Request {
  const [path = '', search = ''] = splitOnce(request.url, '?');
  const [bucket = '', key = ''] = splitOnce(path.replace(/^\//, ''), '/').map(decoded);
  const query = new URLSearchParams(search);
  const level = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object';
  const routes = (ROUTES as readonly (Route & { action: S3Action })[]).filter(
    (route) => route.level === level && route.method === request.method,
  );
  if (routes.length === 0) {
    throw new AwsError('MethodNotAllowed', 'The specified method is not allowed against this resource.', 405);
  }
  const isCopy = request.headers['x-amz-copy-source'] !== undefined;
  const found = routes.find((route) => isCopy === (route.isCopy ?? false) && hasMarks(query, route));
  // A subresource (`?acl`) turns a request into another action; responding to it as this one would be a lie.
  if (!found || hasOther(query, found)) {
    // The service's own code and words for it, which its clients know.
    throw new AwsError('NotImplemented', 'A parameter you provided implies functionality that is not implemented', 501);
  }
  return { action: found.action, bucket, key, query };
}

function hasMarks(query: URLSearchParams, { marks = {} }: Route): boolean {
  return Object.entries(marks).every(
    ([name, value]) => query.has(name) && (value === undefined || query.get(name) === value),
  );
}

/** Signatures in advance are everywhere allowed. */
function hasOther(query: URLSearchParams, { marks = {}, takes = [] }: Route): boolean {
  const known = ['x-id', ...Object.keys(marks), ...takes];
  return [...query.keys()].some((name) => !known.includes(name) && !/^x-amz-/i.test(name));
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** @throws AwsError InvalidURI */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AwsError('InvalidURI', "Couldn't parse the specified URI.");
  }
}
