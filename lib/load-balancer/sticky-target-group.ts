import { Duration } from 'aws-cdk-lib';
import { IVpc } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationProtocol,
  ApplicationProtocolVersion,
  ApplicationTargetGroup,
  CfnTargetGroup,
  HealthCheck,
  Protocol,
  TargetGroupHealth,
  TargetGroupLoadBalancingAlgorithmType,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { HEALTH_PATH } from '../../core/proxy/admin-api';
import { DrainProfile } from '../shared/drain-profile';
import { checkNames } from '../validation/known-props';
import { DATA_PORT } from '../shared/ports';
import { checkDuration, checkInteger, reject, isLater } from '../validation/validation';
import { attributeProblems, listAttributes } from './target-group-attributes';

/** How a load balancer finds out whether a proxy is well: it asks for `/.drainshift/health`. */
export interface ProxyHealthCheck {
  /**
   * The time between two checks: from 5 seconds to 5 minutes, and longer than the timeout.
   * @default Duration.seconds(10)
   */
  readonly interval?: Duration;

  /**
   * How long a response may take: from 2 seconds to 2 minutes.
   * @default Duration.seconds(5)
   */
  readonly timeout?: Duration;

  /**
   * After how many good responses in a row an unhealthy proxy is healthy again: from 2 to 10.
   * @default 2
   */
  readonly healthyThreshold?: number;

  /**
   * After how many bad responses in a row a proxy is unhealthy: from 2 to 10.
   * @default 2
   */
  readonly unhealthyThreshold?: number;
}

export interface StickyTargetGroupProps {
  /** The network of the proxies. */
  readonly vpc: IVpc;

  /**
   * Whether a client stays with its proxy.
   * @default true
   */
  readonly sticky?: boolean;

  /**
   * How long a client keeps its proxy: from 1 second to 7 days, renewed by each request.
   * @default Duration.days(1)
   */
  readonly stickiness?: Duration;

  /**
   * A cookie of your application that decides how long a client keeps its proxy, instead of the load balancer's own.
   * AWS does not take such a group into a rule with weights.
   * @default - the load balancer's own cookie
   */
  readonly applicationCookie?: string;

  /**
   * How connections end when a proxy is to go; it sets the deregistration delay, and is that of the proxies too.
   * @default DrainProfile.MIXED
   */
  readonly drainProfile?: DrainProfile;

  /**
   * How proxies are checked.
   * @default - every 10 seconds; two responses in a row decide
   */
  readonly healthCheck?: ProxyHealthCheck;

  /**
   * For how long the share of a new proxy grows: from 30 seconds to 15 minutes. Only with ROUND_ROBIN.
   * @default - a new proxy has its full share at once
   */
  readonly slowStart?: Duration;

  /**
   * How the proxy of a request is chosen where no cookie says it. WEIGHTED_RANDOM is only for clients that are not sticky.
   * @default TargetGroupLoadBalancingAlgorithmType.ROUND_ROBIN
   */
  readonly algorithm?: TargetGroupLoadBalancingAlgorithmType;

  /**
   * Whether proxies that err more than others get fewer requests; only with WEIGHTED_RANDOM, and from 3 healthy ones on.
   * @default - true with WEIGHTED_RANDOM
   */
  readonly anomalyMitigation?: boolean;

  /**
   * How many proxies must be healthy: below it, a zone leaves DNS, or requests go to unhealthy proxies too.
   * @default - one
   */
  readonly targetGroupHealth?: TargetGroupHealth;

  /**
   * What the load balancer speaks to the proxies. HTTP1 takes all clients. HTTP2 and GRPC are for clients that speak
   * HTTP/2 alone: others get 464, and there are no WebSockets. The smoke requests of a cutover speak what the group does.
   * @default ApplicationProtocolVersion.HTTP1
   */
  readonly protocolVersion?: ApplicationProtocolVersion;
}

const Algorithm = TargetGroupLoadBalancingAlgorithmType;
/** 0 is off. */
const PERCENT = { min: 0, max: 100 };
const ANY_COUNT = { min: 0, max: 1000 };
const SOME_COUNT = { min: 1, max: 1000 };
const THRESHOLD = { min: 2, max: 10 };

