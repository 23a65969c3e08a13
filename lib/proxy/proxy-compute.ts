/* eslint-disable awscdk/require-passing-this -- what it makes is part of the one who asks */
import { Stack, Tokenization } from 'aws-cdk-lib';
import { InstanceArchitecture, InstanceType, IPeer, ISecurityGroup, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import {
  AvailabilityZoneRebalancing,
  BaseService,
  BaseServiceOptions,
  CapacityProviderStrategy,
  Cluster,
  Compatibility,
  CpuArchitecture,
  Ec2Service,
  FargateService,
  FargateTaskDefinition,
  ICluster,
  NetworkMode,
  OperatingSystemFamily,
  PlacementStrategy,
  TaskDefinition,
} from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';
import { checkFargateSize } from './fargate-sizes';
import { checkNames } from '../validation/known-props';
import { MigrationSide } from '../traffic/migration-side';
import { createCapacity } from './proxy-instances';
import { checkInteger, reject, isLater } from '../validation/validation';

export interface FargateSpotProps {
  /**
   * How many proxies are on demand before any is on Spot.
   * @default 1
   */
  readonly onDemandBase?: number;

  /**
   * The share of on-demand proxies beyond the base, from 1 to 1000.
   * @default 1
   */
  readonly onDemandWeight?: number;

  /**
   * The share of Spot proxies beyond the base, from 1 to 1000.
   * @default 3
   */
  readonly spotWeight?: number;
}

export interface Ec2ComputeProps {
  /**
   * A capacity provider that the cluster has already; its instances must have the processors that the proxies ask for.
   * @default - a new Auto Scaling group for these proxies alone
   */
  readonly capacityProviderName?: string;

  /**
   * What the instances of a new group are. Each proxy takes a network interface of its instance: a `large` has room for
   * two, unless the account has ENI trunking.
   * @default - m7g.large, or m7i.large for x86
   */
  readonly instanceType?: InstanceType;

  /**
   * The fewest instances of a new group.
   * @default 2
   */
  readonly minInstances?: number;

  /**
   * The most instances of a new group.
   * @default 10
   */
  readonly maxInstances?: number;
}

/** What a proxy is to run on. */
interface ProxySize {
  readonly cpu: number;
  readonly memoryLimitMiB: number;
  readonly cpuArchitecture: CpuArchitecture;
  readonly side: MigrationSide;
}

type ServiceOptions = BaseServiceOptions & {
  readonly taskDefinition: TaskDefinition;
  readonly securityGroups: ISecurityGroup[];
  readonly vpcSubnets?: SubnetSelection;
  readonly apiPeers?: IPeer[];
  readonly availabilityZoneRebalancing: AvailabilityZoneRebalancing;
};

/**
 * What the proxies run on.
 *
 * @example
 * const compute = ProxyCompute.fargateSpot({ onDemandBase: 2 });
 */
export abstract class ProxyCompute {
  /** Fargate, on demand. */
  public static fargate(): ProxyCompute {
    return new Fargate();
  }

  /**
   * Fargate, in part on Spot: for the target alone, because spot capacity goes with two minutes of notice, whatever
   * connections live on it.
   */
  public static fargateSpot(props: FargateSpotProps = {}): ProxyCompute {
    checkNames('FargateSpotProps', props);
    return new FargateSpot(props);
  }

  /**
   * Instances of an Auto Scaling group, which a capacity provider keeps as large as the proxies need it. Instances with
   * proxies are protected from scale-in; CloudFormation cannot delete such a group, so delete it yourself, by force, when
   * you delete the stack.
   *
   * @see https://github.com/aws/containers-roadmap/issues/631
   */
  public static ec2(props: Ec2ComputeProps = {}): ProxyCompute {
    checkNames('Ec2ComputeProps', props);
    return new Ec2(props);
  }

  /**
   * Rejects a size that there is not.
   *
   * @internal
   */
  public abstract _check(size: ProxySize): void;

  /** @internal */
  public abstract _createTaskDefinition(scope: Construct, size: ProxySize): TaskDefinition;

  /** @internal */
  public abstract _createService(scope: Construct, size: ProxySize, options: ServiceOptions): BaseService;
}

class Fargate extends ProxyCompute {
  public _check({ cpu, memoryLimitMiB }: ProxySize): void {
    checkFargateSize(cpu, memoryLimitMiB);
  }

  public _createTaskDefinition(scope: Construct, { cpu, memoryLimitMiB, cpuArchitecture }: ProxySize): TaskDefinition {
    return new FargateTaskDefinition(scope, 'TaskDefinition', {
      cpu,
      memoryLimitMiB,
      runtimePlatform: { cpuArchitecture, operatingSystemFamily: OperatingSystemFamily.LINUX },
    });
  }

  public _createService(scope: Construct, _size: ProxySize, options: ServiceOptions): BaseService {
    return new FargateService(scope, 'Service', { ...options, assignPublicIp: false });
  }
}

class FargateSpot extends Fargate {
  constructor(private readonly props: FargateSpotProps) {
    super();
    const { onDemandBase = 1, onDemandWeight = 1, spotWeight = 3 } = props;
    checkInteger('onDemandBase', onDemandBase, { min: 0, max: 100_000 });
    // A provider with weight 0 gets no task at all, whatever its base.
    checkInteger('onDemandWeight', onDemandWeight, { min: 1, max: 1000 });
    checkInteger('spotWeight', spotWeight, { min: 1, max: 1000 });
  }

  public override _check(size: ProxySize): void {
    super._check(size);
    if (size.side === MigrationSide.SOURCE)
      reject('compute', 'without Spot for the source, which serves today', 'fargateSpot');
  }

  public override _createService(scope: Construct, size: ProxySize, options: ServiceOptions): BaseService {
    const { onDemandBase = 1, onDemandWeight = 1, spotWeight = 3 } = this.props;
    const { cluster } = options;
    if (cluster instanceof Cluster) cluster.enableFargateCapacityProviders();
    const capacityProviderStrategies = [
      { capacityProvider: 'FARGATE', base: onDemandBase, weight: onDemandWeight },
      { capacityProvider: 'FARGATE_SPOT', weight: spotWeight },
    ];
    return afterCapacity(cluster, super._createService(scope, size, { ...options, capacityProviderStrategies }));
  }
}

const OF_A_NEW_GROUP = ['instanceType', 'minInstances', 'maxInstances'] as const;
/** What a `large` instance has for tasks; some of its 8 GiB are the system's. */
const ROOM = { cpu: 2048, memoryMiB: 7 * 1024 };

/** ECS would wait for an instance that never comes. */
function checkRoom(cpu: number, memoryLimitMiB: number): void {
  const fits = (value: number, max: number) => isLater(value) || value <= max;
  if (fits(cpu, ROOM.cpu) && fits(memoryLimitMiB, ROOM.memoryMiB)) return;
  const rule = `given for proxies with more than ${ROOM.cpu} units of CPU or ${ROOM.memoryMiB} MiB`;
  reject('instanceType', rule, 'nothing');
}

class Ec2 extends ProxyCompute {
  constructor(private readonly props: Ec2ComputeProps) {
    super();
    const { capacityProviderName, minInstances = 2, maxInstances = 10 } = props;
    for (const name of capacityProviderName === undefined ? [] : OF_A_NEW_GROUP) {
      if (props[name] !== undefined) reject(name, "absent next to 'capacityProviderName'", props[name]);
    }
    checkInteger('minInstances', minInstances, { min: 0, max: 1000 });
    const min = isLater(minInstances) ? 1 : Math.max(1, minInstances);
    checkInteger('maxInstances', maxInstances, { min, max: 1000 });
  }

  public _check({ cpu, memoryLimitMiB, cpuArchitecture }: ProxySize): void {
    checkInteger('cpu', cpu, { min: 128, max: 196_608 });
    checkInteger('memoryLimitMiB', memoryLimitMiB, { min: 256, max: 1_048_576 });
    const { instanceType, capacityProviderName } = this.props;
    if (!instanceType && capacityProviderName === undefined) checkRoom(cpu, memoryLimitMiB);
    if (!instanceType || isLater(instanceType.toString())) return;
    const has =
      instanceType.architecture === InstanceArchitecture.ARM_64 ? CpuArchitecture.ARM64 : CpuArchitecture.X86_64;
    if (has !== cpuArchitecture) {
      reject('instanceType', `one with the processors of 'cpuArchitecture'`, instanceType.toString());
    }
  }

  public _createTaskDefinition(scope: Construct, { cpu, memoryLimitMiB }: ProxySize): TaskDefinition {
    return new TaskDefinition(scope, 'TaskDefinition', {
      compatibility: Compatibility.EC2,
      networkMode: NetworkMode.AWS_VPC,
      cpu: Tokenization.stringifyNumber(cpu),
      memoryMiB: Tokenization.stringifyNumber(memoryLimitMiB),
    });
  }

  public _createService(scope: Construct, size: ProxySize, options: ServiceOptions): BaseService {
    const { cluster } = options;
    const capacityProvider = this.props.capacityProviderName ?? this.createCapacity(scope, size, options);
    const capacityProviderStrategies: CapacityProviderStrategy[] = [{ capacityProvider, weight: 1 }];
    const service = new Ec2Service(scope, 'Service', {
      ...options,
      capacityProviderStrategies,
      // A lost zone or a lost instance takes as few proxies with it as can be.
      placementStrategies: [
        PlacementStrategy.spreadAcross('attribute:ecs.availability-zone'),
        PlacementStrategy.spreadAcrossInstances(),
      ],
    });
    return afterCapacity(cluster, service);
  }

  private createCapacity(scope: Construct, { cpuArchitecture }: ProxySize, options: ServiceOptions): string {
    const { cluster, vpcSubnets, apiPeers } = options;
    // A cluster names its capacity, and its stack would have to wait for this one.
    if (!(cluster instanceof Cluster) || Stack.of(cluster) !== Stack.of(scope)) {
      return reject('capacityProviderName', 'given with a cluster of another stack', 'nothing');
    }
    const { instanceType, minInstances = 2, maxInstances = 10 } = this.props;
    const { vpc } = cluster;
    const props = { vpc, vpcSubnets, apiPeers, cpuArchitecture, instanceType, minInstances, maxInstances };
    const capacity = createCapacity(scope, props);
    cluster.addAsgCapacityProvider(capacity);
    return capacity.capacityProviderName;
  }
}

/** The association of a cluster with its capacity is a resource of its own, and a service that comes before it fails. */
function afterCapacity(cluster: ICluster, service: BaseService): BaseService {
  service.node.addDependency(cluster);
  return service;
}
