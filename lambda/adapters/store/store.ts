import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectCommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { MAX_WORD_BYTES, approvalKey } from '../../../core/approval/approval';
import { CutoverRun } from '../../../core/cutover/run';
import { CutoverError } from '../../../core/errors/errors';
import { Evidence } from '../../../core/cutover/evidence';
import { LockHolder, describeHolder, isExpired } from '../../../core/traffic/lock';
import { oneLine } from '../../../core/text/one-line';
import type { StorePort } from '../../contract/ports';
import { CLIENT_CONFIG } from '../client/client-config';
import { limited } from '../client/limited';

/** Of one call with its retries. S3 responds within a second; a poll and a rollback do not wait for it. */
const S3_MS = 3_000;
const LOCK_KEY = 'lock.json';
const abortKey = (execution: string) => `abort/${execution}.json`;
const evidenceKey = (execution: string) => `evidence/${execution}.json`;
const notifiedKey = (execution: string) => `notified/${execution}.json`;

/** A step that is at work for the second time may write the lock just then. */
const RELEASE_ATTEMPTS = 3;
/** With a pause between them that grows from this, in all about two seconds. */
const CONFLICT_ATTEMPTS = 6;
const CONFLICT_PAUSE_MS = 50;

/** The condition of a write does not hold: the object is another one, or (for If-Match) gone. */
const CONDITION_FAILED = ['PreconditionFailed', 'NoSuchKey'];
/** Another write was under way: the condition was not looked at, and the same write may succeed now. */
const CONFLICT = 'ConditionalRequestConflict';

/**
 * The store of a cutover: one S3 bucket, whose conditional put makes the first writer win.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export function storePort(bucket: string, abortSignal?: AbortSignal): StorePort {
  const objects = new Objects(limited('S3', new S3Client(CLIENT_CONFIG), S3_MS), bucket, { abortSignal });
  const locked = async () => {
    const object = await objects.read(LOCK_KEY);
    return object && { run: findLock(object), etag: object.etag, nowMs: object.nowMs };
  };
  return {
    holder: async () => {
      const held = await locked();
      return held && { ...held.run, hasExpired: isExpired(held.run, held.nowMs) };
    },
    acquire: async (run) => {
      // Twice: after a conflict with a lock that was just given back there may be none.
      for (const isLast of [false, true]) {
        if (await objects.put(LOCK_KEY, run, { IfNoneMatch: '*' })) return;
        const held = await locked();
        // A repeated step finds its own lock.
        if (held?.run.execution === run.execution) return;
        const isOver = held !== undefined && isExpired(held.run, held.nowMs);
        if (isOver && (await objects.put(LOCK_KEY, run, { IfMatch: held.etag }))) return;
        if ((held && !isOver) || isLast) throw lockError('LockHeld', 'free', held?.run);
      }
    },
    save: async (run) => {
      const held = await locked();
      const isPutBack = held?.run.verdict === 'rollBack' && run.verdict !== 'rollBack';
      // Verify may have passed between a look of `recover` and its save: what it wrote is not written over unseen.
      const isUnseen = held?.run.isVerified === true && run.isVerified === undefined;
      const isOurs = held?.run.execution === run.execution && !isPutBack && !isUnseen;
      if (isOurs && (await objects.put(LOCK_KEY, run, { IfMatch: held.etag }))) return;
      const now = await objects.read(LOCK_KEY);
      // The response to a put may be lost: the client sends it again, and meets what it wrote itself.
      if (isOurs && now?.text === JSON.stringify(run)) return;
      throw lockError('LockLost', `held by '${run.execution}'`, now && findLock(now));
    },
    release: async (execution) => {
      for (let attempt = 1; attempt <= RELEASE_ATTEMPTS; attempt += 1) {
        const held = await locked();
        if (held?.run.execution !== execution || (await objects.delete(LOCK_KEY, held.etag))) return;
      }
      throw new Error(`the lock must be given back by '${execution}', got another write at each attempt`);
    },
    abortRequested: async (execution) => (await objects.read(abortKey(execution))) !== undefined,
    approval: (execution, gate) => objects.readShort(approvalKey(execution, gate), MAX_WORD_BYTES),
    hasEvidence: async (execution) => (await objects.read(evidenceKey(execution))) !== undefined,
    wasNotified: async (execution) => (await objects.read(notifiedKey(execution))) !== undefined,
    noteNotified: async (execution) => {
      await objects.put(notifiedKey(execution), { execution, notified: 'LockDamaged' }, { IfNoneMatch: '*' });
    },
    putEvidence: async (evidence) => {
      const key = evidenceKey(evidence.execution);
      if (await objects.put(key, evidence, { IfNoneMatch: '*' })) return;
      const present = await objects.read(key);
      if (!present) throw new Error(`'${key}' must be stored, got a failed condition and no object`);
      const isFailed = (JSON.parse(present.text) as Evidence).outcome === 'failed';
      if (isFailed && !(await objects.put(key, evidence, { IfMatch: present.etag }))) {
        throw new Error(`'${key}' must take the place of the one that was read, got another write`);
      }
    },
  };
}

/** With its end by the clock of S3: the clock of its writer may be wrong, and the lock end at once, or never. */
function findLock({ text, writtenAtMs }: StoredText): CutoverRun & LockHolder {
  const lock = parsedLock(text);
  if (lock.expiresAt === undefined) return lock;
  const lastsMs = Date.parse(lock.expiresAt) - Date.parse(lock.startedAt);
  return { ...lock, expiresAt: new Date(writtenAtMs + lastsMs).toISOString() };
}

