import { AwsError } from '../../../errors/aws-error';
import { AwsObject } from '../../operations/operation';
import { HttpReply } from '../../protocols/protocol';
import { claimedChecksum } from './checksums';
import { malformed, readDocument } from './documents';
import { Exchange, bucketArn, xml } from './exchange';
import { readPayload } from './payload';

const MAX_KEYS = 1000;

/**
 * Deletes object by object: what is rejected is an error of its own, and the others go.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 */
export function deleteObjects(exchange: Exchange): HttpReply {
  const { asked, request, store } = exchange;
  const isChecked = request.headers['content-md5'] !== undefined || claimedChecksum(request.headers) !== undefined;
  const { body, checksum } = readPayload(request.headers, request.body);
  if (!isChecked && !checksum) {
    throw new AwsError('InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*');
  }
  store.bucket(asked.bucket);
  const { items, members } = readDocument(body, { root: 'Delete', element: 'Object' });
  if (items.length === 0 || items.length > MAX_KEYS) throw malformed();
  const isQuiet = members.get('Quiet') === 'true';
  const results = items.map((item) => deleteOne(exchange, item));
  return xml('DeleteResult', {
    Deleted: isQuiet ? [] : results.flatMap(({ deleted }) => (deleted ? [deleted] : [])),
    Error: results.flatMap(({ error }) => (error ? [error] : [])),
  });
}

type Result = { readonly deleted?: AwsObject; readonly error?: AwsObject };

function deleteOne({ asked, store, demand }: Exchange, item: ReadonlyMap<string, string>): Result {
  const Key = item.get('Key');
  if (Key === undefined || Key === '') throw malformed();
  try {
    demand({ action: 's3:DeleteObject', resources: [`${bucketArn(asked.bucket)}/${Key}`], context: {} });
    store.delete(asked.bucket, Key, { ifMatch: item.get('ETag') });
    return { deleted: { Key } };
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    return { error: { Key, Code: error.code, Message: error.message } };
  }
}
