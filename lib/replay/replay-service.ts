import { Duration, Names, RemovalPolicy, Resource, Size, Tags } from 'aws-cdk-lib';
import { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, IConnectable, ISecurityGroup, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  AvailabilityZoneRebalancing,
  AwsLogDriverMode,
  Capability,
  FargateService,
  FargateTaskDefinition,
  ICluster,
  LinuxParameters,
  LogDrivers,
  OperatingSystemFamily,
  PropagatedTagSource,
  Secret,
} from 'aws-cdk-lib/aws-ecs';
import { IGrantable, IPrincipal } from 'aws-cdk-lib/aws-iam';
import { ILogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket, BucketEncryption, IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE } from '../../core/proxy/events';
import { REPLAY_METRICS } from '../../core/replay/replay-metrics';
import { ProxyImage } from '../proxy/proxy-image';
import { allowApis } from '../shared/api-peers';
import { createLogGroup, letDecrypt } from '../shared/encryption';
import { letReach } from '../shared/let-reach';
import { trustOwnAccountOnly } from '../shared/trusted-services';
import { checkNames } from '../validation/known-props';
import { acknowledge } from '../validation/nag-suppressions';
import { limitTaskDefinition } from '../validation/service-limits';
import { renderCommand } from './replay-command';
import { letKeep, letWriteStatus } from './replay-rights';
import { HEADER_VARIABLE, ReplayServiceProps, checkProps, findSize } from './replay-service-props';

/** `nonroot` of the image. */
const USER = '65532';
/** Requests under way end within 10 seconds; what follows is a write. */
const STOP_SECONDS = 60;

/**
 * Sends what proxies have captured to a target, and goes on with what they capture: a service of ECS with one task. Its order and
 * what it promises are those of `drainshift replay --follow`.
 *
 * @example
 * const capture = TrafficCapture.toBucket(bucket);
 * new ReplayService(this, 'Replay', {
 *   cluster,
 *   capture,
 *   toUrl: 'http://new.internal:8080',
 *   store: loadBalancer.store,
 *   replayName: 'to-target',
 *   key: '/carts/{key}',
 * });
 */
export class ReplayService extends Resource implements IConnectable, IGrantable {
  /** One task, and never two. */
  public readonly service: FargateService;
  public readonly taskDefinition: FargateTaskDefinition;
  public readonly cluster: ICluster;
  public readonly logGroup: ILogGroup;

  /** Where it keeps how far it is, and the requests that it could not send. */
  public readonly bucket: IBucket;

  /** Its name in a plan. */
  public readonly replayName: string;

  /** The dimension `Service` of its metrics. */
  public readonly serviceName: string;

  /** Allow your backend from here: `backend.connections.allowFrom(replay, Port.tcp(8080))`. */
  public readonly connections: Connections;

  /** The role of the task: for the rights that a signed request needs. */
  public readonly grantPrincipal: IPrincipal;

  constructor(scope: Construct, id: string, props: ReplayServiceProps) {
    super(scope, id);
    checkNames('ReplayServiceProps', props);
    checkProps(props);
    acknowledge(this, 'replay');
    trustOwnAccountOnly(this);
    this.cluster = props.cluster;
    this.replayName = props.replayName;
    this.serviceName = Names.uniqueResourceName(this, { maxLength: 255, separator: '-' });
    const { logRetention: retention = RetentionDays.THREE_MONTHS, encryptionKey } = props;
    this.logGroup = createLogGroup(this, 'Log', { retention, encryptionKey });
    this.bucket = props.bucket ?? this.createBucket(props);
    const securityGroup = this.createSecurityGroup(props);
    this.connections = new Connections({ securityGroups: [securityGroup, ...(props.securityGroups ?? [])] });
    this.taskDefinition = this.createTaskDefinition(props);
    this.grantPrincipal = this.taskDefinition.taskRole;
    props.capture._letRead(this);
    const brokers = props.capture._brokers;
    if (brokers) this.connections.allowToDefaultPort(brokers, 'Captured traffic');
    letWriteStatus(props.store, props.replayName, this);
    letKeep(this.bucket, props.replayName, this);
    this.service = this.createService(props, securityGroup);
  }

  /** One of its metrics, each minute: `ReplayLag`, `ReplaySent`, `ReplayFailed`, `ReplayParked`, `ReplayReordered`. */
  public metric(metricName: string, options?: MetricOptions): Metric {
    const dimensionsMap = { Service: this.serviceName };
    return new Metric({ namespace: METRIC_NAMESPACE, metricName, dimensionsMap, ...options }).attachTo(this);
  }

