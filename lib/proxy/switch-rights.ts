import { IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { DECISION_PREFIX, REGIME_KEY } from '../../core/switch/decision';
import { letDecrypt, letEncrypt } from '../shared/encryption';

/**
 * What a proxy task may do in the store of a switch: read which side serves, read a decision, and write one that is not there
 * yet.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
 */
export function letSwitch(store: IBucket, proxies: IGrantable): void {
  const decisions = store.arnForObjects(`${DECISION_PREFIX}*`);
  const statements = [
    { actions: ['s3:GetObject'], resources: [store.arnForObjects(REGIME_KEY), decisions] },
    { actions: ['s3:PutObject'], resources: [decisions], conditions: { Null: { 's3:if-none-match': 'false' } } },
    // Without it an object that is missing reads as forbidden. S3 takes its key for the prefix then; where it does not, there is none.
    {
      actions: ['s3:ListBucket'],
      resources: [store.bucketArn],
      conditions: { StringLikeIfExists: { 's3:prefix': [REGIME_KEY, `${DECISION_PREFIX}*`] } },
    },
  ];
  for (const statement of statements) proxies.grantPrincipal.addToPrincipalPolicy(new PolicyStatement(statement));
  letDecrypt(proxies, store.encryptionKey);
  letEncrypt(proxies, store.encryptionKey);
}
