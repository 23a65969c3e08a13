import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Connections, IConnectable, IPeer, IVpc, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationListener,
  ApplicationListenerRule,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  DesyncMitigationMode,
  ListenerAction,
  ListenerCondition,
  SslPolicy,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { SMOKE_PORTS, TRAFFIC_PORT } from './ports';
import { checkDuration, checkWeights } from './refusals';
import { StickyTargetGroup } from './sticky-target-group';
import { ALL_ON_SOURCE, TrafficWeights } from './traffic-weights';

export interface MigrationLoadBalancerProps {
  /** The network of the load balancer. */
  readonly vpc: IVpc;

  /** The certificate of the name that clients use. */
  readonly certificate: ICertificate;

  /** The proxies before the backend that serves today. */
  readonly sourceGroup: StickyTargetGroup;

  /** The proxies before the backend that will serve. */
  readonly targetGroup: StickyTargetGroup;

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
   * Who may connect to `:9201` and `:9202`; the cutover may anyway.
   * @default - nobody else
   */
  readonly smokeTestPeers?: IPeer[];

  /**
   * The weights with which the rule on `:443` is created.
   * @default - 100 on the source, 0 on the target
   */
  readonly initialWeights?: TrafficWeights;

  /**
   * How long a client keeps its side once it was drawn: from 1 second to 7 days.
   * @default Duration.hours(1)
   */
  readonly sideStickiness?: Duration;

  /**
   * Where the access logs go. An imported bucket must let the load balancer write by its own policy.
   * @default - a new bucket
   */
  readonly accessLogBucket?: IBucket;
}

/**
 * The load balancer of a migration: `:443` shares the traffic between source and target by weight, `:9201` leads to the
 * source alone and `:9202` to the target alone. Internal, and closed to everybody, unless asked otherwise.
 *
 * The weights are live state once a cutover has moved them. CloudFormation writes them again only when the rule itself
 * is changed in the template: change nothing of it between a cutover and its end.
 *
 * @example
 * new MigrationLoadBalancer(this, 'LoadBalancer', {
 *   vpc,
 *   certificate,
 *   sourceGroup: new StickyTargetGroup(this, 'Source', { vpc }),
 *   targetGroup: new StickyTargetGroup(this, 'Target', { vpc }),
 *   allowedPeers: [ec2.Peer.ipv4('10.0.0.0/8')],
 * });
 */
export class MigrationLoadBalancer extends Construct implements IConnectable {
  public readonly loadBalancer: ApplicationLoadBalancer;

  /** `:443`. */
  public readonly listener: ApplicationListener;

  /** `:9201`. */
  public readonly sourceListener: ApplicationListener;

  /** `:9202`. */
  public readonly targetListener: ApplicationListener;

  /** The rule whose weights a cutover moves. */
  public readonly weightedRule: ApplicationListenerRule;

  public readonly sourceGroup: StickyTargetGroup;
  public readonly targetGroup: StickyTargetGroup;
  public readonly initialWeights: TrafficWeights;
  public readonly internetFacing: boolean;
  public readonly accessLogBucket: IBucket;
  public readonly connections: Connections;

  constructor(scope: Construct, id: string, props: MigrationLoadBalancerProps) {
    super(scope, id);
    this.initialWeights = props.initialWeights ?? ALL_ON_SOURCE;
    checkWeights('initialWeights', this.initialWeights);
    const sideStickiness = props.sideStickiness ?? Duration.hours(1);
    checkDuration('sideStickiness', sideStickiness, { min: Duration.seconds(1), max: Duration.days(7) });
    this.sourceGroup = props.sourceGroup;
    this.targetGroup = props.targetGroup;
    this.internetFacing = props.internetFacing ?? false;

    this.loadBalancer = this.createLoadBalancer(props.vpc);
    this.connections = this.loadBalancer.connections;
    this.accessLogBucket = props.accessLogBucket ?? this.createLogBucket();
    this.logAccess();

    this.listener = this.listen('Traffic', TRAFFIC_PORT, props.certificate, noRule());
    this.weightedRule = this.shareByWeight(sideStickiness);
    this.sourceListener = this.listen('Source', SMOKE_PORTS.source, props.certificate, to(this.sourceGroup));
    this.targetListener = this.listen('Target', SMOKE_PORTS.target, props.certificate, to(this.targetGroup));
    for (const peer of props.allowedPeers ?? []) this.listener.connections.allowDefaultPortFrom(peer);
    for (const peer of props.smokeTestPeers ?? []) this.allowSmokeTestsFrom(peer);
  }

