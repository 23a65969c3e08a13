import { Duration, Token } from 'aws-cdk-lib';
import { Connections, IConnectable, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import {
  ContainerImage,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  ICluster,
  LogDrivers,
  OperatingSystemFamily,
  Secret,
} from 'aws-cdk-lib/aws-ecs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { PROXY_VARIABLES } from '../core/wiring';
import { PROXY_COMMAND, proxyAsset } from './assets';
import { MigrationSide } from './migration-side';
import { ADMIN_PORT, DATA_PORT } from './ports';
import { checkDuration, checkUpstreamUrl, refuse } from './refusals';
import { StickyTargetGroup } from './sticky-target-group';

export interface ProxyServiceProps {
  /** The cluster to run in; its network is the service's. */
  readonly cluster: ICluster;

  /** Which backend these proxies stand before. */
  readonly side: MigrationSide;

  /** The backend: `http(s)://host[:port]`, without a path. */
  readonly upstreamUrl: string;

  /** Where the proxies register; it must hang on a listener. */
  readonly targetGroup: StickyTargetGroup;

  /** The key of the admin API; its whole string. */
  readonly adminSecret: ISecret;

  /**
   * How long a proxy that is told to stop lets its connections end.
   * @default - 20 seconds less than the stopTimeout
   */
  readonly gracePeriod?: Duration;

  /**
   * When ECS kills a proxy that was told to stop: from 20 seconds to 2 minutes.
   * @default Duration.seconds(120)
   */
  readonly stopTimeout?: Duration;

  /**
   * The fewest proxies.
   * @default 2
   */
  readonly minTasks?: number;

  /**
   * The most proxies.
   * @default 10
   */
  readonly maxTasks?: number;

  /**
   * CPU units of a proxy; it uses one core, which is 1024.
   * @default 1024
   */
  readonly cpu?: number;

  /**
   * Memory of a proxy in MiB.
   * @default 2048
   */
  readonly memoryLimitMiB?: number;

  /**
   * The processors that the image is built for and runs on.
   * @default CpuArchitecture.ARM64
   */
  readonly cpuArchitecture?: CpuArchitecture;
}

/** After SIGTERM a proxy goes on accepting for as long as load balancers may still send to it. */
const PROPAGATION = Duration.seconds(5);
const SHUTDOWN_TIMEOUT = Duration.seconds(10);
/** What must be left of the stop timeout when the grace period ends: the shutdown itself, and some to spare. */
const MARGIN = SHUTDOWN_TIMEOUT.plus(Duration.seconds(5));
/** What of the stopTimeout is not grace. */
const OUTSIDE_GRACE = PROPAGATION.plus(MARGIN);
/** With the counts of this many tasks a side, the payload of the state machine stays far under its 256 KiB. */
const MOST_TASKS = 200;
/** `nonroot` of the image. */
const USER = '65532';

/**
 * The proxies before one backend, on Fargate: they forward, count every live connection, and drain. The data port is
 * open to the load balancer alone, and the admin port to nobody until a cutover is given access.
 *
 * @example
 * new ProxyService(this, 'Source', {
 *   cluster,
 *   side: MigrationSide.SOURCE,
 *   upstreamUrl: 'http://shop.internal:8080',
 *   targetGroup: sourceGroup,
 *   adminSecret: new AdminSecret(this, 'AdminSecret').secret,
 * });
 */
export class ProxyService extends Construct implements IConnectable {
  public readonly service: FargateService;
  public readonly cluster: ICluster;
  public readonly side: MigrationSide;
  public readonly targetGroup: StickyTargetGroup;

  /** Allow your backend from here: `backend.connections.allowFrom(proxies, Port.tcp(8080))`. */
  public readonly connections: Connections;

  constructor(scope: Construct, id: string, props: ProxyServiceProps) {
    super(scope, id);
    checkProps(props);
    this.cluster = props.cluster;
    this.side = props.side;
    this.targetGroup = props.targetGroup;

    const securityGroup = this.createSecurityGroup(props.upstreamUrl);
    this.connections = new Connections({ securityGroups: [securityGroup] });
    this.service = new FargateService(this, 'Service', {
      cluster: props.cluster,
      taskDefinition: this.createTaskDefinition(props),
      securityGroups: [securityGroup],
      assignPublicIp: false,
      minHealthyPercent: 100,
      circuitBreaker: { rollback: true },
      // No desiredCount: each deployment would undo what the autoscaling did.
    });
    // Brings the data port's rule for the load balancer, and the wait for the listeners.
    props.targetGroup.targetGroup.addTarget(
      this.service.loadBalancerTarget({ containerName: 'proxy', containerPort: DATA_PORT }),
    );
    this.service
      .autoScaleTaskCount({ minCapacity: props.minTasks ?? 2, maxCapacity: props.maxTasks ?? 10 })
      .scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60 });
  }

  private createSecurityGroup(upstreamUrl: string): SecurityGroup {
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: this.cluster.vpc,
      description: `The ${this.side} proxies of a migration`,
      allowAllOutbound: false,
    });
    const upstream = upstreamPort(upstreamUrl);
    securityGroup.addEgressRule(Peer.anyIpv4(), Port.HTTPS, 'The image, the secret and the logs');
    if (upstream === undefined) securityGroup.addEgressRule(Peer.anyIpv4(), Port.allTcp(), 'The backend');
    else if (upstream !== 443) securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(upstream), 'The backend');
    return securityGroup;
  }

  private createTaskDefinition(props: ProxyServiceProps): FargateTaskDefinition {
    const cpuArchitecture = props.cpuArchitecture ?? CpuArchitecture.ARM64;
    const taskDefinition = new FargateTaskDefinition(this, 'TaskDefinition', {
      cpu: props.cpu ?? 1024,
      memoryLimitMiB: props.memoryLimitMiB ?? 2048,
      runtimePlatform: { cpuArchitecture, operatingSystemFamily: OperatingSystemFamily.LINUX },
    });
    const platform = cpuArchitecture === CpuArchitecture.X86_64 ? Platform.LINUX_AMD64 : Platform.LINUX_ARM64;
    const logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS });
    taskDefinition.addContainer('proxy', {
      containerName: 'proxy',
      image: ContainerImage.fromAsset(proxyAsset(), { platform }),
      command: [...PROXY_COMMAND],
      workingDirectory: '/app',
      user: USER,
      readonlyRootFilesystem: true,
      portMappings: [{ containerPort: DATA_PORT }, { containerPort: ADMIN_PORT }],
      environment: environmentOf(props),
      secrets: { [PROXY_VARIABLES.adminSecret]: Secret.fromSecretsManager(props.adminSecret) },
      stopTimeout: stopTimeoutOf(props),
      logging: LogDrivers.awsLogs({ logGroup, streamPrefix: props.side }),
    });
    return taskDefinition;
  }
}

