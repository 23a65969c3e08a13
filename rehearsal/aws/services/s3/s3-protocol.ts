import { own } from '../../../../core/validation/own';
import { AwsError } from '../../../errors/aws-error';
import { Need } from '../../operations/operation';
import { Call, Protocol, HttpReply, AwsRequest } from '../../protocols/protocol';
import { xmlContent, xmlDocument } from '../../protocols/xml';
import { deleteObjects } from './bulk-delete';
import { checksumHeaders } from './checksums';
import { copyObject, copySourceNeed } from './copy';
import { Exchange, XML, bucketArn, findCondition, describedBy, empty, xml } from './exchange';
import { listObjects, listObjectsV1 } from './listing';
import { MultipartUploads } from './multipart';
import { ObjectStore } from './object-store';
import { readPayload } from './payload';
import { readObject, readTagging } from './read';
import { S3Action, S3Request, readS3Request } from './s3-request';

/** Codes that S3 spells in its own way, some with a status of their own. */
const CODES: Readonly<Record<string, { readonly code: string; readonly status?: number }>> = {
  Throttling: { code: 'SlowDown', status: 503 },
  MissingAuthenticationToken: { code: 'AccessDenied' },
  IncompleteSignature: { code: 'AuthorizationHeaderMalformed' },
  InternalFailure: { code: 'InternalError' },
  RequestEntityTooLarge: { code: 'EntityTooLarge', status: 400 },
};

/** S3: paths and headers in, XML or bytes out; path-style only. */
export class S3Protocol implements Protocol {
  private readonly uploads = new MultipartUploads();

  constructor(
    private readonly store: ObjectStore,
    private readonly region: string,
  ) {}

  identify(request: AwsRequest): { service: string; action: string } {
    try {
      return { service: 's3', action: readS3Request(request).action };
    } catch {
      return { service: 's3', action: 'unknown' };
    }
  }

  open(request: AwsRequest): Call {
    const { store, region } = this;
    const asked = readS3Request(request);
    return {
      needs: listNeeds(asked, request),
      run: (demand) => this.run[asked.action]({ asked, request, store, region, demand }),
    };
  }

  fail(error: AwsError, request: AwsRequest): HttpReply {
    const { code, status = error.status } = own(CODES, error.code) ?? { code: error.code };
    if (request.method === 'HEAD' || status === 304) return empty(status);
    const content = {
      Code: code,
      Message: error.message,
      Resource: request.url.split('?')[0],
      RequestId: request.id,
      HostId: request.id,
    };
    return { status, headers: XML, body: xmlDocument('Error', undefined, xmlContent(content)) };
  }

  private readonly run: Record<S3Action, (exchange: Exchange) => HttpReply> = {
    ListBuckets: ({ store }) => {
      const buckets = store.all.map(({ name, createdAt }) => ({ Name: name, CreationDate: createdAt }));
      return xml('ListAllMyBucketsResult', { Owner: { ID: 'rehearsal' }, Buckets: { Bucket: buckets } });
    },
    HeadBucket: ({ asked, store, region }) => {
      store.bucket(asked.bucket);
      return empty(200, { 'x-amz-bucket-region': region });
    },
    // The one region whose constraint is empty.
    GetBucketLocation: ({ asked, store, region }) => {
      store.bucket(asked.bucket);
      return xml('LocationConstraint', region === 'us-east-1' ? {} : { '#text': region });
    },
    ListObjectsV2: ({ asked, store }) => xml('ListBucketResult', listObjects(store, asked.bucket, asked.query)),
    ListObjects: ({ asked, store }) => xml('ListBucketResult', listObjectsV1(store, asked.bucket, asked.query)),
    PutObject: ({ asked, request, store }) => {
      const { body, checksum } = readPayload(request.headers, request.body);
      const content = { ...describedBy(request.headers), body, checksum };
      const { etag } = store.put(asked.bucket, asked.key, content, findCondition(request));
      return empty(200, { etag, ...checksumHeaders(checksum) });
    },
    GetObject: readObject,
    HeadObject: readObject,
    GetObjectTagging: readTagging,
    CopyObject: copyObject,
    DeleteObject: ({ asked, request, store }) => {
      store.delete(asked.bucket, asked.key, findCondition(request));
      return empty(204);
    },
    DeleteObjects: deleteObjects,
    CreateMultipartUpload: this.uploads.create,
    UploadPart: this.uploads.uploadPart,
    UploadPartCopy: this.uploads.uploadPartCopy,
    CompleteMultipartUpload: this.uploads.complete,
    AbortMultipartUpload: this.uploads.abort,
    ListParts: this.uploads.listParts,
    ListMultipartUploads: this.uploads.listUploads,
  };
}

