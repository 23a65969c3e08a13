import { App, Duration, Stack, Validations } from 'aws-cdk-lib';
import {
  aws_certificatemanager as acm,
  aws_ec2 as ec2,
  aws_ecs as ecs,
  aws_elasticache as elasticache,
} from 'aws-cdk-lib';
import { aws_elasticloadbalancingv2 as elb, aws_iam as iam, aws_logs as logs } from 'aws-cdk-lib';
import { aws_secretsmanager as secrets } from 'aws-cdk-lib';
import { CutoverPlan, DrainProfile, Migration } from 'drainshift';

const PORT = 8000;
const STORE_PORT = 6390;

const app = new App();
const stack = new Stack(app, 'ScaledChat');
const vpc = new ec2.Vpc(stack, 'Network', { maxAzs: 2 });
vpc.addFlowLog('FlowLog');

// The old chat runs in a network that this one is to be connected with, by a peering or a transit gateway.
const oldNetwork = ec2.Peer.ipv4('10.20.0.0/16');

// ---- Valkey: what the replicas share --------------------------------------------------------------------------------

// Without cluster mode: the script that takes a message writes the state of a client and the stream of a room in one step.
const storeGroup = new ec2.SecurityGroup(stack, 'StoreGroup', {
  vpc,
  description: 'The Valkey of the chat',
  allowAllOutbound: false,
});
const password = new secrets.Secret(stack, 'StorePassword', {
  description: 'The password of the Valkey of the chat',
  generateSecretString: { excludePunctuation: true, passwordLength: 64 },
});
const subnets = new elasticache.CfnSubnetGroup(stack, 'StoreSubnets', {
  description: 'The Valkey of the chat',
  subnetIds: vpc.selectSubnets({ subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS }).subnetIds,
});
const store = new elasticache.CfnReplicationGroup(stack, 'Store', {
  replicationGroupDescription: 'State, connections and rooms of the chat',
  engine: 'valkey',
  cacheNodeType: 'cache.t4g.small',
  port: STORE_PORT,
  numCacheClusters: 2,
  automaticFailoverEnabled: true,
  multiAzEnabled: true,
  atRestEncryptionEnabled: true,
  transitEncryptionEnabled: true,
  authToken: password.secretValue.unsafeUnwrap(),
  cacheSubnetGroupName: subnets.ref,
  securityGroupIds: [storeGroup.securityGroupId],
});
storeGroup.addIngressRule(oldNetwork, ec2.Port.tcp(STORE_PORT), 'The old chat, which has the same rooms');

// ---- the load balancer of the replicas ------------------------------------------------------------------------------

const balancer = new elb.ApplicationLoadBalancer(stack, 'ChatBalancer', {
  vpc,
  // A person may say nothing for a while.
  idleTimeout: Duration.hours(1),
  dropInvalidHeaderFields: true,
});
const replicas = new elb.ApplicationTargetGroup(stack, 'Replicas', {
  vpc,
  port: PORT,
  protocol: elb.ApplicationProtocol.HTTP,
  targetType: elb.TargetType.IP,
  healthCheck: {
    path: '/health',
    interval: Duration.seconds(10),
    timeout: Duration.seconds(5),
    healthyThresholdCount: 2,
    unhealthyThresholdCount: 5,
  },
  // By a cookie of the chat: that of the load balancer in front has the name which this one's own would have.
  stickinessCookieName: 'Replica',
  stickinessCookieDuration: Duration.days(1),
  // A replica that goes needs some seconds to see it, and one to ask its clients to go.
  deregistrationDelay: Duration.seconds(30),
});
const listener = balancer.addListener('Listener', {
  port: 80,
  protocol: elb.ApplicationProtocol.HTTP,
  open: false,
  defaultTargetGroups: [replicas],
});

// ---- the replicas, and how many there are ---------------------------------------------------------------------------

