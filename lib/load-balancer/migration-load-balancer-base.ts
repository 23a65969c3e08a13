import { Duration, IResource, Resource } from 'aws-cdk-lib';
import { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, IConnectable, ISecurityGroup, IVpc, Port } from 'aws-cdk-lib/aws-ec2';
import { ApplicationLoadBalancer, HttpCodeElb, IApplicationLoadBalancer } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { whereItIs } from '../shared/metric-place';
import { checkNames } from '../validation/known-props';
import { REDIRECT_PORT, SMOKE_PORTS, TRAFFIC_PORT } from '../shared/ports';
import { checkArn, checkPort, checkPorts, reject } from '../validation/validation';

/** The load balancer of a migration, made here or elsewhere: who may reach it, what stands in front, what it reports. */
export interface IMigrationLoadBalancer extends IResource, IConnectable {
  /** Its network. */
  readonly vpc: IVpc;

  readonly loadBalancer: IApplicationLoadBalancer;

  /** The port of the traffic. */
  readonly trafficPort: number;

  /** The port that leads to the source alone. */
  readonly sourcePort: number;

  /** The port that leads to the target alone. */
  readonly targetPort: number;

  /** A port on which a load balancer in front can ask for health without a client certificate. */
  readonly healthCheckPort: number;

  /** Whether `:80` redirects clients to HTTPS. */
  readonly redirectsHttp: boolean;

  /** How long a connection may be quiet, where it is known. */
  readonly idleTimeout?: Duration;

  /** Allows a peer to connect to the traffic's port, and to `:80` where it redirects. */
  allowTrafficFrom(peer: IConnectable): void;

  /** Allows a peer to connect to both smoke-test ports. */
  allowSmokeTestsFrom(peer: IConnectable): void;

  /** How many requests got a response from either side; their sum over 5 minutes. */
  metricRequestCount(props?: MetricOptions): Metric;

  /** How many responses of a class, such as 5xx, the load balancer made itself; their sum over 5 minutes. */
  metricHttpCodeElb(code: HttpCodeElb, props?: MetricOptions): Metric;

  /** How long the proxies took to respond, in seconds; the average over 5 minutes. */
  metricTargetResponseTime(props?: MetricOptions): Metric;

  /** How many connections there are, of clients and to proxies; their sum over 5 minutes. */
  metricActiveConnectionCount(props?: MetricOptions): Metric;

  /** How many connections were rejected because there were too many; their sum over 5 minutes. */
  metricRejectedConnectionCount(props?: MetricOptions): Metric;
}

/** The load balancer of a migration that this app does not make. */
export interface MigrationLoadBalancerAttributes {
  /** Its ARN. */
  readonly loadBalancerArn: string;

  /** Its security group, which is opened to who is allowed. */
  readonly securityGroup: ISecurityGroup;

  /**
   * Its network. What stands in front of it needs to know.
   * @default - unknown
   */
  readonly vpc?: IVpc;

  /**
   * The port of the traffic.
   * @default 443
   */
  readonly trafficPort?: number;

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
   * Its `healthCheckPort`: another than the traffic's where clients must show a certificate.
   * @default - the port of the traffic
   */
  readonly healthCheckPort?: number;

  /**
   * Whether `:80` redirects clients to HTTPS.
   * @default false
   */
  readonly redirectsHttp?: boolean;

  /**
   * How long a connection may be quiet.
   * @default - unknown
   */
  readonly idleTimeout?: Duration;
}

/**
 * What the load balancer of a migration can be asked for, wherever it was made.
 *
 * @internal
 */
export abstract class MigrationLoadBalancerBase extends Resource implements IMigrationLoadBalancer {
  public abstract readonly vpc: IVpc;
  public abstract readonly loadBalancer: IApplicationLoadBalancer;
  public abstract readonly trafficPort: number;
  public abstract readonly sourcePort: number;
  public abstract readonly targetPort: number;
  public abstract readonly healthCheckPort: number;
  public abstract readonly redirectsHttp: boolean;
  public abstract readonly idleTimeout?: Duration;
  public abstract readonly connections: Connections;

