import { CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster, CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { MigrationSide, ProxyService, ProxyServiceProps } from '../../lib';
import { newLoadBalancer, newStack, resourceLike } from './fixture';

const TASK = 'AWS::ECS::TaskDefinition';
const SERVICE = 'AWS::ECS::Service';

function newProxies(stack: Stack, props: Partial<ProxyServiceProps> = {}): ProxyService {
  const loadBalancer = newLoadBalancer(stack);
  return new ProxyService(stack, 'Proxies', {
    cluster: new Cluster(stack, 'Cluster', { vpc: stack.node.findChild('Vpc') as Vpc }),
    side: MigrationSide.SOURCE,
    upstreamUrl: 'http://old.internal:8080',
    targetGroup: loadBalancer.sourceGroup,
    adminSecret: new Secret(stack, 'Secret'),
    ...props,
  });
}

describe('default', () => {
  const stack = newStack();
  newProxies(stack);
  const template = Template.fromStack(stack);

  test('runs the image without a shell, a root user or a writable disk', () => {
    template.hasResourceProperties(TASK, {
      RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
      ContainerDefinitions: [
        Match.objectLike({
          Name: 'proxy',
          Command: ['node', '--max-semi-space-size=4', 'proxy.js'],
          WorkingDirectory: '/app',
          User: '65532',
          ReadonlyRootFilesystem: true,
          StopTimeout: 120,
          PortMappings: [
            { ContainerPort: 8443, Protocol: 'tcp' },
            { ContainerPort: 9901, Protocol: 'tcp' },
          ],
        }),
      ],
    });
  });

  test('tells the proxy its side, its addresses and its upstream', () => {
    template.hasResourceProperties(TASK, {
      ContainerDefinitions: [
        Match.objectLike({
          Environment: Match.arrayWith([
            { Name: 'DRAINSHIFT_SIDE', Value: 'source' },
            { Name: 'DRAINSHIFT_LISTEN', Value: '0.0.0.0:8443' },
            { Name: 'DRAINSHIFT_ADMIN', Value: '0.0.0.0:9901' },
            { Name: 'DRAINSHIFT_UPSTREAM', Value: 'http://old.internal:8080' },
            { Name: 'DRAINSHIFT_TLS', Value: 'self-signed' },
          ]),
        }),
      ],
    });
  });

  test('gives the admin secret as a secret, and never as text', () => {
    template.hasResourceProperties(TASK, {
      ContainerDefinitions: [
        Match.objectLike({
          Environment: Match.not(Match.arrayWith([Match.objectLike({ Name: 'DRAINSHIFT_ADMIN_SECRET' })])),
          Secrets: [{ Name: 'DRAINSHIFT_ADMIN_SECRET', ValueFrom: { Ref: Match.stringLikeRegexp('^Secret') } }],
        }),
      ],
    });
  });

  test('ends its grace period before ECS kills it', () => {
    const [, task] = resourceLike(template, TASK, /./);
    const [container] = task.Properties.ContainerDefinitions as [
      { Environment: { Name: string; Value: string }[]; StopTimeout: number },
    ];
    const seconds = (name: string) => Number(container.Environment.find(({ Name }) => Name === name)?.Value);
    const needed =
      seconds('DRAINSHIFT_PROPAGATION_SECONDS') +
      seconds('DRAINSHIFT_GRACE_PERIOD_SECONDS') +
      seconds('DRAINSHIFT_GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS');
    expect(needed).toBeLessThan(container.StopTimeout);
  });

  test('rolls a failed deployment back and has no public address', () => {
    template.hasResourceProperties(SERVICE, {
      DeploymentConfiguration: Match.objectLike({
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        MinimumHealthyPercent: 100,
      }),
      NetworkConfiguration: { AwsvpcConfiguration: Match.objectLike({ AssignPublicIp: 'DISABLED' }) },
    });
  });

  test('leaves the number of tasks to the autoscaling', () => {
    template.hasResourceProperties(SERVICE, { DesiredCount: Match.absent() });
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 2, MaxCapacity: 10 });
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
      TargetTrackingScalingPolicyConfiguration: Match.objectLike({ TargetValue: 60 }),
    });
  });

  test('is created after the listeners that its target group hangs on', () => {
    const [, service] = resourceLike(template, SERVICE, /./);
    const [rule] = resourceLike(template, 'AWS::ElasticLoadBalancingV2::ListenerRule', /./);
    const [listener] = resourceLike(template, 'AWS::ElasticLoadBalancingV2::Listener', /BalancerSource/);
    expect(service.DependsOn).toEqual(expect.arrayContaining([rule, listener]));
  });

  test('lets the load balancer alone reach the data port, and nobody the admin port', () => {
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 1);
    template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 8443,
      ToPort: 8443,
      GroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^ProxiesSecurityGroup'), 'GroupId'] },
      SourceSecurityGroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^LoadBalancerSecurityGroup'), 'GroupId'] },
    });
  });
});

test('custom: takes sizes, times and processors', () => {
  const stack = newStack();
  newProxies(stack, {
    side: MigrationSide.TARGET,
    upstreamUrl: 'https://new.internal',
    gracePeriod: Duration.seconds(30),
    stopTimeout: Duration.seconds(60),
    minTasks: 1,
    maxTasks: 3,
    cpu: 512,
    memoryLimitMiB: 1024,
    cpuArchitecture: CpuArchitecture.X86_64,
  });
  const template = Template.fromStack(stack);
  template.hasResourceProperties(TASK, {
    Cpu: '512',
    Memory: '1024',
    RuntimePlatform: Match.objectLike({ CpuArchitecture: 'X86_64' }),
    ContainerDefinitions: [
      Match.objectLike({
        StopTimeout: 60,
        Environment: Match.arrayWith([
          { Name: 'DRAINSHIFT_SIDE', Value: 'target' },
          { Name: 'DRAINSHIFT_GRACE_PERIOD_SECONDS', Value: '30' },
        ]),
      }),
    ],
  });
  template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 1, MaxCapacity: 3 });
});

test('custom: an upstream that is known only at deployment may be on any port', () => {
  const stack = newStack();
  newProxies(stack, { upstreamUrl: new CfnParameter(stack, 'Upstream').valueAsString });
  Template.fromStack(stack).hasResourceProperties('AWS::EC2::SecurityGroup', {
    GroupDescription: 'The source proxies of a migration',
    SecurityGroupEgress: Match.arrayWith([Match.objectLike({ FromPort: 0, ToPort: 65535 })]),
  });
});

test('imported: takes a cluster and a secret of another stack', () => {
  const stack = newStack();
  const vpc = Vpc.fromVpcAttributes(stack, 'Imported', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a'],
    privateSubnetIds: ['subnet-0123456789abcdef1'],
  });
  const adminSecret = Secret.fromSecretCompleteArn(
    stack,
    'ImportedSecret',
    'arn:aws:secretsmanager:eu-central-1:111122223333:secret:admin-AbCdEf',
  );
  newProxies(stack, {
    cluster: Cluster.fromClusterAttributes(stack, 'ImportedCluster', { clusterName: 'shared', vpc }),
    adminSecret,
  });
  const template = Template.fromStack(stack);
  template.hasResourceProperties(SERVICE, { Cluster: 'shared' });
  template.hasResourceProperties(TASK, {
    ContainerDefinitions: [
      Match.objectLike({
        Secrets: [{ Name: 'DRAINSHIFT_ADMIN_SECRET', ValueFrom: Match.stringLikeRegexp('secret:admin-AbCdEf') }],
      }),
    ],
  });
});
