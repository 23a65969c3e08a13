import { AwsError } from '../../errors/aws-error';
import type { AwsRequest } from '../protocols/protocol';

/** STS allows a clock so much. */
const MAX_SECONDS = 900;

/**
 * What of a call of STS that was signed in advance can be checked without a secret: every signed header is there, and its time
 * is not over. Whether the signature is good for what the headers say is not checked: there are no secrets here.
 *
 * @throws AwsError
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function checkPresigned({ url, headers, signedFor }: AwsRequest, nowMs = Date.now()): void {
  const query = new URLSearchParams(url.split('?')[1] ?? '');
  if (signedFor !== 'sts' || !query.has('X-Amz-Credential')) return;
  const signed = query.get('X-Amz-SignedHeaders')?.split(';') ?? [];
  const missing = ['host', ...signed].filter((name) => !signed.includes(name) || headers[name] === undefined);
  if (missing.length > 0 || !query.get('X-Amz-Signature')) {
    const message = `The request signature we calculated does not match: '${missing.join(';')}' is not in it`;
    throw new AwsError('SignatureDoesNotMatch', message, 403);
  }
  const date = (query.get('X-Amz-Date') ?? '').replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const seconds = Math.min(MAX_SECONDS, Number(query.get('X-Amz-Expires') ?? MAX_SECONDS));
  if (!(nowMs < Date.parse(date) + seconds * 1000)) {
    throw new AwsError('SignatureDoesNotMatch', `Signature expired: ${query.get('X-Amz-Date')}`, 403);
  }
}
