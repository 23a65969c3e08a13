import { Duration, Stack } from 'aws-cdk-lib';
import {
  Alarm,
  AlarmProps,
  ComparisonOperator,
  IAlarm,
  MathExpression,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { ICutover } from '../cutover/cutover-base';
import { checkNames } from '../validation/known-props';
import { IMigrationLoadBalancer } from '../load-balancer/migration-load-balancer-base';
import { loadBalancerErrorRate, METRIC_PERIOD, rejectedConnections, sideMetrics } from './migration-metrics';
import { MigrationSide } from '../traffic/migration-side';
import { IProxyService } from '../proxy/proxy-service-base';
import { ReplayService } from '../replay/replay-service';
import { checkDuration, checkSides, reject, isLater } from '../validation/validation';
import { DeadProxies } from './task-failures';

/** Over which figures the alarms of the target and of the load balancer are raised. */
export interface AlarmThresholds {
  /**
   * The share of responses with 5xx, over 0 and up to 1, over which the target and the load balancer are in alarm.
   * @default 0.05
   */
  readonly maximumErrorRate?: number;

  /**
   * In a minute with fewer requests than this, no share of errors raises an alarm.
   * @default 20
   */
  readonly minimumRequests?: number;

  /**
   * The time to a response of the target that one request in a hundred may exceed: over 0 and up to 1 hour. A minute with
   * fewer than 100 requests raises no alarm.
   * @default Duration.seconds(3)
   */
  readonly maximumLatency?: Duration;
}

export interface MigrationAlarmsProps extends AlarmThresholds {
  /** The load balancer that is watched. */
  readonly loadBalancer: IMigrationLoadBalancer;

  /** The proxies before the backend that serves today. */
  readonly source: IProxyService;

  /** The proxies before the backend that will serve. */
  readonly target: IProxyService;

  /**
   * The topic that is notified when an alarm is raised, and when it ends.
   * @default - none
   */
  readonly topic?: ITopic;

  /**
   * The key of KMS that encrypts the queue of what ECS says of proxies that ended. The topic's key is the topic's.
   * @default - the keys of SQS
   */
  readonly encryptionKey?: IKey;
}

/** Over which figures the alarms of a replay are raised. */
export interface ReplayAlarmOptions {
  /**
   * The age of the oldest request that is not finished: from 1 second to 1 day.
   * @default Duration.minutes(5)
   */
  readonly maximumLag?: Duration;
}

/**
 * `FILL` makes a zero of the newest minute while its figures are still on their way: an alarm on it alone would never be
 * raised.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 */
const MINUTES_BEHIND = 5;

/** One in a hundred of fewer is none. CloudWatch's own rule for a p99 keeps the state of the alarm up to a thousand. */
const LATENCY_REQUESTS = 100;

const DEFAULTS = { maximumErrorRate: 0.05, minimumRequests: 20, maximumLatency: Duration.seconds(3) };

type Settings = Omit<AlarmProps, 'evaluationPeriods'> & { readonly minutes: number; readonly ofMinutes?: number };

/**
 * What a person should be woken for during a migration. The alarms about the target and the load balancer stop a cutover,
 * those about the source block its start and its rollback; the others ask an operator to act.
 *
 * On a load balancer that serves other applications too, its own errors and rejected connections are theirs as well.
 *
 * @example
 * const alarms = new MigrationAlarms(this, 'Alarms', { loadBalancer, source: sourceProxies, target: targetProxies });
 * const veto = alarms.rollbackAlarms;
 */
export class MigrationAlarms extends Construct {
  /** Those about the target and the load balancer, which stop a cutover: for its `alarms`. */
  public readonly rollbackAlarms: IAlarm[] = [];

  /** Those about the source, which block a start and a rollback: for its `sourceAlarms`. */
  public readonly sourceAlarms: IAlarm[] = [];

  /** All of them. */
  public readonly alarms: IAlarm[] = [];

  private readonly topic?: ITopic;

  constructor(scope: Construct, id: string, props: MigrationAlarmsProps) {
    super(scope, id);
    checkNames('MigrationAlarmsProps', props);
    checkProps(props);
    checkSides(props);
    checkPlace(props, Stack.of(this));
    this.topic = props.topic;
    this.watchTarget(props);
    this.watchLoadBalancer(props);
    for (const proxies of [props.source, props.target]) this.watchProxies(proxies);
    this.watchForDeadProxies(props);
  }

  /**
   * Adds the alarms of a cutover: that one failed, and that the traffic could not be put back. Apart from the
   * constructor, because the cutover is made with `rollbackAlarms`.
   */
  public watchCutover(cutover: ICutover): void {
    const options = { period: METRIC_PERIOD, statistic: 'Sum' };
    this.add('CutoverFailed', {
      alarmDescription:
        'A cutover was rejected, failed or was stopped. Look at the weights in force, then at its evidence.',
      metric: new MathExpression({
        expression: 'FILL(failed, 0) + FILL(aborted, 0) + FILL(timedOut, 0)',
        usingMetrics: {
          failed: cutover.metricFailed(options),
          aborted: cutover.metricAborted(options),
          timedOut: cutover.metricTimedOut(options),
        },
        period: METRIC_PERIOD,
      }),
      threshold: 1,
      minutes: 1,
      ofMinutes: MINUTES_BEHIND,
    });
    this.watchRecovery(cutover);
  }

  /**
   * Adds the alarms of a replay: that it is too far behind, that it does not run, and that the target lacks a request or got one in
   * another order.
   */
  public watchReplay(replay: ReplayService, options: ReplayAlarmOptions = {}): void {
    checkNames('ReplayAlarmOptions', options);
    const { maximumLag = Duration.minutes(5) } = options;
    checkDuration('maximumLag', maximumLag, { min: Duration.seconds(1), max: Duration.days(1) });
    const { replayName } = replay;
    const period = METRIC_PERIOD;
    this.add(`ReplayLag-${replayName}`, {
      alarmDescription: `The replay '${replayName}' is too far behind: a cutover that asks for it waits.`,
      metric: replay.metricLag({ period }),
      threshold: maximumLag.toSeconds(),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      minutes: 5,
    });
    this.add(`ReplayIncomplete-${replayName}`, {
      alarmDescription: `The replay '${replayName}' could not send a request, or sent one behind a later one of its key. Its status and its bucket say which.`,
      metric: new MathExpression({
        expression: 'FILL(parked, 0) + FILL(reordered, 0)',
        usingMetrics: { parked: replay.metricParked({ period }), reordered: replay.metricReordered({ period }) },
        period,
      }),
      threshold: 1,
      minutes: 1,
      ofMinutes: MINUTES_BEHIND,
    });
    this.add(`NoReplay-${replayName}`, {
      alarmDescription: `The replay '${replayName}' does not run, or ends again and again. Its log says why.`,
      metric: replay.metricLag({ period, statistic: 'SampleCount' }),
      threshold: 1,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.BREACHING,
      minutes: 5,
    });
  }

  private watchRecovery(cutover: ICutover): void {
    const options = { period: METRIC_PERIOD, statistic: 'Sum' };
    this.add('RecoveryFailed', {
      alarmDescription:
        'A cutover was stopped, and putting its traffic back failed. It is tried again; set the weights by hand if they are not as they should be.',
      metric: new MathExpression({
        expression: 'FILL(errors, 0) + FILL(dropped, 0)',
        usingMetrics: {
          errors: cutover.metricRecoveryErrors(options),
          dropped: cutover.metricRecoveryDropped(options),
        },
        period: METRIC_PERIOD,
      }),
      threshold: 1,
      minutes: 1,
      ofMinutes: MINUTES_BEHIND,
    });
    this.add('RecoveryGivenUp', {
      alarmDescription:
        'The traffic of a cutover that was stopped could not be put back in hours, and it is not tried any more. Set the weights by hand.',
      metric: cutover.metricRecoveryGivenUp({ period: METRIC_PERIOD }),
      threshold: 1,
      // A queue that no client calls reports its messages for six hours only.
      treatMissingData: TreatMissingData.IGNORE,
      minutes: 1,
    });
  }

  private watchTarget(props: MigrationAlarmsProps): void {
    const target = sideMetrics(props.target);
    this.addAlarmCheck('TargetErrors', {
      alarmDescription: 'The target responds to too many requests with 5xx.',
      metric: target.errorRate(props.minimumRequests ?? DEFAULTS.minimumRequests),
      threshold: props.maximumErrorRate ?? DEFAULTS.maximumErrorRate,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      minutes: 2,
      ofMinutes: 3,
    });
    this.addAlarmCheck('TargetLatency', {
      alarmDescription: 'One request in a hundred waits too long for the target.',
      metric: target.latencyAmong('p99', LATENCY_REQUESTS),
      threshold: (props.maximumLatency ?? DEFAULTS.maximumLatency).toSeconds({ integral: false }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      minutes: 3,
      ofMinutes: 5,
    });
  }

  private watchLoadBalancer(props: MigrationAlarmsProps): void {
    this.addAlarmCheck('LoadBalancerErrors', {
      alarmDescription:
        'The load balancer itself responds to too many requests with 5xx: no healthy proxy, or none that responds.',
      metric: loadBalancerErrorRate(props.loadBalancer, props.minimumRequests ?? DEFAULTS.minimumRequests),
      threshold: props.maximumErrorRate ?? DEFAULTS.maximumErrorRate,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      minutes: 2,
      ofMinutes: 3,
    });
    this.addAlarmCheck('RejectedConnections', {
      alarmDescription: 'The load balancer turned connections away, because it had as many as it can hold.',
      metric: rejectedConnections(props.loadBalancer),
      threshold: 1,
      minutes: 1,
    });
  }

  private watchProxies(proxies: IProxyService): void {
    const { healthy, unhealthy, proxies: registered } = sideMetrics(proxies);
    const name = proxies.side === MigrationSide.SOURCE ? 'Source' : 'Target';
    const none = this.add(`No${name}`, {
      alarmDescription: `The ${proxies.side} has no healthy proxy: traffic must not be sent to it.`,
      metric: healthy,
      threshold: 1,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      // A group without any target has no such metric.
      treatMissingData: TreatMissingData.BREACHING,
      minutes: 2,
    });
    (proxies.side === MigrationSide.SOURCE ? this.sourceAlarms : this.rollbackAlarms).push(none);
    this.add(`Unhealthy${name}`, {
      alarmDescription: `A proxy of the ${proxies.side} does not respond to its health checks.`,
      metric: unhealthy,
      threshold: 1,
      minutes: 5,
    });
    this.watchCapture(proxies, name);
    // Of a fixed number there are always as many as there may be.
    if (proxies.minTasks === proxies.maxTasks) return;
    this.add(`${name}AtMaximum`, {
      alarmDescription: `The ${proxies.side} has as many proxies as it may have: no more can be added under load.`,
      metric: registered,
      threshold: proxies.maxTasks,
      minutes: 15 - MINUTES_BEHIND,
      ofMinutes: 15,
    });
  }

  /** None stops a cutover by itself: a plan with `capture` does, by what the proxies say. */
  private watchCapture(proxies: IProxyService, name: string): void {
    const { capture } = sideMetrics(proxies);
    if (!capture) return;
    this.add(`${name}Unrecorded`, {
      alarmDescription: `The ${proxies.side} forwarded requests that change something without a record: a replay lacks them.`,
      metric: capture.unrecorded,
      threshold: 1,
      minutes: 1,
    });
    this.add(`${name}NotRecording`, {
      alarmDescription: `Clients of the ${proxies.side} get 503, because the store does not take what must be recorded.`,
      metric: capture.rejected,
      threshold: 1,
      minutes: 1,
    });
    this.add(`${name}RecordsWaiting`, {
      alarmDescription: `A record of the ${proxies.side} waits for a minute and longer: its store takes none.`,
      metric: capture.pending,
      threshold: 60_000,
      minutes: 2,
    });
  }

  private watchForDeadProxies(props: MigrationAlarmsProps): void {
    this.add('DeadProxies', {
      alarmDescription:
        'A proxy ended without being asked to stop, and its connections with it. The queue of its events tells which, and why.',
      metric: new DeadProxies(this, 'Dead', {
        services: [props.source, props.target],
        encryptionKey: props.encryptionKey,
      }).metric(),
      threshold: 1,
      minutes: 1,
    });
  }

  private addAlarmCheck(id: string, settings: Settings): void {
    this.rollbackAlarms.push(this.add(id, settings));
  }

  private add(id: string, { minutes, ofMinutes, ...settings }: Settings): Alarm {
    const alarm = new Alarm(this, id, {
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      datapointsToAlarm: minutes,
      evaluationPeriods: ofMinutes ?? minutes,
      ...settings,
    });
    if (this.topic) {
      const action = new SnsAction(this.topic);
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
    this.alarms.push(alarm);
    return alarm;
  }
}

function checkProps({ maximumErrorRate, minimumRequests, maximumLatency }: MigrationAlarmsProps): void {
  if (maximumErrorRate !== undefined && !isLater(maximumErrorRate) && !isShare(maximumErrorRate)) {
    reject('maximumErrorRate', 'a number over 0 and up to 1', maximumErrorRate);
  }
  if (minimumRequests !== undefined && !isLater(minimumRequests) && !isCount(minimumRequests)) {
    reject('minimumRequests', 'an integer of 1 or more', minimumRequests);
  }
  if (maximumLatency && !maximumLatency.isUnresolved() && !isWait(maximumLatency)) {
    reject('maximumLatency', 'over 0 and up to 1 hour', maximumLatency.toHumanString());
  }
}

/** In other accounts and regions the events of ECS about stopped proxies do not arrive, and a cutover finds no alarm. */
function checkPlace({ loadBalancer, source, target }: MigrationAlarmsProps, stack: Stack): void {
  for (const [name, { env }] of Object.entries({ loadBalancer, source, target })) {
    for (const what of ['region', 'account'] as const) {
      if (isLater(env[what]) || isLater(stack[what]) || env[what] === stack[what]) continue;
      reject(name, `of the ${what} of the alarms, which is ${stack[what]}`, env[what]);
    }
  }
}

const isShare = (value: number) => value > 0 && value <= 1;
const isWait = (value: Duration) => value.toMilliseconds() > 0 && value.toMilliseconds() <= 3_600_000;
const isCount = (value: number) => Number.isInteger(value) && value >= 1;
