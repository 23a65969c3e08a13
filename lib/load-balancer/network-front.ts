import { Duration, Tokenization } from 'aws-cdk-lib';
import {
  CfnEIP,
  Connections,
  IConnectable,
  IPeer,
  ISubnet,
  Port,
  SecurityGroup,
  SubnetSelection,
  SubnetType,
} from 'aws-cdk-lib/aws-ec2';
import {
  CfnListener,
  NetworkLoadBalancer,
  NetworkTargetGroup,
  Protocol,
  SubnetMapping,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { AlbArnTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2-targets';
import { Construct } from 'constructs';
import { HEALTH_PATH } from '../../core/proxy/admin-api';
import { acknowledge } from '../validation/nag-suppressions';
import { checkNames } from '../validation/known-props';
import { TCP_IDLE_TIMEOUT, TCP_IDLE_TIMEOUT_BOUNDS } from '../shared/idle-timeouts';
import { MigrationLoadBalancer } from './migration-load-balancer';
import { IMigrationLoadBalancer } from './migration-load-balancer-base';
import { REDIRECT_PORT } from '../shared/ports';
import { reject, isLater } from '../validation/validation';

export interface NetworkFrontProps {
  /** Where the traffic goes on to. */
  readonly loadBalancer: IMigrationLoadBalancer;

  /**
   * Whether it has public addresses. The load balancer behind may be internal all the same.
   * @default false
   */
  readonly internetFacing?: boolean;

  /**
   * Who may connect.
   * @default - none
   */
  readonly allowedPeers?: IPeer[];

  /**
   * The subnets; it has one address in each.
   * @default - the public ones if it is internet-facing, else the private ones
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * The allocation ids of your own Elastic IP addresses, one for each subnet: they outlive the stack. For an
   * internet-facing one.
   * @default - new addresses
   */
  readonly elasticIpAllocationIds?: string[];

  /**
   * Private IPv4 addresses, one for each subnet and inside of it. For an internal one.
   * @default - chosen by AWS, and kept for as long as the front exists
   */
  readonly privateAddresses?: string[];

  /**
   * Whether it cannot be deleted, not even by the rollback of a failed deployment.
   * @default false
   */
  readonly deletionProtection?: boolean;
}

/**
 * A network load balancer with static addresses before the load balancer of a migration. TLS passes through it.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/network/application-load-balancer-target.html
 * @example
 * new NetworkFront(this, 'Front', {
 *   loadBalancer,
 *   internetFacing: true,
 *   allowedPeers: [ec2.Peer.ipv4('192.0.2.0/24')],
 * });
 */
export class NetworkFront extends Construct implements IConnectable {
  /**
   * A target group for a network load balancer of your own: make its listener forward to it, and clients keep their
   * addresses. Let that load balancer's security group in by `allowTrafficFrom`, or its clients if it has none: their
   * addresses stay as they are. With mutual TLS also let it connect to `loadBalancer.healthCheckPort`.
   */
  public static targetGroupFor(scope: Construct, id: string, loadBalancer: IMigrationLoadBalancer): NetworkTargetGroup {
    return createTargetGroup(scope, id, loadBalancer, loadBalancer.trafficPort);
  }

  public readonly loadBalancer: NetworkLoadBalancer;

  /** The static addresses that are known here: new ones, and private ones that were given. */
  public readonly addresses: string[];

  public readonly connections: Connections;

  constructor(scope: Construct, id: string, props: NetworkFrontProps) {
    super(scope, id);
    checkNames('NetworkFrontProps', props);
    acknowledge(this, 'networkFront');
    const { loadBalancer } = props;
    const internetFacing = props.internetFacing ?? false;
    const { subnets } = loadBalancer.vpc.selectSubnets(
      props.vpcSubnets ?? (internetFacing ? { subnetType: SubnetType.PUBLIC } : {}),
    );
    checkAddresses(props, internetFacing, subnets.length);
    const mappings = internetFacing ? this.publicMappings(subnets, props) : privateMappings(subnets, props);
    this.addresses = mappings.flatMap(({ address }) => address ?? []);

    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: loadBalancer.vpc,
      description: 'The network load balancer before a migration',
      allowAllOutbound: false,
    });
    this.loadBalancer = new NetworkLoadBalancer(this, 'LoadBalancer', {
      vpc: loadBalancer.vpc,
      internetFacing,
      securityGroups: [securityGroup],
      subnetMappings: mappings.map(({ mapping }) => mapping),
      deletionProtection: props.deletionProtection ?? false,
    });
    this.connections = new Connections({ securityGroups: [securityGroup] });
    if (loadBalancer instanceof MigrationLoadBalancer) {
      loadBalancer._reachedBy.push(this.loadBalancer.loadBalancerDnsName, ...this.addresses);
    }
    this.forwardTo(loadBalancer);
    for (const peer of props.allowedPeers ?? []) this.allowTrafficFrom(peer, loadBalancer);
    this.node.addValidation({ validate: () => this.doubledPorts() });
  }

  /** Listeners of your own may be added to `loadBalancer`: AWS takes one for each port, whatever its protocol. */
  private doubledPorts(): string[] {
    const ports = this.loadBalancer.node
      .findAll()
      .flatMap((child) => (child instanceof CfnListener && !isLater(child.port) ? [child.port] : []));
    const doubled = ports.filter((port, index) => ports.indexOf(port) !== index);
    return doubled.map((port) => `'port' must be one that no other listener of the front has, got ${port}`);
  }

  private publicMappings(subnets: readonly ISubnet[], props: NetworkFrontProps): Mapping[] {
    return subnets.map((subnet, index) => {
      const given = props.elasticIpAllocationIds?.[index];
      if (given !== undefined) return { mapping: { subnet, allocationId: given } };

      const created = new CfnEIP(this, `Address${index + 1}`, { domain: 'vpc' });
      return { mapping: { subnet, allocationId: created.attrAllocationId }, address: created.ref };
    });
  }

  private forwardTo(loadBalancer: IMigrationLoadBalancer): void {
    // A quiet WebSocket must live here for as long as behind: an NLB forgets a flow without telling either end.
    const tcpIdleTimeout = longerThan(loadBalancer.idleTimeout);
    this.loadBalancer.addListener('Traffic', {
      port: loadBalancer.trafficPort,
      protocol: Protocol.TCP,
      tcpIdleTimeout,
      defaultTargetGroups: [createTargetGroup(this, 'Targets', loadBalancer, loadBalancer.trafficPort)],
    });
    if (loadBalancer.redirectsHttp) {
      this.loadBalancer.addListener('Redirect', {
        port: REDIRECT_PORT,
        protocol: Protocol.TCP,
        defaultTargetGroups: [createTargetGroup(this, 'RedirectTargets', loadBalancer, REDIRECT_PORT)],
      });
    }
    // From here, so that the rules are in this stack: the load balancer may be in another one, which must not wait for it.
    this.connections.allowTo(loadBalancer, Port.tcp(loadBalancer.trafficPort), 'Traffic');
    if (loadBalancer.redirectsHttp) {
      this.connections.allowTo(loadBalancer, Port.tcp(REDIRECT_PORT), 'Redirected to HTTPS');
    }
    if (loadBalancer.healthCheckPort !== loadBalancer.trafficPort) {
      this.connections.allowTo(loadBalancer, Port.tcp(loadBalancer.healthCheckPort), 'Health checks');
    }
  }

  private allowTrafficFrom(peer: IPeer, loadBalancer: IMigrationLoadBalancer): void {
    this.connections.allowFrom(peer, Port.tcp(loadBalancer.trafficPort), 'Traffic');
    if (loadBalancer.redirectsHttp) this.connections.allowFrom(peer, Port.tcp(REDIRECT_PORT), 'Redirected to HTTPS');
  }
}

