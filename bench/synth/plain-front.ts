import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { GatewayVpcEndpointAwsService, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, BucketProps } from 'aws-cdk-lib/aws-s3';

export interface Front {
  readonly vpc: Vpc;
  readonly loadBalancer: elbv2.ApplicationLoadBalancer;
  readonly listeners: readonly elbv2.ApplicationListener[];
  readonly groups: readonly elbv2.ApplicationTargetGroup[];
  readonly store: Bucket;
}

export function createFront(stack: Stack): Front {
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

function createGroup(stack: Stack, id: string, vpc: Vpc): elbv2.ApplicationTargetGroup {
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

function createBucket(stack: Stack, id: string, props: BucketProps): Bucket {
  return new Bucket(stack, id, {
    encryption: BucketEncryption.S3_MANAGED,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    removalPolicy: RemovalPolicy.RETAIN,
    ...props,
  });
}

function createLoadBalancer(stack: Stack, vpc: Vpc): elbv2.ApplicationLoadBalancer {
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
  stack: Stack,
  loadBalancer: elbv2.ApplicationLoadBalancer,
  groups: readonly elbv2.ApplicationTargetGroup[],
): elbv2.ApplicationListener[] {
  const certificate = Certificate.fromCertificateArn(
    stack,
    'Certificate',
    'arn:aws:acm:eu-west-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  );
  const listen = (id: string, port: number, defaultAction: elbv2.ListenerAction) =>
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
