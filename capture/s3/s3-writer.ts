import { partName } from '../../core/capture/part-name';
import { packPart } from '../contract/part';
import type { CaptureNode, CaptureWriter } from '../contract/store';

/** A request of a client may wait for it: what takes longer is repeated by who asked. */
const CALL_MS = 5_000;

/**
 * A store in a bucket of S3: each call writes one object, which is durable when S3 has said so. Credentials, region and endpoint are those
 * of the environment, as the AWS SDK finds them.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 */
export async function openS3Writer(bucket: string, prefix: string, node: CaptureNode): Promise<CaptureWriter> {
  // It costs memory, and a proxy that captures nothing does not need it.
  const { PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({
    // The journal repeats, and knows for how long.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: CALL_MS, throwOnRequestTimeout: true },
  });
  return {
    append: async (part, records) => {
      const object = { Body: await packPart(records), ContentType: 'application/gzip' };
      const Key = `${prefix}${partName(node, part)}`;
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, ...object }), {
        abortSignal: AbortSignal.timeout(CALL_MS),
      });
    },
    close: () => Promise.resolve(client.destroy()),
  };
}