const cluster = new ecs.Cluster(stack, 'Cluster', { vpc, containerInsightsV2: ecs.ContainerInsights.ENABLED });
const taskDefinition = new ecs.FargateTaskDefinition(stack, 'Chat', { cpu: 1024, memoryLimitMiB: 2048 });
taskDefinition.addContainer('chat', {
  image: ecs.ContainerImage.fromRegistry('registry.example.com/chat:2.0.0'),
  portMappings: [{ containerPort: PORT }],
  environment: {
    PORT: String(PORT),
    VALKEY_URL: `rediss://${store.attrPrimaryEndPointAddress}:${STORE_PORT}`,
    TARGET_GROUP_ARN: replicas.targetGroupArn,
  },
  secrets: { VALKEY_PASSWORD: ecs.Secret.fromSecretsManager(password) },
  command: ['node', 'server.ts'],
  logging: ecs.LogDrivers.awsLogs({ streamPrefix: 'chat', logRetention: logs.RetentionDays.ONE_MONTH }),
});
// A replica asks how its own target is. The action takes no resource.
taskDefinition.addToTaskRolePolicy(
  new iam.PolicyStatement({ actions: ['elasticloadbalancing:DescribeTargetHealth'], resources: ['*'] }),
);
const service = new ecs.FargateService(stack, 'ChatService', {
  cluster,
  taskDefinition,
  minHealthyPercent: 100,
  circuitBreaker: { rollback: true },
});
service.attachToApplicationTargetGroup(replicas);
service.connections.allowFrom(balancer, ec2.Port.tcp(PORT), 'The load balancer of the replicas');
storeGroup.connections.allowFrom(service, ec2.Port.tcp(STORE_PORT), 'The chat');

const scaling = service.autoScaleTaskCount({ minCapacity: 2, maxCapacity: 10 });
// Slowly in: each task that goes has its clients connect again.
const cooldowns = { scaleOutCooldown: Duration.minutes(1), scaleInCooldown: Duration.minutes(10) };
scaling.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 50, ...cooldowns });
scaling.scaleOnMemoryUtilization('Memory', { targetUtilizationPercent: 60, ...cooldowns });
scaling.scaleOnRequestCount('Requests', { targetGroup: replicas, requestsPerTarget: 6000, ...cooldowns });

// ---- the move -------------------------------------------------------------------------------------------------------

const migration = new Migration(stack, 'Migration', {
  vpc,
  cluster,
  domainName: 'chat.example.com',
  certificate: acm.Certificate.fromCertificateArn(
    stack,
    'Certificate',
    'arn:aws:acm:eu-west-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  ),
  source: { upstreamUrl: `http://chat.old.example.com:${PORT}`, drainProfile: DrainProfile.WEBSOCKET_HEAVY },
  target: { upstreamUrl: `http://${balancer.loadBalancerDnsName}`, drainProfile: DrainProfile.WEBSOCKET_HEAVY },
  idleTimeout: Duration.hours(1),
  // Both sides have the same rooms, so people of either can talk with each other.
  plan: CutoverPlan.gradual({
    smoke: [{ path: '/health', expectedStatus: 200 }],
    stages: [
      { weights: { source: 50, target: 50 }, bake: Duration.minutes(15) },
      { weights: { source: 0, target: 100 }, bake: Duration.minutes(15) },
    ],
    drain: { webSockets: Duration.minutes(5), closeRatePerSecond: 10 },
  }),
});
for (const side of [migration.source, migration.target]) {
  listener.connections.allowDefaultPortFrom(side, 'The proxies');
}

const acknowledge = (scope, id, reason) => Validations.of(scope).acknowledge({ id, reason });
acknowledge(
  balancer,
  'AwsSolutions-ELB2',
  'It is internal: the load balancer in front of the proxies logs each request.',
);
acknowledge(taskDefinition, 'AwsSolutions-IAM5[Resource::*]', 'DescribeTargetHealth takes no resource.');
acknowledge(taskDefinition, 'AwsSolutions-ECS2', 'These variables are no secrets: the password is one.');
acknowledge(
  password,
  'AwsSolutions-SMG4',
  'The store and its replicas would have to take the new one at the same moment.',
);

app.synth();
