import { App, CfnParameter, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { InstanceClass, InstanceSize, InstanceType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster, CpuArchitecture, ICluster } from 'aws-cdk-lib/aws-ecs';
import { MigrationSide } from '../../../lib/traffic/migration-side';
import { Ec2ComputeProps, ProxyCompute } from '../../../lib/proxy/proxy-compute';
import { ProxyServiceProps } from '../../../lib/proxy/proxy-service-props';
import { newStack, resourceLike } from '../fixture';
import { newProxies, SERVICE, TASK, findTemplate } from './proxy-fixture';

const ASSOCIATION = 'AWS::ECS::ClusterCapacityProviderAssociations';

function importedCluster(stack: Stack): ICluster {
  const vpc = Vpc.fromVpcAttributes(stack, 'Imported', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a'],
    privateSubnetIds: ['subnet-0123456789abcdef1'],
  });
  return Cluster.fromClusterAttributes(stack, 'ImportedCluster', { clusterName: 'shared', vpc });
}

function withImportedCluster(props: Partial<ProxyServiceProps>): Template {
  const stack = newStack();
  newProxies(stack, { cluster: importedCluster(stack), ...props });
  return Template.fromStack(stack);
}

test('default: Fargate on demand, on ARM, half a core and a worker', () => {
  const template = findTemplate();
  template.hasResourceProperties(SERVICE, { LaunchType: 'FARGATE', CapacityProviderStrategy: Match.absent() });
  template.hasResourceProperties(TASK, {
    RequiresCompatibilities: ['FARGATE'],
    Cpu: '512',
    Memory: '1024',
    RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
  });
  template.resourceCountIs(ASSOCIATION, 0);
});

describe('Fargate Spot', () => {
  const target = { side: MigrationSide.TARGET };

  test('default: one proxy on demand, most of the others on Spot, once the cluster has both', () => {
    const template = findTemplate({ ...target, compute: ProxyCompute.fargateSpot() });
    template.hasResourceProperties(SERVICE, {
      LaunchType: Match.absent(),
      CapacityProviderStrategy: [
        { CapacityProvider: 'FARGATE', Base: 1, Weight: 1 },
        { CapacityProvider: 'FARGATE_SPOT', Weight: 3 },
      ],
    });
    template.hasResourceProperties(ASSOCIATION, { CapacityProviders: ['FARGATE', 'FARGATE_SPOT'] });
    const [association] = resourceLike(template, ASSOCIATION, /./);
    expect(resourceLike(template, SERVICE, /./)[1].DependsOn).toContain(association);
  });

  test('custom: its own shares', () => {
    const compute = ProxyCompute.fargateSpot({ onDemandBase: 2, onDemandWeight: 2, spotWeight: 5 });
    findTemplate({ ...target, compute }).hasResourceProperties(SERVICE, {
      CapacityProviderStrategy: [
        { CapacityProvider: 'FARGATE', Base: 2, Weight: 2 },
        { CapacityProvider: 'FARGATE_SPOT', Weight: 5 },
      ],
    });
  });

  test('imported: leaves the capacity of a cluster of another stack alone', () => {
    withImportedCluster({ ...target, compute: ProxyCompute.fargateSpot() }).resourceCountIs(ASSOCIATION, 0);
  });

  test('rejected for the source, and with shares that there are not', () => {
    expect(() => findTemplate({ compute: ProxyCompute.fargateSpot() })).toThrow(
      "'compute' must be without Spot for the source, which serves today, got fargateSpot",
    );
    expect(() => ProxyCompute.fargateSpot({ onDemandBase: -1 })).toThrow(
      "'onDemandBase' must be an integer from 0 to 100000, got -1",
    );
    expect(() => ProxyCompute.fargateSpot({ onDemandWeight: 0 })).toThrow(
      "'onDemandWeight' must be an integer from 1 to 1000, got 0",
    );
    expect(() => ProxyCompute.fargateSpot({ spotWeight: 1001 })).toThrow(
      "'spotWeight' must be an integer from 1 to 1000, got 1001",
    );
  });
});

