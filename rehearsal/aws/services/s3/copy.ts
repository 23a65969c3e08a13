import { AwsError } from '../../../errors/aws-error';
import { Need } from '../../operations/operation';
import { HttpReply, AwsRequest } from '../../protocols/protocol';
import { checksumMembers } from './checksums';
import { Exchange, bucketArn, findCondition, describedBy, xml } from './exchange';
import { StoredObject } from './object-store';
import { checkRead, presentObject } from './read';
import { decoded } from './s3-request';

/** Where a copy comes from. @throws AwsError InvalidArgument, NotImplemented for a version */
export function copySource({ headers }: AwsRequest): { readonly bucket: string; readonly key: string } {
  const [path = '', query] = String(headers['x-amz-copy-source'] ?? '').split('?');
  const [, bucket = '', key = ''] = /^\/?([^/]+)\/(.+)$/s.exec(decoded(path)) ?? [];
  if (key === '') throw new AwsError('InvalidArgument', 'Copy Source must mention the source bucket and key');
  if (query !== undefined && query !== 'versionId=null') {
    throw new AwsError('NotImplemented', 'A header you provided implies functionality that is not implemented', 501);
  }
  return { bucket, key };
}

/** The right to read what is copied. */
export function copySourceNeed(request: AwsRequest): Need {
  const { bucket, key } = copySource(request);
  return { action: 's3:GetObject', resources: [`${bucketArn(bucket)}/${key}`], context: {} };
}

/** The object that is copied, with its conditions met. @throws AwsError NoSuchBucket, NoSuchKey, PreconditionFailed */
export function copiedObject(exchange: Exchange): StoredObject {
  const { bucket, key } = copySource(exchange.request);
  const object = presentObject(exchange, bucket, key);
  checkRead(object, exchange.request.headers, 'x-amz-copy-source-');
  return object;
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
export function copyObject(exchange: Exchange): HttpReply {
  const { asked, request, store } = exchange;
  const { headers } = request;
  const from = copiedObject(exchange);
  const source = copySource(request);
  const isReplaced = headers['x-amz-metadata-directive'] === 'REPLACE';
  if (source.bucket === asked.bucket && source.key === asked.key && !isReplaced) {
    throw new AwsError(
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata",
    );
  }
  const described = describedBy(headers);
  const content = {
    body: from.body,
    headers: isReplaced ? described.headers : from.headers,
    tagging: headers['x-amz-tagging-directive'] === 'REPLACE' ? described.tagging : from.tagging,
    // A copy is one object again, whatever its source was made of.
    checksum: from.checksum?.type === 'COMPOSITE' ? undefined : from.checksum,
  };
  const { etag, modifiedAt, checksum } = store.put(asked.bucket, asked.key, content, findCondition(request));
  return xml('CopyObjectResult', { LastModified: modifiedAt, ETag: etag, ...checksumMembers(checksum) });
}