interface Mapping {
  readonly mapping: SubnetMapping;
  /** If it is known. */
  readonly address?: string;
}

function privateMappings(subnets: readonly ISubnet[], props: NetworkFrontProps): Mapping[] {
  return subnets.map((subnet, index) => {
    const address = props.privateAddresses?.[index];
    return { mapping: { subnet, privateIpv4Address: address }, address };
  });
}

function createTargetGroup(
  parent: Construct,
  id: string,
  loadBalancer: IMigrationLoadBalancer,
  port: number,
): NetworkTargetGroup {
  // eslint-disable-next-line awscdk/no-variable-construct-id -- the caller's
  const group = new NetworkTargetGroup(parent, id, {
    vpc: loadBalancer.vpc,
    port,
    protocol: Protocol.TCP,
    targetType: TargetType.ALB,
    targets: [new AlbArnTarget(loadBalancer.loadBalancer.loadBalancerArn, port)],
    healthCheck: {
      // Any response shows that the load balancer is there. How its proxies are is for itself to judge: a side that is down
      // must not take the other one's addresses out of DNS.
      protocol: Protocol.HTTPS,
      port: Tokenization.stringifyNumber(loadBalancer.healthCheckPort),
      path: HEALTH_PATH,
      healthyHttpCodes: '200-599',
    },
  });
  // An ALB can only be registered on a port on which it listens.
  if (loadBalancer instanceof MigrationLoadBalancer) {
    const { listener, redirectListener } = loadBalancer;
    group.node.addDependency(listener, ...(redirectListener ? [redirectListener] : []));
  }
  return group;
}

function longerThan(idleTimeout: Duration | undefined): Duration | undefined {
  if (idleTimeout === undefined || idleTimeout.isUnresolved()) return undefined;
  const seconds = Math.max(TCP_IDLE_TIMEOUT.toSeconds(), idleTimeout.toSeconds() + 10);
  return Duration.seconds(Math.min(seconds, TCP_IDLE_TIMEOUT_BOUNDS.max.toSeconds()));
}

function checkAddresses(props: NetworkFrontProps, internetFacing: boolean, subnets: number): void {
  const { elasticIpAllocationIds, privateAddresses } = props;
  if (elasticIpAllocationIds && !internetFacing) {
    reject('elasticIpAllocationIds', 'left out unless internetFacing is true', `${elasticIpAllocationIds.length}`);
  }
  if (privateAddresses && internetFacing) {
    reject('privateAddresses', 'left out if internetFacing is true', `${privateAddresses.length}`);
  }
  checkEach(
    'elasticIpAllocationIds',
    elasticIpAllocationIds,
    subnets,
    ALLOCATION_ID,
    'the id of an allocation (eipalloc-…)',
  );
  checkEach('privateAddresses', privateAddresses, subnets, IPV4, 'an IPv4 address');
}

const ALLOCATION_ID = /^eipalloc-[0-9a-f]+$/;
const IPV4 = /^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$/;

function checkEach(name: string, values: string[] | undefined, subnets: number, form: RegExp, rule: string): void {
  if (values === undefined || isLater(values)) return;
  if (values.length !== subnets) reject(name, `one for each of the ${subnets} subnets`, values.length);
  for (const value of values) {
    if (!isLater(value) && !form.test(value)) reject(name, rule, value);
  }
}
