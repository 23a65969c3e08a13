import { AutoScalingGroup, BlockDeviceVolume, EbsDeviceVolumeType, HealthChecks } from 'aws-cdk-lib/aws-autoscaling';
import {
  InstanceType,
  IPeer,
  IVpc,
  LaunchTemplate,
  SecurityGroup,
  SubnetSelection,
  UserData,
} from 'aws-cdk-lib/aws-ec2';
import { AmiHardwareType, AsgCapacityProvider, CpuArchitecture, EcsOptimizedImage } from 'aws-cdk-lib/aws-ecs';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { allowApis } from '../shared/api-peers';

interface ProxyInstancesProps {
  readonly vpc: IVpc;
  readonly vpcSubnets?: SubnetSelection;
  readonly apiPeers?: IPeer[];
  readonly cpuArchitecture: CpuArchitecture;
  readonly instanceType?: InstanceType;
  readonly minInstances: number;
  readonly maxInstances: number;
}

/** Instances for the proxies of one side, for a cluster to add. */
export function createCapacity(scope: Construct, props: ProxyInstancesProps): AsgCapacityProvider {
  // eslint-disable-next-line awscdk/require-passing-this -- a function of the one who calls
  return new ProxyInstances(scope, 'Instances', props).capacityProvider;
}

const ROOT_VOLUME_GIB = 30;

/**
 * An Auto Scaling group of ECS. No instance goes before its tasks have: they are protected from scale-in while they have
 * any, and drained when they must go.
 */
class ProxyInstances extends Construct {
  readonly capacityProvider: AsgCapacityProvider;

  constructor(scope: Construct, id: string, props: ProxyInstancesProps) {
    super(scope, id);
    const autoScalingGroup = new AutoScalingGroup(this, 'Group', {
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets,
      launchTemplate: this.createTemplate(props),
      minCapacity: props.minInstances,
      maxCapacity: props.maxInstances,
      healthChecks: HealthChecks.ec2(),
    });
    this.capacityProvider = new AsgCapacityProvider(this, 'Capacity', {
      autoScalingGroup,
      enableManagedScaling: true,
      enableManagedTerminationProtection: true,
      enableManagedDraining: true,
    });
  }

  private createTemplate(props: ProxyInstancesProps): LaunchTemplate {
    const { vpc, apiPeers, cpuArchitecture, instanceType } = props;
    const isX86 = cpuArchitecture === CpuArchitecture.X86_64;
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'The instances of proxies, which have a security group of their own',
      allowAllOutbound: false,
    });
    allowApis(securityGroup, apiPeers, 'ECS, images and logs');
    const userData = UserData.forLinux();
    // The credentials of the instance are none of the tasks' business.
    userData.addCommands('echo ECS_AWSVPC_BLOCK_IMDS=true >> /etc/ecs/ecs.config');
    const volume = { encrypted: true, volumeType: EbsDeviceVolumeType.GP3 };
    return new LaunchTemplate(this, 'Template', {
      instanceType: instanceType ?? new InstanceType(isX86 ? 'm7i.large' : 'm7g.large'),
      machineImage: EcsOptimizedImage.amazonLinux2023(isX86 ? AmiHardwareType.STANDARD : AmiHardwareType.ARM),
      role: new Role(this, 'Role', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') }),
      securityGroup,
      userData,
      requireImdsv2: true,
      httpPutResponseHopLimit: 1,
      detailedMonitoring: true,
      blockDevices: [{ deviceName: '/dev/xvda', volume: BlockDeviceVolume.ebs(ROOT_VOLUME_GIB, volume) }],
    });
  }
}
