import type * as Cdk from 'aws-cdk-lib';
import type * as Acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as Ec2 from 'aws-cdk-lib/aws-ec2';
import type * as Elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as Iam from 'aws-cdk-lib/aws-iam';
import type * as S3 from 'aws-cdk-lib/aws-s3';
import { load } from './cdk.ts';

const { Duration, RemovalPolicy } = load<typeof Cdk>('aws-cdk-lib');
const { Certificate } = load<typeof Acm>('aws-cdk-lib/aws-certificatemanager');
const { GatewayVpcEndpointAwsService, SecurityGroup, Vpc } = load<typeof Ec2>('aws-cdk-lib/aws-ec2');
const elbv2 = load<typeof Elbv2>('aws-cdk-lib/aws-elasticloadbalancingv2');
const { PolicyStatement, ServicePrincipal } = load<typeof Iam>('aws-cdk-lib/aws-iam');
const { BlockPublicAccess, Bucket, BucketEncryption } = load<typeof S3>('aws-cdk-lib/aws-s3');

export interface Front {
  readonly vpc: Ec2.Vpc;
  readonly loadBalancer: Elbv2.ApplicationLoadBalancer;
  readonly listeners: readonly Elbv2.ApplicationListener[];
  readonly groups: readonly Elbv2.ApplicationTargetGroup[];
  readonly store: S3.Bucket;
}

export function createFront(stack: Cdk.Stack): Front {
  const vpc = new Vpc(stack, 'Vpc', {
    maxAzs: 2,
    gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
  });
  const groups = ['SourceGroup', 'TargetGroup'].map((id) => createGroup(stack, id, vpc));
  const store = createBucket(stack, 'Store', { versioned: true });
  const loadBalancer = createLoadBalancer(stack, vpc);
  const listeners = createListeners(stack, loadBalancer, groups);
  return { vpc, loadBalancer, listeners, groups, store };
}

function createGroup(stack: Cdk.Stack, id: string, vpc: Ec2.Vpc): Elbv2.ApplicationTargetGroup {
  return new elbv2.ApplicationTargetGroup(stack, id, {
    vpc,
    targetType: elbv2.TargetType.IP,
    protocol: elbv2.ApplicationProtocol.HTTPS,
    port: 8443,
    stickinessCookieDuration: Duration.days(1),
    deregistrationDelay: Duration.minutes(5),
    healthCheck: {
      protocol: elbv2.Protocol.HTTPS,
      path: '/health',
      healthyHttpCodes: '200',
      interval: Duration.seconds(10),
      timeout: Duration.seconds(5),
      healthyThresholdCount: 2,
      unhealthyThresholdCount: 2,
    },
  });
}

function createBucket(stack: Cdk.Stack, id: string, props: S3.BucketProps): S3.Bucket {
  return new Bucket(stack, id, {
    encryption: BucketEncryption.S3_MANAGED,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    removalPolicy: RemovalPolicy.RETAIN,
    ...props,
  });
}

function createLoadBalancer(stack: Cdk.Stack, vpc: Ec2.Vpc): Elbv2.ApplicationLoadBalancer {
  const securityGroup = new SecurityGroup(stack, 'LoadBalancerGroup', { vpc, allowAllOutbound: false });
  const loadBalancer = new elbv2.ApplicationLoadBalancer(stack, 'LoadBalancer', {
    vpc,
    securityGroup,
    internetFacing: false,
    http2Enabled: true,
    preserveHostHeader: true,
    dropInvalidHeaderFields: true,
    desyncMitigationMode: elbv2.DesyncMitigationMode.STRICTEST,
    idleTimeout: Duration.minutes(10),
    clientKeepAlive: Duration.hours(1),
  });
  const logs = createBucket(stack, 'AccessLogs', { lifecycleRules: [{ expiration: Duration.days(90) }] });
  logs.addToResourcePolicy(
    new PolicyStatement({
      actions: ['s3:PutObject'],
      principals: [new ServicePrincipal('logdelivery.elasticloadbalancing.amazonaws.com')],
      resources: [logs.arnForObjects(`AWSLogs/${stack.account}/*`)],
    }),
  );
  for (const kind of ['access', 'connection']) {
    loadBalancer.setAttribute(`${kind}_logs.s3.enabled`, 'true');
    loadBalancer.setAttribute(`${kind}_logs.s3.bucket`, logs.bucketName);
  }
  return loadBalancer;
}

function createListeners(
  stack: Cdk.Stack,
  loadBalancer: Elbv2.ApplicationLoadBalancer,
  groups: readonly Elbv2.ApplicationTargetGroup[],
): Elbv2.ApplicationListener[] {
  const certificate = Certificate.fromCertificateArn(
    stack,
    'Certificate',
    'arn:aws:acm:eu-west-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  );
  const listen = (id: string, port: number, defaultAction: Elbv2.ListenerAction) =>
    loadBalancer.addListener(id, {
      port,
      protocol: elbv2.ApplicationProtocol.HTTPS,
      certificates: [certificate],
      sslPolicy: elbv2.SslPolicy.TLS13_RES,
      open: false,
      defaultAction,
    });
  return [
    listen('Traffic', 443, elbv2.ListenerAction.fixedResponse(503, { contentType: 'text/plain' })),
    ...groups.map((group, side) => listen(`Smoke${side}`, 9201 + side, elbv2.ListenerAction.forward([group]))),
  ];
}
