import { Arn, ArnFormat, Stack } from 'aws-cdk-lib';
import { IAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { IPeer, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { IEventBus } from 'aws-cdk-lib/aws-events';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { CutoverPlan, CutoverPlanPart } from '../plan/cutover-plan';
import { CutoverReadiness, checkReadiness } from './cutover-readiness';
import { CutoverSchedule } from '../plan/cutover-schedule';
import { checkForwardingLoops } from './forwarding-loops';
import { checkSwitch } from './switch-parts';
import { checkNames } from '../validation/known-props';
import { MigrationLoadBalancer } from '../load-balancer/migration-load-balancer';
import { ProxyService } from '../proxy/proxy-service';
import { checkApiPeers, checkDomainName, checkSides, reject, isLater } from '../validation/validation';
import { checkSmokeRoute, SmokeRoute } from './smoke-route';

export interface CutoverProps {
  /** The network of the steps; they need a way to the AWS APIs, the load balancer and the proxies. */
  readonly vpc: IVpc;

  /** The load balancer whose weights are moved. */
  readonly loadBalancer: MigrationLoadBalancer;

  /** The proxies before the backend that serves today. */
  readonly source: ProxyService;

  /** The proxies before the backend that will serve; in the same cluster. */
  readonly target: ProxyService;

  /** The key of the proxies' admin API. */
  readonly adminSecret: ISecret;

  /** The name that clients use: the smoke requests ask for it. */
  readonly domainName: string;

  /**
   * A secret whose whole string is PEM: the certificates of the authorities that sign the listeners' certificate, where they
   * are your own. They are trusted by the smoke requests and the proof of an adoption instead of the public ones. `TrustedAuthorities`
   * makes one out of a file.
   * @default - the public authorities
   */
  readonly trustedAuthorities?: ISecret;

  /**
   * Which way the smoke requests take: those of the preflight, of every poll, of a rollback, of `drainshift undrain` and of the
   * proof of an adoption. `TARGETS` stays inside the network, which an internet-facing load balancer without a known NAT
   * gateway needs.
   * @default SmokeRoute.LOAD_BALANCER
   */
  readonly smokeRoute?: SmokeRoute;

  /**
   * What an execution does unless it is started with a plan of its own.
   * @default CutoverPlan.gradual()
   */
  readonly plan?: CutoverPlan;

  /**
   * The parts of `plan` that the input of an execution may change. It may make them more careful, and never less: who may
   * start a cutover may not take its gates, its judge or its smoke requests away.
   * @default - all of them
   */
  readonly changeablePlanParts?: CutoverPlanPart[];

  /**
   * The alarms that stop a cutover when they are in ALARM, at most 120, in the region and account of the stack: nothing
   * starts then, and what has moved rolls back. No data is no ALARM. With a plan from the target they are about the side that
   * is left: they block a rollback to it, and cause none.
   * @default - none
   */
  readonly alarms?: IAlarm[];

  /**
   * Alarms about the source: in ALARM they block a start and, while the target serves, a rollback. They never cause one, also
   * where they are in `alarms`, too.
   * With `alarms` at most 120, in the region and account of the stack.
   * @default - none
   */
  readonly sourceAlarms?: IAlarm[];

  /**
   * The topic that is notified of what happens, why, and what to do: a standard topic.
   * @default - none
   */
  readonly notificationTopic?: ITopic;

  /**
   * Where the events with the source `drainshift` and the detail type `Drainshift Cutover` go.
   * @default - the default bus of the account
   */
  readonly eventBus?: IEventBus;

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
   * The subnets of the steps.
   * @default - the private subnets
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * Whether to add the endpoints that the steps and the proxies need in a network without NAT gateways, with those of the agents
   * on instances and of ECS Exec where there are any. They cost by the hour and zone. The network must not have them from
   * elsewhere. Instances of a capacity provider of your own must be allowed by you.
   * @default false
   */
  readonly vpcEndpoints?: boolean;

  /**
   * Where the steps find the AWS APIs by HTTPS. Where all are behind VPC endpoints: the managed prefix list of S3
   * (`Peer.prefixList('pl-…')`, from `aws ec2 describe-managed-prefix-lists`), and the security groups of the
   * endpoints that were there before. Those that `vpcEndpoints` adds let themselves be reached.
   * @default - anywhere
   */
  readonly apiPeers?: IPeer[];

  /**
   * How long the logs of the state machine and of the steps are kept; and of the function that owns the weighted rules of the
   * stack, by the longest of its cutovers.
   * @default RetentionDays.THREE_MONTHS
   */
  readonly logRetention?: RetentionDays;

  /**
   * The key of KMS that encrypts the logs, the queues and the environment of the functions. Keep it enabled: without it no step
   * can start, those that roll back included. The state machine has no such key: the events that start a recovery would lose the
   * input of its execution.
   * @default - the keys of AWS
   */
  readonly encryptionKey?: IKey;
}

/** Each is read at every poll, by name. */
const MAX_ALARMS = 120;

export function checkProps(props: CutoverProps, scope: Construct): void {
  checkNames('CutoverProps', props);
  checkDomainName('domainName', props.domainName);
  checkSides(props);
  checkSmoke(props);
  checkTrust(props);
  checkSmokeRoute(props);
  checkApiPeers(props);
  checkForwardingLoops(scope, props);
  checkSwitch(props);
  if (props.readiness) checkReadiness(props.readiness);
  if (props.source.cluster !== props.target.cluster) {
    reject('target.cluster', 'the cluster of the source', props.target.cluster.node.path);
  }
  const alarms = [...(props.alarms ?? []), ...(props.sourceAlarms ?? [])];
  if (alarms.length > MAX_ALARMS) {
    reject('alarms', `at most ${MAX_ALARMS} alarms (put more into a composite alarm)`, alarms.length);
  }
  for (const alarm of alarms) checkAlarmPlace(alarm, scope);
  if (props.notificationTopic?.fifo) reject('notificationTopic', 'a standard topic', 'a FIFO topic');
}

/** No authority vouches for a certificate that the migration signs: its name and dates are checked. */
function checkTrust({ trustedAuthorities, loadBalancer }: CutoverProps): void {
  if (!trustedAuthorities || !loadBalancer.hasSelfSignedCertificate) return;
  reject('trustedAuthorities', 'absent with a certificate of MigrationCertificate.selfSigned', 'a secret');
}

/** The default, a GET of `/`, is no call to which a group of GRPC responds: the preflight of each cutover would end it. */
function checkSmoke({ plan = CutoverPlan.gradual(), loadBalancer }: CutoverProps): void {
  if (![loadBalancer.sourceGroup, loadBalancer.targetGroup].some(({ _isGrpc }) => _isGrpc)) return;
  const wrong = plan._smokePaths.find((path) => !isLater(path) && !/^\/[^/?#]+\/[^/?#]+$/.test(path));
  if (wrong === undefined) return;
  reject('plan.smoke', "methods as '/grpc.health.v1.Health/Check' where a target group is of GRPC", `'${wrong}'`);
}

/** The steps ask CloudWatch where they run, and by name: an alarm of elsewhere is missing there, or another one. */
function checkAlarmPlace(alarm: IAlarm, scope: Construct): void {
  const { alarmArn } = alarm;
  const place = isLater(alarmArn) ? alarm.env : Arn.split(alarmArn, ArnFormat.COLON_RESOURCE_NAME);
  for (const what of ['region', 'account'] as const) {
    const own = Stack.of(scope)[what];
    const found = place[what];
    if (found === undefined || isLater(found) || isLater(own) || found === own) continue;
    reject('alarms', `alarms of the ${what} ${own}`, `'${alarm.node.path}' of ${found}`);
  }
}
