import type { StoreUrl } from '../core/capture/store-url';
import { openFolderWriter } from './folder/folder-writer';
import { openKafkaWriter } from './kafka/kafka-writer';
import { openS3Writer } from './s3/s3-writer';
import type { CaptureNode, CaptureWriter } from './contract/store';

/** Opens what a URL names, to write to it. @throws Error that says why it cannot be written to */
export function openCaptureWriter(store: StoreUrl, node: CaptureNode): Promise<CaptureWriter> {
  switch (store.kind) {
    case 'path':
      return openFolderWriter(store.path, node);
    case 's3':
      return openS3Writer(store.bucket, store.prefix, node);
    case 'kafka':
      return openKafkaWriter(store.brokers, store.topic, node);
  }
}