describe('EC2', () => {
  const ec2 = (props?: Ec2ComputeProps) => ({ compute: ProxyCompute.ec2(props) });

  describe('default', () => {
    const template = findTemplate(ec2());

    test('an Auto Scaling group of its own, which the cluster scales, and which drains its instances', () => {
      template.hasResourceProperties('AWS::AutoScaling::AutoScalingGroup', {
        MinSize: '2',
        MaxSize: '10',
        NewInstancesProtectedFromScaleIn: true,
      });
      template.hasResourceProperties('AWS::ECS::CapacityProvider', {
        AutoScalingGroupProvider: Match.objectLike({
          ManagedScaling: Match.objectLike({ Status: 'ENABLED' }),
          ManagedTerminationProtection: 'ENABLED',
          ManagedDraining: 'ENABLED',
        }),
      });
      const [association] = resourceLike(template, ASSOCIATION, /./);
      expect(resourceLike(template, SERVICE, /./)[1].DependsOn).toContain(association);
    });

    test('instances on ARM with encrypted disks, tokens for their metadata, and no way in', () => {
      template.hasResourceProperties('AWS::EC2::LaunchTemplate', {
        LaunchTemplateData: Match.objectLike({
          InstanceType: 'm7g.large',
          MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
          BlockDeviceMappings: [Match.objectLike({ Ebs: Match.objectLike({ Encrypted: true, VolumeType: 'gp3' }) })],
        }),
      });
      template.hasResourceProperties('AWS::EC2::SecurityGroup', {
        GroupDescription: 'The instances of proxies, which have a security group of their own',
        SecurityGroupEgress: [Match.objectLike({ FromPort: 443, ToPort: 443 })],
        SecurityGroupIngress: Match.absent(),
      });
    });

    test('proxies with addresses of their own, spread over zones and instances', () => {
      template.hasResourceProperties(TASK, {
        RequiresCompatibilities: ['EC2'],
        NetworkMode: 'awsvpc',
        Cpu: '512',
        Memory: '1024',
        RuntimePlatform: Match.absent(),
      });
      template.hasResourceProperties(SERVICE, {
        LaunchType: Match.absent(),
        AvailabilityZoneRebalancing: 'ENABLED',
        CapacityProviderStrategy: [{ CapacityProvider: { Ref: Match.stringLikeRegexp('Capacity') }, Weight: 1 }],
        PlacementStrategies: [
          { Type: 'spread', Field: 'attribute:ecs.availability-zone' },
          { Type: 'spread', Field: 'instanceId' },
        ],
        NetworkConfiguration: Match.objectLike({ AwsvpcConfiguration: Match.anyValue() }),
      });
    });
  });

  test('custom: instances of another kind and number', () => {
    const instanceType = InstanceType.of(InstanceClass.C7I, InstanceSize.XLARGE);
    const template = findTemplate({
      ...ec2({ instanceType, minInstances: 0, maxInstances: 4 }),
      cpuArchitecture: CpuArchitecture.X86_64,
      cpu: 3072,
      memoryLimitMiB: 5000,
    });
    template.hasResourceProperties('AWS::AutoScaling::AutoScalingGroup', { MinSize: '0', MaxSize: '4' });
    template.hasResourceProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateData: Match.objectLike({ InstanceType: 'c7i.xlarge' }),
    });
  });

  test('imported: a capacity provider that the cluster has', () => {
    const template = withImportedCluster(ec2({ capacityProviderName: 'shared-instances' }));
    template.resourceCountIs('AWS::AutoScaling::AutoScalingGroup', 0);
    template.hasResourceProperties(SERVICE, {
      CapacityProviderStrategy: [{ CapacityProvider: 'shared-instances', Weight: 1 }],
    });
  });

  test('rejected: a group for a cluster of another stack', () => {
    expect(() => withImportedCluster(ec2())).toThrow(
      "'capacityProviderName' must be given with a cluster of another stack, got nothing",
    );
  });

  test('rejected: a group for a cluster of another stack of the app, which would have to know the group', () => {
    const app = new App({ builtinCloudFormationValidation: false });
    const platform = new Stack(app, 'Platform');
    const cluster = new Cluster(platform, 'Cluster', { vpc: new Vpc(platform, 'Vpc') });
    expect(() => newProxies(new Stack(app, 'Shop'), { cluster, ...ec2() })).toThrow(
      "'capacityProviderName' must be given with a cluster of another stack, got nothing",
    );
  });

  test('rejected: a largest number of instances, whatever the smallest will be', () => {
    const minInstances = new CfnParameter(newStack(), 'Number', { type: 'Number' }).valueAsNumber;
    expect(() => ProxyCompute.ec2({ minInstances, maxInstances: 1001 })).toThrow(
      "'maxInstances' must be an integer from 1 to 1000, got 1001",
    );
  });

  test('a proxy that just fits onto an instance of the default is accepted', () => {
    expect(() => findTemplate({ ...ec2(), cpu: 2048, memoryLimitMiB: 7168 })).not.toThrow();
  });

  test.each<[Ec2ComputeProps, Partial<ProxyServiceProps>, string]>([
    [
      {},
      { cpu: 4096 },
      "'instanceType' must be given for proxies with more than 2048 units of CPU or 7168 MiB, got nothing",
    ],
    [
      {},
      { memoryLimitMiB: 8192 },
      "'instanceType' must be given for proxies with more than 2048 units of CPU or 7168 MiB, got nothing",
    ],
    [
      { capacityProviderName: 'shared', instanceType: new InstanceType('m7g.large') },
      {},
      "'instanceType' must be absent next to 'capacityProviderName', got m7g.large",
    ],
    [
      { capacityProviderName: 'shared', maxInstances: 4 },
      {},
      "'maxInstances' must be absent next to 'capacityProviderName', got 4",
    ],
    [{ minInstances: -1 }, {}, "'minInstances' must be an integer from 0 to 1000, got -1"],
    [{ minInstances: 3, maxInstances: 2 }, {}, "'maxInstances' must be an integer from 3 to 1000, got 2"],
    [
      { instanceType: new InstanceType('m7i.large') },
      {},
      "'instanceType' must be one with the processors of 'cpuArchitecture', got m7i.large",
    ],
    [{}, { cpu: 64 }, "'cpu' must be an integer from 128 to 196608, got 64"],
  ])('refused %#', (compute, props, message) => {
    expect(() => findTemplate({ ...ec2(compute), ...props })).toThrow(message);
  });
});

