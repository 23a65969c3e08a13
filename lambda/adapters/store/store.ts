import { S3Client } from '@aws-sdk/client-s3';
import { MAX_WORD_BYTES, approvalKey, rejectionKey } from '../../../core/approval/approval';
import { looksKey, looksPrefix } from '../../../core/cutover/looks';
import { CutoverRun } from '../../../core/cutover/run';
import { CutoverError } from '../../../core/errors/errors';
import { Evidence } from '../../../core/cutover/evidence';
import type { LookRecord } from '../../../core/judge/look-record';
import { LockHolder, describeHolder, isExpired } from '../../../core/traffic/lock';
import { oneLine } from '../../../core/text/one-line';
import type { StorePort } from '../../contract/ports';
import { CLIENT_CONFIG } from '../client/client-config';
import { limited } from '../client/limited';
import { Objects, StoredText } from './objects';

/** Of one call with its retries. S3 responds within a second; a poll and a rollback do not wait for it. */
const S3_MS = 3_000;
const LOCK_KEY = 'lock.json';
export const abortKey = (execution: string) => `abort/${execution}.json`;
export const evidenceKey = (execution: string) => `evidence/${execution}.json`;
/** How many objects with polls are looked for at the same time. */
const LOOKS_AT_ONCE = 32;
const notifiedKey = (execution: string) => `notified/${execution}.json`;

/** A step that is at work for the second time may write the lock just then. */
const RELEASE_ATTEMPTS = 3;
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
    rejection: (execution, gate) => objects.readShort(rejectionKey(execution, gate), MAX_WORD_BYTES),
    ...createLooks(objects),
    hasEvidence: (execution) => objects.exists(evidenceKey(execution)),
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

/** What the judge was given, as many small objects. */
function createLooks(objects: Objects): Pick<StorePort, 'putLooks' | 'looks' | 'countLooks'> {
  const findKey = (execution: string, number: number) => looksKey(looksPrefix(execution), number);
  return {
    putLooks: async (execution, number, records) => {
      // A step that is repeated writes it again.
      await objects.put(findKey(execution, number), records, {});
    },
    looks: async (execution, number) => {
      const found = await objects.read(findKey(execution, number));
      return found && (JSON.parse(found.text) as LookRecord[]);
    },
    countLooks: async (execution, known) => {
      for (let number = known + 1; ; number += LOOKS_AT_ONCE) {
        const numbers = Array.from({ length: LOOKS_AT_ONCE }, (_, index) => number + index);
        const found = await Promise.all(numbers.map((each) => objects.exists(findKey(execution, each))));
        const end = found.indexOf(false);
        if (end >= 0) return number + end - 1;
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

function lockError(code: 'LockHeld' | 'LockLost', rule: string, held: CutoverRun | undefined): CutoverError {
  const got = held ? `one ${describeHolder(held)}` : 'none';
  return new CutoverError(code, `the lock must be ${rule}, got ${got}`);
}
