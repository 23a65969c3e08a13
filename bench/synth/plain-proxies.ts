import { Duration, Stack } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { Peer, Port, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { ApplicationTargetGroup } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { ASSETS } from './cdk';
import type { Front } from './plain-front';

export interface Proxies {
  readonly cluster: ecs.Cluster;
  readonly secret: Secret;
  readonly services: readonly ecs.FargateService[];
  readonly serviceGroups: readonly SecurityGroup[];
}

export function createProxies(stack: Stack, { vpc, groups }: Front): Proxies {
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
    const group = groups[index] as ApplicationTargetGroup;
    group.addTarget(service.loadBalancerTarget({ containerName: 'proxy', containerPort: 8443 }));
    scale(service, group);
    return service;
  });
  return { cluster, secret, services, serviceGroups };
}

function createSecurityGroup(stack: Stack, side: string, vpc: Vpc): SecurityGroup {
  const securityGroup = new SecurityGroup(stack, `${side}Proxies`, { vpc, allowAllOutbound: false });
  securityGroup.addEgressRule(Peer.anyIpv4(), Port.HTTPS);
  securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(8080));
  return securityGroup;
}

function createTask(
  stack: Stack,
  side: string,
  { secret, cluster }: Pick<Proxies, 'secret' | 'cluster'>,
): ecs.FargateTaskDefinition {
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

function scale(service: ecs.FargateService, targetGroup: ApplicationTargetGroup): void {
  const count = service.autoScaleTaskCount({ minCapacity: 2, maxCapacity: 10 });
  const cooldowns = { scaleInCooldown: Duration.minutes(5), scaleOutCooldown: Duration.minutes(1) };
  count.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60, ...cooldowns });
  count.scaleOnRequestCount('Requests', { requestsPerTarget: 60_000, targetGroup, ...cooldowns });
  const customMetric = new Metric({ namespace: 'Shop', metricName: 'LiveConnections', statistic: 'Average' });
  count.scaleToTrackCustomMetric('Connections', { metric: customMetric, targetValue: 5000, ...cooldowns });
}