  /** The age in seconds of the oldest request that is not finished. */
  public metricLag(options?: MetricOptions): Metric {
    return this.metric(REPLAY_METRICS.lag, { statistic: 'Maximum', ...options });
  }

  /** Requests that got a response of the target. */
  public metricSent(options?: MetricOptions): Metric {
    return this.metric(REPLAY_METRICS.sent, { statistic: 'Sum', ...options });
  }

  /** Attempts that failed. */
  public metricFailed(options?: MetricOptions): Metric {
    return this.metric(REPLAY_METRICS.failed, { statistic: 'Sum', ...options });
  }

  /** Requests that could not be sent. */
  public metricParked(options?: MetricOptions): Metric {
    return this.metric(REPLAY_METRICS.parked, { statistic: 'Sum', ...options });
  }

  /** Requests that came behind one of their key that was recorded later. */
  public metricReordered(options?: MetricOptions): Metric {
    return this.metric(REPLAY_METRICS.reordered, { statistic: 'Sum', ...options });
  }

  /** Not the store: its versions are kept, and this is written every two seconds. */
  private createBucket({ encryptionKey }: ReplayServiceProps): Bucket {
    return new Bucket(this, 'Bucket', {
      encryption: encryptionKey ? BucketEncryption.KMS : BucketEncryption.S3_MANAGED,
      encryptionKey,
      bucketKeyEnabled: encryptionKey ? true : undefined,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  private createSecurityGroup({ cluster, apiPeers, toUrl }: ReplayServiceProps): SecurityGroup {
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: cluster.vpc,
      description: 'A replay of captured traffic',
      allowAllOutbound: false,
    });
    allowApis(securityGroup, apiPeers, 'The image, the capture and the logs');
    letReach(securityGroup, toUrl, { apiPeers, description: 'The target' });
    return securityGroup;
  }

  private createTaskDefinition(props: ReplayServiceProps): FargateTaskDefinition {
    const { cpu, memoryLimitMiB, cpuArchitecture } = findSize(props);
    const taskDefinition = new FargateTaskDefinition(this, 'TaskDefinition', {
      ...{ cpu, memoryLimitMiB },
      runtimePlatform: { cpuArchitecture, operatingSystemFamily: OperatingSystemFamily.LINUX },
    });
    const { image, workingDirectory } = (props.image ?? ProxyImage.fromPackage())._bind(cpuArchitecture);
    const secrets = Object.values(props.secretHeaders ?? {});
    const linuxParameters = new LinuxParameters(this, 'Linux');
    linuxParameters.dropCapabilities(Capability.ALL);
    taskDefinition.addContainer('replay', {
      containerName: 'replay',
      ...{ image, workingDirectory, command: renderCommand(props, this.bucket, this.serviceName) },
      ...{ user: USER, readonlyRootFilesystem: true, linuxParameters },
      environment: props.environment,
      secrets: Object.fromEntries(
        secrets.map((secret, at) => [`${HEADER_VARIABLE}${at + 1}`, Secret.fromSecretsManager(secret)]),
      ),
      stopTimeout: Duration.seconds(STOP_SECONDS),
      // A replay must not wait for its log.
      logging: LogDrivers.awsLogs({
        ...{ logGroup: this.logGroup, streamPrefix: props.replayName },
        ...{ mode: AwsLogDriverMode.NON_BLOCKING, maxBufferSize: Size.mebibytes(25) },
      }),
    });
    for (const { encryptionKey } of secrets) letDecrypt(taskDefinition.obtainExecutionRole(), encryptionKey);
    limitTaskDefinition(taskDefinition, "'environment', headers and paths");
    return taskDefinition;
  }

  private createService({ vpcSubnets, securityGroups = [] }: ReplayServiceProps, own: ISecurityGroup): FargateService {
    const service = new FargateService(this, 'Service', {
      ...{ cluster: this.cluster, taskDefinition: this.taskDefinition, vpcSubnets, assignPublicIp: false },
      securityGroups: [own, ...securityGroups],
      // The order is that of one reader: the old task ends before the new one starts.
      ...{ desiredCount: 1, minHealthyPercent: 0, maxHealthyPercent: 100 },
      availabilityZoneRebalancing: AvailabilityZoneRebalancing.DISABLED,
      circuitBreaker: { rollback: true },
      propagateTags: PropagatedTagSource.SERVICE,
    });
    Tags.of(service).add('drainshift:replay', this.replayName);
    return service;
  }
}
