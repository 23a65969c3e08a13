import { AwsError } from '../../aws-error';
import { WireRequest } from '../protocols/protocol';

export type S3Action =
  'ListBuckets' | 'HeadBucket' | 'ListObjectsV2' | 'PutObject' | 'GetObject' | 'HeadObject' | 'DeleteObject';

export interface S3Request {
  readonly action: S3Action;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
}

const ACTIONS: Readonly<Record<'service' | 'bucket' | 'object', Readonly<Record<string, S3Action>>>> = {
  service: { GET: 'ListBuckets' },
  bucket: { GET: 'ListObjectsV2', HEAD: 'HeadBucket' },
  object: { PUT: 'PutObject', GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' },
};

const LIST_PARAMETERS = [
  'list-type',
  'prefix',
  'delimiter',
  'max-keys',
  'continuation-token',
  'start-after',
  'encoding-type',
  'fetch-owner',
];

/**
 * Reads a path-style request: `/bucket/key`.
 *
 * @throws AwsError InvalidURI, MethodNotAllowed; NotImplemented for the many other things that S3 can do.
 */
export function readS3Request(request: WireRequest): S3Request {
  const [path = '', search = ''] = splitOnce(request.url, '?');
  const [bucket, key] = splitOnce(path.replace(/^\//, ''), '/').map(decoded);
  const query = new URLSearchParams(search);
  const level = !bucket ? 'service' : !key ? 'bucket' : 'object';
  const action = Object.hasOwn(ACTIONS[level], request.method) ? ACTIONS[level][request.method] : undefined;
  if (!action) {
    throw new AwsError('MethodNotAllowed', 'The specified method is not allowed against this resource.', 405);
  }
  refuseOtherFeatures(request, action, query);
  return { action, bucket: bucket ?? '', key: key ?? '', query };
}

/** A subresource (`?acl`) turns a request into another action; answering it as this one would be a lie. */
function refuseOtherFeatures(request: WireRequest, action: S3Action, query: URLSearchParams): void {
  const known = action === 'ListObjectsV2' ? ['x-id', ...LIST_PARAMETERS] : ['x-id'];
  const isOtherList = action === 'ListObjectsV2' && query.get('list-type') !== '2';
  const other = [...query.keys()].find((name) => !known.includes(name));
  if (other === undefined && !isOtherList && request.headers['x-amz-copy-source'] === undefined) return;
  // The service's own code and words for it, which its clients know.
  throw new AwsError('NotImplemented', 'A parameter you provided implies functionality that is not implemented', 501);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AwsError('InvalidURI', "Couldn't parse the specified URI.");
  }
}
