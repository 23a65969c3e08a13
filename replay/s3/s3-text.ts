import { setTimeout as pause } from 'node:timers/promises';
import type { TextPlace } from '../place/text-place';

/** Of one call with its retries. */
const CALL_MS = 5_000;
/** Another write was under way: the condition was not looked at. */
const CONFLICT = 'ConditionalRequestConflict';
const CONFLICT_ATTEMPTS = 5;
const CONFLICT_PAUSE_MS = 100;

/**
 * An object. Credentials, region and endpoint are those of the environment.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export async function openS3Text(bucket: string, key: string): Promise<TextPlace> {
  const { GetObjectCommand, PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({ maxAttempts: 3 });
  const limit = () => ({ abortSignal: AbortSignal.timeout(CALL_MS) });
  return {
    name: `s3://${bucket}/${key}`,
    isLocal: false,
    read: async () => {
      try {
        const { Body, ETag = '' } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), limit());
        return { text: (await Body?.transformToString()) ?? '', version: ETag };
      } catch (error) {
        if ((error as Error).name === 'NoSuchKey') return undefined;
        throw error;
      }
    },
    write: async (text, over) => {
      const object = { Bucket: bucket, Key: key, Body: text, ContentType: 'application/json' };
      const condition = over === undefined ? { IfNoneMatch: '*' } : { IfMatch: over };
      for (let attempt = 1; ; attempt += 1) {
        try {
          const { ETag = '' } = await client.send(new PutObjectCommand({ ...object, ...condition }), limit());
          return ETag;
        } catch (error) {
          const { name } = error as Error;
          // With a condition on an object that is gone.
          if (name === 'PreconditionFailed' || name === 'NoSuchKey') return undefined;
          if (name !== CONFLICT || attempt === CONFLICT_ATTEMPTS) throw error;
          await pause(CONFLICT_PAUSE_MS * attempt);
        }
      }
    },
  };
}
