import { AlarmType, CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { AlarmReading, HeededAlarm } from '../../core/alarm-check';
import { CutoverWiring } from '../../core/wiring';
import type { AlarmsPort } from '../ports';
import { CLIENT_CONFIG } from './client-config';
import { limited } from './limited';

/** A look does not wait for CloudWatch. */
const ALARMS_MS = 2_500;

/**
 * The alarms in CloudWatch. Composite alarms are asked for only where there may be one: the API tells of them only to
 * whoever may read all alarms of the account.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
 */
export function alarmsPort(wiring: CutoverWiring): AlarmsPort {
  const { metricAlarmNames = [], otherAlarmNames = [], sourceAlarmNames = [] } = wiring;
  const client = limited('CloudWatch', new CloudWatchClient(CLIENT_CONFIG), ALARMS_MS);
  const read = async (names: readonly string[], types: AlarmType[]): Promise<AlarmReading[]> => {
    // Without names the API would answer with every alarm of the account.
    if (names.length === 0) return [];
    const command = new DescribeAlarmsCommand({ AlarmNames: [...names], AlarmTypes: types, MaxRecords: 100 });
    const { MetricAlarms = [], CompositeAlarms = [] } = await client.send(command);
    return [...MetricAlarms, ...CompositeAlarms].map(({ AlarmName, StateValue, StateReason }) => ({
      name: AlarmName ?? '',
      state: StateValue ?? 'INSUFFICIENT_DATA',
      reason: StateReason ?? '',
    }));
  };
  return {
    heeded: [...metricAlarmNames, ...otherAlarmNames].map((name): HeededAlarm => ({
      name,
      side: sourceAlarmNames.includes(name) ? 'source' : 'target',
    })),
    read: async () => {
      const readings = await Promise.all([
        read(metricAlarmNames, ['MetricAlarm']),
        read(otherAlarmNames, ['MetricAlarm', 'CompositeAlarm']),
      ]);
      return readings.flat();
    },
  };
}