test.each([
  [300, 2048, "'cpu' must be one of 256, 512, 1024, 2048, 4096, 8192, 16384 on Fargate, got 300"],
  [256, 1536, "'memoryLimitMiB' must be 512, 1024 or 2048 with a cpu of 256 on Fargate, got 1536"],
  [1024, 1024, "'memoryLimitMiB' must be from 2048 to 8192 in steps of 1024 with a cpu of 1024 on Fargate, got 1024"],
  [
    8192,
    17408,
    "'memoryLimitMiB' must be from 16384 to 61440 in steps of 4096 with a cpu of 8192 on Fargate, got 17408",
  ],
])('refused: %i units with %i MiB', (cpu, memoryLimitMiB, message) => {
  expect(() => findTemplate({ cpu, memoryLimitMiB })).toThrow(message);
});

test.each([
  [256, 512],
  [512, 3072],
  [4096, 30720],
  [16384, 122880],
])('%i units with %i MiB are accepted', (cpu, memoryLimitMiB) => {
  expect(() => findTemplate({ cpu, memoryLimitMiB })).not.toThrow();
});

test.each([ProxyCompute.fargate(), ProxyCompute.ec2()])('a size that is known only at deployment passes', (compute) => {
  const stack = newStack();
  const number = (id: string) => new CfnParameter(stack, id, { type: 'Number' }).valueAsNumber;
  newProxies(stack, { compute, cpu: number('Cpu'), memoryLimitMiB: number('Memory') });
  Template.fromStack(stack).hasResourceProperties(TASK, { Cpu: { Ref: 'Cpu' }, Memory: { Ref: 'Memory' } });
});