/** What each action needs a right for; what it is about is the object, but for those on buckets. */
const RIGHTS: Record<S3Action, readonly string[]> = {
  ListBuckets: ['ListAllMyBuckets'],
  HeadBucket: ['ListBucket'],
  GetBucketLocation: ['GetBucketLocation'],
  ListObjects: ['ListBucket'],
  ListObjectsV2: ['ListBucket'],
  ListMultipartUploads: ['ListBucketMultipartUploads'],
  GetObject: ['GetObject'],
  HeadObject: ['GetObject'],
  GetObjectTagging: ['GetObjectTagging'],
  PutObject: ['PutObject'],
  CopyObject: ['PutObject'],
  DeleteObject: ['DeleteObject'],
  // Each key by itself.
  DeleteObjects: [],
  CreateMultipartUpload: ['PutObject'],
  UploadPart: ['PutObject'],
  UploadPartCopy: ['PutObject'],
  CompleteMultipartUpload: ['PutObject'],
  AbortMultipartUpload: ['AbortMultipartUpload'],
  ListParts: ['ListMultipartUploadParts'],
};

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
function listNeeds(asked: S3Request, request: AwsRequest): Need[] {
  const { action, bucket, key, query } = asked;
  const resource = bucket === '' ? '*' : key === '' ? bucketArn(bucket) : `${bucketArn(bucket)}/${key}`;
  const isListing = action === 'ListObjects' || action === 'ListObjectsV2';
  const context = isListing ? { 's3:prefix': query.get('prefix') ?? '' } : conditionKeys(action, request);
  const names = [...RIGHTS[action], ...(comparesPresent(action, request) ? ['GetObject'] : [])];
  const own = names.map((name) => ({ action: `s3:${name}`, resources: [resource], context }));
  return action === 'CopyObject' || action === 'UploadPartCopy' ? [...own, copySourceNeed(request)] : own;
}

/** Of the actions of `s3:PutObject`: whether it makes an object, or only a part of one. */
const MAKES_OBJECT: Partial<Record<S3Action, boolean>> = {
  PutObject: true,
  CopyObject: true,
  CompleteMultipartUpload: true,
  CreateMultipartUpload: false,
  UploadPart: false,
  UploadPartCopy: false,
};

/**
 * What a policy can ask of a write.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
 */
function conditionKeys(action: S3Action, request: AwsRequest): Need['context'] {
  const makesObject = MAKES_OBJECT[action];
  const { ifMatch, ifNoneMatch } = findCondition(request);
  return {
    ...(makesObject !== undefined && { 's3:ObjectCreationOperation': String(makesObject) }),
    ...(ifMatch !== undefined && { 's3:if-match': ifMatch }),
    ...(ifNoneMatch !== undefined && { 's3:if-none-match': ifNoneMatch }),
  };
}

/** To compare with the present object one must be allowed to read it. */
function comparesPresent(action: S3Action, request: AwsRequest): boolean {
  const { ifMatch } = findCondition(request);
  if (ifMatch === undefined || request.method === 'GET' || request.method === 'HEAD') return false;
  return action !== 'DeleteObject' || ifMatch !== '*';
}
