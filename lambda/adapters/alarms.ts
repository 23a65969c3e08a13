import { AlarmType, CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { AlarmNames, AlarmReading } from '../../core/judge/alarm-check';
import { SIDES } from '../../core/traffic/weights';
import type { AlarmsPort } from '../contract/ports';
import { CLIENT_CONFIG } from './client/client-config';
import { limited } from './client/limited';

/** A look does not wait for CloudWatch. */
const ALARMS_MS = 2_500;
/** Of one call. */
const MAX_NAMES = 100;

/**
 * The alarms in CloudWatch. Composite alarms are asked for only where there may be one: the API tells of them only to
 * roles that may read all alarms of the account.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
 */
export function alarmsPort(): AlarmsPort {
  const client = limited('CloudWatch', new CloudWatchClient(CLIENT_CONFIG), ALARMS_MS);
  const read = async (names: readonly string[], types: AlarmType[]): Promise<AlarmReading[]> => {
    const command = new DescribeAlarmsCommand({ AlarmNames: [...names], AlarmTypes: types, MaxRecords: MAX_NAMES });
    const { MetricAlarms = [], CompositeAlarms = [] } = await client.send(command);
    return [...MetricAlarms, ...CompositeAlarms].map(({ AlarmName, StateValue, StateReason }) => ({
      name: AlarmName ?? '',
      state: StateValue ?? 'INSUFFICIENT_DATA',
      reason: StateReason ?? '',
    }));
  };
  return {
    read: async (checked) => {
      // Of a definition that is older than the function: not known is not none.
      if (!checked) throw new Error("'alarms' must be in the state of the execution, as the definition says, got none");
      const named = (kind: keyof AlarmNames) => inParts(SIDES.flatMap((side) => checked[side][kind]));
      const readings = await Promise.all([
        ...named('metric').map((names) => read(names, ['MetricAlarm'])),
        ...named('other').map((names) => read(names, ['MetricAlarm', 'CompositeAlarm'])),
      ]);
      return readings.flat();
    },
  };
}

/** As many as one call takes. No call without names: the API would return every alarm of the account. */
function inParts(names: readonly string[]): (readonly string[])[] {
  const starts = Array.from({ length: Math.ceil(names.length / MAX_NAMES) }, (_, index) => index * MAX_NAMES);
  return starts.map((start) => names.slice(start, start + MAX_NAMES));
}