function gracePeriodOf(props: ProxyServiceProps): Duration {
  const stopTimeout = stopTimeoutOf(props);
  // What fits before ECS kills it; the longest is the best default, because it ends early when there is nothing to wait for.
  const fits = stopTimeout.isUnresolved() ? 100 : stopTimeout.toSeconds() - OUTSIDE_GRACE.toSeconds();
  return props.gracePeriod ?? Duration.seconds(Math.max(0, fits));
}

function stopTimeoutOf(props: ProxyServiceProps): Duration {
  return props.stopTimeout ?? Duration.seconds(120);
}

function environmentOf(props: ProxyServiceProps): Record<string, string> {
  return {
    [PROXY_VARIABLES.side]: props.side,
    [PROXY_VARIABLES.listen]: `0.0.0.0:${DATA_PORT}`,
    [PROXY_VARIABLES.admin]: `0.0.0.0:${ADMIN_PORT}`,
    [PROXY_VARIABLES.upstream]: props.upstreamUrl,
    // The load balancer does not verify the certificates of its targets, so one made at start is as good as any.
    [PROXY_VARIABLES.tls]: 'self-signed',
    DRAINSHIFT_PROPAGATION_SECONDS: String(PROPAGATION.toSeconds()),
    DRAINSHIFT_STOP_TIMEOUT_SECONDS: String(stopTimeoutOf(props).toSeconds()),
    DRAINSHIFT_GRACE_PERIOD_SECONDS: String(gracePeriodOf(props).toSeconds()),
    DRAINSHIFT_GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS: String(SHUTDOWN_TIMEOUT.toSeconds()),
  };
}

function checkProps(props: ProxyServiceProps): void {
  checkUpstreamUrl('upstreamUrl', props.upstreamUrl);
  checkTaskCounts(props.minTasks ?? 2, props.maxTasks ?? 10);
  const stopTimeout = stopTimeoutOf(props);
  const gracePeriod = gracePeriodOf(props);
  checkDuration('stopTimeout', stopTimeout, { min: OUTSIDE_GRACE, max: Duration.seconds(120) });
  if (stopTimeout.isUnresolved() || gracePeriod.isUnresolved()) return;
  const longest = stopTimeout.toSeconds() - OUTSIDE_GRACE.toSeconds();
  if (gracePeriod.toSeconds() > longest) {
    const rule = `at most ${longest} s, so that it ends ${MARGIN.toSeconds()} s before the stopTimeout of ${stopTimeout.toSeconds()} s`;
    refuse('gracePeriod', rule, `${gracePeriod.toSeconds()} s`);
  }
}

function checkTaskCounts(minTasks: number, maxTasks: number): void {
  if (Token.isUnresolved(minTasks) || Token.isUnresolved(maxTasks)) return;
  if (!Number.isInteger(minTasks) || minTasks < 1) refuse('minTasks', 'an integer of 1 or more', minTasks);
  if (!Number.isInteger(maxTasks) || maxTasks < minTasks || maxTasks > MOST_TASKS) {
    refuse('maxTasks', `an integer from ${minTasks}, as minTasks is, to ${MOST_TASKS}`, maxTasks);
  }
}

/** Undefined for a URL that is known only at deployment. */
function upstreamPort(upstreamUrl: string): number | undefined {
  if (Token.isUnresolved(upstreamUrl)) return undefined;
  const url = new URL(upstreamUrl);
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}
