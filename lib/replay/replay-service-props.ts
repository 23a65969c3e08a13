import { Duration, Token } from 'aws-cdk-lib';
import { IPeer, ISecurityGroup, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { CpuArchitecture, ICluster } from 'aws-cdk-lib/aws-ecs';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { KEY_RULE, parseKeyRule } from '../../core/replay/key';
import { REPLAY_NAME_PATTERN, REPLAY_NAME_RULE } from '../../core/replay/replay-status';
import { checkFargateSize } from '../proxy/fargate-sizes';
import { ProxyImage } from '../proxy/proxy-image';
import { TrafficCapture } from '../proxy/traffic-capture';
import { MigrationSide } from '../traffic/migration-side';
import { checkApiPeers, checkDuration, checkUpstreamUrl, isLater, reject } from '../validation/validation';

/** What a replay sends where, and what it runs on. */
export interface ReplayServiceProps {
  /** The cluster to run in; its network is the service's. */
  readonly cluster: ICluster;

  /** What the proxies of a side record: the replay reads it, and goes on with what comes. */
  readonly capture: TrafficCapture;

  /** What gets the requests: `http(s)://host[:port]`, without a path. */
  readonly toUrl: string;

  /**
   * Where a cutover reads its status: the `store` of the load balancer. It is written every second, and orders of a cutover are
   * read there.
   */
  readonly store: IBucket;

  /** Its name in a plan, and of its objects: 1 to 63 of a-z, 0-9 and hyphens, without a hyphen at the beginning. */
  readonly replayName: string;

  /**
   * Where it keeps how far it is, and the requests that it could not send.
   * @default - a new one, which stays when the stack is deleted
   */
  readonly bucket?: IBucket;

  /**
   * Whose requests are sent, alone. Behind a switch the proxies of both sides forward to one backend.
   * @default - those of both sides
   */
  readonly servedBy?: MigrationSide;

  /**
   * What keeps its order in time: `connection`, `all`, a path such as `/carts/{key}`, `header:NAME` or `json:/POINTER`.
   * @default connection
   */
  readonly key?: string;

  /**
   * How many times as fast as it was recorded: from 0.01 to 1,000.
   * @default - as fast as the order allows
   */
  readonly speed?: number;

  /**
   * How many requests a second it sends at most: from 0.1 to 1,000,000.
   * @default - no limit
   */
  readonly rate?: number;

  /**
   * The methods that are sent, such as `POST`.
   * @default - all
   */
  readonly methods?: string[];

  /**
   * How far apart in the store records of one moment may be: whole seconds, up to 1 hour.
   * @default Duration.seconds(10)
   */
  readonly window?: Duration;

  /**
   * What was recorded before is left out: a time such as `2026-11-30T17:00:00Z`. A replay that has begun goes on where it
   * was, and ends where it gets another time, another `servedBy` or other `methods`: that takes another `replayName`.
   * @default - all is sent
   */
  readonly fromTime?: string;

  /**
   * The value of `Host`: a name, or `recorded`.
   * @default - that of the target
   */
  readonly host?: string;

  /**
   * What the beginnings of paths become: `{ '/v1/': '/v2/' }`. The first that fits counts.
   * @default - nothing else
   */
  readonly paths?: { [from: string]: string };

  /**
   * Headers that are set.
   * @default - none
   */
  readonly setHeaders?: { [name: string]: string };

  /**
   * Headers that are set to secrets, each to its whole string: an `Authorization` where a capture holds only hashes.
   * @default - none
   */
  readonly secretHeaders?: { [name: string]: ISecret };

  /**
   * Headers that are removed.
   * @default - none
   */
  readonly removeHeaders?: string[];

  /**
   * Signs each request anew for AWS with the role of the task: SERVICE/REGION, such as `es/eu-central-1`. Give that role its rights.
   * @default - requests are not signed
   */
  readonly signFor?: string;

  /**
   * Modules in the image whose default exports change each request, by their paths. They need an `image` of yours.
   * @default - none
   */
  readonly transforms?: string[];

  /**
   * Whether records that cannot be read are skipped, and counted. Otherwise the replay ends at the first of them.
   * @default false
   */
  readonly skipDamaged?: boolean;

  /**
   * CPU units: one of the sizes of Fargate. A replay uses one core at most, and a little of a second one.
   * @default 1024
   */
  readonly cpu?: number;

  /**
   * Memory in MiB.
   * @default - 2 MiB for each unit of CPU; 2048 where those are known only at deployment
   */
  readonly memoryLimitMiB?: number;

  /**
   * The processors that the image is built for and runs on.
   * @default CpuArchitecture.ARM64
   */
  readonly cpuArchitecture?: CpuArchitecture;

  /**
   * Where the image comes from: that of the proxies has the replay, too.
   * @default ProxyImage.fromPackage()
   */
  readonly image?: ProxyImage;

  /**
   * The subnets of the task.
   * @default - the private ones
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * More security groups of the task, such as one that the target lets in.
   * @default - its own alone
   */
  readonly securityGroups?: ISecurityGroup[];

  /**
   * Where it finds the AWS APIs by HTTPS, as those of the proxies.
   * @default - anywhere
   */
  readonly apiPeers?: IPeer[];

  /**
   * How long its log is kept.
   * @default RetentionDays.THREE_MONTHS
   */
  readonly logRetention?: RetentionDays;

  /**
   * The key of KMS that encrypts its log and a new bucket.
   * @default - those of CloudWatch Logs and S3
   */
  readonly encryptionKey?: IKey;

  /**
   * More variables of its environment, such as `NODE_EXTRA_CA_CERTS`.
   * @default - none
   */
  readonly environment?: { [key: string]: string };
}

/** Where the values of secret headers are: `DRAINSHIFT_REPLAY_HEADER_1`, … */
export const HEADER_VARIABLE = 'DRAINSHIFT_REPLAY_HEADER_';

const DEFAULT_CPU = 1024;

export function findSize({
  cpu = DEFAULT_CPU,
  memoryLimitMiB = isLater(cpu) ? 2048 : 2 * cpu,
  cpuArchitecture = CpuArchitecture.ARM64,
}: ReplayServiceProps) {
  return { cpu, memoryLimitMiB, cpuArchitecture };
}

interface Rule {
  readonly form: RegExp;
  readonly rule: string;
}

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER: Rule = { form: HEADER_NAME, rule: 'the name of a header' };
const METHOD: Rule = { form: /^[A-Za-z]+$/, rule: 'a method such as POST' };
const PATH: Rule = { form: /^\/[^\s=]*$/, rule: 'the start of a path, without blanks and =' };
const TIME: Rule = {
  form: /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/,
  rule: 'a time such as 2026-11-30T17:00:00Z',
};
const SIGNED: Rule = { form: /^[a-z0-9-]+\/[a-z0-9-]+$/, rule: 'SERVICE/REGION, such as es/eu-central-1' };
// What a header may hold, RFC 9110 section 5.5.
const VALUE: Rule = { form: /^[\t\x20-\x7e\x80-\xff]*$/, rule: 'the value of a header' };

/** @throws Error that names the prop, its rule and its value */
export function checkProps(props: ReplayServiceProps): void {
  const { toUrl, replayName, key, speed, rate, window, cluster, vpcSubnets } = props;
  checkUpstreamUrl('toUrl', toUrl);
  check('replayName', replayName, { form: new RegExp(REPLAY_NAME_PATTERN), rule: REPLAY_NAME_RULE });
  if (key !== undefined && !isLater(key) && !parseKeyRule(key)) reject('key', KEY_RULE, key);
  checkNumber('speed', speed, { min: 0.01, max: 1_000 });
  checkNumber('rate', rate, { min: 0.1, max: 1_000_000 });
  if (window) checkDuration('window', window, { min: Duration.seconds(0), max: Duration.hours(1) });
  checkTexts(props);
  checkApiPeers(props);
  const { cpu, memoryLimitMiB } = findSize(props);
  checkFargateSize(cpu, memoryLimitMiB);
  // The CDK would fall back to public subnets, from which a task without a public address reaches nothing.
  if (vpcSubnets === undefined && cluster.vpc.selectSubnets().hasPublic)
    reject('vpcSubnets', 'given in a network without private subnets', 'nothing');
}

function checkTexts(props: ReplayServiceProps): void {
  const { fromTime, signFor, transforms = [], image } = props;
  if (fromTime !== undefined) check('fromTime', fromTime, TIME);
  if (signFor !== undefined) check('signFor', signFor, SIGNED);
  props.methods?.forEach((each, index) => check(`methods[${index}]`, each, METHOD));
  checkHeaders(props);
  for (const [from, to] of Object.entries(props.paths ?? {}))
    for (const path of [from, to]) check(`paths.${from}`, path, PATH);
  if (transforms.length > 0 && !image)
    reject('transforms', "given with an 'image' that has them", transforms.join(', '));
}

function checkHeaders({ removeHeaders, setHeaders = {}, secretHeaders = {}, environment = {} }: ReplayServiceProps) {
  removeHeaders?.forEach((each, index) => check(`removeHeaders[${index}]`, each, HEADER));
  for (const name of Object.keys(secretHeaders)) check(`secretHeaders.${name}`, name, HEADER);
  for (const [name, value] of Object.entries(setHeaders)) {
    check(`setHeaders.${name}`, name, HEADER);
    check(`setHeaders.${name}`, value, VALUE);
  }
  const taken = Object.keys(environment).find((name) => name.startsWith(HEADER_VARIABLE));
  if (taken !== undefined) reject(`environment.${taken}`, 'left to the construct', 'a value');
}

function check(name: string, value: string, { form, rule }: Rule): void {
  if (!Token.isUnresolved(value) && !isLater(value) && !form.test(value)) reject(name, rule, value);
}

function checkNumber(name: string, value: number | undefined, { min, max }: { min: number; max: number }): void {
  if (value === undefined || isLater(value) || (value >= min && value <= max)) return;
  reject(name, `a number from ${min} to ${max}`, value);
}
