import { S3Client } from '@aws-sdk/client-s3';
import { parseReplayStatus, replayOrderKey, replayStatusKey } from '../../../core/replay/replay-status';
import type { ReplaysPort } from '../../contract/ports';
import { CLIENT_CONFIG } from '../client/client-config';
import { limited } from '../client/limited';
import { Objects } from './objects';

/** Of one call with its retries: requests wait meanwhile. */
const S3_MS = 2_000;

/** The replays that write their status into the bucket of the cutover. */
export function replaysPort(bucket: string): ReplaysPort {
  const objects = new Objects(limited('S3', new S3Client(CLIENT_CONFIG), S3_MS), bucket, {});
  return {
    status: async (name) => {
      const key = replayStatusKey(name);
      const found = await objects.read(key);
      return found && parseReplayStatus(found.text, key);
    },
    order: async (name, order) => {
      await objects.write(replayOrderKey(name), order, {});
    },
  };
}
