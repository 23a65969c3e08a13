import { partName } from '../../core/capture/part-name';
import { packPart } from '../contract/part';
import type { CaptureNode, CaptureWriter } from '../contract/store';
import { ObjectPutter } from './object-putter';

/** A request of a client may wait for it: what takes longer is repeated by who asked. */
const CALL_MS = 5_000;

/**
 * A store in a bucket of S3: each call writes one object, which is durable when S3 has said so. Credentials, region and endpoint are those
 * of the environment, as the AWS SDK finds them.
 */
export async function openS3Writer(bucket: string, prefix: string, node: CaptureNode): Promise<CaptureWriter> {
  // It costs memory, and a proxy that captures nothing does not need it.
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    // The journal repeats, and knows for how long.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: CALL_MS, throwOnRequestTimeout: true },
  });
  const objects = new ObjectPutter(sdk, client, bucket, prefix);
  return {
    append: async (part, records) => {
      const body = await packPart(records);
      await objects.put(partName(node, part), body, AbortSignal.timeout(CALL_MS));
    },
    close: () => Promise.resolve(client.destroy()),
  };
}
