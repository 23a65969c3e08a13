import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
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
}

/** A person waits for it, who may be far from the region; evidence has megabytes. */
const CALL_MS = 30_000;
const PREFIX = 'evidence/';
const SUFFIX = '.json';

export function personStorePort(bucket: string): PersonStorePort {
  const client = limited('S3', new S3Client(CLIENT_CONFIG), CALL_MS);
  const objects = new Objects(client, bucket, {});
  return {
    requestAbort: async (execution, word) => {
      await objects.put(abortKey(execution), word, {});
    },
    abortRequested: async (execution) => (await objects.read(abortKey(execution))) !== undefined,
    listEvidence: async () => {
      const found: EvidenceEntry[] = [];
      let ContinuationToken: string | undefined;
      do {
        const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: PREFIX, ContinuationToken }));
        for (const { Key = '', LastModified } of page.Contents ?? []) {
          if (!Key.endsWith(SUFFIX)) continue;
          const execution = Key.slice(PREFIX.length, -SUFFIX.length);
          found.push({ execution, writtenAtMs: LastModified?.getTime() ?? 0 });
        }
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
      return found.sort((a, b) => b.writtenAtMs - a.writtenAtMs);
    },
    readEvidence: async (execution) => (await objects.read(evidenceKey(execution)))?.text,
  };
}
