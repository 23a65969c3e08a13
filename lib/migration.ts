import { CfnOutput, Duration } from 'aws-cdk-lib';
import { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { CfnEIP, GatewayVpcEndpointAwsService, IPeer, IVpc, Peer, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster, ContainerInsights } from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';
import { AdminSecret } from './admin-secret';
import { Cutover } from './cutover';
import { CutoverPlan } from './cutover-plan';
import { MigrationLoadBalancer } from './migration-load-balancer';
import { MigrationSide } from './migration-side';
import { ProxyService } from './proxy-service';
import { StickyTargetGroup } from './sticky-target-group';
import { TrafficWeights } from './traffic-weights';

/** One backend, and the proxies before it. */
export interface MigrationBackend {
  /** Where it listens: `http(s)://host[:port]`, without a path. */
  readonly upstreamUrl: string;

  /**
   * The fewest proxies before it.
   * @default 2
   */
  readonly minTasks?: number;

  /**
   * The most proxies before it.
   * @default 10
   */
  readonly maxTasks?: number;

  /**
   * How long a proxy that is told to stop lets its connections end.
   * @default Duration.seconds(100)
   */
  readonly gracePeriod?: Duration;
}

export interface MigrationProps {
  /** The certificate of `domainName`. */
  readonly certificate: ICertificate;

  /** The name that clients use. */
  readonly domainName: string;

  /** The backend that serves today. */
  readonly source: MigrationBackend;

  /** The backend that will serve. */
  readonly target: MigrationBackend;

  /**
   * The network, with private subnets that reach the AWS APIs and both backends.
   * @default - a new one in two availability zones
   */
  readonly vpc?: IVpc;

  /**
   * What a cutover does unless it is started with a plan of its own.
   * @default CutoverPlan.gradual()
   */
  readonly plan?: CutoverPlan;

  /**
   * Whether the load balancer has public addresses; it still lets nobody in but `allowedPeers`.
   * @default false
   */
  readonly internetFacing?: boolean;

  /**
   * Who may connect to `:443`.
   * @default - nobody
   */
  readonly allowedPeers?: IPeer[];

  /**
   * Who may connect to `:9201` and `:9202` beside the cutover. The cutover reaches an internet-facing load balancer
   * through the NAT gateways: with a `vpc` that was not made in this app, name their addresses here.
   * @default - nobody else
   */
  readonly smokeTestPeers?: IPeer[];

  /**
   * The weights with which the migration is created, and to which a cutover goes back.
   * @default - 100 on the source, 0 on the target
   */
  readonly initialWeights?: TrafficWeights;

  /**
   * How long a client keeps its side: from 1 second to 7 days.
   * @default Duration.hours(1)
   */
  readonly sideStickiness?: Duration;
}

/**
 * Everything that moves one application from a source to a target: the load balancer, the proxies before both backends
 * and the cutover between them.
 *
 * @example
 * new Migration(this, 'Migration', {
 *   vpc,
 *   certificate,
 *   domainName: 'shop.example.com',
 *   source: { upstreamUrl: 'http://old.shop.internal:8080' },
 *   target: { upstreamUrl: 'https://new.shop.internal' },
 *   allowedPeers: [ec2.Peer.ipv4('10.0.0.0/8')],
 * });
 */
export class Migration extends Construct {
  public readonly vpc: IVpc;
  public readonly loadBalancer: MigrationLoadBalancer;

  /** The proxies before the backend that serves today. */
  public readonly source: ProxyService;

  /** The proxies before the backend that will serve. */
  public readonly target: ProxyService;

  public readonly cutover: Cutover;

  constructor(scope: Construct, id: string, props: MigrationProps) {
    super(scope, id);
    this.vpc = props.vpc ?? this.createVpc();
    const sourceGroup = new StickyTargetGroup(this, 'SourceGroup', { vpc: this.vpc });
    const targetGroup = new StickyTargetGroup(this, 'TargetGroup', { vpc: this.vpc });
    this.loadBalancer = new MigrationLoadBalancer(this, 'LoadBalancer', {
      vpc: this.vpc,
      sourceGroup,
      targetGroup,
      certificate: props.certificate,
      internetFacing: props.internetFacing,
      allowedPeers: props.allowedPeers,
      smokeTestPeers: props.smokeTestPeers,
      initialWeights: props.initialWeights,
      sideStickiness: props.sideStickiness,
    });

    const cluster = new Cluster(this, 'Cluster', { vpc: this.vpc, containerInsightsV2: ContainerInsights.ENABLED });
    const { secret } = new AdminSecret(this, 'AdminSecret');
    const proxies = (name: string, side: MigrationSide, targetGroup: StickyTargetGroup, backend: MigrationBackend) =>
      new ProxyService(this, name, { ...backend, side, cluster, targetGroup, adminSecret: secret });
    this.source = proxies('Source', MigrationSide.SOURCE, sourceGroup, props.source);
    this.target = proxies('Target', MigrationSide.TARGET, targetGroup, props.target);
    this.cutover = new Cutover(this, 'Cutover', {
      vpc: this.vpc,
      loadBalancer: this.loadBalancer,
      source: this.source,
      target: this.target,
      adminSecret: secret,
      domainName: props.domainName,
      plan: props.plan,
    });
    if (this.loadBalancer.internetFacing) this.allowSmokeTestsThroughNat();
    this.createOutputs();
  }

  private createVpc(): Vpc {
    return new Vpc(this, 'Vpc', {
      maxAzs: 2,
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    });
  }

  /** Knows the gateways of a network that this app makes; those of an imported one come as `smokeTestPeers`. */
  private allowSmokeTestsThroughNat(): void {
    for (const subnet of this.vpc.publicSubnets) {
      const address = subnet.node.tryFindChild('EIP');
      if (address instanceof CfnEIP) this.loadBalancer.allowSmokeTestsFrom(Peer.ipv4(`${address.ref}/32`));
    }
  }

  private createOutputs(): void {
    new CfnOutput(this, 'LoadBalancerDnsName', { value: this.loadBalancer.loadBalancer.loadBalancerDnsName });
    new CfnOutput(this, 'StateMachineArn', { value: this.cutover.stateMachine.stateMachineArn });
    new CfnOutput(this, 'StoreBucket', { value: this.cutover.store.bucketName });
  }
}