/**
 * A target group for the proxies of one side: ip targets, HTTPS to them too, and a client stays with its proxy.
 *
 * In a rule with weights AWS wants the rule to be sticky as well, so that a client stays with its side: `WeightedRule`
 * always is. A client whose side is at weight 0 still goes there until its cookie ends.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/sticky-sessions.html
 * @example
 * const group = new StickyTargetGroup(this, 'Group', {
 *   vpc,
 *   stickiness: Duration.hours(8),
 *   drainProfile: DrainProfile.WEBSOCKET_HEAVY,
 * });
 */
export class StickyTargetGroup extends Construct {
  public readonly targetGroup: ApplicationTargetGroup;

  /** How the connections of its proxies end. */
  public readonly drainProfile: DrainProfile;

  /** The cookie of the application that clients are sticky by, where it is one. */
  public readonly applicationCookie?: string;

  /**
   * Whether its proxies are spoken to in gRPC.
   * @internal
   */
  public readonly _isGrpc: boolean;

  /**
   * The ports of the smoke tests that lead to it.
   * @internal
   */
  public readonly _smokeTestPorts: number[] = [];

  private isWeighted = false;

  constructor(scope: Construct, id: string, props: StickyTargetGroupProps) {
    super(scope, id);
    checkNames('StickyTargetGroupProps', props);
    checkProps(props);
    this.drainProfile = props.drainProfile ?? DrainProfile.MIXED;
    this.applicationCookie = props.applicationCookie;
    this._isGrpc = props.protocolVersion === ApplicationProtocolVersion.GRPC;
    this.targetGroup = new ApplicationTargetGroup(this, 'Group', {
      vpc: props.vpc,
      targetType: TargetType.IP,
      protocol: ApplicationProtocol.HTTPS,
      protocolVersion: props.protocolVersion,
      port: DATA_PORT,
      targetGroupHealth: props.targetGroupHealth,
      loadBalancingAlgorithmType: props.algorithm,
      enableAnomalyMitigation:
        props.anomalyMitigation ?? (props.algorithm === Algorithm.WEIGHTED_RANDOM ? true : undefined),
      healthCheck: buildHealthCheck(props),
    });
    for (const [key, value] of listAttributes(props, this.drainProfile)) this.targetGroup.setAttribute(key, value);
    const times = findTimes(props.healthCheck ?? {});
    if (!known(times)) this.setTimes(times);
    this.node.addValidation({
      validate: () => attributeProblems(this.targetGroup, this.drainProfile, this.isWeighted),
    });
  }

  /**
   * Rejects what a rule with several groups does not support.
   *
   * @internal
   */
  public _checkWeightable(name: string): void {
    if (this.applicationCookie !== undefined) {
      reject(name, "sticky by the load balancer's own cookie in a rule with weights", this.applicationCookie);
    }
    this.isWeighted = true;
  }

  /** Of the resource itself: the CDK would compare times that are known only at deployment. */
  private setTimes({ interval, timeout }: { interval: Duration; timeout: Duration }): void {
    const resource = this.targetGroup.node.defaultChild as CfnTargetGroup;
    resource.healthCheckIntervalSeconds = interval.toSeconds();
    resource.healthCheckTimeoutSeconds = timeout.toSeconds();
  }
}

function buildHealthCheck({ healthCheck = {}, protocolVersion }: StickyTargetGroupProps): HealthCheck {
  const isGrpc = protocolVersion === ApplicationProtocolVersion.GRPC;
  return {
    protocol: Protocol.HTTPS,
    path: HEALTH_PATH,
    ...(isGrpc ? { healthyGrpcCodes: '0' } : { healthyHttpCodes: '200' }),
    ...known(findTimes(healthCheck)),
    healthyThresholdCount: healthCheck.healthyThreshold ?? 2,
    unhealthyThresholdCount: healthCheck.unhealthyThreshold ?? 2,
  };
}

function findTimes({ interval, timeout }: ProxyHealthCheck): { interval: Duration; timeout: Duration } {
  return { interval: interval ?? Duration.seconds(10), timeout: timeout ?? Duration.seconds(5) };
}

function known<T extends { interval: Duration; timeout: Duration }>(times: T): T | undefined {
  return times.interval.isUnresolved() || times.timeout.isUnresolved() ? undefined : times;
}

