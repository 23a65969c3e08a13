import { IResource, Resource } from 'aws-cdk-lib';
import { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, IConnectable, ISecurityGroup, Port } from 'aws-cdk-lib/aws-ec2';
import { BaseService, ICluster } from 'aws-cdk-lib/aws-ecs';
import {
  ApplicationTargetGroup,
  IApplicationTargetGroup,
  IApplicationTargetGroupMetrics,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE } from '../../core/proxy/events';
import { letRead } from '../shared/encryption';
import { checkNames } from '../validation/known-props';
import { MigrationSide } from '../traffic/migration-side';
import { whereItIs } from '../shared/metric-place';
import { ADMIN_PORT } from '../shared/ports';
import { checkTaskCounts, TASK_COUNTS } from './proxy-scaling';
import { checkArn, reject } from '../validation/validation';

/** The proxies before one backend, made here or elsewhere: who may reach and drain them, and what they report. */
export interface IProxyService extends IResource, IConnectable {
  /** Which backend these proxies stand before. */
  readonly side: MigrationSide;

  /** Where they run. */
  readonly cluster: ICluster;

  /** The name of their service in the cluster. */
  readonly ecsServiceName: string;

  /** The dimension `Service` of the proxies' own metrics. */
  readonly serviceName: string;

  /** The fewest proxies. */
  readonly minTasks: number;

  /** The most proxies. */
  readonly maxTasks: number;

  /** Whether they record their traffic. */
  readonly recordsTraffic: boolean;

  /** What the load balancer counts of these proxies: requests, responses, times, healthy and unhealthy ones. */
  readonly targetMetrics: IApplicationTargetGroupMetrics;

  /** Grants the right to drain, hold and retarget these proxies: to read the key of the admin API and to connect to it. */
  grantDrain(grantee: IGrantable, from?: IConnectable): Grant;

  /**
   * A metric that the proxies write: `LiveConnections`, `Requests`, `Errors`, `Latency` (milliseconds) or
   * `DrainRemaining`; where they record, `CaptureUnrecorded`, `CaptureRejected`, `CaptureLost` and `CapturePending`
   * (milliseconds). Once a minute.
   */
  metric(metricName: string, options?: MetricOptions): Metric;

  /** The live connections of a proxy, on average. */
  metricLiveConnections(options?: MetricOptions): Metric;

  /** The requests that the proxies took. */
  metricRequests(options?: MetricOptions): Metric;

  /** The requests that got a 5xx response, or an incomplete one. */
  metricErrors(options?: MetricOptions): Metric;

  /** Milliseconds from a request to its response, as the proxies see it. */
  metricLatency(options?: MetricOptions): Metric;

  /** The connections that a drain waits for, on the proxy that has most. */
  metricDrainRemaining(options?: MetricOptions): Metric;

  /** The requests that came to each proxy, on average, as the load balancer sees it. */
  metricRequestsPerTarget(options?: MetricOptions): Metric;

  /** The share of its CPU that a proxy uses, in percent. */
  metricCpuUtilization(options?: MetricOptions): Metric;

  /** The share of its memory that a proxy uses, in percent. */
  metricMemoryUtilization(options?: MetricOptions): Metric;
}

/** Proxies that this app does not make. What is left out is asked for where it is needed. */
export interface ProxyServiceAttributes {
  /** Which backend they stand before. */
  readonly side: MigrationSide;

  /** The ARN of the service of ECS, with the name of its cluster: `arn:aws:ecs:region:account:service/cluster/name`. */
  readonly serviceArn: string;

  /** The `serviceName` of the proxies, which is the dimension `Service` of their own metrics. */
  readonly serviceName: string;

  /**
   * The ARN of their target group. What the load balancer counts needs it, and so do alarms and dashboards.
   * @default - unknown
   */
  readonly targetGroupArn?: string;

  /**
   * The ARN of their load balancer, for the same.
   * @default - unknown
   */
  readonly loadBalancerArn?: string;

  /**
   * Their security groups, which are opened to who is allowed. `connections` needs them, and so does `grantDrain` with `from`.
   * @default - unknown
   */
  readonly securityGroups?: ISecurityGroup[];

  /**
   * The key of their admin API. `grantDrain` needs it.
   * @default - unknown
   */
  readonly adminSecret?: ISecret;

  /**
   * The fewest proxies.
   * @default 2
   */
  readonly minTasks?: number;

  /**
   * The most proxies, at which an alarm is raised.
   * @default 10
   */
  readonly maxTasks?: number;

  /**
   * Whether they record their traffic: alarms and dashboards show it then.
   * @default false
   */
  readonly recordsTraffic?: boolean;
}

/**
 * What proxies can be asked for, wherever they were made.
 *
 * @internal
 */
export abstract class ProxyServiceBase extends Resource implements IProxyService {
  public abstract readonly side: MigrationSide;
  public abstract readonly cluster: ICluster;
  public abstract readonly ecsServiceName: string;
  public abstract readonly serviceName: string;
  public abstract readonly minTasks: number;
  public abstract readonly maxTasks: number;
  public abstract readonly recordsTraffic: boolean;
  public abstract readonly targetMetrics: IApplicationTargetGroupMetrics;
  public abstract readonly connections: Connections;
  protected abstract readonly adminSecret: ISecret;

