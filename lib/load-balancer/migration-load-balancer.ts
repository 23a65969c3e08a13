import { Duration, RemovalPolicy, Tokenization } from 'aws-cdk-lib';
import { Connections, IConnectable, IVpc, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  DesyncMitigationMode,
  IApplicationListener,
  IApplicationLoadBalancer,
  ListenerAction,
  SslPolicy,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, IBucket } from 'aws-cdk-lib/aws-s3';
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { DECISION_PREFIX } from '../../core/switch/decision';
import { Side, SIDES } from '../../core/traffic/weights';
import { REPLAYS_PREFIX } from '../../core/replay/replay-status';
import { acknowledge } from '../validation/nag-suppressions';
import { checkNames } from '../validation/known-props';
import { annotateExisting } from './existing-load-balancer';
import { IDLE_TIMEOUT } from '../shared/idle-timeouts';
import { createLogBucket, logTo } from './load-balancer-logs';
import {
  IMigrationLoadBalancer,
  ImportedMigrationLoadBalancer,
  MigrationLoadBalancerAttributes,
  MigrationLoadBalancerBase,
} from './migration-load-balancer-base';
import { createVpc } from '../shared/migration-vpc';
import { REDIRECT_PORT } from '../shared/ports';
import { checkSameNetwork, reject } from '../validation/validation';
import { isSelfSigned } from '../certificates/self-signed-certificate';
import { StickyTargetGroup } from './sticky-target-group';
import { ALL_ON_SOURCE, TrafficWeights } from '../traffic/traffic-weights';
import { WeightedRule } from './weighted-rule';
import { checkProps, MigrationLoadBalancerProps, listPorts } from './migration-load-balancer-props';

