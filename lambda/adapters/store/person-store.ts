import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { LooksIn } from '../../../core/cutover/evidence';
import { looksKey } from '../../../core/cutover/looks';
import { CLIENT_CONFIG } from '../client/client-config';
import { limited } from '../client/limited';
import { Objects } from './objects';
import { abortKey, evidenceKey } from './store';

/** The evidence of a cutover, as the store lists it. */
export interface EvidenceEntry {
  readonly execution: string;
  /** Milliseconds since the epoch. */
  readonly writtenAtMs: number;
}

/** What a person's command reads and writes in the store of a cutover, beside the lock. */
export interface PersonStorePort {
  /** Asks an execution to stop in its safe way: its next poll finds it, and rolls back. */
  requestAbort(execution: string, word: object): Promise<void>;
  abortRequested(execution: string): Promise<boolean>;
  /** The newest first. */
  listEvidence(): Promise<readonly EvidenceEntry[]>;
  /** As it was written; undefined where there is none. */
  readEvidence(execution: string): Promise<string | undefined>;
  /**
   * What the objects have that evidence names, as JSON, in their order. Undefined of one that is gone, or damaged.
   *
   * @throws Error of more objects than a cutover can have
   */
  readLooks(held: LooksIn): Promise<readonly (string | undefined)[]>;
}

/** A person waits for it, who may be far from the region; evidence has megabytes. */
const CALL_MS = 30_000;
const PREFIX = 'evidence/';
const SUFFIX = '.json';

/** A plan has 29 days at the most; with an object for each second poll it would be fewer. */
const MAX_LOOKS = 1_000_000;
const LOOKS_AT_ONCE = 32;

export function personStorePort(bucket: string): PersonStorePort {
  const client = limited('S3', new S3Client(CLIENT_CONFIG), CALL_MS);
  const objects = new Objects(client, bucket, {});
  async function* list(prefix: string) {
    let ContinuationToken: string | undefined;
    do {
      const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken }));
      yield* page.Contents ?? [];
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
  }
  return {
    requestAbort: async (execution, word) => {
      await objects.put(abortKey(execution), word, {});
    },
    abortRequested: async (execution) => (await objects.read(abortKey(execution))) !== undefined,
    listEvidence: async () => {
      const found: EvidenceEntry[] = [];
      for await (const { Key = '', LastModified } of list(PREFIX)) {
        if (!Key.endsWith(SUFFIX)) continue;
        const execution = Key.slice(PREFIX.length, -SUFFIX.length);
        found.push({ execution, writtenAtMs: LastModified?.getTime() ?? 0 });
      }
      return found.sort((a, b) => b.writtenAtMs - a.writtenAtMs);
    },
    readEvidence: async (execution) => (await objects.read(evidenceKey(execution)))?.text,
    readLooks: async ({ prefix, objects: count }) => {
      if (count > MAX_LOOKS) throw new Error(`'looksIn.objects' must be at most ${MAX_LOOKS}, got ${count}`);
      const present = new Set<string>();
      for await (const { Key = '' } of list(prefix)) present.add(Key);
      const keys = Array.from({ length: count }, (_, index) => looksKey(prefix, index + 1));
      const found: (string | undefined)[] = [];
      const read = async (key: string) => (present.has(key) ? (await objects.read(key))?.text : undefined);
      for (let at = 0; at < count; at += LOOKS_AT_ONCE) {
        const texts = await Promise.all(keys.slice(at, at + LOOKS_AT_ONCE).map(read));
        found.push(...texts.map((text) => (isList(text) ? text : undefined)));
      }
      return found;
    },
  };
}

function isList(text: string | undefined): boolean {
  try {
    return Array.isArray(JSON.parse(text ?? ''));
  } catch {
    return false;
  }
}
