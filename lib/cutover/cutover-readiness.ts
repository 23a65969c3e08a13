import { Duration, Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, IAlarm, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { Function } from 'aws-cdk-lib/aws-lambda';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE, REFUSED_METRIC } from '../../core/proxy/events';
import { letDecrypt } from '../shared/encryption';
import { checkNames } from '../validation/known-props';
import { reject } from '../validation/validation';

/**
 * A standing alarm: "tonight's cutover would be rejected". A preflight without a cutover is made again and again. It changes nothing.
 *
 * @example
 * const readiness: CutoverReadiness = { every: Duration.minutes(30), topic };
 */
export interface CutoverReadiness {
  /**
   * How often, in whole minutes from 5 minutes to 12 hours. The alarm is raised by the second bad result in a row, or when two are
   * missing.
   * @default Duration.minutes(15)
   */
  readonly every?: Duration;

  /**
   * The topic that is notified when the alarm is raised, and when it ends.
   * @default - the `notificationTopic` of the cutover
   */
  readonly topic?: ITopic;
}

interface ReadinessAlarmProps {
  readonly readiness: CutoverReadiness;
  readonly notificationTopic?: ITopic;
  /** Makes a preflight without a cutover. */
  readonly doctor: Function;
  /** What the state machine gives to its first step. */
  readonly deployed: { readonly defaultPlan: object; readonly alarms: object };
  readonly cutoverName: string;
  readonly encryptionKey?: IKey;
}

const EVERY = { min: Duration.minutes(5), max: Duration.hours(12), normal: Duration.minutes(15) };
/** One bad result may pass by itself: a throttled call, or a proxy that is being replaced. */
const RESULTS = 2;

export function checkReadiness(readiness: CutoverReadiness): void {
  checkNames('CutoverReadiness', readiness);
  const { every = EVERY.normal } = readiness;
  if (every.isUnresolved()) return;
  const seconds = every.toSeconds({ integral: false });
  const isWithin = seconds >= EVERY.min.toSeconds() && seconds <= EVERY.max.toSeconds();
  if (isWithin && seconds % 60 === 0) return;
  reject('readiness.every', 'whole minutes from 5 minutes to 12 hours', every.toHumanString());
}

/** Asks on a schedule whether a cutover would be rejected, and raises an alarm when it would, or when nothing says so. */
export class ReadinessAlarm extends Construct {
  public readonly alarm: IAlarm;

  constructor(scope: Construct, id: string, props: ReadinessAlarmProps) {
    super(scope, id);
    const { readiness, doctor, deployed, cutoverName, encryptionKey } = props;
    const every = readiness.every ?? EVERY.normal;
    const role = this.createRole(doctor);
    letDecrypt(role, encryptionKey);
    new Schedule(this, 'Schedule', {
      description: 'Asks whether a cutover would be rejected',
      schedule: ScheduleExpression.rate(every),
      key: encryptionKey,
      target: new LambdaInvoke(doctor, {
        input: ScheduleTargetInput.fromObject({
          plan: deployed.defaultPlan,
          alarms: deployed.alarms,
          isRecorded: true,
        }),
        // The CDK would allow all versions of the function, too.
        role: role.withoutPolicyUpdates(),
        maxEventAge: EVERY.min,
        retryAttempts: 1,
      }),
    });
    const alarm = new Alarm(this, 'Rejected', {
      alarmDescription: `The next cutover would be rejected, or that could not be found out. The reason: 'drainshift doctor --stack ${Stack.of(this).stackName}', or the newest lines with 'notChecked' in the log group ${doctor.logGroup.logGroupName}.`,
      metric: new Metric({
        namespace: METRIC_NAMESPACE,
        metricName: REFUSED_METRIC,
        dimensionsMap: { Cutover: cutoverName },
        statistic: 'Maximum',
        period: every,
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold: 1,
      evaluationPeriods: RESULTS,
      datapointsToAlarm: RESULTS,
      treatMissingData: TreatMissingData.BREACHING,
    });
    const topic = readiness.topic ?? props.notificationTopic;
    if (topic) {
      const action = new SnsAction(topic);
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
    this.alarm = alarm;
  }

  /** May call this one function. */
  private createRole(doctor: Function): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('scheduler.amazonaws.com') });
    role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [doctor.functionArn] }));
    return role;
  }
}
