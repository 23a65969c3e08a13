import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectCommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { MOST_WORD_BYTES, approvalKey } from '../../core/approval';
import { CutoverRun } from '../../core/cutover';
import { CutoverError } from '../../core/errors';
import { Evidence } from '../../core/evidence';
import { LockHolder, describeHolder, isExpired } from '../../core/lock';
import type { StorePort } from '../ports';
import { CLIENT_CONFIG } from './client-config';

const LOCK_KEY = 'lock.json';
const abortKey = (execution: string) => `abort/${execution}.json`;
const evidenceKey = (execution: string) => `evidence/${execution}.json`;

/** A step that is at work for the second time may write the lock just then. */
const RELEASE_ATTEMPTS = 3;

/** What S3 answers when the condition of a put does not hold, or when another write is under way. */
const CONDITION_FAILED = ['PreconditionFailed', 'ConditionalRequestConflict', 'NoSuchKey'];

/**
 * The store of a cutover: one S3 bucket, whose conditional put makes the first writer win.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export function storePort(bucket: string, abortSignal?: AbortSignal): StorePort {
  const objects = new Objects(new S3Client(CLIENT_CONFIG), bucket, { abortSignal });
  const locked = async () => {
    const object = await objects.read(LOCK_KEY);
    return object && { run: lockOf(object), etag: object.etag };
  };
  return {
    holder: async () => (await locked())?.run,
    acquire: async (run) => {
      // Twice: after a conflict with a lock that was just given back there may be none.
      for (const isLast of [false, true]) {
        if (await objects.put(LOCK_KEY, run, { IfNoneMatch: '*' })) return;
        const held = await locked();
        // A repeated step finds its own lock.
        if (held?.run.execution === run.execution) return;
        const isOver = held !== undefined && isExpired(held.run, Date.now());
        if (isOver && (await objects.put(LOCK_KEY, run, { IfMatch: held.etag }))) return;
        if ((held && !isOver) || isLast) throw lockError('LockHeld', 'free', held?.run);
      }
    },
    save: async (run) => {
      const held = await locked();
      const isPutBack = held?.run.verdict === 'rollBack' && run.verdict !== 'rollBack';
      const isOurs = held?.run.execution === run.execution && !isPutBack;
      if (isOurs && (await objects.put(LOCK_KEY, run, { IfMatch: held.etag }))) return;
      const now = await objects.read(LOCK_KEY);
      // The answer to a put may be lost: the client sends it again, and meets what it wrote itself.
      if (isOurs && now?.text === JSON.stringify(run)) return;
      throw lockError('LockLost', `held by '${run.execution}'`, now && lockOf(now));
    },
    release: async (execution) => {
      for (let attempt = 1; attempt <= RELEASE_ATTEMPTS; attempt += 1) {
        const held = await locked();
        if (held?.run.execution !== execution || (await objects.delete(LOCK_KEY, held.etag))) return;
      }
      throw new Error(`the lock must be given back by '${execution}', got another write at each attempt`);
    },
    abortRequested: async (execution) => (await objects.read(abortKey(execution))) !== undefined,
    approval: (execution, gate) => objects.readShort(approvalKey(execution, gate), MOST_WORD_BYTES),
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

/** With its end by the clock of S3: that of whoever wrote it may be wrong, and the lock end at once, or never. */
function lockOf({ text, writtenAtMs }: StoredText): CutoverRun & LockHolder {
  const lock = parsedLock(text);
  if (lock.expiresAt === undefined) return lock;
  const lastsMs = Date.parse(lock.expiresAt) - Date.parse(lock.startedAt);
  return { ...lock, expiresAt: new Date(writtenAtMs + lastsMs).toISOString() };
}

function parsedLock(text: string): CutoverRun & LockHolder {
  try {
    return JSON.parse(text) as CutoverRun & LockHolder;
  } catch {
    throw new Error(`'${LOCK_KEY}' must be as drainshift wrote it, got ${JSON.stringify(text.slice(0, 40))}`);
  }
}

function lockError(code: 'LockHeld' | 'LockLost', rule: string, held: CutoverRun | undefined): CutoverError {
  const got = held ? `one ${describeHolder(held)}` : 'none';
  return new CutoverError(code, `the lock must be ${rule}, got ${got}`);
}

interface StoredText {
  readonly text: string;
  readonly writtenAtMs: number;
  readonly etag: string | undefined;
}

interface ShortText {
  /** Undefined when it is longer than asked for. */
  readonly text: string | undefined;
  readonly writtenAtMs: number;
}

function writtenAtMsOf({ LastModified }: GetObjectCommandOutput): number {
  return LastModified?.getTime() ?? 0;
}

/** JSON objects of one bucket. */
class Objects {
  constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
    private readonly options: { readonly abortSignal?: AbortSignal },
  ) {}

  /** @returns false when the condition did not hold */
  async put(key: string, value: unknown, condition: { IfNoneMatch?: string; IfMatch?: string }): Promise<boolean> {
    const body = { Body: JSON.stringify(value), ContentType: 'application/json' };
    return this.holds(new PutObjectCommand({ Bucket: this.bucket, Key: key, ...body, ...condition }));
  }

  async delete(key: string, etag: string | undefined): Promise<boolean> {
    return this.holds(new DeleteObjectCommand({ Bucket: this.bucket, Key: key, IfMatch: etag }));
  }

  async read(key: string): Promise<StoredText | undefined> {
    const found = await this.get(key);
    if (!found) return undefined;
    return { text: (await found.Body?.transformToString()) ?? '', writtenAtMs: writtenAtMsOf(found), etag: found.ETag };
  }

  /** Fetches no more of an object that anybody may have written than it can be. */
  async readShort(key: string, mostBytes: number): Promise<ShortText | undefined> {
    const found = await this.get(key);
    if (!found) return undefined;
    const writtenAtMs = writtenAtMsOf(found);
    if ((found.ContentLength ?? 0) <= mostBytes) return { text: await found.Body?.transformToString(), writtenAtMs };
    (found.Body as Readable | undefined)?.destroy();
    return { text: undefined, writtenAtMs };
  }

  private async get(key: string): Promise<GetObjectCommandOutput | undefined> {
    try {
      return await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }), this.options);
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  private async holds(command: PutObjectCommand | DeleteObjectCommand): Promise<boolean> {
    try {
      // The client's overloads take one command each.
      await (command instanceof PutObjectCommand
        ? this.client.send(command, this.options)
        : this.client.send(command, this.options));
      return true;
    } catch (error) {
      if (error instanceof Error && CONDITION_FAILED.includes(error.name)) return false;
      throw error;
    }
  }
}