function checkProps(props: StickyTargetGroupProps): void {
  checkStickiness(props);
  checkAlgorithm(props);
  checkHealthCheck(props.healthCheck ?? {});
  checkGroupHealth(props.targetGroupHealth ?? {});
}

function checkStickiness({ sticky, stickiness, applicationCookie: cookie }: StickyTargetGroupProps): void {
  if (sticky === false) {
    if (stickiness) reject('stickiness', "absent where 'sticky' is false", stickiness.toHumanString());
    if (cookie !== undefined) reject('applicationCookie', "absent where 'sticky' is false", cookie);
  }
  if (stickiness) checkDuration('stickiness', stickiness, { min: Duration.seconds(1), max: Duration.days(7) });
  if (cookie === undefined || isLater(cookie)) return;
  // RFC 6265, section 4.1.1: a token; and the load balancer's own names begin with AWSALB.
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(cookie) || cookie.startsWith('AWSALB')) {
    reject('applicationCookie', "the name of a cookie that does not begin with 'AWSALB'", cookie);
  }
}

function checkAlgorithm(props: StickyTargetGroupProps): void {
  const { algorithm = Algorithm.ROUND_ROBIN, anomalyMitigation, slowStart } = props;
  if (isLater(algorithm)) return;
  const isRandom = algorithm === Algorithm.WEIGHTED_RANDOM;
  if (isRandom && props.sticky !== false) reject('algorithm', "another one, or 'sticky' false", algorithm);
  if (anomalyMitigation === true && !isRandom) {
    reject('anomalyMitigation', `false with any algorithm but ${Algorithm.WEIGHTED_RANDOM}`, anomalyMitigation);
  }
  if (!slowStart) return;
  checkDuration('slowStart', slowStart, { min: Duration.seconds(30), max: Duration.minutes(15) });
  if (algorithm !== Algorithm.ROUND_ROBIN) {
    reject('slowStart', `absent with ${algorithm}`, slowStart.toHumanString());
  }
}

function checkHealthCheck(check: ProxyHealthCheck): void {
  const { interval, timeout } = findTimes(check);
  checkDuration('healthCheck.interval', interval, { min: Duration.seconds(5), max: Duration.minutes(5) });
  checkDuration('healthCheck.timeout', timeout, { min: Duration.seconds(2), max: Duration.minutes(2) });
  for (const name of ['healthyThreshold', 'unhealthyThreshold'] as const) {
    checkInteger(`healthCheck.${name}`, check[name] ?? THRESHOLD.min, THRESHOLD);
  }
  if (!known({ interval, timeout })) return;
  if (timeout.toMilliseconds() >= interval.toMilliseconds()) {
    reject('healthCheck.timeout', `under the interval of ${interval.toHumanString()}`, timeout.toHumanString());
  }
}

function checkGroupHealth(health: TargetGroupHealth): void {
  for (const [unit, bounds] of [
    ['Count', { routing: SOME_COUNT, dns: ANY_COUNT }],
    ['Percentage', { routing: PERCENT, dns: PERCENT }],
  ] as const) {
    const routing = health[`routingMinimumHealthyTarget${unit}`];
    const dns = health[`dnsMinimumHealthyTarget${unit}`];
    // The CDK would write the number that stands for a token.
    if (isLater(routing) || isLater(dns)) reject('targetGroupHealth', 'known at synthesis', 'a token');
    if (routing !== undefined)
      checkInteger(`targetGroupHealth.routingMinimumHealthyTarget${unit}`, routing, bounds.routing);
    if (dns !== undefined) checkInteger(`targetGroupHealth.dnsMinimumHealthyTarget${unit}`, dns, bounds.dns);
    if (routing !== undefined && dns !== undefined) checkOrder(unit, routing, dns);
  }
}

/** A zone must leave DNS before its requests go to unhealthy proxies; where DNS failover is off (0) there is no order. */
function checkOrder(unit: string, routing: number, dns: number): void {
  if (dns === 0 || dns >= routing) return;
  reject(
    `targetGroupHealth.dnsMinimumHealthyTarget${unit}`,
    `0 or at least routingMinimumHealthyTarget${unit}, which is ${routing}`,
    dns,
  );
}
