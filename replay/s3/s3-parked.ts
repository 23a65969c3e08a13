import { createHash } from 'node:crypto';
import { formatParked } from '../../core/replay/parked-line';
import { ParkedPlace, describeUnparked } from '../place/parked-place';

/** Of one call with its retries. */
const CALL_MS = 30_000;
/** Of the name of an object below the prefix; S3 takes 1,024 bytes in all. */
const MAX_NAME = 400;

/** An object for each request, named after its id: parked once more it stands there once. */
export async function openS3Parked(bucket: string, prefix: string): Promise<ParkedPlace> {
  const { PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({ maxAttempts: 5 });
  const name = `s3://${bucket}/${prefix}`;
  return {
    name,
    park: async ({ request, problem }) => {
      const object = {
        ...{ Bucket: bucket, Key: `${prefix}${formatName(request.id)}.json` },
        ...{ Body: formatParked(request, problem), ContentType: 'application/json' },
      };
      try {
        await client.send(new PutObjectCommand(object), { abortSignal: AbortSignal.timeout(CALL_MS) });
      } catch (error) {
        throw describeUnparked(name, request, error as Error);
      }
    },
    close: () => Promise.resolve(),
  };
}

function formatName(id: string): string {
  const name = encodeURIComponent(id);
  return name.length <= MAX_NAME ? name : createHash('sha256').update(id).digest('hex');
}