  /** Allows a peer to connect to the traffic's port, and to `:80` where it redirects. */
  public allowTrafficFrom(peer: IConnectable): void {
    this.connections.allowFrom(peer, Port.tcp(this.trafficPort), 'Traffic');
    if (this.redirectsHttp) this.connections.allowFrom(peer, Port.tcp(REDIRECT_PORT), 'Redirected to HTTPS');
  }

  /** Allows a peer to connect to both smoke-test ports. */
  public allowSmokeTestsFrom(peer: IConnectable): void {
    this._allowSmokeTests('source', peer);
    this._allowSmokeTests('target', peer);
  }

  /** How many requests got a response from either side; their sum over 5 minutes. */
  public metricRequestCount(props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.requestCount(whereItIs(this, props));
  }

  /** How many responses of a class, such as 5xx, the load balancer made itself; their sum over 5 minutes. */
  public metricHttpCodeElb(code: HttpCodeElb, props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.httpCodeElb(code, whereItIs(this, props));
  }

  /** How long the proxies took to respond, in seconds; the average over 5 minutes. */
  public metricTargetResponseTime(props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.targetResponseTime(whereItIs(this, props));
  }

  /** How many connections there are, of clients and to proxies; their sum over 5 minutes. */
  public metricActiveConnectionCount(props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.activeConnectionCount(whereItIs(this, props));
  }

  /** How many connections were rejected because there were too many; their sum over 5 minutes. */
  public metricRejectedConnectionCount(props?: MetricOptions): Metric {
    return this.loadBalancer.metrics.rejectedConnectionCount(whereItIs(this, props));
  }

  /** @internal */
  public _allowSmokeTests(side: 'source' | 'target', peer: IConnectable): void {
    const port = side === 'source' ? this.sourcePort : this.targetPort;
    this.connections.allowFrom(peer, Port.tcp(port), `Smoke tests of the ${side}`);
  }
}

/** One that another app makes. */
export class ImportedMigrationLoadBalancer extends MigrationLoadBalancerBase {
  public readonly loadBalancer: IApplicationLoadBalancer;
  public readonly trafficPort: number;
  public readonly sourcePort: number;
  public readonly targetPort: number;
  public readonly healthCheckPort: number;
  public readonly redirectsHttp: boolean;
  public readonly idleTimeout?: Duration;
  public readonly connections: Connections;
  private readonly notified: MigrationLoadBalancerAttributes;

  constructor(scope: Construct, id: string, props: MigrationLoadBalancerAttributes) {
    super(scope, id, { environmentFromArn: checkAttributes(props).loadBalancerArn });
    this.notified = props;
    const { loadBalancerArn, securityGroup, vpc } = props;
    this.loadBalancer = ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(this, 'LoadBalancer', {
      loadBalancerArn,
      securityGroupId: securityGroup.securityGroupId,
      vpc,
    });
    this.trafficPort = props.trafficPort ?? TRAFFIC_PORT;
    this.sourcePort = props.sourcePort ?? SMOKE_PORTS.source;
    this.targetPort = props.targetPort ?? SMOKE_PORTS.target;
    this.healthCheckPort = props.healthCheckPort ?? this.trafficPort;
    this.redirectsHttp = props.redirectsHttp ?? false;
    const { trafficPort, sourcePort, targetPort } = this;
    checkPorts({ trafficPort, sourcePort, targetPort }, new Set(this.redirectsHttp ? [REDIRECT_PORT] : []));
    checkPort('healthCheckPort', this.healthCheckPort);
    this.idleTimeout = props.idleTimeout;
    this.connections = new Connections({ securityGroups: [securityGroup] });
  }

  public get vpc(): IVpc {
    return this.notified.vpc ?? reject('vpc', `given where '${this.node.path}' is imported`, 'nothing');
  }
}

function checkAttributes(attributes: MigrationLoadBalancerAttributes): MigrationLoadBalancerAttributes {
  checkNames('MigrationLoadBalancerAttributes', attributes);
  checkArn('loadBalancerArn', 'loadBalancer', attributes.loadBalancerArn);
  return attributes;
}
