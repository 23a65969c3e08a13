import { orderPlace } from '../../core/replay/replay-status';
import type { StatusPlace } from './place';

/** Of one call with its retries. */
const CALL_MS = 5_000;

/** An object of S3, with the order in another one beside it. Credentials, region and endpoint are those of the environment. */
export async function openS3Status(bucket: string, key: string): Promise<StatusPlace> {
  const { GetObjectCommand, PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({ maxAttempts: 3 });
  const limit = () => ({ abortSignal: AbortSignal.timeout(CALL_MS) });
  const read = async (object: string) => {
    try {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: object }), limit());
      return await Body?.transformToString();
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return undefined;
      throw error;
    }
  };
  return {
    name: `s3://${bucket}/${key}`,
    write: async (text) => {
      const object = { Bucket: bucket, Key: key, Body: text, ContentType: 'application/json' };
      await client.send(new PutObjectCommand(object), limit());
    },
    read: () => read(key),
    readOrder: () => read(orderPlace(key)),
  };
}
