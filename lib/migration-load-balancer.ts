import { Duration, RemovalPolicy, Token, Tokenization } from 'aws-cdk-lib';
import { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, IConnectable, IPeer, IVpc, Port, SecurityGroup, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  DesyncMitigationMode,
  HttpCodeElb,
  IApplicationListener,
  IApplicationLoadBalancer,
  ListenerAction,
  SslPolicy,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { BlockPublicAccess, Bucket, BucketEncryption, IBucket } from 'aws-cdk-lib/aws-s3';
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged-rules';
import { annotateExisting } from './existing-load-balancer';
import { IDLE_TIMEOUT, IDLE_TIMEOUT_BOUNDS } from './idle-timeouts';
import { createLogBucket, logTo } from './load-balancer-logs';
import { createVpc } from './migration-vpc';
import { MutualTls } from './mutual-tls';
import { REDIRECT_PORT, SMOKE_PORTS, TRAFFIC_PORT } from './ports';
import { checkDuration, checkPort, refuse } from './refusals';
import { isSelfSigned } from './self-signed-certificate';
import { StickyTargetGroup } from './sticky-target-group';
import { ALL_ON_SOURCE, TrafficWeights } from './traffic-weights';
import { WeightedRule } from './weighted-rule';

/** The listeners that lead to one side alone. */
export interface SmokeTestProps {
  /**
   * The port that leads to the source alone.
   * @default 9201
   */
  readonly sourcePort?: number;

  /**
   * The port that leads to the target alone.
   * @default 9202
   */
  readonly targetPort?: number;

  /**
   * Who may connect to the source's port, beside `smokeTestPeers` and the cutover.
   * @default - nobody else
   */
  readonly sourcePeers?: IPeer[];

  /**
   * Who may connect to the target's port, beside `smokeTestPeers` and the cutover.
   * @default - nobody else
   */
  readonly targetPeers?: IPeer[];
}

export interface MigrationLoadBalancerProps {
  /**
   * The certificate of the name that clients use. `MigrationCertificate` makes one that you do not have.
   */
  readonly certificate: ICertificate;

  /**
   * The network of the load balancer.
   * @default - that of the existing load balancer, or a new one in two availability zones
   */
  readonly vpc?: IVpc;

  /**
   * The subnets of a new load balancer.
   * @default - the public ones if it is internet-facing, else the private ones
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * The proxies before the backend that serves today.
   * @default - a new group
   */
  readonly sourceGroup?: StickyTargetGroup;

  /**
   * The proxies before the backend that will serve.
   * @default - a new group
   */
  readonly targetGroup?: StickyTargetGroup;

  /**
   * An existing load balancer: it gets the listeners, and keeps its attributes.
   * @default - a new one
   */
  readonly loadBalancer?: IApplicationLoadBalancer;

  /**
   * A listener that the existing load balancer has for the traffic: the weighted rule joins its rules. See to it that no
   * rule before it catches the same requests.
   * @default - a new one on `trafficPort`
   */
  readonly listener?: IApplicationListener;

  /**
   * Whether the load balancer has public addresses; it still lets nobody in but `allowedPeers`. Of an existing one, say
   * what it is.
   * @default false
   */
  readonly internetFacing?: boolean;

  /**
   * The port of the traffic.
   * @default 443
   */
  readonly trafficPort?: number;

  /**
   * Who may connect to the traffic's port, and to `:80` where it redirects.
   * @default - nobody
   */
  readonly allowedPeers?: IPeer[];

  /**
   * Who may connect to both smoke-test ports; the cutover may anyway.
   * @default - nobody else
   */
  readonly smokeTestPeers?: IPeer[];

  /**
   * The ports of the smoke tests, and peers of one of them alone.
   * @default - 9201 and 9202
   */
  readonly smokeTests?: SmokeTestProps;

  /**
   * Whether `:80` tells clients to come back with HTTPS.
   * @default false
   */
  readonly redirectHttp?: boolean;

  /**
   * The versions and ciphers of TLS on all listeners.
   * @default SslPolicy.TLS13_RES
   */
  readonly sslPolicy?: SslPolicy;

  /**
   * Whether clients of the traffic's port show a certificate.
   * @default - they are not asked for one
   */
  readonly mutualTls?: MutualTls;

  /**
   * The weights with which the rule is created; a later change of them changes nothing.
   * @default - 100 on the source, 0 on the target
   */
  readonly initialWeights?: TrafficWeights;

  /**
   * How long a client keeps its side once it was drawn: from 1 second to 7 days.
   * @default Duration.hours(1)
   */
  readonly sideStickiness?: Duration;

  /**
   * The place of the weighted rule among those of its listener: from 1 to 50000, the lowest first.
   * @default 1000
   */
  readonly rulePriority?: number;

  /**
   * The paths that are shared out by weight, with `*` and `?` as wildcards.
   * @default - all
   */
  readonly pathPatterns?: string[];

  /**
   * The host names that are shared out by weight, with `*` and `?` as wildcards.
   * @default - all
   */
  readonly hostHeaders?: string[];

  /**
   * Where the logs of a new load balancer go. An imported bucket must let the load balancer write by its own policy.
   * @default - a new bucket
   */
  readonly accessLogBucket?: IBucket;

  /**
   * How long a new bucket keeps the logs.
   * @default Duration.days(90)
   */
  readonly logRetention?: Duration;

  /**
   * Whether connections are logged as well as requests: also those that fail before a request, in the TLS handshake.
   * @default true
   */
  readonly connectionLogs?: boolean;

  /**
   * A regional web ACL of AWS WAF that looks at the requests first.
   * @default - none
   */
  readonly webAclArn?: string;

  /**
   * Whether the load balancer cannot be deleted, not even by the rollback of a failed deployment.
   * @default false
   */
  readonly deletionProtection?: boolean;

  /**
   * How long a connection may be quiet, from 1 second to 4000 seconds: a WebSocket that is quiet for longer needs pings.
   * @default Duration.minutes(10)
   */
  readonly idleTimeout?: Duration;

  /**
   * How old a client's connection may become: from 1 minute to 7 days. It ends between two requests, WebSockets live on.
   * @default Duration.hours(1)
   */
  readonly clientKeepAlive?: Duration;

  /**
   * What happens to requests that do not follow RFC 7230.
   * @default DesyncMitigationMode.STRICTEST
   */
  readonly desyncMitigationMode?: DesyncMitigationMode;

  /**
   * Whether header fields with other characters in their name than letters, digits and hyphens are removed. If a backend
   * needs such a field (`X_User`), set this to false.
   * @default true
   */
  readonly dropInvalidHeaderFields?: boolean;
}

/**
 * The load balancer of a migration: `:443` shares the traffic between source and target by weight, `:9201` leads to the
 * source alone and `:9202` to the target alone. Internal, and closed to everybody, unless asked otherwise.
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
export class MigrationLoadBalancer extends Construct implements IConnectable {
  public readonly vpc: IVpc;
  public readonly loadBalancer: IApplicationLoadBalancer;

  /** Where clients come in. */
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

  /** Whether the certificate comes from a `SelfSignedCertificate`: whoever tests the listeners has to accept it. */
  public readonly hasSelfSignedCertificate: boolean;

  /** How long a connection may be quiet; unknown of an existing load balancer. */
  public readonly idleTimeout?: Duration;

  /** Holds the lock, abort requests, approvals and the evidence of every cutover; it outlives the stack. */
  public readonly store: Bucket;

  /** Where the logs go; unknown of an existing load balancer. */
  public readonly accessLogBucket?: IBucket;

  public readonly connections: Connections;

  constructor(scope: Construct, id: string, props: MigrationLoadBalancerProps) {
    super(scope, id);
    checkProps(props);
    const ports = portsOf(props);
    this.trafficPort = ports.traffic;
    this.sourcePort = ports.source;
    this.targetPort = ports.target;
    this.healthCheckPort = props.mutualTls?._isRequired ? ports.source : ports.traffic;
    this.internetFacing = props.internetFacing ?? false;
    this.hasSelfSignedCertificate = isSelfSigned(props.certificate);
    this.initialWeights = props.initialWeights ?? ALL_ON_SOURCE;

    this.vpc = this.networkOf(props);
    this.sourceGroup = props.sourceGroup ?? new StickyTargetGroup(this, 'SourceGroup', { vpc: this.vpc });
    this.targetGroup = props.targetGroup ?? new StickyTargetGroup(this, 'TargetGroup', { vpc: this.vpc });
    this.store = this.createStore();
    acknowledge(this.store, 'store');
    if (props.loadBalancer) {
      annotateExisting(this, props);
      this.loadBalancer = props.loadBalancer;
    } else {
      this.idleTimeout = props.idleTimeout ?? IDLE_TIMEOUT;
      this.accessLogBucket = props.accessLogBucket ?? createLogBucket(this, props.logRetention ?? Duration.days(90));
      this.loadBalancer = this.createLoadBalancer(props, this.accessLogBucket);
    }
    this.connections = this.loadBalancer.connections;
    if (props.webAclArn !== undefined) this.protect(props.webAclArn);

    this.listener = props.listener ?? this.listenToTraffic(props);
    this.sourceListener = this.listenFor(this.sourceGroup, 'Source', this.sourcePort, props);
    this.targetListener = this.listenFor(this.targetGroup, 'Target', this.targetPort, props);
    if (props.redirectHttp) this.redirectListener = this.redirect();
    this.weightedRule = this.shareByWeight(props);
    this.letIn(props);
  }

  /** Lets a peer connect to the traffic's port, and to `:80` where it redirects. */
  public allowTrafficFrom(peer: IConnectable): void {
    this.connections.allowFrom(peer, Port.tcp(this.trafficPort), 'Traffic');
    if (this.redirectListener) this.connections.allowFrom(peer, Port.tcp(REDIRECT_PORT), 'Redirected to HTTPS');
  }

  /** Lets a peer connect to both smoke-test ports. */
  public allowSmokeTestsFrom(peer: IConnectable): void {
    this.sourceListener.connections.allowDefaultPortFrom(peer, 'Smoke tests of the source');
    this.targetListener.connections.allowDefaultPortFrom(peer, 'Smoke tests of the target');
  }

  /** How many requests were answered by either side; their sum over 5 minutes. */
  public metricRequestCount(props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.requestCount(props);
  }

  /** How many answers of a class, such as 5xx, the load balancer made itself; their sum over 5 minutes. */
  public metricHttpCodeElb(code: HttpCodeElb, props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.httpCodeElb(code, props);
  }

  /** How long the proxies took to answer, in seconds; the average over 5 minutes. */
  public metricTargetResponseTime(props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.targetResponseTime(props);
  }

  /** How many connections there are, of clients and to proxies; their sum over 5 minutes. */
  public metricActiveConnectionCount(props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.activeConnectionCount(props);
  }

  /** How many connections were refused because there were too many; their sum over 5 minutes. */
  public metricRejectedConnectionCount(props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.rejectedConnectionCount(props);
  }

  private networkOf(props: MigrationLoadBalancerProps): IVpc {
    const vpc = props.vpc ?? props.loadBalancer?.vpc;
    if (vpc) return vpc;
    if (props.loadBalancer) refuse('vpc', 'given with a load balancer that does not know its own', 'none');
    if (props.sourceGroup ?? props.targetGroup) refuse('vpc', 'the network of the target groups', 'none');
    return createVpc(this);
  }

  private createStore(): Bucket {
    return new Bucket(this, 'Store', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
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
      deletionProtection: props.deletionProtection ?? false,
      http2Enabled: true,
      // Without it the port is appended to the Host of smoke requests, and an application may answer them otherwise.
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
    return new WeightedRule(this, 'WeightedRule', {
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
  }

  private letIn(props: MigrationLoadBalancerProps): void {
    const { sourcePeers = [], targetPeers = [] } = props.smokeTests ?? {};
    for (const peer of props.allowedPeers ?? []) this.allowTrafficFrom(peer);
    for (const peer of props.smokeTestPeers ?? []) this.allowSmokeTestsFrom(peer);
    for (const peer of sourcePeers)
      this.sourceListener.connections.allowDefaultPortFrom(peer, 'Smoke tests of the source');
    for (const peer of targetPeers)
      this.targetListener.connections.allowDefaultPortFrom(peer, 'Smoke tests of the target');
  }
}

/** The ports of all listeners, each with one of its own. */
function portsOf(props: MigrationLoadBalancerProps): { traffic: number; source: number; target: number } {
  const traffic = props.trafficPort ?? TRAFFIC_PORT;
  const source = props.smokeTests?.sourcePort ?? SMOKE_PORTS.source;
  const target = props.smokeTests?.targetPort ?? SMOKE_PORTS.target;
  const taken = new Set<number>(props.redirectHttp ? [REDIRECT_PORT] : []);
  const named = { trafficPort: traffic, 'smokeTests.sourcePort': source, 'smokeTests.targetPort': target };
  for (const [name, port] of Object.entries(named)) {
    checkPort(name, port);
    if (Token.isUnresolved(port)) continue;
    if (taken.has(port)) refuse(name, 'a port that no other listener has', port);
    taken.add(port);
  }
  return { traffic, source, target };
}

const WEB_ACL = /^arn:[\w-]+:wafv2:[\w-]+:\d{12}:regional\/webacl\/.+/;

function checkProps(props: MigrationLoadBalancerProps): void {
  const { idleTimeout, clientKeepAlive, logRetention, webAclArn } = props;
  if (idleTimeout) checkIdleTimeout(idleTimeout);
  if (clientKeepAlive) {
    checkDuration('clientKeepAlive', clientKeepAlive, { min: Duration.minutes(1), max: Duration.days(7) });
  }
  if (logRetention) checkDuration('logRetention', logRetention, { min: Duration.days(1), max: Duration.days(3650) });
  if (webAclArn !== undefined && !Token.isUnresolved(webAclArn) && !WEB_ACL.test(webAclArn)) {
    // One of scope CLOUDFRONT fails at deployment only.
    refuse('webAclArn', 'the ARN of a web ACL of scope REGIONAL', webAclArn);
  }
  if (props.accessLogBucket?.encryptionKey) {
    refuse('accessLogBucket', 'a bucket with keys of S3, as load balancers write to no other', 'one with a key of KMS');
  }
  if (props.listener && !props.loadBalancer) refuse('loadBalancer', 'given with a listener', 'none');
  if (props.listener && props.mutualTls)
    refuse('mutualTls', 'set on the existing listener itself', 'one for a new listener');
}

/** In seconds, as the service counts: 4000 of them are no round number of hours. */
function checkIdleTimeout(idleTimeout: Duration): void {
  if (idleTimeout.isUnresolved()) return;
  const [min, max] = [IDLE_TIMEOUT_BOUNDS.min.toSeconds(), IDLE_TIMEOUT_BOUNDS.max.toSeconds()];
  const seconds = idleTimeout.toMilliseconds() / 1000;
  if (!Number.isInteger(seconds) || seconds < min || seconds > max) {
    refuse('idleTimeout', `a whole number of seconds from ${min} to ${max}`, seconds);
  }
}
