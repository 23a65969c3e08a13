import { AwsError } from '../../aws-error';
import { Need, WireObject } from '../operation';
import { Call, Protocol, WireAnswer, WireRequest } from '../protocols/protocol';
import { xmlContent, xmlDocument } from '../protocols/xml';
import { listObjects } from './listing';
import { Condition, ObjectStore, StoredObject, fits, noSuchKey, preconditionFailed } from './object-store';
import { readPayload } from './payload';
import { S3Action, S3Request, readS3Request } from './s3-request';

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** Codes that S3 spells in its own way, some with a status of their own. */
const CODES: Readonly<Record<string, { readonly code: string; readonly status?: number }>> = {
  Throttling: { code: 'SlowDown', status: 503 },
  MissingAuthenticationToken: { code: 'AccessDenied' },
  IncompleteSignature: { code: 'AuthorizationHeaderMalformed' },
  InternalFailure: { code: 'InternalError' },
};

interface Exchange {
  readonly asked: S3Request;
  readonly request: WireRequest;
  readonly demand: (need: Need) => void;
}

/** S3: paths and headers in, XML or bytes out; path-style only. */
export class S3Protocol implements Protocol {
  constructor(
    private readonly store: ObjectStore,
    private readonly region: string,
  ) {}

  identify(request: WireRequest): { service: string; action: string } {
    try {
      return { service: 's3', action: readS3Request(request).action };
    } catch {
      return { service: 's3', action: 'unknown' };
    }
  }

  open(request: WireRequest): Call {
    const asked = readS3Request(request);
    return { needs: needsOf(asked, request), run: (demand) => this.run[asked.action]({ asked, request, demand }) };
  }

  fail(error: AwsError, request: WireRequest): WireAnswer {
    const { code, status = error.status } = CODES[error.code] ?? { code: error.code };
    if (request.method === 'HEAD' || status === 304) return { status, headers: {}, body: '' };
    const content = {
      Code: code,
      Message: error.message,
      Resource: request.url.split('?')[0],
      RequestId: request.id,
      HostId: request.id,
    };
    return { status, headers: XML, body: xmlDocument('Error', undefined, xmlContent(content)) };
  }

  private readonly run: Record<S3Action, (exchange: Exchange) => WireAnswer> = {
    ListBuckets: () => {
      const buckets = this.store.all.map(({ name, createdAt }) => ({ Name: name, CreationDate: createdAt }));
      return xml('ListAllMyBucketsResult', { Owner: { ID: 'rehearsal' }, Buckets: { Bucket: buckets } });
    },
    HeadBucket: ({ asked }) => {
      this.store.bucket(asked.bucket);
      return { status: 200, headers: { 'x-amz-bucket-region': this.region }, body: '' };
    },
    ListObjectsV2: ({ asked }) => xml('ListBucketResult', listObjects(this.store, asked.bucket, asked.query)),
    PutObject: ({ asked, request }) => {
      const { body, checksum } = readPayload(request.headers, request.body);
      const headers = { ...keptHeaders(request), ...checksum };
      const object = this.store.put(asked.bucket, asked.key, body, { condition: conditionOf(request), headers });
      return { status: 200, headers: { etag: object.etag, ...checksum }, body: '' };
    },
    GetObject: (exchange) => this.read(exchange),
    HeadObject: (exchange) => this.read(exchange),
    DeleteObject: ({ asked, request }) => {
      this.store.delete(asked.bucket, asked.key, conditionOf(request));
      return { status: 204, headers: {}, body: '' };
    },
  };

  private read({ asked, request, demand }: Exchange): WireAnswer {
    const object = this.store.find(asked.bucket, asked.key);
    if (!object) {
      // Who may not list the bucket is not told that the object is missing, but denied.
      demand({ action: 's3:ListBucket', resources: [bucketArn(asked)], context: {} });
      throw noSuchKey();
    }
    const { ifMatch, ifNoneMatch } = conditionOf(request);
    if (ifMatch !== undefined && !fits(object, ifMatch)) throw preconditionFailed();
    if (ifNoneMatch !== undefined && fits(object, ifNoneMatch)) throw new AwsError('NotModified', 'Not Modified', 304);
    return { status: 200, headers: objectHeaders(object), body: object.body };
  }
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
function needsOf(asked: S3Request, request: WireRequest): Need[] {
  const { ifMatch } = conditionOf(request);
  const need = (action: string, resource: string, context: Need['context'] = {}): Need => {
    return { action: `s3:${action}`, resources: [resource], context };
  };
  const object = `${bucketArn(asked)}/${asked.key}`;
  switch (asked.action) {
    case 'ListBuckets':
      return [need('ListAllMyBuckets', '*')];
    case 'HeadBucket':
      return [need('ListBucket', bucketArn(asked))];
    case 'ListObjectsV2':
      return [need('ListBucket', bucketArn(asked), { 's3:prefix': asked.query.get('prefix') ?? '' })];
    case 'GetObject':
    case 'HeadObject':
      return [need('GetObject', object)];
    case 'PutObject':
      // To compare with the present object one must be allowed to read it.
      return ifMatch === undefined
        ? [need('PutObject', object)]
        : [need('PutObject', object), need('GetObject', object)];
    case 'DeleteObject':
      return ifMatch === undefined || ifMatch === '*'
        ? [need('DeleteObject', object)]
        : [need('DeleteObject', object), need('GetObject', object)];
  }
}

function bucketArn({ bucket }: S3Request): string {
  return `arn:aws:s3:::${bucket}`;
}

function conditionOf({ headers }: WireRequest): Condition {
  return { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] };
}

function keptHeaders({ headers }: WireRequest): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => name === 'content-type' || name.startsWith('x-amz-meta-'));
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

function objectHeaders(object: StoredObject): Record<string, string> {
  return {
    'content-type': 'binary/octet-stream',
    ...object.headers,
    'content-length': String(object.body.length),
    'last-modified': object.modifiedAt.toUTCString(),
    etag: object.etag,
    'accept-ranges': 'none',
  };
}

const XML = { 'content-type': 'application/xml' };

function xml(root: string, content: WireObject): WireAnswer {
  return { status: 200, headers: XML, body: xmlDocument(root, NAMESPACE, xmlContent(content)) };
}
