import { Duration } from 'aws-cdk-lib';
import { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { IPeer, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import {
  DesyncMitigationMode,
  IApplicationListener,
  IApplicationLoadBalancer,
  IpAddressType,
  SslPolicy,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { IDLE_TIMEOUT_BOUNDS } from '../shared/idle-timeouts';
import { MutualTls } from './mutual-tls';
import { REDIRECT_PORT, SMOKE_PORTS, TRAFFIC_PORT } from '../shared/ports';
import { checkArn, checkDuration, checkPorts, reject } from '../validation/validation';
import { StickyTargetGroup } from './sticky-target-group';
import { TrafficWeights } from '../traffic/traffic-weights';

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
   * @default - no other peer
   */
  readonly sourcePeers?: IPeer[];

  /**
   * Who may connect to the target's port, beside `smokeTestPeers` and the cutover.
   * @default - no other peer
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
   * The addresses of a new load balancer: `IPV4` or `DUAL_STACK`, whose subnets need IPv6. Clients of IPv6 are allowed by
   * `allowedPeers`, such as `Peer.anyIpv6()`. The way to the proxies and the backends stays IPv4.
   * @default IpAddressType.IPV4
   */
  readonly ipAddressType?: IpAddressType;

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
   * A listener that the load balancer has for the traffic already: the weighted rule joins its rules. See to it that no
   * rule before it catches the same requests. The rule is created once the proxies are proven, and sends its requests where they
   * went before; `drainshift adopt` moves them to the proxies.
   * @default - a new one on `trafficPort`
   */
  readonly listener?: IApplicationListener;

  /**
   * Whether the load balancer has public addresses; it still allows no peers but `allowedPeers`. Of an existing one, say
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
   * @default - none
   */
  readonly allowedPeers?: IPeer[];

  /**
   * Who may connect to both smoke-test ports; the cutover may anyway.
   * @default - no other peer
   */
  readonly smokeTestPeers?: IPeer[];

  /**
   * The ports of the smoke tests, and peers of one of them alone.
   * @default - 9201 and 9202
   */
  readonly smokeTests?: SmokeTestProps;

  /**
   * Whether `:80` redirects clients to HTTPS.
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
   * The key of KMS that encrypts the store; of a `Migration` the secret, the logs, the queues and the environment of the
   * functions, too. Not the logs of the load balancer, which writes to no bucket with such a key. Keep it enabled: without it
   * no step can start, those of a rollback included. The policy of an imported key must let the services use it (see "Keys of
   * your own" in docs/constructs.md).
   * @default - the keys of AWS
   */
  readonly encryptionKey?: IKey;

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
   * A regional web ACL of AWS WAF that checks the requests first.
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

/** The ports of all listeners, each with one of its own. */
export function listPorts(props: MigrationLoadBalancerProps): { traffic: number; source: number; target: number } {
  const traffic = props.trafficPort ?? TRAFFIC_PORT;
  const source = props.smokeTests?.sourcePort ?? SMOKE_PORTS.source;
  const target = props.smokeTests?.targetPort ?? SMOKE_PORTS.target;
  const taken = new Set<number>(props.redirectHttp ? [REDIRECT_PORT] : []);
  checkPorts({ trafficPort: traffic, 'smokeTests.sourcePort': source, 'smokeTests.targetPort': target }, taken);
  return { traffic, source, target };
}

export function checkProps(props: MigrationLoadBalancerProps): void {
  const { idleTimeout, clientKeepAlive, logRetention, webAclArn } = props;
  if (idleTimeout) checkIdleTimeout(idleTimeout);
  if (clientKeepAlive) {
    checkDuration('clientKeepAlive', clientKeepAlive, { min: Duration.minutes(1), max: Duration.days(7) });
  }
  if (logRetention) checkDuration('logRetention', logRetention, { min: Duration.days(1), max: Duration.days(3650) });
  checkArn('webAclArn', 'webAcl', webAclArn);
  if (props.accessLogBucket?.encryptionKey) {
    reject('accessLogBucket', 'a bucket with keys of S3, as load balancers write to no other', 'one with a key of KMS');
  }
  if (props.ipAddressType === IpAddressType.DUAL_STACK_WITHOUT_PUBLIC_IPV4) {
    reject('ipAddressType', 'IPV4 or DUAL_STACK, as the steps of a cutover connect with IPv4', props.ipAddressType);
  }
  if (props.listener && !props.loadBalancer) reject('loadBalancer', 'given with a listener', 'none');
  if (props.listener && props.mutualTls)
    reject('mutualTls', 'set on the existing listener itself', 'one for a new listener');
}

/** In seconds, as the service counts: 4000 of them are no round number of hours. */
function checkIdleTimeout(idleTimeout: Duration): void {
  if (idleTimeout.isUnresolved()) return;
  const [min, max] = [IDLE_TIMEOUT_BOUNDS.min.toSeconds(), IDLE_TIMEOUT_BOUNDS.max.toSeconds()];
  const seconds = idleTimeout.toMilliseconds() / 1000;
  if (!Number.isInteger(seconds) || seconds < min || seconds > max) {
    reject('idleTimeout', `a whole number of seconds from ${min} to ${max}`, seconds);
  }
}
