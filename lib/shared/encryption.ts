/* eslint-disable awscdk/no-variable-construct-id -- functions that take an id, and no constructs of their own */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import { IRule } from 'aws-cdk-lib/aws-events';
import { Grant, IGrantable, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { IKey, Key } from 'aws-cdk-lib/aws-kms';
import { CfnLogGroup, LogGroup, LogGroupProps } from 'aws-cdk-lib/aws-logs';
import { ISecret, Secret, SecretProps } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue, QueueEncryption, QueueProps } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

/** Makes a log group, with the key where one is given. */
export function createLogGroup(parent: Construct, id: string, props: LogGroupProps): LogGroup {
  if (props.encryptionKey) letLogsUse(props.encryptionKey as IKey, parent);
  return new LogGroup(parent, id, props);
}

/** Gives the log of something that several parts of a stack share the first key that one of them has. */
export function encryptSharedLog(logGroup: LogGroup, encryptionKey: IKey | undefined): void {
  const resource = logGroup.node.defaultChild as CfnLogGroup;
  if (!encryptionKey || resource.kmsKeyId !== undefined) return;
  letLogsUse(encryptionKey, logGroup);
  resource.kmsKeyId = encryptionKey.keyArn;
}

/**
 * Makes a secret, with the key where one is given. Of a key of another stack the secret knows the ARN alone: its `grantRead` would
 * write roles of this stack into the key's policy, and each stack would wait for the other.
 */
export function createSecret(
  parent: Construct,
  id: string,
  { encryptionKey, ...props }: SecretProps & { readonly encryptionKey?: IKey },
): Secret {
  const isForeign = encryptionKey && Stack.of(encryptionKey) !== Stack.of(parent);
  const known = isForeign ? Key.fromKeyArn(parent, 'EncryptionKey', encryptionKey.keyArn) : encryptionKey;
  return new Secret(parent, id, { ...props, encryptionKey: known });
}

/** Grants the right to read a secret. The CDK's `grantRead` gives no right on a key whose policy it cannot change. */
export function letRead(secret: ISecret, grantee: IGrantable): Grant {
  letDecrypt(grantee, secret.encryptionKey);
  return secret.grantRead(grantee);
}

/** Makes a queue that is encrypted by the key, or by SQS, and rejects calls without TLS. */
export function createQueue(
  parent: Construct,
  id: string,
  { encryptionKey, ...props }: QueueProps & { readonly encryptionKey?: IKey },
): Queue {
  return new Queue(parent, id, {
    ...props,
    encryption: encryptionKey ? QueueEncryption.KMS : QueueEncryption.SQS_MANAGED,
    encryptionMasterKey: encryptionKey,
    enforceSSL: true,
  });
}

/** What objects and messages are read with. */
export function letDecrypt(grantee: IGrantable, encryptionKey: IKey | undefined): void {
  encryptionKey?.grant(grantee, 'kms:Decrypt');
}

/** What objects are written with. */
export function letEncrypt(grantee: IGrantable, encryptionKey: IKey | undefined): void {
  encryptionKey?.grant(grantee, 'kms:GenerateDataKey');
}

/**
 * Lets the events of a rule into a queue. Not the CDK's own target, which lets in the rules of every account when the queue has
 * a key: the key's policy may not name the rule, which waits for the queue, which waits for the key.
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
 */
export function letEventsSend(queue: Queue, rule: IRule): void {
  queue.addToResourcePolicy(
    new PolicyStatement({
      actions: ['sqs:SendMessage'],
      principals: [EVENTS],
      resources: [queue.queueArn],
      conditions: { ArnEquals: { 'aws:SourceArn': rule.ruleArn } },
    }),
  );
  letEventsUse(queue.encryptionMasterKey, queue);
}

/** Lets EventBridge write into queues that the key encrypts. */
export function letEventsUse(encryptionKey: IKey | undefined, scope: Construct): void {
  encryptionKey?.addToResourcePolicy(
    new PolicyStatement({
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      principals: [EVENTS],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account } },
    }),
    ALLOW_IMPORTED,
  );
}

/**
 * By the account and not by the log group, which waits for the key.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
 */
function letLogsUse(encryptionKey: IKey, scope: Construct): void {
  const stack = Stack.of(scope);
  const logGroups = stack.formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: '*',
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  encryptionKey.addToResourcePolicy(
    new PolicyStatement({
      actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      principals: [new ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
      resources: ['*'],
      conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logGroups } },
    }),
    ALLOW_IMPORTED,
  );
}

const EVENTS = new ServicePrincipal('events.amazonaws.com');
/** The policy of a key that is imported is its owner's matter. */
const ALLOW_IMPORTED = true;
