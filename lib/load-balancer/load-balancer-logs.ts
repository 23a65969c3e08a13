import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { ApplicationLoadBalancer } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledge } from '../validation/nag-suppressions';

/** A bucket for the logs of load balancers; the logs outlive the stack. */
export function createLogBucket(parent: Construct, retention: Duration): Bucket {
  const bucket = new Bucket(parent, 'AccessLogs', {
    // The only encryption to which a load balancer can write its logs.
    encryption: BucketEncryption.S3_MANAGED,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    lifecycleRules: [{ expiration: retention, abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    removalPolicy: RemovalPolicy.RETAIN,
  });
  acknowledge(bucket, 'logBucket');
  return bucket;
}

/**
 * Access logs tell of each request, connection logs of each client that connected or failed to. Their names in the
 * bucket do not collide.
 *
 * Not `logAccessLogs` and `logConnectionLogs`, which need to know the region at synth: the log delivery service's own
 * principal does not.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-connection-logging.html
 */
export function logTo(bucket: IBucket, loadBalancer: ApplicationLoadBalancer, kinds: readonly LogKind[]): void {
  bucket.addToResourcePolicy(
    new PolicyStatement({
      actions: ['s3:PutObject'],
      principals: [new ServicePrincipal('logdelivery.elasticloadbalancing.amazonaws.com')],
      resources: [bucket.arnForObjects(`AWSLogs/${Stack.of(loadBalancer).account}/*`)],
    }),
  );
  for (const kind of kinds) {
    loadBalancer.setAttribute(`${kind}_logs.s3.enabled`, 'true');
    loadBalancer.setAttribute(`${kind}_logs.s3.bucket`, bucket.bucketName);
  }
  // The load balancer tries to write as soon as it is told to.
  if (bucket.policy) loadBalancer.node.addDependency(bucket.policy);
}

export type LogKind = 'access' | 'connection';
