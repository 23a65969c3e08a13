import { Duration, Token } from 'aws-cdk-lib';
import { Color, IMetric, MathExpression, Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { HttpCodeElb, HttpCodeTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { ConnectionKind } from '../../core/proxy/connections';
import { ICutover } from '../cutover/cutover-base';
import { IMigrationLoadBalancer } from '../load-balancer/migration-load-balancer-base';
import { MigrationSide } from '../traffic/migration-side';
import { whereItIs } from '../shared/metric-place';
import { IProxyService } from '../proxy/proxy-service-base';

/** No metric of a load balancer or a service is published more often. */
export const METRIC_PERIOD = Duration.minutes(1);

type Looks = Pick<MetricOptions, 'label' | 'color'>;

/** What one side is seen to do; counts and times are those of its load balancer, which cost nothing. */
export interface SideMetrics {
  /** Requests in a minute. */
  readonly requests: IMetric;
  /** Responses of 5xx in a minute. */
  readonly errors: IMetric;
  /** The share of requests with a 5xx response, from 0 to 1; 0 in a minute with fewer requests than this. */
  readonly errorRate: (minimumRequests: number) => IMetric;
  /** Percent of the requests with a 5xx response. */
  readonly errorPercent: IMetric;
  /** Seconds from a request to the head of its response, as `p50`, `p99`, … */
  readonly latency: (statistic: string) => IMetric;
  /** The same; 0 in a minute with fewer requests than this. */
  readonly latencyAmong: (statistic: string, minimumRequests: number) => IMetric;
  readonly healthy: Metric;
  readonly unhealthy: Metric;
  /** Registered proxies, whatever their health. */
  readonly proxies: IMetric;
  /** Percent of the CPU that the proxies were given. */
  readonly cpu: IMetric;
  /** Live connections of one kind on all proxies, each of which reports once a minute. */
  readonly live: (kind: ConnectionKind) => IMetric;
  /** Connections that a drain still waits for, on the proxy that has most: it is 0 only when all are done. */
  readonly drainRemaining: IMetric;
  /** Of proxies that record their traffic. */
  readonly capture?: CaptureMetrics;
}

/** What is wrong with the records of one side. */
export interface CaptureMetrics {
  /** Writes in a minute that were forwarded without a record. */
  readonly unrecorded: IMetric;
  /** Writes in a minute that got 503 because their record was not durable. */
  readonly rejected: IMetric;
  /** Reads and responses in a minute that have no record. */
  readonly lost: IMetric;
  /** Milliseconds for which a record waits, on the proxy where it waits for longest. */
  readonly pending: IMetric;
}

/** @param looks how a person meets the side in a graph; an alarm needs none. */
export function sideMetrics(proxies: IProxyService, looks: Looks = {}): SideMetrics {
  const { targetMetrics } = proxies;
  const options = whereItIs(proxies, { period: METRIC_PERIOD, ...looks });
  const healthy = targetMetrics.healthyHostCount({ ...options, statistic: 'Minimum' });
  const unhealthy = targetMetrics.unhealthyHostCount({ ...options, statistic: 'Maximum' });
  return {
    ...respondWithMetrics(proxies, options),
    ...latencyMetrics(proxies, options),
    healthy,
    unhealthy,
    proxies: registered(proxies.side, healthy, unhealthy, options),
    cpu: proxies.metricCpuUtilization(options),
    live: (kind) => liveMetric(proxies, kind),
    drainRemaining: proxies.metricDrainRemaining(options),
    ...(proxies.recordsTraffic && { capture: captureMetrics(proxies, options) }),
  };
}

function captureMetrics(proxies: IProxyService, options: MetricOptions): CaptureMetrics {
  const metric = (name: string, statistic: string, rest: string) => {
    const label = options.label === undefined ? {} : { label: `${options.label}${rest}` };
    return proxies.metric(name, { ...options, statistic, ...label });
  };
  return {
    unrecorded: metric('CaptureUnrecorded', 'Sum', ', forwarded'),
    rejected: metric('CaptureRejected', 'Sum', ', rejected'),
    lost: metric('CaptureLost', 'Sum', ', lost'),
    pending: metric('CapturePending', 'Maximum', ''),
  };
}

function liveMetric(proxies: IProxyService, kind: ConnectionKind): IMetric {
  const dimensionsMap = { Service: proxies.serviceName, Kind: kind };
  return proxies.metricLiveConnections({ dimensionsMap, statistic: 'Sum', period: METRIC_PERIOD, label: kind });
}

type ResponseMetrics = Pick<SideMetrics, 'requests' | 'errors' | 'errorRate' | 'errorPercent'>;

function respondWithMetrics(proxies: IProxyService, options: MetricOptions): ResponseMetrics {
  const { side, targetMetrics } = proxies;
  const requests = targetMetrics.requestCount(options);
  const errors = targetMetrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, options);
  // A graph draws both sides, and no two metrics of a graph may have one name.
  const [all, bad] = [`${side}Requests`, `${side}Errors`];
  const share = (expression: string) => math(expression, { [all]: requests, [bad]: errors }, options);
  return {
    requests,
    errors,
    errorRate: (minimum) => share(`IF(${all} >= ${text(minimum)}, FILL(${bad}, 0) / ${all}, 0)`),
    errorPercent: share(`100 * FILL(${bad}, 0) / ${all}`),
  };
}

function latencyMetrics(proxies: IProxyService, options: MetricOptions): Pick<SideMetrics, 'latency' | 'latencyAmong'> {
  const { side, targetMetrics } = proxies;
  const labelled = (label: string) => (options.label === undefined ? options : { ...options, label });
  const latency = (statistic: string) =>
    targetMetrics.targetResponseTime({ ...labelled(`${options.label} ${statistic}`), statistic });
  const [all, time] = [`${side}Requests`, `${side}Latency`];
  const expression = (minimum: number) => `IF(${all} >= ${text(minimum)}, ${time}, 0)`;
  return {
    latency,
    latencyAmong: (statistic, minimum) =>
      math(expression(minimum), { [all]: targetMetrics.requestCount(options), [time]: latency(statistic) }, options),
  };
}

function registered(side: MigrationSide, healthy: Metric, unhealthy: Metric, options: MetricOptions): IMetric {
  const [well, ill] = [`${side}Healthy`, `${side}Unhealthy`];
  return math(`FILL(${well}, 0) + FILL(${ill}, 0)`, { [well]: healthy, [ill]: unhealthy }, options);
}

/**
 * The share of requests to which the load balancer itself responded with 5xx; 0 in a minute with fewer requests than this.
 */
export function loadBalancerErrorRate(loadBalancer: IMigrationLoadBalancer, minimumRequests: number): IMetric {
  const requests = loadBalancer.metricRequestCount({ period: METRIC_PERIOD });
  const errors = loadBalancer.metricHttpCodeElb(HttpCodeElb.ELB_5XX_COUNT, { period: METRIC_PERIOD });
  // A request for which it found no target is not in its count of requests.
  const all = '(FILL(requests, 0) + FILL(errors, 0))';
  const expression = `IF(${all} >= ${text(minimumRequests)}, FILL(errors, 0) / ${all}, 0)`;
  return math(expression, { requests, errors }, {});
}

/** Requests in a minute to which the load balancer itself responded with 5xx. */
export function loadBalancerErrors(loadBalancer: IMigrationLoadBalancer): Metric {
  const options = { period: METRIC_PERIOD, label: '5xx responses', color: Color.RED };
  return loadBalancer.metricHttpCodeElb(HttpCodeElb.ELB_5XX_COUNT, options);
}

/** Connections that the load balancer turned away because it had too many. */
export function rejectedConnections(loadBalancer: IMigrationLoadBalancer, looks: Looks = {}): Metric {
  return loadBalancer.metricRejectedConnectionCount({ period: METRIC_PERIOD, ...looks });
}

/** The weight of each side as a cutover set it last: a drain or an approval may take hours, and sets none. */
export function weights(cutover: ICutover): IMetric[] {
  return [MigrationSide.SOURCE, MigrationSide.TARGET].map((side) => {
    const weight = cutover.metricWeight(side, { period: METRIC_PERIOD });
    return math(`FILL(${side}Weight, REPEAT)`, { [`${side}Weight`]: weight }, listLooks(side));
  });
}

/** Percent of the requests of both sides that came to the target. */
export function targetShare(source: SideMetrics, target: SideMetrics): IMetric {
  const expression = '100 * FILL(target, 0) / (FILL(source, 0) + FILL(target, 0))';
  const metrics = { source: source.requests, target: target.requests };
  return math(expression, metrics, { ...listLooks(MigrationSide.TARGET), label: 'Target' });
}

function math(expression: string, usingMetrics: Record<string, IMetric>, options: MetricOptions): IMetric {
  const { label, color } = options;
  return new MathExpression({ expression, usingMetrics, period: METRIC_PERIOD, label, color });
}

/** A number within an expression, even one that is known only at deployment. */
function text(value: number): string {
  return Token.isUnresolved(value) ? Token.asString(value) : String(value);
}

/** The same name and colour for a side wherever a person may meet it. */
export function listLooks(side: MigrationSide): Required<Looks> {
  return side === MigrationSide.SOURCE
    ? { label: 'Source', color: Color.BLUE }
    : { label: 'Target', color: Color.ORANGE };
}
