import { IAlarm } from 'aws-cdk-lib/aws-cloudwatch';

/**
 * The name of an alarm as it can stand in JSON text. What CloudFormation puts in place of a reference is not escaped, and a name may
 * have quotes and backslashes; of an alarm of this app the name is then written as it was given. Otherwise the reference stays: an
 * export that another stack uses must not go.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
 */
export function findAlarmName(alarm: IAlarm): string {
  const { alarmName: given } = (alarm.node.defaultChild ?? {}) as { readonly alarmName?: unknown };
  // A token within the name has neither.
  const mustBeEscaped = typeof given === 'string' && JSON.stringify(given) !== `"${given}"`;
  return mustBeEscaped ? given : alarm.alarmName;
}
