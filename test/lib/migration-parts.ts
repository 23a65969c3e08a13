import { Stack } from 'aws-cdk-lib';
import { IVpc, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster, ICluster } from 'aws-cdk-lib/aws-ecs';
import { ApplicationLoadBalancer } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { IAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Cutover } from '../../lib/cutover/cutover';
import { MigrationLoadBalancer } from '../../lib/load-balancer/migration-load-balancer';
import { MigrationSide } from '../../lib/traffic/migration-side';
import { ProxyService } from '../../lib/proxy/proxy-service';
import { TrafficCapture } from '../../lib/proxy/traffic-capture';
import { StickyTargetGroup } from '../../lib/load-balancer/sticky-target-group';
import { certificateIn } from './fixture';

/** What alarms and dashboards look at. */
export interface Parts {
  readonly vpc: IVpc;
  readonly loadBalancer: MigrationLoadBalancer;
  readonly source: ProxyService;
  readonly target: ProxyService;
  readonly adminSecret: ISecret;
}

interface Place {
  readonly vpc: IVpc;
  readonly cluster: ICluster;
  /** One that exists already. */
  readonly loadBalancerArn?: string;
  /** The proxies of a side are always as many. */
  readonly isFixed?: boolean;
  /** What the proxies of the source record. */
  readonly capture?: TrafficCapture;
}

/** All made in the stack. */
export function newParts(stack: Stack, more: Pick<Place, 'isFixed' | 'capture'> = {}): Parts {
  const vpc = new Vpc(stack, 'Vpc');
  return partsIn(stack, { vpc, cluster: new Cluster(stack, 'Cluster', { vpc }), ...more });
}

export const LOAD_BALANCER = 'app/shop/0123456789abcdef';

/** The network, the cluster and the load balancer are of another stack. */
export function importedParts(stack: Stack): Parts {
  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a', 'b'],
    privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
  });
  const cluster = Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'shop', vpc });
  const loadBalancerArn = `arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/${LOAD_BALANCER}`;
  return partsIn(stack, { vpc, cluster, loadBalancerArn });
}

function partsIn(stack: Stack, { vpc, cluster, loadBalancerArn, isFixed, capture }: Place): Parts {
  const sourceGroup = new StickyTargetGroup(stack, 'SourceGroup', { vpc });
  const targetGroup = new StickyTargetGroup(stack, 'TargetGroup', { vpc });
  const loadBalancer = new MigrationLoadBalancer(stack, 'LoadBalancer', {
    vpc,
    sourceGroup,
    targetGroup,
    certificate: certificateIn(stack),
    loadBalancer: loadBalancerArn === undefined ? undefined : existing(stack, vpc, loadBalancerArn),
  });
  const adminSecret = Secret.fromSecretNameV2(stack, 'AdminSecret', 'admin');
  const proxies = (id: string, side: MigrationSide, group: StickyTargetGroup, maxTasks: number) =>
    new ProxyService(stack, id, {
      cluster,
      side,
      minTasks: isFixed ? maxTasks : undefined,
      maxTasks,
      capture: side === MigrationSide.SOURCE ? capture : undefined,
      adminSecret,
      targetGroup: group,
      upstreamUrl: 'http://shop.internal:8080',
    });
  const source = proxies('Source', MigrationSide.SOURCE, sourceGroup, 6);
  const target = proxies('Target', MigrationSide.TARGET, targetGroup, 8);
  return { vpc, loadBalancer, source, target, adminSecret };
}

function existing(stack: Stack, vpc: IVpc, loadBalancerArn: string) {
  const securityGroup = SecurityGroup.fromSecurityGroupId(stack, 'Theirs', 'sg-0123456789abcdef0');
  return ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'Existing', {
    loadBalancerArn,
    vpc,
    securityGroupId: securityGroup.securityGroupId,
  });
}

export function newCutover(stack: Stack, parts: Parts, alarms?: IAlarm[]): Cutover {
  return new Cutover(stack, 'Cutover', { ...parts, domainName: 'shop.example.com', alarms });
}