  /** Grants the right to drain, hold and retarget these proxies: to read the key of the admin API and to connect to it. */
  public grantDrain(grantee: IGrantable, from?: IConnectable): Grant {
    // The rules are of the stack of who asks, as the right to read the key is.
    from?.connections.allowTo(this, Port.tcp(ADMIN_PORT), 'The admin API');
    return letRead(this.adminSecret, grantee);
  }

  /**
   * A metric that the proxies write: `LiveConnections`, `Requests`, `Errors`, `Latency` (milliseconds) or
   * `DrainRemaining`; where they record, `CaptureUnrecorded`, `CaptureRejected`, `CaptureLost` and `CapturePending`
   * (milliseconds). Once a minute.
   */
  public metric(metricName: string, options?: MetricOptions): Metric {
    const dimensionsMap = { Service: this.serviceName };
    const namespace = METRIC_NAMESPACE;
    return new Metric({ namespace, metricName, dimensionsMap, ...whereItIs(this, options) }).attachTo(this);
  }

  /** The live connections of a proxy, on average. */
  public metricLiveConnections(options?: MetricOptions): Metric {
    return this.metric('LiveConnections', { statistic: 'Average', ...options });
  }

  /** The requests that the proxies took. */
  public metricRequests(options?: MetricOptions): Metric {
    return this.metric('Requests', { statistic: 'Sum', ...options });
  }

  /** The requests that got a 5xx response, or an incomplete one. */
  public metricErrors(options?: MetricOptions): Metric {
    return this.metric('Errors', { statistic: 'Sum', ...options });
  }

  /** Milliseconds from a request to its response, as the proxies see it. */
  public metricLatency(options?: MetricOptions): Metric {
    return this.metric('Latency', { statistic: 'p99', ...options });
  }

  /** The connections that a drain waits for, on the proxy that has most. */
  public metricDrainRemaining(options?: MetricOptions): Metric {
    return this.metric('DrainRemaining', { statistic: 'Maximum', ...options });
  }

  /** The requests that came to each proxy, on average, as the load balancer sees it. */
  public metricRequestsPerTarget(options?: MetricOptions): Metric {
    return this.targetMetrics.requestCountPerTarget(whereItIs(this, options));
  }

  /** The share of its CPU that a proxy uses, in percent. */
  public metricCpuUtilization(options?: MetricOptions): Metric {
    return this.metricOfService('CPUUtilization', options);
  }

  /** The share of its memory that a proxy uses, in percent. */
  public metricMemoryUtilization(options?: MetricOptions): Metric {
    return this.metricOfService('MemoryUtilization', options);
  }

  private metricOfService(metricName: string, options?: MetricOptions): Metric {
    const dimensionsMap = { ClusterName: this.cluster.clusterName, ServiceName: this.ecsServiceName };
    const namespace = 'AWS/ECS';
    return new Metric({ namespace, metricName, dimensionsMap, ...whereItIs(this, options) }).attachTo(this);
  }
}

/** Those that another app makes. */
export class ImportedProxyService extends ProxyServiceBase {
  public readonly side: MigrationSide;
  public readonly cluster: ICluster;
  public readonly ecsServiceName: string;
  public readonly serviceName: string;
  public readonly minTasks: number;
  public readonly maxTasks: number;
  public readonly recordsTraffic: boolean;
  private peers?: Connections;
  private group?: IApplicationTargetGroup;
  private readonly notified: ProxyServiceAttributes;

  constructor(scope: Construct, id: string, props: ProxyServiceAttributes) {
    super(scope, id, { environmentFromArn: checkAttributes(props).serviceArn });
    this.notified = props;
    this.side = props.side;
    const service = BaseService.fromServiceArnWithCluster(this, 'Service', props.serviceArn);
    this.cluster = service.cluster;
    this.ecsServiceName = service.serviceName;
    this.serviceName = props.serviceName;
    this.minTasks = props.minTasks ?? TASK_COUNTS.minTasks;
    this.maxTasks = props.maxTasks ?? TASK_COUNTS.maxTasks;
    this.recordsTraffic = props.recordsTraffic ?? false;
    checkTaskCounts(this.minTasks, this.maxTasks);
  }

  /** Without a group nothing would be opened, without an error. */
  public get connections(): Connections {
    const { securityGroups = [] } = this.notified;
    if (securityGroups.length === 0) this.reject('securityGroups');
    return (this.peers ??= new Connections({ securityGroups }));
  }

  public get targetMetrics(): IApplicationTargetGroupMetrics {
    this.group ??= ApplicationTargetGroup.fromTargetGroupAttributes(this, 'TargetGroup', {
      targetGroupArn: this.given('targetGroupArn'),
      loadBalancerArns: this.given('loadBalancerArn'),
    });
    return this.group.metrics;
  }

  protected get adminSecret(): ISecret {
    return this.given('adminSecret');
  }

  private given<K extends keyof ProxyServiceAttributes>(name: K): NonNullable<ProxyServiceAttributes[K]> {
    return this.notified[name] ?? this.reject(name);
  }

  private reject(name: keyof ProxyServiceAttributes): never {
    return reject(name, `given where '${this.node.path}' is imported`, 'nothing');
  }
}

function checkAttributes(attributes: ProxyServiceAttributes): ProxyServiceAttributes {
  checkNames('ProxyServiceAttributes', attributes);
  checkArn('serviceArn', 'service', attributes.serviceArn);
  checkArn('targetGroupArn', 'targetGroup', attributes.targetGroupArn);
  checkArn('loadBalancerArn', 'loadBalancer', attributes.loadBalancerArn);
  return attributes;
}
