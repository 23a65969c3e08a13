import { CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { IAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { IPeer, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { Cluster, ContainerInsights, ICluster } from 'aws-cdk-lib/aws-ecs';
import { IEventBus } from 'aws-cdk-lib/aws-events';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { AdminSecret } from '../proxy/admin-secret';
import { checkNames, findOnly } from '../validation/known-props';
import { Cutover } from '../cutover/cutover';
import { CutoverPlan, CutoverPlanPart } from '../plan/cutover-plan';
import { CutoverReadiness } from '../cutover/cutover-readiness';
import { CutoverSchedule } from '../plan/cutover-schedule';
import { AlarmThresholds, MigrationAlarms } from '../monitoring/migration-alarms';
import { MigrationDashboard } from '../monitoring/migration-dashboard';
import { MigrationLoadBalancer } from '../load-balancer/migration-load-balancer';
import { MigrationLoadBalancerProps } from '../load-balancer/migration-load-balancer-props';
import { UPSTREAM_IDLE_TIMEOUT } from '../shared/idle-timeouts';
import { ConnectionMoves } from '../traffic/connection-moves';
import { MigrationSide } from '../traffic/migration-side';
import { createVpc } from '../shared/migration-vpc';
import { ProxyService } from '../proxy/proxy-service';
import { ProxyOptions } from '../proxy/proxy-service-props';
import { checkSameNetwork, checkUpstreamUrl, reject } from '../validation/validation';
import { ISessionStore } from '../session-store/session-store-props';
import { SmokeRoute } from '../cutover/smoke-route';
import { StickyTargetGroup } from '../load-balancer/sticky-target-group';

export interface MigrationProps extends MigrationLoadBalancerProps {
  /** The name that clients use. Pointing it at the load balancer is left to you. */
  readonly domainName: string;

  /** The backend that serves today, and the proxies before it. */
  readonly source: ProxyOptions;

  /** The backend that will serve, and the proxies before it. */
  readonly target: ProxyOptions;

  /**
   * Where the proxies run; its network must be that of the load balancer.
   * @default - a new cluster
   */
  readonly cluster?: ICluster;

  /**
   * The subnets of the steps, and of the proxies of a side that names none of its own. They need a way to the AWS APIs.
   * @default - the private ones
   */
  readonly privateSubnets?: SubnetSelection;

  /**
   * How long the logs of the cutover are kept, of the function that owns the rule, and of a side that says nothing of its own.
   * `logRetention` is about the logs of the load balancer.
   * @default RetentionDays.THREE_MONTHS
   */
  readonly logGroupRetention?: RetentionDays;

  /**
   * The key of the proxies' admin API; its whole string. For one that is made, rotated or shared elsewhere.
   * @default - a new one
   */
  readonly adminSecret?: ISecret;

  /**
   * The store of the applications' sessions, for the proxies of both sides.
   * @default - none
   */
  readonly sessionStore?: ISessionStore;

  /**
   * A secret whose whole string is PEM: the certificates of the authorities that sign the listeners' certificate, where they
   * are your own. They are trusted by the smoke requests of a cutover instead of the public ones. `TrustedAuthorities`
   * makes one out of a file.
   * @default - the public authorities
   */
  readonly trustedAuthorities?: ISecret;

  /**
   * Which way the smoke requests of a cutover take. `TARGETS` stays inside the network, which an internet-facing load balancer
   * without a known NAT gateway needs.
   * @default SmokeRoute.LOAD_BALANCER
   */
  readonly smokeRoute?: SmokeRoute;

  /**
   * What a cutover does unless it is started with a plan of its own.
   * @default CutoverPlan.gradual()
   */
  readonly plan?: CutoverPlan;

  /**
   * The parts of `plan` that the input of an execution may change, and then only make more careful.
   * @default - all of them
   */
  readonly changeablePlanParts?: CutoverPlanPart[];

  /**
   * When a cutover starts by itself.
   * @default - never
   */
  readonly schedule?: CutoverSchedule;

  /**
   * A standing alarm for the time before the cutover: it is raised while a preflight would reject one. Remove it after the cutover.
   * @default - none
   */
  readonly readiness?: CutoverReadiness;

  /**
   * Whether to make a dashboard, and alarms of which those that speak against going on stop a cutover.
   * @default true
   */
  readonly monitoring?: boolean;

  /**
   * The name of the dashboard: letters, digits, hyphens and underscores.
   * @default - CloudFormation's own
   */
  readonly dashboardName?: string;

  /**
   * What the dashboard shows when it is opened, back from now.
   * @default Duration.hours(3)
   */
  readonly dashboardInterval?: Duration;

  /**
   * Over which figures the alarms of the monitoring are raised. An application whose requests last long by design, such as
   * long polls, needs a longer `maximumLatency`: that alarm rolls a cutover back.
   * @default - 5 % errors of at least 20 requests in a minute, and a p99 of 3 seconds
   */
  readonly alarmThresholds?: AlarmThresholds;

  /**
   * Alarms of your own that stop a cutover as well: at most 120, those of the monitoring that stop it included.
   * @default - none
   */
  readonly rollbackAlarms?: IAlarm[];

  /**
   * Alarms of your own about the source: in ALARM they block a start and a rollback, and never cause one. They count among
   * the `rollbackAlarms`.
   * @default - none
   */
  readonly sourceAlarms?: IAlarm[];

  /**
   * Who is notified of what a cutover does, and when an alarm is raised: a standard topic.
   * @default - none
   */
  readonly notificationTopic?: ITopic;

  /**
   * Where the events of a cutover go.
   * @default - the default bus of the account
   */
  readonly eventBus?: IEventBus;

  /**
   * Where the steps and the proxies find the AWS APIs by HTTPS. Where all are behind VPC endpoints: the managed prefix list of S3
   * (`Peer.prefixList('pl-…')`, from `aws ec2 describe-managed-prefix-lists`), and the security groups of the
   * endpoints that were there before. Those that `vpcEndpoints` adds let themselves be reached.
   * @default - anywhere
   */
  readonly apiPeers?: IPeer[];

  /**
   * Whether to add the endpoints of AWS services that a network without NAT gateways needs.
   * @default false
   */
  readonly vpcEndpoints?: boolean;
}

/**
 * Everything that moves one application from a source to a target: the load balancer, the proxies before both backends
 * and the cutover between them, watched by a dashboard and alarms.
 *
 * The cutover reaches an internet-facing load balancer through the NAT gateways. Name the addresses of those that were
 * not made in this app as `smokeTestPeers`, or let it ask the proxies themselves (`smokeRoute`).
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
  public readonly cluster: ICluster;
  public readonly loadBalancer: MigrationLoadBalancer;

  /** The proxies before the backend that serves today. */
  public readonly source: ProxyService;

  /** The proxies before the backend that will serve. */
  public readonly target: ProxyService;

  public readonly cutover: Cutover;

  /** The key of the proxies' admin API; rotate it with its `addRotation`. Absent where one was given. */
  public readonly adminSecret?: AdminSecret;

  /** The alarms, where there is monitoring. */
  public readonly alarms?: MigrationAlarms;

  /** The dashboard, where there is monitoring. */
  public readonly dashboard?: MigrationDashboard;

  constructor(scope: Construct, id: string, props: MigrationProps) {
    super(scope, id);
    checkNames('MigrationProps', props);
    checkProps(props, this);
    this.vpc = this.findNetwork(props);
    this.cluster = props.cluster ?? this.createCluster();
    this.loadBalancer = new MigrationLoadBalancer(this, 'LoadBalancer', {
      ...findOnly('MigrationLoadBalancerProps', props),
      vpc: this.vpc,
      sourceGroup: props.sourceGroup ?? this.createGroup('SourceGroup', props.source),
      targetGroup: props.targetGroup ?? this.createGroup('TargetGroup', props.target),
    });
    const secret = props.adminSecret ?? (this.adminSecret = this.createAdminSecret(props)).secret;
    for (const side of ['source', 'target'] as const) this.checkIdleTimeout(side, props[side]);
    this.source = this.createProxies(MigrationSide.SOURCE, props, secret);
    this.target = this.createProxies(MigrationSide.TARGET, props, secret);

    const watched = { loadBalancer: this.loadBalancer, source: this.source, target: this.target };
    const isWatched = props.monitoring ?? true;
    if (isWatched)
      this.alarms = new MigrationAlarms(this, 'Alarms', {
        ...props.alarmThresholds,
        ...watched,
        topic: props.notificationTopic,
        encryptionKey: props.encryptionKey,
      });
    this.cutover = new Cutover(this, 'Cutover', {
      ...watched,
      vpc: this.vpc,
      adminSecret: secret,
      domainName: props.domainName,
      trustedAuthorities: props.trustedAuthorities,
      smokeRoute: props.smokeRoute,
      plan: props.plan,
      changeablePlanParts: props.changeablePlanParts,
      schedule: props.schedule,
      readiness: props.readiness,
      ...checkedAlarms(this.alarms, props),
      notificationTopic: props.notificationTopic,
      eventBus: props.eventBus,
      vpcEndpoints: props.vpcEndpoints,
      vpcSubnets: props.privateSubnets,
      logRetention: props.logGroupRetention,
      encryptionKey: props.encryptionKey,
      apiPeers: props.apiPeers,
    });
    this.alarms?.watchCutover(this.cutover);
    if (isWatched) {
      this.dashboard = new MigrationDashboard(this, 'Dashboard', {
        ...watched,
        cutover: this.cutover,
        alarms: this.alarms,
        dashboardName: props.dashboardName,
        defaultInterval: props.dashboardInterval,
      });
    }
    this.createOutputs(props);
  }

  private findNetwork(props: MigrationProps): IVpc {
    const vpc = props.vpc ?? props.loadBalancer?.vpc ?? props.cluster?.vpc;
    if (vpc) {
      checkNetwork(vpc, props);
      return vpc;
    }
    if (props.loadBalancer) reject('vpc', 'given with a load balancer that does not know its own', 'none');
    if (props.sourceGroup ?? props.targetGroup) reject('vpc', 'the network of the target groups', 'none');
    return createVpc(this);
  }

  private createCluster(): Cluster {
    return new Cluster(this, 'Cluster', { vpc: this.vpc, containerInsightsV2: ContainerInsights.ENABLED });
  }

  private createAdminSecret({ encryptionKey }: MigrationProps): AdminSecret {
    return new AdminSecret(this, 'AdminSecret', { encryptionKey });
  }

  private createGroup(id: 'SourceGroup' | 'TargetGroup', { drainProfile }: ProxyOptions): StickyTargetGroup {
    return new StickyTargetGroup(this, id, { vpc: this.vpc, drainProfile });
  }

  /** Where the load balancer gives up first, no breaker and no alarm hears of it. */
  private checkIdleTimeout(
    side: 'source' | 'target',
    { upstreamIdleTimeout = UPSTREAM_IDLE_TIMEOUT }: ProxyOptions,
  ): void {
    const { idleTimeout } = this.loadBalancer;
    if (!idleTimeout || idleTimeout.isUnresolved() || upstreamIdleTimeout.isUnresolved()) return;
    if (upstreamIdleTimeout.toMilliseconds() < idleTimeout.toMilliseconds()) return;
    const rule = `under the idle timeout of the load balancer (${idleTimeout.toHumanString()})`;
    reject(`${side}.upstreamIdleTimeout`, rule, upstreamIdleTimeout.toHumanString());
  }

  private createProxies(side: MigrationSide, props: MigrationProps, adminSecret: ISecret): ProxyService {
    const { sourceGroup, targetGroup } = this.loadBalancer;
    const own = side === MigrationSide.SOURCE ? props.source : props.target;
    const options = {
      ...own,
      side,
      cluster: this.cluster,
      adminSecret,
      sessionStore: own.sessionStore ?? props.sessionStore,
      ...this.joinWith(own, side === MigrationSide.SOURCE ? props.target : props.source, props.plan),
      vpcSubnets: own.vpcSubnets ?? props.privateSubnets,
      logRetention: own.logRetention ?? (own.logGroup ? undefined : props.logGroupRetention),
      encryptionKey: own.encryptionKey ?? (own.logGroup ? undefined : props.encryptionKey),
      apiPeers: own.apiPeers ?? props.apiPeers,
    };
    if (side === MigrationSide.SOURCE) {
      return new ProxyService(this, 'Source', { ...options, targetGroup: sourceGroup });
    }
    return new ProxyService(this, 'Target', { ...options, targetGroup });
  }

  /**
   * What proxies need that may forward to the other side, or move connections there. What a user says instead is checked by the
   * cutover.
   */
  private joinWith(own: ProxyOptions, other: ProxyOptions, plan: CutoverPlan | undefined) {
    const switches = plan?._switches ?? false;
    const moves = (plan?._moves ?? true) && own.moves !== ConnectionMoves.NONE;
    if (!switches && !moves) return {};
    // Proxies have one set of authorities, and of those of a plain backend none is checked.
    const trustsNone = /^http:/i.test(own.upstreamUrl) && /^https:/i.test(other.upstreamUrl);
    return {
      otherUpstreamUrl: own.otherUpstreamUrl ?? other.upstreamUrl,
      switchStore: own.switchStore ?? (switches ? this.loadBalancer.store : undefined),
      trustedAuthorities: own.trustedAuthorities ?? (trustsNone ? other.trustedAuthorities : undefined),
    };
  }

  private createOutputs(props: MigrationProps): void {
    // The name of an existing one is not always known here. Its owner knows it.
    if (!props.loadBalancer) {
      new CfnOutput(this, 'LoadBalancerDnsName', { value: this.loadBalancer.loadBalancer.loadBalancerDnsName });
    }
    new CfnOutput(this, 'StateMachineArn', { value: this.cutover.stateMachine.stateMachineArn });
    new CfnOutput(this, 'StoreBucket', { value: this.cutover.store.bucketName });
  }
}

/** What is about alarms and a dashboard that are not made. */
const OF_MONITORING = ['alarmThresholds', 'dashboardName', 'dashboardInterval'] as const;

function checkProps(props: MigrationProps, scope: Construct): void {
  for (const side of ['source', 'target'] as const) {
    const { upstreamUrl, otherUpstreamUrl } = props[side];
    checkUpstreamUrl(`${side}.upstreamUrl`, upstreamUrl);
    if (otherUpstreamUrl !== undefined) checkUpstreamUrl(`${side}.otherUpstreamUrl`, otherUpstreamUrl);
  }
  for (const name of props.monitoring === false ? OF_MONITORING : []) {
    if (props[name] !== undefined) reject(name, "absent where 'monitoring' is false", 'a value');
  }
  const { stackName } = Stack.of(scope);
  for (const name of ['loadBalancer', 'listener'] as const) {
    const existing = props[name];
    if (!existing || Stack.of(existing) === Stack.of(scope)) continue;
    // The rules between its security group and the migration's would make each stack wait for the other.
    reject(
      name,
      `imported into the stack '${stackName}' by its attributes`,
      `that of '${Stack.of(existing).stackName}'`,
    );
  }
}

function checkNetwork(vpc: IVpc, props: MigrationProps): void {
  if (vpc.privateSubnets.length + vpc.isolatedSubnets.length === 0) {
    reject('vpc', 'a network with private subnets, where the proxies and the steps run', 'one without');
  }
  checkSameNetwork('cluster', props.cluster?.vpc, vpc);
}

function checkedAlarms(own: MigrationAlarms | undefined, props: MigrationProps) {
  return {
    alarms: [...(own?.rollbackAlarms ?? []), ...(props.rollbackAlarms ?? [])],
    sourceAlarms: [...(own?.sourceAlarms ?? []), ...(props.sourceAlarms ?? [])],
  };
}