/**
 * The load balancer of a migration: `:443` shares the traffic between source and target by weight, `:9201` leads to the
 * source alone and `:9202` to the target alone. Internal, and closed to all clients, unless asked otherwise.
 *
 * The weights are live state: a deployment never writes them again (see `WeightedRule`).
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
export class MigrationLoadBalancer extends MigrationLoadBalancerBase {
  /**
   * The load balancer of a migration of another app: to let clients in, to put a `NetworkFront` before it, and to watch it.
   *
   * @example
   * const theirs = MigrationLoadBalancer.fromMigrationLoadBalancerAttributes(this, 'Theirs', {
   *   loadBalancerArn: 'arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/shop/0123456789abcdef',
   *   securityGroup: ec2.SecurityGroup.fromSecurityGroupId(this, 'Group', 'sg-0123456789abcdef0'),
   *   vpc,
   * });
   * new NetworkFront(this, 'Front', { loadBalancer: theirs, internetFacing: true });
   */
  public static fromMigrationLoadBalancerAttributes(
    scope: Construct,
    id: string,
    attributes: MigrationLoadBalancerAttributes,
  ): IMigrationLoadBalancer {
    // eslint-disable-next-line awscdk/require-passing-this -- the caller's
    return new ImportedMigrationLoadBalancer(scope, id, attributes);
  }

  public readonly vpc: IVpc;
  public readonly loadBalancer: IApplicationLoadBalancer;

  /** Where clients connect. */
  public readonly listener: IApplicationListener;

  /** Leads to the source alone. */
  public readonly sourceListener: ApplicationListener;

  /** Leads to the target alone. */
  public readonly targetListener: ApplicationListener;

  /** Sends clients of `:80` to the traffic's port, if asked for. */
  public readonly redirectListener?: ApplicationListener;

  public readonly trafficPort: number;
  public readonly sourcePort: number;
  public readonly targetPort: number;

  /** A port on which a load balancer in front can ask for health without a client certificate. */
  public readonly healthCheckPort: number;

  /** The rule whose weights a cutover moves. */
  public readonly weightedRule: WeightedRule;

  public readonly sourceGroup: StickyTargetGroup;
  public readonly targetGroup: StickyTargetGroup;
  public readonly initialWeights: TrafficWeights;
  public readonly internetFacing: boolean;

  /** Whether the certificate comes from a `SelfSignedCertificate`: clients of the smoke-test ports have to accept it. */
  public readonly hasSelfSignedCertificate: boolean;

  /** How long a connection may be quiet; unknown of an existing load balancer. */
  public readonly idleTimeout?: Duration;

  /** Holds the lock, abort requests, approvals and the evidence of every cutover; it outlives the stack. */
  public readonly store: Bucket;

  /** Where the logs go; unknown of an existing load balancer. */
  public readonly accessLogBucket?: IBucket;

  public readonly connections: Connections;

  /**
   * The hosts under which clients reach it, beside names of their own: its DNS name, and what stands in front of it.
   * @internal
   */
  public readonly _reachedBy: string[] = [];

  /** The sides whose smoke-test port allows a peer. */
  private readonly openedSides = new Set<Side>();

  constructor(scope: Construct, id: string, props: MigrationLoadBalancerProps) {
    super(scope, id);
    checkNames('MigrationLoadBalancerProps', props);
    checkProps(props);
    const ports = listPorts(props);
    this.trafficPort = ports.traffic;
    this.sourcePort = ports.source;
    this.targetPort = ports.target;
    this.healthCheckPort = props.mutualTls?._isRequired ? ports.source : ports.traffic;
    this.internetFacing = props.internetFacing ?? false;
    this.hasSelfSignedCertificate = isSelfSigned(props.certificate);
    this.initialWeights = props.initialWeights ?? ALL_ON_SOURCE;

    this.vpc = this.findNetwork(props);
    checkSameNetwork('loadBalancer', props.loadBalancer?.vpc, this.vpc);
    this.sourceGroup = props.sourceGroup ?? new StickyTargetGroup(this, 'SourceGroup', { vpc: this.vpc });
    this.targetGroup = props.targetGroup ?? new StickyTargetGroup(this, 'TargetGroup', { vpc: this.vpc });
    this.store = this.createStore(props.encryptionKey);
    acknowledge(this.store, 'store');
    if (props.loadBalancer) {
      annotateExisting(this, props);
      this.loadBalancer = props.loadBalancer;
    } else {
      this.idleTimeout = props.idleTimeout ?? IDLE_TIMEOUT;
      this.accessLogBucket = props.accessLogBucket ?? createLogBucket(this, props.logRetention ?? Duration.days(90));
      this.loadBalancer = this.createLoadBalancer(props, this.accessLogBucket);
    }
    this._reachedBy.push(...listDnsNames(this.loadBalancer));
    this.connections = this.loadBalancer.connections;
    if (props.webAclArn !== undefined) this.protect(props.webAclArn);

    this.listener = props.listener ?? this.listenToTraffic(props);
    this.sourceListener = this.listenFor(this.sourceGroup, 'Source', this.sourcePort, props);
    this.targetListener = this.listenFor(this.targetGroup, 'Target', this.targetPort, props);
    if (props.redirectHttp) this.redirectListener = this.redirect();
    this.weightedRule = this.shareByWeight(props);
    this.letIn(props);
  }

  /** Whether `:80` redirects clients to HTTPS. */
  public get redirectsHttp(): boolean {
    return this.redirectListener !== undefined;
  }

  /** @internal */
  public override _allowSmokeTests(side: Side, peer: IConnectable): void {
    this.openedSides.add(side);
    super._allowSmokeTests(side, peer);
  }

  /**
   * Whether peers other than the cutover may connect to both smoke-test ports.
   * @internal
   */
  public get _letsSmokeTestsIn(): boolean {
    return this.openedSides.size === SIDES.length;
  }

  private findNetwork(props: MigrationLoadBalancerProps): IVpc {
    const vpc = props.vpc ?? props.loadBalancer?.vpc;
    if (vpc) return vpc;
    if (props.loadBalancer) reject('vpc', 'given with a load balancer that does not know its own', 'none');
    if (props.sourceGroup ?? props.targetGroup) reject('vpc', 'the network of the target groups', 'none');
    return createVpc(this);
  }

  private createStore(encryptionKey: IKey | undefined): Bucket {
    const store = new Bucket(this, 'Store', {
      encryption: encryptionKey ? BucketEncryption.KMS : BucketEncryption.S3_MANAGED,
      encryptionKey,
      // One call of the key for many objects.
      bucketKeyEnabled: encryptionKey ? true : undefined,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      // Of what replays say of themselves each second no version is evidence.
      lifecycleRules: [{ prefix: REPLAYS_PREFIX, noncurrentVersionExpiration: Duration.days(1) }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    writeDecisionsOnce(store);
    return store;
  }

  private createLoadBalancer(props: MigrationLoadBalancerProps, logBucket: IBucket): ApplicationLoadBalancer {
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: this.vpc,
      description: 'The load balancer of a migration',
      allowAllOutbound: false,
    });
    const loadBalancer = new ApplicationLoadBalancer(this, 'LoadBalancer', {
      vpc: this.vpc,
      vpcSubnets: props.vpcSubnets,
      securityGroup,
      internetFacing: this.internetFacing,
      ipAddressType: props.ipAddressType,
      deletionProtection: props.deletionProtection ?? false,
      http2Enabled: true,
      // Without it the port is appended to the Host of smoke requests, and an application may respond to them otherwise.
      preserveHostHeader: true,
      dropInvalidHeaderFields: props.dropInvalidHeaderFields ?? true,
      desyncMitigationMode: props.desyncMitigationMode ?? DesyncMitigationMode.STRICTEST,
      // Shorter than the proxies keep an idle connection (`PROXY_IDLE_TIMEOUT`).
      idleTimeout: this.idleTimeout,
      clientKeepAlive: props.clientKeepAlive ?? Duration.hours(1),
    });
    logTo(logBucket, loadBalancer, (props.connectionLogs ?? true) ? ['access', 'connection'] : ['access']);
    return loadBalancer;
  }

  private protect(webAclArn: string): void {
    new CfnWebACLAssociation(this, 'WebAcl', { webAclArn, resourceArn: this.loadBalancer.loadBalancerArn });
  }

  private listenToTraffic(props: MigrationLoadBalancerProps): ApplicationListener {
    return new ApplicationListener(this, 'Traffic', {
      ...this.httpsOn(this.trafficPort, props),
      // A safe constant: what moves is the rule, so that an update of the listener can never move traffic.
      defaultAction: ListenerAction.fixedResponse(503, {
        contentType: 'text/plain',
        messageBody: 'Service unavailable',
      }),
      mutualAuthentication: props.mutualTls?._bind(this),
    });
  }

  private listenFor(group: StickyTargetGroup, id: string, port: number, props: MigrationLoadBalancerProps) {
    const defaultAction = ListenerAction.forward([group.targetGroup]);
    group._smokeTestPorts.push(port);
    return new ApplicationListener(this, id, { ...this.httpsOn(port, props), defaultAction });
  }

  private httpsOn(port: number, props: MigrationLoadBalancerProps) {
    return {
      loadBalancer: this.loadBalancer,
      port,
      protocol: ApplicationProtocol.HTTPS,
      certificates: [props.certificate],
      sslPolicy: props.sslPolicy ?? SslPolicy.TLS13_RES,
      open: false,
    };
  }

  private redirect(): ApplicationListener {
    return new ApplicationListener(this, 'Redirect', {
      loadBalancer: this.loadBalancer,
      port: REDIRECT_PORT,
      protocol: ApplicationProtocol.HTTP,
      open: false,
      defaultAction: ListenerAction.redirect({
        protocol: 'HTTPS',
        port: Tokenization.stringifyNumber(this.trafficPort),
        permanent: true,
      }),
    });
  }

  private shareByWeight(props: MigrationLoadBalancerProps): WeightedRule {
    const rule = new WeightedRule(this, 'WeightedRule', {
      listener: this.listener,
      sourceGroup: this.sourceGroup,
      targetGroup: this.targetGroup,
      initialWeights: this.initialWeights,
      sideStickiness: props.sideStickiness ?? Duration.hours(1),
      store: this.store,
      priority: props.rulePriority,
      pathPatterns: props.pathPatterns,
      hostHeaders: props.hostHeaders,
    });
    if (props.listener) rule._joinListener();
    return rule;
  }

  private letIn(props: MigrationLoadBalancerProps): void {
    const { sourcePeers = [], targetPeers = [] } = props.smokeTests ?? {};
    for (const peer of props.allowedPeers ?? []) this.allowTrafficFrom(peer);
    for (const peer of props.smokeTestPeers ?? []) this.allowSmokeTestsFrom(peer);
    for (const peer of sourcePeers) this._allowSmokeTests('source', peer);
    for (const peer of targetPeers) this._allowSmokeTests('target', peer);
  }
}

/**
 * The first one to decide a switch has decided it, whatever rights another writer has. An upload in parts has no such condition before
 * its last part, and is denied at its first.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
 */
function writeDecisionsOnce(store: Bucket): void {
  store.addToResourcePolicy(
    new PolicyStatement({
      sid: 'WriteDecisionsOnce',
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ['s3:PutObject'],
      resources: [store.arnForObjects(`${DECISION_PREFIX}*`)],
      conditions: { Null: { 's3:if-none-match': 'true' } },
    }),
  );
}

/** One that was imported without its name throws when it is asked for it. */
function listDnsNames(loadBalancer: IApplicationLoadBalancer): string[] {
  try {
    return [loadBalancer.loadBalancerDnsName];
  } catch {
    return [];
  }
}
