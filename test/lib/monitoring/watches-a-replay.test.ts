import { Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { formatReplayLine } from '../../../core/replay/replay-metrics';
import { MigrationAlarms, ReplayAlarmOptions } from '../../../lib/monitoring/migration-alarms';
import { MigrationDashboard } from '../../../lib/monitoring/migration-dashboard';
import { newStack, resourceLike } from '../fixture';
import { newCutover, newParts } from '../migration-parts';
import { newReplay } from '../replay/replay-fixture';

const ALARM = 'AWS::CloudWatch::Alarm';

function watch(
  stack: Stack,
  options?: ReplayAlarmOptions,
): { readonly alarms: MigrationAlarms; readonly name: string } {
  const parts = newParts(stack);
  const alarms = new MigrationAlarms(stack, 'Alarms', parts);
  const replay = newReplay(stack, { cluster: parts.source.cluster });
  alarms.watchReplay(replay, options);
  const dashboard = new MigrationDashboard(stack, 'Dashboard', { ...parts, cutover: newCutover(stack, parts) });
  dashboard.addReplay(replay);
  return { alarms, name: replay.serviceName };
}

test('default: alarms for a replay that is late, incomplete or away, none of which stops a cutover by itself', () => {
  const stack = newStack();
  const { alarms, name } = watch(stack);
  const template = Template.fromStack(stack);
  const Dimensions = [{ Name: 'Service', Value: name }];
  template.hasResourceProperties(ALARM, {
    ...{ MetricName: 'ReplayLag', Namespace: 'Drainshift', Dimensions, Statistic: 'Maximum' },
    ...{ Threshold: 300, EvaluationPeriods: 5, DatapointsToAlarm: 5, TreatMissingData: 'notBreaching' },
  });
  template.hasResourceProperties(ALARM, {
    ...{ MetricName: 'ReplayLag', Statistic: 'SampleCount', Threshold: 1, ComparisonOperator: 'LessThanThreshold' },
    ...{ EvaluationPeriods: 5, TreatMissingData: 'breaching' },
  });
  template.hasResourceProperties(ALARM, {
    Metrics: Match.arrayWith([
      Match.objectLike({ Expression: 'FILL(parked, 0) + FILL(reordered, 0)' }),
      Match.objectLike({
        MetricStat: Match.objectLike({ Metric: { MetricName: 'ReplayParked', Namespace: 'Drainshift', Dimensions } }),
      }),
    ]),
    Threshold: 1,
  });
  const added = alarms.alarms.slice(-3);
  expect(added.filter((each) => [...alarms.rollbackAlarms, ...alarms.sourceAlarms].includes(each))).toEqual([]);
});

test('custom: another lag; and one that is none is rejected', () => {
  const stack = newStack();
  watch(stack, { maximumLag: Duration.seconds(30) });
  Template.fromStack(stack).hasResourceProperties(ALARM, { MetricName: 'ReplayLag', Threshold: 30 });
  expect(() => watch(newStack(), { maximumLag: Duration.days(2) })).toThrow(
    "'maximumLag' must be from 1 second to 1 day",
  );
});

test('the dashboard shows metrics that a replay writes', () => {
  const stack = newStack();
  const { name } = watch(stack);
  const [, { Properties }] = resourceLike(Template.fromStack(stack), 'AWS::CloudWatch::Dashboard', /./);
  const text = JSON.stringify(Properties.DashboardBody).replaceAll('\\', '');
  const figures = { sent: 0, failed: 0, parked: 0, reordered: 0 };
  const [written] = formatReplayLine(name, { lagMs: 0, ...figures }, figures, 0)._aws.CloudWatchMetrics;
  expect(written?.Metrics).toHaveLength(5);
  for (const { Name } of written?.Metrics ?? []) expect(text).toContain(`"Drainshift","${Name}","Service","${name}"`);
  expect(text).toContain('Lag of the replay to-target, in seconds');
});
