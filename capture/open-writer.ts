import type { StoreUrl } from '../core/capture/store-url';
import { openFolderWriter } from './folder/folder-writer';
import type { KafkaAccess } from './kafka/kafka-client';
import { openKafkaWriter } from './kafka/kafka-writer';
import { openS3Writer } from './s3/s3-writer';
import type { CaptureNode, CaptureWriter } from './contract/store';

/** Who logs in to a store that asks for it. */
export type StoreLogin = Pick<KafkaAccess, 'user' | 'password'>;

/** Opens what a URL names, to write to it. @throws Error that says why it cannot be written to */
export function openCaptureWriter(store: StoreUrl, node: CaptureNode, login: StoreLogin): Promise<CaptureWriter> {
  switch (store.kind) {
    case 'path':
      return openFolderWriter(store.path, node);
    case 's3':
      return openS3Writer(store.bucket, store.prefix, node);
    case 'kafka':
      return openKafkaWriter(store, node, { ...login, createToken });
  }
}

/** The AWS SDK costs memory, and most proxies need none of it for this. */
async function createToken(region: string | undefined): Promise<string> {
  const { createMskToken } = await import('./kafka/msk-token.js');
  return createMskToken(region);
}
