import { setTimeout as pause } from 'node:timers/promises';
import { Decision, REGIME_KEY, decisionKey, parseDecision } from '../../core/switch/decision';
import type { DecisionStore } from '../../core/switch/decision-store';
import { parseRegime } from '../../core/switch/regime';

/** A task that holds asks again by itself: one attempt that hangs must not keep it from the next. */
const CALL_MS = 2_000;
/** After so many conflicts in a row the call has failed, and is repeated by who made it. */
const CONFLICT_ATTEMPTS = 6;
const CONFLICT_PAUSE_MS = 20;

/**
 * The store of a switch in a bucket of S3. Credentials, region and endpoint are those of the environment, as the AWS SDK
 * finds them; in a task of ECS those of its role.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export async function openS3Store(bucket: string): Promise<DecisionStore> {
  // It costs memory, and a proxy without switches does not need it.
  const { GetObjectCommand, PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: CALL_MS, throwOnRequestTimeout: true },
  });
  const limit = () => ({ abortSignal: AbortSignal.timeout(CALL_MS) });
  const read = async (key: string): Promise<string | undefined> => {
    try {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), limit());
      return await Body?.transformToString();
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
      throw error;
    }
  };
  const readDecision = async (epoch: number) => {
    const text = await read(decisionKey(epoch));
    return text === undefined ? undefined : parseDecision(text);
  };
  const write = async (epoch: number, decision: Decision): Promise<boolean> => {
    const object = { Body: JSON.stringify(decision), ContentType: 'application/json', IfNoneMatch: '*' };
    try {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: decisionKey(epoch), ...object }), limit());
      return true;
    } catch (error) {
      const name = error instanceof Error ? error.name : '';
      // A failed condition says that there is one. A conflict says nothing: another write was under way.
      if (name === 'PreconditionFailed' || name === 'ConditionalRequestConflict') return false;
      throw error;
    }
  };
  return {
    readRegime: async () => {
      const text = await read(REGIME_KEY);
      return text === undefined ? undefined : parseRegime(text);
    },
    readDecision,
    propose: async (epoch, decision) => {
      for (let attempt = 1; attempt <= CONFLICT_ATTEMPTS; attempt += 1) {
        if (await write(epoch, decision)) return decision;
        const present = await readDecision(epoch);
        if (present) return present;
        await pause(CONFLICT_PAUSE_MS * 2 ** attempt * Math.random());
      }
      throw new Error(`the decision of epoch ${epoch} must be written or read, got a conflict at each attempt`);
    },
  };
}
