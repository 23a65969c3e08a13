import { Names, Size, Stack, Tags } from 'aws-cdk-lib';
import { AutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling';
import { Connections, IConnectable, ISecurityGroup, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  AvailabilityZoneRebalancing,
  AwsLogDriverMode,
  BaseService,
  Capability,
  ContainerDefinition,
  ContainerDefinitionOptions,
  ICluster,
  LinuxParameters,
  LogDriver,
  LogDrivers,
  PropagatedTagSource,
  ScalableTaskCount,
  TaskDefinition,
  UlimitName,
} from 'aws-cdk-lib/aws-ecs';
import { IApplicationTargetGroupMetrics } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Grant, IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { ILogGroup, LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, IConstruct } from 'constructs';
import { acknowledge } from '../validation/nag-suppressions';
import { checkNames } from '../validation/known-props';
import { allowApis } from '../shared/api-peers';
import { letReach } from '../shared/let-reach';
import { createLogGroup, letDecrypt, letRead } from '../shared/encryption';
import { MigrationSide } from '../traffic/migration-side';
import { ADMIN_PORT, DATA_PORT } from '../shared/ports';
import { listSecrets, renderEnvironment } from './proxy-environment';
import { ProxyImage } from './proxy-image';
import { ImportedProxyService, IProxyService, ProxyServiceAttributes, ProxyServiceBase } from './proxy-service-base';
import { scaleProxies, TASK_COUNTS } from './proxy-scaling';
import { rejectTwice } from '../validation/only-once';
import { reject } from '../validation/validation';
import { checkSidecar } from './sidecars';
import { letSwitch } from './switch-rights';
import { limitTaskDefinition } from '../validation/service-limits';
import { StickyTargetGroup } from '../load-balancer/sticky-target-group';
import {
  checkProps,
  findCompute,
  findProfile,
  ProxyServiceProps,
  computeSize,
  listUpstreams,
  findWorkers,
  listSettings,
  Upstreams,
} from './proxy-service-props';
import { trustOwnAccountOnly } from '../shared/trusted-services';

/** `nonroot` of the image. */
const USER = '65532';
/** On the service and its tasks; the value is the dimension of their metrics. */
const PROXIES_TAG = 'drainshift:proxies';
/** A WebSocket needs two. */
const FILE_DESCRIPTORS = 65_535;
/** Where the agent of ECS Exec writes, on a file system that is otherwise read-only. */
const EXECUTE_COMMAND_PATHS = { lib: '/var/lib/amazon', log: '/var/log/amazon' };

/**
 * The proxies before one backend: they forward, count every live connection, and drain. The data port is open to the
 * load balancer alone, and the admin port is closed until a cutover is given access.
 *
 * @example
 * new ProxyService(this, 'Source', {
 *   cluster,
 *   side: MigrationSide.SOURCE,
 *   upstreamUrl: 'http://shop.internal:8080',
 *   targetGroup: sourceGroup,
 *   adminSecret: adminSecret.secret,
 *   scaling: { cpuPercent: 50 },
 * });
 */
export class ProxyService extends ProxyServiceBase {
  /**
   * Proxies of another app: to watch them, to let them reach a backend, and to say who may drain them.
   *
   * @example
   * const theirs = ProxyService.fromProxyServiceAttributes(this, 'Theirs', {
   *   side: MigrationSide.SOURCE,
   *   serviceArn: 'arn:aws:ecs:eu-central-1:111122223333:service/shop/source',
   *   serviceName: 'Shop-Migration-Source',
   *   securityGroups: [ec2.SecurityGroup.fromSecurityGroupId(this, 'Group', 'sg-0123456789abcdef0')],
   * });
   * const backend = new ec2.SecurityGroup(this, 'Backend', { vpc });
   * backend.connections.allowFrom(theirs, ec2.Port.tcp(8080));
   */
  public static fromProxyServiceAttributes(
    scope: Construct,
    id: string,
    attributes: ProxyServiceAttributes,
  ): IProxyService {
    // eslint-disable-next-line awscdk/require-passing-this -- the caller's
    return new ImportedProxyService(scope, id, attributes);
  }

  public readonly service: BaseService;
  public readonly taskDefinition: TaskDefinition;
  public readonly cluster: ICluster;
  public readonly side: MigrationSide;
  public readonly targetGroup: StickyTargetGroup;

  /** The name of the service in the cluster. */
  public readonly ecsServiceName: string;

  /** The dimension `Service` of the proxies' own metrics. */
  public readonly serviceName: string;

  /** The fewest proxies. */
  public readonly minTasks: number;

  /** The most proxies. */
  public readonly maxTasks: number;

  /** Whether they record their traffic. */
  public readonly recordsTraffic: boolean;

  /** For schedules and policies of your own. */
  public readonly taskCount: ScalableTaskCount;

  public readonly logGroup: ILogGroup;

  /** Allow your backend from here: `backend.connections.allowFrom(proxies, Port.tcp(8080))`. */
  public readonly connections: Connections;

  protected readonly adminSecret: ISecret;

  /**
   * Whether commands can be run in the tasks.
   * @internal
   */
  public readonly _canExecute: boolean;

  /**
   * Where these proxies may send requests, by the names of the props.
   * @internal
   */
  public readonly _upstreams: Upstreams;

  /**
   * Where these proxies read which side serves.
   * @internal
   */
  public readonly _switchStore?: IBucket;

  /**
   * What the certificates of both backends are checked against, where it is not the public authorities.
   * @internal
   */
  public readonly _trustedAuthorities?: ISecret;

  constructor(scope: Construct, id: string, props: ProxyServiceProps) {
    super(scope, id);
    checkNames('ProxyServiceProps', props);
    checkProps(props);
    rejectTwice(this);
    this.cluster = props.cluster;
    this.side = props.side;
    this.targetGroup = props.targetGroup;
    this.adminSecret = props.adminSecret;
    this._upstreams = listUpstreams(props);
    this._switchStore = props.switchStore;
    this._trustedAuthorities = props.trustedAuthorities;
    acknowledge(this, 'proxies');
    trustOwnAccountOnly(this);
    this.serviceName = Names.uniqueResourceName(this, { maxLength: 255, separator: '-' });
    this.minTasks = props.minTasks ?? TASK_COUNTS.minTasks;
    this.maxTasks = props.maxTasks ?? TASK_COUNTS.maxTasks;
    this.recordsTraffic = props.capture !== undefined;
    this._canExecute = props.enableExecuteCommand ?? false;
    this.logGroup = props.logGroup ?? this.createLogGroup(props);
    const securityGroup = this.createSecurityGroup(props);
    this.connections = new Connections({ securityGroups: [securityGroup] });
    this.taskDefinition = findCompute(props)._createTaskDefinition(this, computeSize(props));
    this.addProxy(props);
    limitTaskDefinition(this.taskDefinition, "'environment', and what was added to the task,");
    if (props.protectLongLivedConnections ?? true) this.allowProtection();
    // Asked from here, so that the rules are of this stack, and a store of another one need not wait for it.
    if (props.sessionStore) this.connections.allowToDefaultPort(props.sessionStore, 'Sessions');
    const brokers = props.capture?._brokers;
    if (brokers) this.connections.allowToDefaultPort(brokers, 'Captured traffic');
    this.service = this.createService(props, securityGroup);
    this.ecsServiceName = this.service.serviceName;
    this.taskCount = scaleProxies(
      this.service,
      {
        targetGroup: this.targetGroup,
        minTasks: this.minTasks,
        maxTasks: this.maxTasks,
        workers: findWorkers(props),
        size: computeSize(props),
        liveConnections: this.metricLiveConnections(),
      },
      props.scaling ?? {},
    );
  }

  /** What the load balancer counts of these proxies. */
  public get targetMetrics(): IApplicationTargetGroupMetrics {
    return this.targetGroup.targetGroup.metrics;
  }

  /**
   * Adds a container beside the proxy, in its task and its log. It is not essential and its root file system is read-only,
   * unless asked otherwise.
   */
  public addContainer(id: string, options: ContainerDefinitionOptions): ContainerDefinition {
    checkSidecar(options);
    return this.taskDefinition.addContainer(id, {
      ...options,
      essential: options.essential ?? false,
      readonlyRootFilesystem: options.readonlyRootFilesystem ?? true,
      logging: options.logging ?? this.logs(id),
    });
  }

  /** Grants the right to run commands in the tasks of these proxies, where ECS Exec is on. */
  public grantExecuteCommand(grantee: IGrantable): Grant {
    if (!this._canExecute) reject('enableExecuteCommand', 'true before access is granted', 'false');
    // The cluster is asked about as well, and has no tag of these proxies.
    const onCluster = Grant.addToPrincipal({
      grantee,
      actions: ['ecs:ExecuteCommand'],
      resourceArns: [this.cluster.clusterArn],
    });
    const onTasks = Grant.addToPrincipal({
      grantee,
      actions: ['ecs:ExecuteCommand', 'ecs:DescribeTasks'],
      resourceArns: [this.taskArns],
      conditions: this.ownTasks,
    });
    return onCluster.combine(onTasks);
  }

  /**
   * Who calls AWS APIs for the proxies: they, and the instances that are made for them, which pull images and write logs.
   * @internal
   */
  public get _callers(): IConnectable[] {
    const isGroup = (child: IConstruct): child is AutoScalingGroup => child instanceof AutoScalingGroup;
    return [this, ...this.node.findAll().filter(isGroup)];
  }

  private get taskArns(): string {
    const resourceName = `${this.cluster.clusterName}/*`;
    return Stack.of(this).formatArn({ service: 'ecs', resource: 'task', resourceName });
  }

  /** The tasks of a cluster are told apart by the tag that they take over from their service. */
  private get ownTasks(): Record<string, Record<string, string>> {
    return { StringEquals: { [`aws:ResourceTag/${PROXIES_TAG}`]: this.serviceName } };
  }

  private createLogGroup({ logRetention = RetentionDays.THREE_MONTHS, encryptionKey }: ProxyServiceProps): LogGroup {
    return createLogGroup(this, 'Log', { retention: logRetention, encryptionKey });
  }

  private logs(streamPrefix: string): LogDriver {
    // A proxy must not wait for its log.
    const mode = AwsLogDriverMode.NON_BLOCKING;
    return LogDrivers.awsLogs({ logGroup: this.logGroup, streamPrefix, mode, maxBufferSize: Size.mebibytes(25) });
  }

  private createSecurityGroup(props: ProxyServiceProps): SecurityGroup {
    const { apiPeers } = props;
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: this.cluster.vpc,
      description: `The ${this.side} proxies of a migration`,
      allowAllOutbound: false,
    });
    allowApis(securityGroup, apiPeers, 'The image, the secret and the logs');
    const { upstreamUrl, otherUpstreamUrl } = listUpstreams(props);
    letReach(securityGroup, upstreamUrl, { apiPeers, description: 'The backend' });
    if (otherUpstreamUrl !== undefined) {
      letReach(securityGroup, otherUpstreamUrl, { apiPeers, description: 'The backend of the other side' });
    }
    if (props.mirror) letReach(securityGroup, props.mirror.url, { apiPeers, description: 'The target of the mirror' });
    return securityGroup;
  }

  private addProxy(props: ProxyServiceProps): void {
    const { cpuArchitecture, memoryLimitMiB } = computeSize(props);
    const profile = findProfile(props);
    const container = this.taskDefinition.addContainer('proxy', {
      containerName: 'proxy',
      ...(props.image ?? ProxyImage.fromPackage())._bind(cpuArchitecture),
      user: USER,
      readonlyRootFilesystem: true,
      portMappings: [{ containerPort: DATA_PORT }, { containerPort: ADMIN_PORT }],
      environment: renderEnvironment({
        side: props.side,
        upstreamUrl: props.upstreamUrl,
        otherUpstreamUrl: props.otherUpstreamUrl,
        profile,
        props: listSettings(props),
        memoryLimitMiB,
        serviceName: this.serviceName,
        smokeTestPorts: props.targetGroup._smokeTestPorts,
        protectsTask: props.protectLongLivedConnections ?? true,
        adminSecret: props.adminSecret,
        sessionStore: props.sessionStore,
        switchStore: props.switchStore,
        capture: props.capture,
        mirror: props.mirror,
        hasAuthorities: props.trustedAuthorities !== undefined,
        environment: props.environment ?? {},
      }),
      secrets: listSecrets(
        props.adminSecret,
        props.sessionStore,
        props.trustedAuthorities,
        props.capture?._redactionKey,
      ),
      stopTimeout: profile.stopTimeout,
      linuxParameters: this.withoutCapabilities(),
      ulimits: [{ name: UlimitName.NOFILE, softLimit: FILE_DESCRIPTORS, hardLimit: FILE_DESCRIPTORS }],
      logging: this.logs(props.side),
    });
    const { adminSecret, sessionStore, trustedAuthorities, capture } = props;
    for (const secret of [adminSecret, sessionStore?.secret, trustedAuthorities, capture?._redactionKey]) {
      letDecrypt(this.taskDefinition.obtainExecutionRole(), secret?.encryptionKey);
    }
    letRead(props.adminSecret, this.taskDefinition.taskRole);
    if (props.switchStore) letSwitch(props.switchStore, this.taskDefinition.taskRole);
    props.capture?._letWrite(this.taskDefinition.taskRole);
    if (this._canExecute) this.letExecuteCommandWrite(container);
  }

  /** It is no root, and its ports are over 1024. */
  private withoutCapabilities(): LinuxParameters {
    const parameters = new LinuxParameters(this, 'Linux');
    parameters.dropCapabilities(Capability.ALL);
    return parameters;
  }

  private letExecuteCommandWrite(container: ContainerDefinition): void {
    for (const [name, containerPath] of Object.entries(EXECUTE_COMMAND_PATHS)) {
      const volume = `execute-command-${name}`;
      this.taskDefinition.addVolume({ name: volume });
      container.addMountPoints({ sourceVolume: volume, containerPath, readOnly: false });
    }
  }

  private allowProtection(): void {
    const statement = new PolicyStatement({
      actions: ['ecs:UpdateTaskProtection'],
      resources: [this.taskArns],
      conditions: this.ownTasks,
    });
    this.taskDefinition.addToTaskRolePolicy(statement);
  }

  private createService(props: ProxyServiceProps, securityGroup: ISecurityGroup): BaseService {
    const { ENABLED, DISABLED } = AvailabilityZoneRebalancing;
    const service = findCompute(props)._createService(this, computeSize(props), {
      cluster: props.cluster,
      taskDefinition: this.taskDefinition,
      securityGroups: [securityGroup],
      vpcSubnets: props.vpcSubnets,
      apiPeers: props.apiPeers,
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      availabilityZoneRebalancing: (props.availabilityZoneRebalancing ?? true) ? ENABLED : DISABLED,
      enableExecuteCommand: this._canExecute,
      propagateTags: PropagatedTagSource.SERVICE,
      // No desiredCount: each deployment would undo what the autoscaling did.
    });
    Tags.of(service).add(PROXIES_TAG, this.serviceName);
    // Brings the data port's rule for the load balancer, and the wait for the listeners.
    props.targetGroup.targetGroup.addTarget(
      service.loadBalancerTarget({ containerName: 'proxy', containerPort: DATA_PORT }),
    );
    return service;
  }
}
