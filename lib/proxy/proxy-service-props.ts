import { Duration, Tokenization } from 'aws-cdk-lib';
import { IPeer, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { CpuArchitecture, ICluster } from 'aws-cdk-lib/aws-ecs';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { ILogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import { Setting, SettingTexts } from '../../core/proxy/settings/setting-names';
import { DrainProfile } from '../shared/drain-profile';
import { UPSTREAM_IDLE_BOUNDS, UPSTREAM_IDLE_TIMEOUT } from '../shared/idle-timeouts';
import { ConnectionMoves } from '../traffic/connection-moves';
import { MigrationSide } from '../traffic/migration-side';
import { ProxyCompute } from './proxy-compute';
import { renderSeconds, workersFor } from './proxy-environment';
import { ProxyImage } from './proxy-image';
import { TrafficCapture } from './traffic-capture';
import { TrafficMirror } from './traffic-mirror';
import { checkTaskCounts, ProxyScaling, TASK_COUNTS } from './proxy-scaling';
import {
  checkApiPeers,
  checkDuration,
  checkInteger,
  checkUpstreamUrl,
  isLater,
  reject,
} from '../validation/validation';
import { ISessionStore } from '../session-store/session-store-props';
import { StickyTargetGroup } from '../load-balancer/sticky-target-group';

/** One backend, and what the proxies before it are like. */
export interface ProxyOptions {
  /** The backend: `http(s)://host[:port]`, without a path. A host that leads back to the load balancer is rejected. */
  readonly upstreamUrl: string;

  /**
   * The backend of the other side: where requests go while that side serves, and where live connections move to, so both backends
   * must let the proxies of both sides in. A plan of `CutoverPlan.drainThenShift` needs it, and so does one that moves connections;
   * a `Migration` with such a plan sets it.
   * @default - none: these proxies never forward to the other side, and move nothing
   */
  readonly otherUpstreamUrl?: string;

  /**
   * The bucket that says which side serves: the `store` of the load balancer. The proxies read it before they become healthy,
   * and each request to a backend carries `X-Drainshift-Epoch`. A plan of `CutoverPlan.drainThenShift` needs it; a `Migration`
   * with such a plan sets it.
   * @default - none: these proxies take part in no switch
   */
  readonly switchStore?: IBucket;

  /**
   * How connections end when a proxy is to go; it must fit the deregistration delay of the target group.
   * @default - that of the target group
   */
  readonly drainProfile?: DrainProfile;

  /**
   * The fewest proxies, with which the service starts. There is no desired count: each deployment would set it again, and undo
   * what the scaling did.
   * @default 2
   */
  readonly minTasks?: number;

  /**
   * The most proxies: 200 at most.
   * @default 10
   */
  readonly maxTasks?: number;

  /**
   * When proxies are added and taken away.
   * @default - by CPU, requests and live connections
   */
  readonly scaling?: ProxyScaling;

  /**
   * What the proxies run on.
   * @default ProxyCompute.fargate()
   */
  readonly compute?: ProxyCompute;

  /**
   * CPU units of a proxy, 1024 for each core. On Fargate one of its sizes.
   * @default 512
   */
  readonly cpu?: number;

  /**
   * Memory of a proxy in MiB. What its clients' connections hold may be half of it.
   * @default - 2 MiB for each unit of CPU, which is the least of Fargate; 2048 where those are known only at deployment
   */
  readonly memoryLimitMiB?: number;

  /**
   * Processes of a proxy, from 1 to 64; each uses one core at most.
   * @default - one for each whole core, and one where there is less
   */
  readonly workers?: number;

  /**
   * The processors that the image is built for and runs on.
   * @default CpuArchitecture.ARM64
   */
  readonly cpuArchitecture?: CpuArchitecture;

  /**
   * Where the image comes from.
   * @default ProxyImage.fromPackage()
   */
  readonly image?: ProxyImage;

  /**
   * The subnets of the proxies.
   * @default - the private ones
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * Whether a proxy with live WebSockets or streams is spared when ECS scales in or deploys: for an hour in a row at the most.
   * A deployment waits until they have ended or were drained, up to 75 minutes and the grace period of the drain profile.
   * @default true
   */
  readonly protectLongLivedConnections?: boolean;

  /**
   * Whether ECS moves proxies when the zones have become uneven.
   * @default true
   */
  readonly availabilityZoneRebalancing?: boolean;

  /**
   * Whether ECS Exec works. It runs as root, and the image of this package has no shell.
   * @default false
   */
  readonly enableExecuteCommand?: boolean;

  /**
   * Where the logs go, and the metrics with them.
   * @default - a new log group
   */
  readonly logGroup?: ILogGroup;

  /**
   * How long a new log group keeps them.
   * @default RetentionDays.THREE_MONTHS
   */
  readonly logRetention?: RetentionDays;

  /**
   * The key of KMS that encrypts a new log group.
   * @default - that of the migration, or that of CloudWatch Logs
   */
  readonly encryptionKey?: IKey;

  /**
   * The store of the applications' sessions, which the health response then reports. The proxies are allowed in and log in by
   * its password; one that wants signed logins they only reach.
   * @default - none
   */
  readonly sessionStore?: ISessionStore;

  /**
   * A secret whose whole string is PEM: the authorities that the certificate of an `https://` backend is checked against, the
   * other side's included, instead of the public ones. `TrustedAuthorities` makes one out of a file. Proxies read it when they start.
   * @default - the public authorities
   */
  readonly trustedAuthorities?: ISecret;

  /**
   * Where the proxies, and instances that are made for them, find the AWS APIs by HTTPS. Where all are behind VPC endpoints: the managed prefix list of S3
   * (`Peer.prefixList('pl-…')`, from `aws ec2 describe-managed-prefix-lists`), and the security groups of the
   * endpoints that were there before. Those that `vpcEndpoints` adds let themselves be reached.
   * @default - anywhere
   */
  readonly apiPeers?: IPeer[];

  /**
   * How long the backend may be quiet within a request before the proxy gives it up (504, or a reset in the middle of an
   * response): from 1 second to 1 hour. WebSockets and event streams may be quiet for as long as the load balancer lets
   * them. Keep it under the idle timeout of the load balancer, or the connections that time out are not counted.
   * @default Duration.minutes(1)
   */
  readonly upstreamIdleTimeout?: Duration;

  /**
   * Which WebSockets and event streams these proxies may move to the other side's backend while their clients stay connected. The
   * plan of a cutover may move fewer. It needs `otherUpstreamUrl`.
   * @default ConnectionMoves.RESUMABLE
   */
  readonly moves?: ConnectionMoves;

  /**
   * What the handshake of a WebSocket has that never moves, because its credentials are good for one handshake: a path, where `*`
   * stands for anything, the name of a header field, or `NAME=VALUE`.
   * @default - none
   */
  readonly movesNever?: string[];

  /**
   * How long each part of a move may take before the client must connect anew: from 1 second to 10 minutes.
   * @default Duration.seconds(5)
   */
  readonly moveTimeout?: Duration;

  /**
   * Whether WebSockets are compressed message by message (`permessage-deflate` without context takeover), so that those with
   * compression can be moved.
   * @default false
   */
  readonly webSocketNoContextTakeover?: boolean;

  /**
   * What these proxies record of their traffic, and where. It is meant for the source.
   * @default - nothing
   */
  readonly capture?: TrafficCapture;

  /**
   * A target that gets copies of these proxies' requests, and whose responses are compared. It is meant for the source.
   * @default - none
   */
  readonly mirror?: TrafficMirror;

  /**
   * More settings of the proxy, by their environment variables.
   * @default - none
   */
  readonly environment?: { [key: string]: string };
}

export interface ProxyServiceProps extends ProxyOptions {
  /** The cluster to run in; its network is the service's. */
  readonly cluster: ICluster;

  /** Which backend these proxies stand before. */
  readonly side: MigrationSide;

  /** Where the proxies register; it must hang on a listener. */
  readonly targetGroup: StickyTargetGroup;

  /** The key of the admin API; its whole string. */
  readonly adminSecret: ISecret;
}

export function findCompute({ compute }: ProxyServiceProps): ProxyCompute {
  return compute ?? ProxyCompute.fargate();
}

export function findProfile({ drainProfile, targetGroup }: ProxyServiceProps): DrainProfile {
  return drainProfile ?? targetGroup.drainProfile;
}

/** Half a core forwards 20 times what the scaling asks of it; a quarter is paused too often (docs/constructs.md has figures). */
const DEFAULT_CPU = 512;

export function computeSize({
  cpu = DEFAULT_CPU,
  memoryLimitMiB = isLater(cpu) ? 2048 : 2 * cpu,
  cpuArchitecture = CpuArchitecture.ARM64,
  side,
}: ProxyServiceProps) {
  return { cpu, memoryLimitMiB, cpuArchitecture: findProcessors(cpuArchitecture), side };
}

/** The constant, of which `CpuArchitecture.of` makes an equal that is another object. */
function findProcessors({ _cpuArchitecture: name }: CpuArchitecture): CpuArchitecture {
  const { ARM64, X86_64 } = CpuArchitecture;
  const known = [ARM64, X86_64].find(({ _cpuArchitecture }) => _cpuArchitecture === name);
  return known ?? reject('cpuArchitecture', 'ARM64 or X86_64', name);
}

export function findWorkers(props: ProxyServiceProps): number | undefined {
  return props.workers ?? workersFor(computeSize(props).cpu);
}

/** The props that are settings of the proxy, under the names of these. Their bounds are the settings' own, or narrower. */
const SETTING_PROPS = {
  workers: 'workers',
  upstreamIdleTimeout: 'upstream_idle_seconds',
  moves: 'moves',
  movesNever: 'moves_never',
  moveTimeout: 'move_timeout_seconds',
  webSocketNoContextTakeover: 'websocket_no_context_takeover',
} as const satisfies Partial<Record<keyof ProxyOptions, Setting>>;

type SettingProp = keyof typeof SETTING_PROPS;

/** What is no prop of the user, and has another default than that of the proxy. */
function findDefaults(props: ProxyServiceProps): Partial<Pick<ProxyServiceProps, SettingProp>> {
  return { workers: findWorkers(props), upstreamIdleTimeout: UPSTREAM_IDLE_TIMEOUT };
}

/** Undefined where it is for the proxy to say. */
export function listSettings(props: ProxyServiceProps): SettingTexts {
  const defaults = findDefaults(props);
  const texts = (Object.keys(SETTING_PROPS) as SettingProp[]).map((prop) => {
    return [SETTING_PROPS[prop], renderSetting(props[prop] ?? defaults[prop])];
  });
  return Object.fromEntries(texts) as SettingTexts;
}

function renderSetting(value: ProxyServiceProps[SettingProp]): string | undefined {
  if (value instanceof Duration) return renderSeconds(value);
  if (typeof value === 'number') return Tokenization.stringifyNumber(value);
  return Array.isArray(value) ? value.join(',') : value?.toString();
}

function checkSettings(props: ProxyServiceProps): void {
  for (const prop of Object.keys(SETTING_PROPS) as SettingProp[]) {
    const value = props[prop];
    const field = PROXY_SETTINGS[SETTING_PROPS[prop]];
    if (typeof value === 'number' && field.kind === 'integer') checkInteger(prop, value, field);
  }
  if (props.upstreamIdleTimeout) checkDuration('upstreamIdleTimeout', props.upstreamIdleTimeout, UPSTREAM_IDLE_BOUNDS);
  if (props.moveTimeout) checkDuration('moveTimeout', props.moveTimeout, MOVE_TIMEOUT_BOUNDS);
  props.movesNever?.forEach((pattern, index) => checkPattern(`movesNever[${index}]`, pattern));
}

const MOVE_TIMEOUT_BOUNDS = { min: Duration.seconds(1), max: Duration.minutes(10) };

/** The proxy is given all of them in one text, with commas between them. */
function checkPattern(name: string, pattern: string): void {
  if (isLater(pattern) || (!pattern.includes(',') && NEVER_MOVED.test(pattern))) return;
  reject(name, PROXY_SETTINGS.moves_never.rule, pattern);
}

const NEVER_MOVED = new RegExp(PROXY_SETTINGS.moves_never.pattern, 'i');

/** Where the proxies may send requests, by the names of the props. */
export type Upstreams = Pick<ProxyOptions, 'upstreamUrl' | 'otherUpstreamUrl'>;

export function listUpstreams({ upstreamUrl, otherUpstreamUrl }: ProxyServiceProps): Upstreams {
  return { upstreamUrl, ...(otherUpstreamUrl !== undefined && { otherUpstreamUrl }) };
}

export function checkProps(props: ProxyServiceProps): void {
  for (const [name, url] of Object.entries(listUpstreams(props))) checkUpstreamUrl(name, url);
  checkApiPeers(props);
  checkTaskCounts(props.minTasks ?? TASK_COUNTS.minTasks, props.maxTasks ?? TASK_COUNTS.maxTasks);
  checkSettings(props);
  findCompute(props)._check(computeSize(props));
  const { deregistrationDelay } = props.targetGroup.drainProfile;
  props.drainProfile?._checkDelay('targetGroup.drainProfile.deregistrationDelay', deregistrationDelay);
  checkSubnets(props);
  if (props.logGroup && props.logRetention !== undefined) {
    reject('logRetention', "absent next to 'logGroup'", props.logRetention);
  }
  if (props.logGroup && props.encryptionKey) reject('encryptionKey', "absent next to 'logGroup'", 'a key');
}

/** The CDK would fall back to public subnets, from which a task without a public address reaches nothing. */
function checkSubnets({ cluster, vpcSubnets }: ProxyServiceProps): void {
  if (vpcSubnets === undefined && cluster.vpc.selectSubnets().hasPublic) {
    reject('vpcSubnets', 'given in a network without private subnets', 'nothing');
  }
}