  /** Lets a peer connect to `:9201` and `:9202`. */
  public allowSmokeTestsFrom(peer: IConnectable): void {
    this.sourceListener.connections.allowDefaultPortFrom(peer, 'Smoke tests of the source');
    this.targetListener.connections.allowDefaultPortFrom(peer, 'Smoke tests of the target');
  }

  private createLoadBalancer(vpc: IVpc): ApplicationLoadBalancer {
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'The load balancer of a migration',
      allowAllOutbound: false,
    });
    return new ApplicationLoadBalancer(this, 'LoadBalancer', {
      vpc,
      securityGroup,
      internetFacing: this.internetFacing,
      http2Enabled: true,
      dropInvalidHeaderFields: true,
      desyncMitigationMode: DesyncMitigationMode.STRICTEST,
      // Shorter than the 75 s for which a proxy keeps an idle connection: were the proxy to close first, a request
      // already on its way would end in a 502. WebSockets that are quiet for longer need pings.
      idleTimeout: Duration.seconds(60),
    });
  }

  private createLogBucket(): IBucket {
    return new Bucket(this, 'AccessLogs', {
      // The only encryption to which a load balancer can write its access logs.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  /**
   * Not `logAccessLogs`, which needs to know the region at synth: the log delivery service's own principal does not.
   *
   * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
   */
  private logAccess(): void {
    const bucket = this.accessLogBucket;
    bucket.addToResourcePolicy(
      new PolicyStatement({
        actions: ['s3:PutObject'],
        principals: [new ServicePrincipal('logdelivery.elasticloadbalancing.amazonaws.com')],
        resources: [bucket.arnForObjects(`AWSLogs/${Stack.of(this).account}/*`)],
      }),
    );
    this.loadBalancer.setAttribute('access_logs.s3.enabled', 'true');
    this.loadBalancer.setAttribute('access_logs.s3.bucket', bucket.bucketName);
    // The load balancer tries to write as soon as it is told to.
    if (bucket.policy) this.loadBalancer.node.addDependency(bucket.policy);
  }

  private listen(id: string, port: number, certificate: ICertificate, action: ListenerAction): ApplicationListener {
    return this.loadBalancer.addListener(id, {
      port,
      protocol: ApplicationProtocol.HTTPS,
      certificates: [certificate],
      sslPolicy: SslPolicy.TLS13_RES,
      open: false,
      defaultAction: action,
    });
  }

  private shareByWeight(stickinessDuration: Duration): ApplicationListenerRule {
    return new ApplicationListenerRule(this, 'WeightedRule', {
      listener: this.listener,
      // Leaves room for rules of your own before it.
      priority: 1000,
      conditions: [ListenerCondition.pathPatterns(['/*'])],
      action: ListenerAction.weightedForward(
        [
          { targetGroup: this.sourceGroup.targetGroup, weight: this.initialWeights.source },
          { targetGroup: this.targetGroup.targetGroup, weight: this.initialWeights.target },
        ],
        { stickinessDuration },
      ),
    });
  }
}

/** A safe constant: what moves is the rule, so that an update of the listener can never move traffic. */
function noRule(): ListenerAction {
  return ListenerAction.fixedResponse(503, { contentType: 'text/plain', messageBody: 'Service unavailable' });
}

function to(group: StickyTargetGroup): ListenerAction {
  return ListenerAction.forward([group.targetGroup]);
}
