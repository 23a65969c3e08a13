import type * as Cdk from 'aws-cdk-lib';
import type * as CloudWatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as Ec2 from 'aws-cdk-lib/aws-ec2';
import type * as EcrAssets from 'aws-cdk-lib/aws-ecr-assets';
import type * as Ecs from 'aws-cdk-lib/aws-ecs';
import type * as Elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as Iam from 'aws-cdk-lib/aws-iam';
import type * as Logs from 'aws-cdk-lib/aws-logs';
import type * as SecretsManager from 'aws-cdk-lib/aws-secretsmanager';
import { ASSETS, load } from './cdk.ts';
import type { Front } from './plain-front.ts';

const { Duration } = load<typeof Cdk>('aws-cdk-lib');
const { Metric } = load<typeof CloudWatch>('aws-cdk-lib/aws-cloudwatch');
const { Peer, Port, SecurityGroup } = load<typeof Ec2>('aws-cdk-lib/aws-ec2');
const { Platform } = load<typeof EcrAssets>('aws-cdk-lib/aws-ecr-assets');
const ecs = load<typeof Ecs>('aws-cdk-lib/aws-ecs');
const { PolicyStatement } = load<typeof Iam>('aws-cdk-lib/aws-iam');
const { LogGroup, RetentionDays } = load<typeof Logs>('aws-cdk-lib/aws-logs');
const { Secret } = load<typeof SecretsManager>('aws-cdk-lib/aws-secretsmanager');

export interface Proxies {
  readonly cluster: Ecs.Cluster;
  readonly secret: SecretsManager.Secret;
  readonly services: readonly Ecs.FargateService[];
  readonly serviceGroups: readonly Ec2.SecurityGroup[];
}

export function createProxies(stack: Cdk.Stack, { vpc, groups }: Front): Proxies {
  const cluster = new ecs.Cluster(stack, 'Cluster', { vpc, containerInsightsV2: ecs.ContainerInsights.ENABLED });
  const secret = new Secret(stack, 'Secret', {
    generateSecretString: { passwordLength: 64, excludePunctuation: true },
  });
  const serviceGroups = ['Source', 'Target'].map((side) => createSecurityGroup(stack, side, vpc));
  const services = ['Source', 'Target'].map((side, index) => {
    const service = new ecs.FargateService(stack, `${side}Service`, {
      cluster,
      taskDefinition: createTask(stack, side, { secret, cluster }),
      securityGroups: serviceGroups.slice(index, index + 1),
      assignPublicIp: false,
      minHealthyPercent: 100,
      circuitBreaker: { rollback: true },
    });
    const group = groups[index] as Elbv2.ApplicationTargetGroup;
    group.addTarget(service.loadBalancerTarget({ containerName: 'proxy', containerPort: 8443 }));
    scale(service, group);
    return service;
  });
  return { cluster, secret, services, serviceGroups };
}

function createSecurityGroup(stack: Cdk.Stack, side: string, vpc: Ec2.Vpc): Ec2.SecurityGroup {
  const securityGroup = new SecurityGroup(stack, `${side}Proxies`, { vpc, allowAllOutbound: false });
  securityGroup.addEgressRule(Peer.anyIpv4(), Port.HTTPS);
  securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(8080));
  return securityGroup;
}

function createTask(
  stack: Cdk.Stack,
  side: string,
  { secret, cluster }: Pick<Proxies, 'secret' | 'cluster'>,
): Ecs.FargateTaskDefinition {
  const task = new ecs.FargateTaskDefinition(stack, `${side}Task`, {
    cpu: 1024,
    memoryLimitMiB: 2048,
    runtimePlatform: {
      cpuArchitecture: ecs.CpuArchitecture.ARM64,
      operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
    },
  });
  const logGroup = new LogGroup(stack, `${side}Log`, { retention: RetentionDays.THREE_MONTHS });
  task.addContainer('proxy', {
    containerName: 'proxy',
    image: ecs.ContainerImage.fromAsset(`${ASSETS}/proxy`, { platform: Platform.LINUX_ARM64 }),
    user: '65532',
    readonlyRootFilesystem: true,
    portMappings: [{ containerPort: 8443 }, { containerPort: 9901 }],
    environment: Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`SETTING_${index}`, side])),
    secrets: { SECRET: ecs.Secret.fromSecretsManager(secret) },
    stopTimeout: Duration.seconds(120),
    logging: ecs.LogDrivers.awsLogs({ logGroup, streamPrefix: side }),
  });
  task.addToTaskRolePolicy(
    new PolicyStatement({ actions: ['ecs:UpdateTaskProtection'], resources: [`${cluster.clusterArn}/*`] }),
  );
  return task;
}

function scale(service: Ecs.FargateService, targetGroup: Elbv2.ApplicationTargetGroup): void {
  const count = service.autoScaleTaskCount({ minCapacity: 2, maxCapacity: 10 });
  const cooldowns = { scaleInCooldown: Duration.minutes(5), scaleOutCooldown: Duration.minutes(1) };
  count.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60, ...cooldowns });
  count.scaleOnRequestCount('Requests', { requestsPerTarget: 60_000, targetGroup, ...cooldowns });
  const customMetric = new Metric({ namespace: 'Shop', metricName: 'LiveConnections', statistic: 'Average' });
  count.scaleToTrackCustomMetric('Connections', { metric: customMetric, targetValue: 5000, ...cooldowns });
}