/** A lock that cannot be read has an unknown holder: it is never free, and never ours. */
function parsedLock(text: string): CutoverRun & LockHolder {
  const lock = parsedObject(text);
  const { execution, startedAt, expiresAt, plan } = lock;
  const isTime = (value: unknown) => typeof value === 'string' && !Number.isNaN(Date.parse(value));
  const isWhole =
    typeof execution === 'string' &&
    execution !== '' &&
    isTime(startedAt) &&
    (expiresAt === undefined || isTime(expiresAt)) &&
    typeof plan === 'object' &&
    plan !== null;
  if (isWhole) return lock as unknown as CutoverRun & LockHolder;
  const got = oneLine(JSON.stringify(text.slice(0, 40)));
  const rule = `'${LOCK_KEY}' in the store must be as drainshift wrote it`;
  const remedy = 'look at the weights in force, then put its last good version back, or delete it';
  throw new CutoverError('LockDamaged', `${rule}, got ${got}: ${remedy}`);
}

function parsedObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function conflict({ input }: PutObjectCommand | DeleteObjectCommand, cause: unknown): CutoverError {
  const rule = `S3 must take a conditional write of '${input.Key}' within ${CONFLICT_ATTEMPTS} attempts`;
  const got = oneLine(cause instanceof Error ? cause.message : String(cause));
  return new CutoverError('AwsUnavailable', `${rule}, got ${CONFLICT}: ${got}`, { cause });
}

function lockError(code: 'LockHeld' | 'LockLost', rule: string, held: CutoverRun | undefined): CutoverError {
  const got = held ? `one ${describeHolder(held)}` : 'none';
  return new CutoverError(code, `the lock must be ${rule}, got ${got}`);
}

interface StoredText {
  readonly text: string;
  readonly writtenAtMs: number;
  /** When it was read, by the clock of S3. */
  readonly nowMs: number;
  readonly etag: string | undefined;
}

interface ShortText {
  /** Undefined when it is longer than asked for. */
  readonly text: string | undefined;
  readonly writtenAtMs: number;
}

function findWrittenAtMs({ LastModified }: GetObjectCommandOutput): number {
  return LastModified?.getTime() ?? 0;
}

/** JSON objects of one bucket. */
class Objects {
  /** Of the last response: the clock of the caller may be minutes off, and a lock must not end by it. */
  private storeNowMs: number | undefined;

  constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
    private readonly options: { readonly abortSignal?: AbortSignal },
  ) {
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> };
        const dateMs = Date.parse(headers?.date ?? '');
        if (!Number.isNaN(dateMs)) this.storeNowMs = dateMs;
        return result;
      },
      { step: 'deserialize', name: 'storeClock' },
    );
  }

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
    const text = (await found.Body?.transformToString()) ?? '';
    const writtenAtMs = findWrittenAtMs(found);
    return { text, writtenAtMs, nowMs: this.storeNowMs ?? Date.now(), etag: found.ETag };
  }

  /** Fetches no more of an object that anybody may have written than it can be. */
  async readShort(key: string, maxBytes: number): Promise<ShortText | undefined> {
    const found = await this.get(key);
    if (!found) return undefined;
    const writtenAtMs = findWrittenAtMs(found);
    if ((found.ContentLength ?? 0) <= maxBytes) return { text: await found.Body?.transformToString(), writtenAtMs };
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

  /**
   * A conflict says nothing of the condition: the write is tried again, and only a failed condition is one.
   *
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-write-error-response
   */
  private async holds(command: PutObjectCommand | DeleteObjectCommand): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        // The client's overloads take one command each.
        await (command instanceof PutObjectCommand
          ? this.client.send(command, this.options)
          : this.client.send(command, this.options));
        return true;
      } catch (error) {
        const name = error instanceof Error ? error.name : '';
        if (CONDITION_FAILED.includes(name)) return false;
        if (name !== CONFLICT) throw error;
        if (attempt === CONFLICT_ATTEMPTS) throw conflict(command, error);
        await pause(CONFLICT_PAUSE_MS * 2 ** attempt * Math.random());
      }
    }
  }
}
