import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CutoverRun } from '../../core/cutover';
import { CutoverError } from '../../core/errors';
import type { StorePort } from '../ports';
import { CLIENT_CONFIG } from './client-config';

export const LOCK_KEY = 'lock.json';
export const abortKey = (execution: string) => `abort/${execution}.json`;
export const evidenceKey = (execution: string) => `evidence/${execution}.json`;

/**
 * The store of a cutover: one S3 bucket, whose conditional put makes the first writer win.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export function storePort(bucket: string): StorePort {
  const client = new S3Client(CLIENT_CONFIG);
  const put = (key: string, value: unknown, condition: { IfNoneMatch?: string; IfMatch?: string | undefined } = {}) =>
    client.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: JSON.stringify(value),
        ContentType: 'application/json',
        ...condition,
      }),
    );
  const locked = async () => {
    const object = await read(client, bucket, LOCK_KEY);
    return object && { run: JSON.parse(object.text) as CutoverRun, etag: object.etag };
  };
  const heldBy = (held: CutoverRun | undefined) =>
    new CutoverError(
      'LockHeld',
      `the lock must be free, got one held by '${held?.execution ?? 'nobody'}' since ${held?.startedAt ?? 'now'}`,
    );
  return {
    holder: async () => (await locked())?.run,
    acquire: async (run) => {
      try {
        await put(LOCK_KEY, run, { IfNoneMatch: '*' });
      } catch (error) {
        if (!(error instanceof Error) || !['PreconditionFailed', 'ConditionalRequestConflict'].includes(error.name))
          throw error;
        const held = (await locked())?.run;
        // A repeated step finds its own lock.
        if (held?.execution !== run.execution) throw heldBy(held);
      }
    },
    save: async (run) => {
      const held = await locked();
      if (held?.run.execution !== run.execution) throw heldBy(held?.run);
      await put(LOCK_KEY, run, { IfMatch: held.etag });
    },
    release: async (execution) => {
      if ((await locked())?.run.execution !== execution) return;
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: LOCK_KEY }));
    },
    abortRequested: async (execution) => (await read(client, bucket, abortKey(execution))) !== undefined,
    putEvidence: async (evidence) => void (await put(evidenceKey(evidence.execution), evidence)),
  };
}

async function read(
  client: S3Client,
  bucket: string,
  key: string,
): Promise<{ text: string; etag: string | undefined } | undefined> {
  try {
    const { Body, ETag } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return { text: (await Body?.transformToString()) ?? '', etag: ETag };
  } catch (error) {
    if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
    throw error;
  }
}
