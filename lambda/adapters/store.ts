import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CutoverRun } from '../../core/cutover';
import { CutoverError } from '../../core/errors';
import { Evidence } from '../../core/evidence';
import type { StorePort } from '../ports';
import { CLIENT_CONFIG } from './client-config';

const LOCK_KEY = 'lock.json';
const abortKey = (execution: string) => `abort/${execution}.json`;
const evidenceKey = (execution: string) => `evidence/${execution}.json`;

/** What S3 answers when the condition of a put does not hold, or when another write is under way. */
const CONDITION_FAILED = ['PreconditionFailed', 'ConditionalRequestConflict', 'NoSuchKey'];

/**
 * The store of a cutover: one S3 bucket, whose conditional put makes the first writer win.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export function storePort(bucket: string): StorePort {
  const objects = new Objects(new S3Client(CLIENT_CONFIG), bucket);
  const locked = async () => {
    const object = await objects.read(LOCK_KEY);
    return object && { run: JSON.parse(object.text) as CutoverRun, etag: object.etag };
  };
  return {
    holder: async () => (await locked())?.run,
    acquire: async (run) => {
      // Twice: after a conflict with a lock that was just given back there may be none.
      for (const isLast of [false, true]) {
        if (await objects.put(LOCK_KEY, run, { IfNoneMatch: '*' })) return;
        const held = (await locked())?.run;
        // A repeated step finds its own lock.
        if (held?.execution === run.execution) return;
        if (held || isLast) throw lockError('LockHeld', 'free', held);
      }
    },
    save: async (run) => {
      const held = await locked();
      const isPutBack = held?.run.verdict === 'rollBack' && run.verdict !== 'rollBack';
      const isOurs = held?.run.execution === run.execution && !isPutBack;
      if (isOurs && (await objects.put(LOCK_KEY, run, { IfMatch: held.etag }))) return;
      throw lockError('LockLost', `held by '${run.execution}'`, held?.run);
    },
    release: async (execution) => {
      const held = await locked();
      if (held?.run.execution === execution) await objects.delete(LOCK_KEY, held.etag);
    },
    abortRequested: async (execution) => (await objects.read(abortKey(execution))) !== undefined,
    hasEvidence: async (execution) => (await objects.read(evidenceKey(execution))) !== undefined,
    putEvidence: async (evidence) => {
      const key = evidenceKey(evidence.execution);
      if (await objects.put(key, evidence, { IfNoneMatch: '*' })) return;
      const present = await objects.read(key);
      const isFailed = present && (JSON.parse(present.text) as Evidence).outcome === 'failed';
      if (isFailed) await objects.put(key, evidence, { IfMatch: present.etag });
    },
  };
}

function lockError(code: 'LockHeld' | 'LockLost', rule: string, held: CutoverRun | undefined): CutoverError {
  const got = held ? `one held by '${held.execution}' since ${held.startedAt}` : 'none';
  return new CutoverError(code, `the lock must be ${rule}, got ${got}`);
}

/** JSON objects of one bucket. */
class Objects {
  constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
  ) {}

  /** @returns false when the condition did not hold */
  async put(key: string, value: unknown, condition: { IfNoneMatch?: string; IfMatch?: string }): Promise<boolean> {
    const body = { Body: JSON.stringify(value), ContentType: 'application/json' };
    return this.holds(new PutObjectCommand({ Bucket: this.bucket, Key: key, ...body, ...condition }));
  }

  async delete(key: string, etag: string | undefined): Promise<boolean> {
    return this.holds(new DeleteObjectCommand({ Bucket: this.bucket, Key: key, IfMatch: etag }));
  }

  async read(key: string): Promise<{ text: string; etag: string | undefined } | undefined> {
    try {
      const { Body, ETag } = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
      return { text: (await Body?.transformToString()) ?? '', etag: ETag };
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  private async holds(command: PutObjectCommand | DeleteObjectCommand): Promise<boolean> {
    try {
      // The client's overloads take one command each.
      await (command instanceof PutObjectCommand ? this.client.send(command) : this.client.send(command));
      return true;
    } catch (error) {
      if (error instanceof Error && CONDITION_FAILED.includes(error.name)) return false;
      throw error;
    }
  }
}
