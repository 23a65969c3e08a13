import { IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import {
  replayCheckpointKey,
  replayOrderKey,
  replayParkedPrefix,
  replayStatusKey,
} from '../../core/replay/replay-status';
import { letDecrypt, letEncrypt } from '../shared/encryption';

interface Objects {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

/** What it says of itself, and its orders: it may not write those. */
export function letWriteStatus(store: IBucket, replayName: string, replay: IGrantable): void {
  const status = replayStatusKey(replayName);
  letUse(store, { read: [status, replayOrderKey(replayName)], write: [status] }, replay);
}

/** How far it is, and what it could not send: it may not read that. */
export function letKeep(bucket: IBucket, replayName: string, replay: IGrantable): void {
  const checkpoint = replayCheckpointKey(replayName);
  letUse(bucket, { read: [checkpoint], write: [checkpoint, `${replayParkedPrefix(replayName)}*`] }, replay);
}

function letUse(bucket: IBucket, { read, write }: Objects, { grantPrincipal }: IGrantable): void {
  const list = (keys: readonly string[]) => keys.map((key) => bucket.arnForObjects(key));
  const statements = [
    { actions: ['s3:GetObject'], resources: list(read) },
    { actions: ['s3:PutObject'], resources: list(write) },
    // Without it an object that is missing reads as forbidden. S3 takes its key for the prefix then; where it does not, there is none.
    {
      actions: ['s3:ListBucket'],
      resources: [bucket.bucketArn],
      conditions: { StringLikeIfExists: { 's3:prefix': [...read] } },
    },
  ];
  for (const statement of statements) grantPrincipal.addToPrincipalPolicy(new PolicyStatement(statement));
  letDecrypt({ grantPrincipal }, bucket.encryptionKey);
  letEncrypt({ grantPrincipal }, bucket.encryptionKey);
}
