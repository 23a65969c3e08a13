import { CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { MigrationAlarms, MigrationAlarmsProps } from '../../../lib/monitoring/migration-alarms';
import { TrafficCapture } from '../../../lib/proxy/traffic-capture';
import { alarmsIn, newMigration, newStack, Resource, resourceLike, listResources } from '../fixture';
import { importedParts, LOAD_BALANCER, newCutover, newParts } from '../migration-parts';

const ALARM = 'AWS::CloudWatch::Alarm';

function newAlarms(stack: Stack, props: Partial<MigrationAlarmsProps> = {}): MigrationAlarms {
  return new MigrationAlarms(stack, 'Alarms', { ...newParts(stack), ...props });
}

function synth(props?: Partial<MigrationAlarmsProps>): Template {
  const stack = newStack();
  newAlarms(stack, props);
  return Template.fromStack(stack);
}

const alarm = (template: Template, id: string): Resource =>
  resourceLike(template, ALARM, new RegExp(`^Alarms${id}[0-9A-F]{8}$`))[1];
const findIds = (alarms: readonly { readonly node: { readonly id: string } }[]) => alarms.map(({ node }) => node.id);

/** Of the metrics behind an expression, what a person would look for in CloudWatch. */
function findMetrics({ Properties }: Resource) {
  const metrics = Properties.Metrics as { readonly MetricStat?: { readonly Metric: object; readonly Stat: string } }[];
  return metrics.flatMap(({ MetricStat }) => (MetricStat ? [{ ...MetricStat.Metric, Stat: MetricStat.Stat }] : []));
}

function findExpression({ Properties }: Resource): unknown {
  const metrics = Properties.Metrics as { readonly Expression?: unknown }[];
  return metrics.find(({ Expression }) => Expression !== undefined)?.Expression;
}

describe('default', () => {
  const stack = newStack();
  const alarms = newAlarms(stack);
  const template = Template.fromStack(stack);

  test('watches the target, the load balancer and the proxies of both sides', () => {
    expect(findIds(alarms.alarms).sort()).toEqual([
      'DeadProxies',
      'LoadBalancerErrors',
      'NoSource',
      'NoTarget',
      'RejectedConnections',
      'SourceAtMaximum',
      'TargetAtMaximum',
      'TargetErrors',
      'TargetLatency',
      'UnhealthySource',
      'UnhealthyTarget',
    ]);
  });

  test('only what is about the target or the load balancer stops a cutover; what is about the source blocks rolling back', () => {
    expect(findIds(alarms.rollbackAlarms)).toEqual([
      'TargetErrors',
      'TargetLatency',
      'LoadBalancerErrors',
      'RejectedConnections',
      'NoTarget',
    ]);
    expect(findIds(alarms.sourceAlarms)).toEqual(['NoSource']);
  });

  test('each says what it means, and notifies no one', () => {
    for (const { Properties } of Object.values(listResources(template, ALARM))) {
      expect(Properties.AlarmDescription).toMatch(/\.$/);
      expect(Properties.AlarmActions).toBeUndefined();
      expect(Properties.OKActions).toBeUndefined();
    }
  });

  test('the target may respond to one request in twenty with 5xx, and has to get twenty in a minute', () => {
    const found = alarm(template, 'TargetErrors');
    expect(found.Properties).toMatchObject({
      Threshold: 0.05,
      ComparisonOperator: 'GreaterThanThreshold',
      DatapointsToAlarm: 2,
      EvaluationPeriods: 3,
      TreatMissingData: 'notBreaching',
    });
    expect(findExpression(found)).toBe('IF(targetRequests >= 20, FILL(targetErrors, 0) / targetRequests, 0)');
    const dimension = {
      Name: 'TargetGroup',
      Value: { 'Fn::GetAtt': [expect.stringMatching(/^TargetGroup/), 'TargetGroupFullName'] },
    };
    expect(findMetrics(found)).toEqual(
      ['RequestCount', 'HTTPCode_Target_5XX_Count'].map((MetricName) => ({
        Namespace: 'AWS/ApplicationELB',
        MetricName,
        Stat: 'Sum',
        Dimensions: expect.arrayContaining([dimension]) as unknown,
      })),
    );
  });

  test('requests that found no target count as requests of the load balancer', () => {
    const found = alarm(template, 'LoadBalancerErrors');
    const all = '(FILL(requests, 0) + FILL(errors, 0))';
    expect(findExpression(found)).toBe(`IF(${all} >= 20, FILL(errors, 0) / ${all}, 0)`);
    expect(findMetrics(found)).toEqual([
      expect.objectContaining({ MetricName: 'RequestCount' }),
      expect.objectContaining({ MetricName: 'HTTPCode_ELB_5XX_Count' }),
    ]);
  });

  test('one request in a hundred of the target may take longer than three seconds, and it has to get a hundred', () => {
    const found = alarm(template, 'TargetLatency');
    expect(found.Properties).toMatchObject({ Threshold: 3, DatapointsToAlarm: 3, EvaluationPeriods: 5 });
    expect(findExpression(found)).toBe('IF(targetRequests >= 100, targetLatency, 0)');
    expect(findMetrics(found)).toEqual([
      expect.objectContaining({ MetricName: 'RequestCount', Stat: 'Sum' }),
      expect.objectContaining({ MetricName: 'TargetResponseTime', Stat: 'p99' }),
    ]);
  });

  test.each(['Source', 'Target'])('no word of the %s is as bad as no healthy proxy', (side) => {
    expect(alarm(template, `No${side}`).Properties).toMatchObject({
      MetricName: 'HealthyHostCount',
      Statistic: 'Minimum',
      ComparisonOperator: 'LessThanThreshold',
      Threshold: 1,
      TreatMissingData: 'breaching',
    });
  });

  test.each([
    ['Source', 6],
    ['Target', 8],
  ])('as many proxies as the %s may have are reported', (side, max) => {
    const found = alarm(template, `${side}AtMaximum`);
    expect(found.Properties).toMatchObject({ Threshold: max, ComparisonOperator: 'GreaterThanOrEqualToThreshold' });
    expect(found.Properties).toMatchObject({ DatapointsToAlarm: 10, EvaluationPeriods: 15 });
    expect(findExpression(found)).toBe(
      `FILL(${side.toLowerCase()}Healthy, 0) + FILL(${side.toLowerCase()}Unhealthy, 0)`,
    );
  });

  test('what ECS says of a dead proxy is kept, and counted', () => {
    const [queue] = resourceLike(template, 'AWS::SQS::Queue', /^AlarmsDead/);
    const service = (id: string) => ({
      'Fn::Join': ['', ['service:', { 'Fn::GetAtt': [Match.stringLikeRegexp(`^${id}Service`), 'Name'] }]],
    });
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.ecs'],
        'detail-type': ['ECS Task State Change'],
        detail: {
          clusterArn: [{ 'Fn::GetAtt': [Match.stringLikeRegexp('^Cluster'), 'Arn'] }],
          group: [service('Source'), service('Target')],
          lastStatus: ['STOPPED'],
          stopCode: ['EssentialContainerExited'],
        },
      },
      Targets: [Match.objectLike({ Arn: { 'Fn::GetAtt': [queue, 'Arn'] } })],
    });
    template.hasResourceProperties('AWS::SQS::QueuePolicy', {
      Queues: [{ Ref: queue }],
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' } }),
        ]),
      },
    });
    expect(alarm(template, 'DeadProxies').Properties).toMatchObject({
      Namespace: 'AWS/SQS',
      MetricName: 'NumberOfMessagesSent',
      Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': [queue, 'QueueName'] } }],
      Threshold: 1,
    });
  });
});

describe('custom', () => {
  test('takes its thresholds', () => {
    const template = synth({
      maximumErrorRate: 0.01,
      minimumRequests: 100,
      maximumLatency: Duration.millis(1500),
    });
    expect(alarm(template, 'TargetErrors').Properties).toMatchObject({ Threshold: 0.01 });
    expect(alarm(template, 'LoadBalancerErrors').Properties).toMatchObject({ Threshold: 0.01 });
    expect(findExpression(alarm(template, 'TargetErrors'))).toContain('targetRequests >= 100');
    expect(alarm(template, 'TargetLatency').Properties).toMatchObject({ Threshold: 1.5 });
  });

  test('takes thresholds that are known only at deployment', () => {
    const stack = newStack();
    const number = new CfnParameter(stack, 'Number', { type: 'Number' }).valueAsNumber;
    newAlarms(stack, { maximumErrorRate: number, minimumRequests: number });
    const found = alarm(Template.fromStack(stack), 'TargetErrors');
    expect(found.Properties.Threshold).toEqual({ Ref: 'Number' });
    expect(findExpression(found)).toEqual({
      'Fn::Join': ['', ['IF(targetRequests >= ', { Ref: 'Number' }, ', FILL(targetErrors, 0) / targetRequests, 0)']],
    });
  });

  test('notifies a topic of the start and the end', () => {
    const stack = newStack();
    const parts = newParts(stack);
    const alarms = new MigrationAlarms(stack, 'Alarms', { ...parts, topic: new Topic(stack, 'Topic') });
    alarms.watchCutover(newCutover(stack, parts));
    const template = Template.fromStack(stack);
    const [topic] = resourceLike(template, 'AWS::SNS::Topic', /./);
    const all = Object.entries(listResources(template, ALARM)).filter(([id]) => id.startsWith('Alarms'));
    expect(all).toHaveLength(14);
    for (const [, { Properties }] of all) {
      expect(Properties.AlarmActions).toEqual([{ Ref: topic }]);
      expect(Properties.OKActions).toEqual([{ Ref: topic }]);
    }
  });
});

describe('of a cutover', () => {
  const stack = newStack();
  const parts = newParts(stack);
  const alarms = new MigrationAlarms(stack, 'Alarms', parts);
  const cutover = newCutover(stack, parts, alarms.rollbackAlarms);
  alarms.watchCutover(cutover);
  const template = Template.fromStack(stack);

  test('a cutover that was rejected, failed or stopped', () => {
    const found = alarm(template, 'CutoverFailed');
    expect(findExpression(found)).toBe('FILL(failed, 0) + FILL(aborted, 0) + FILL(timedOut, 0)');
    const machine = {
      Name: 'StateMachineArn',
      Value: { Ref: expect.stringMatching(/^CutoverStateMachine/) as string },
    };
    expect(findMetrics(found)).toEqual(
      ['ExecutionsFailed', 'ExecutionsAborted', 'ExecutionsTimedOut'].map(
        (MetricName) => expect.objectContaining({ MetricName, Dimensions: [machine], Stat: 'Sum' }) as object,
      ),
    );
  });

  test('traffic that could not be put back, by an error or because it was never tried', () => {
    const found = alarm(template, 'RecoveryFailed');
    const recover = { Name: 'FunctionName', Value: { Ref: expect.stringMatching(/^CutoverStepsRecover/) as string } };
    expect(findMetrics(found)).toEqual(
      ['Errors', 'AsyncEventsDropped'].map(
        (MetricName) =>
          expect.objectContaining({
            Namespace: 'AWS/Lambda',
            MetricName,
            Dimensions: [recover],
            Stat: 'Sum',
          }) as object,
      ),
    );
    expect(found.Properties.Threshold).toBe(1);
  });

  test('traffic that no one tries to put back any more', () => {
    expect(alarm(template, 'RecoveryGivenUp').Properties).toMatchObject({
      TreatMissingData: 'ignore',
      Namespace: 'AWS/SQS',
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Statistic: 'Maximum',
      Threshold: 1,
    });
  });

  test('those that fill what is missing look behind the newest minute', () => {
    const filled = Object.values(listResources(template, ALARM)).filter(({ Properties }) =>
      JSON.stringify(Properties).includes('FILL('),
    );
    expect(filled).toHaveLength(6);
    for (const { Properties } of filled) {
      expect(Properties.EvaluationPeriods).toBeGreaterThan(Number(Properties.DatapointsToAlarm));
    }
  });

  test('none of them is a veto, or no cutover could follow on a failed one', () => {
    expect(findIds(alarms.alarms).slice(-3)).toEqual(['CutoverFailed', 'RecoveryFailed', 'RecoveryGivenUp']);
    expect(findIds(alarms.rollbackAlarms)).not.toEqual(expect.arrayContaining(['CutoverFailed']));
  });

  test('its steps know the veto by name', () => {
    const { metric } = alarmsIn(template).target;
    expect(metric.map((name) => name.replace(/^Alarms(.*)[0-9A-F]{8}$/, '$1'))).toEqual(
      alarms.rollbackAlarms.map(({ node }) => node.id),
    );
  });
});

test('custom: of a fixed number of proxies no one is notified that there are as many', () => {
  const stack = newStack();
  const alarms = new MigrationAlarms(stack, 'Alarms', newParts(stack, { isFixed: true }));
  expect(findIds(alarms.alarms).filter((id) => id.endsWith('AtMaximum'))).toEqual([]);
});

test('of proxies that record: writes without a record, and 503 for want of one; neither stops a cutover', () => {
  const stack = newStack();
  const capture = TrafficCapture.toBucket(Bucket.fromBucketName(stack, 'Captured', 'captured'));
  const alarms = new MigrationAlarms(stack, 'Alarms', newParts(stack, { capture }));
  const ids = ['SourceUnrecorded', 'SourceNotRecording', 'SourceRecordsWaiting'];
  expect(findIds(alarms.alarms)).toEqual(expect.arrayContaining(ids));
  expect(findIds(alarms.alarms)).not.toContain('TargetUnrecorded');
  expect(findIds([...alarms.rollbackAlarms, ...alarms.sourceAlarms])).not.toEqual(expect.arrayContaining(ids));
  const template = Template.fromStack(stack);
  const watched = { Namespace: 'Drainshift', Statistic: 'Sum', Threshold: 1 };
  expect(alarm(template, 'SourceUnrecorded').Properties).toMatchObject({ ...watched, MetricName: 'CaptureUnrecorded' });
  expect(alarm(template, 'SourceNotRecording').Properties).toMatchObject({ ...watched, MetricName: 'CaptureRejected' });
});

test('rejects sides that were confused', () => {
  const stack = newStack();
  const { source, target, ...parts } = newParts(stack);
  expect(() => new MigrationAlarms(stack, 'Alarms', { ...parts, source: target, target: source })).toThrow(
    "'source' must be the proxies of the source, got those of the target",
  );
});

test('imported: watches a load balancer, a network and a cluster of another stack', () => {
  const stack = newStack();
  new MigrationAlarms(stack, 'Alarms', importedParts(stack));
  const template = Template.fromStack(stack);
  expect(alarm(template, 'RejectedConnections').Properties.Dimensions).toEqual([
    { Name: 'LoadBalancer', Value: LOAD_BALANCER },
  ]);
  expect(findMetrics(alarm(template, 'LoadBalancerErrors'))).toEqual([
    expect.objectContaining({ Dimensions: [{ Name: 'LoadBalancer', Value: LOAD_BALANCER }] }),
    expect.objectContaining({ Dimensions: [{ Name: 'LoadBalancer', Value: LOAD_BALANCER }] }),
  ]);
});

test.each<[Partial<MigrationAlarmsProps>, string]>([
  [{ maximumErrorRate: 0 }, "'maximumErrorRate' must be a number over 0 and up to 1, got 0"],
  [{ maximumErrorRate: 5 }, "'maximumErrorRate' must be a number over 0 and up to 1, got 5"],
  [{ minimumRequests: 0 }, "'minimumRequests' must be an integer of 1 or more, got 0"],
  [{ minimumRequests: 1.5 }, "'minimumRequests' must be an integer of 1 or more, got 1.5"],
  [{ maximumLatency: Duration.seconds(0) }, "'maximumLatency' must be over 0 and up to 1 hour, got 0 seconds"],
])('rejects %j', (props, message) => {
  expect(() => newAlarms(newStack(), props)).toThrow(message);
});

test('a migration hands its thresholds on', () => {
  const stack = newStack();
  newMigration(stack, { alarmThresholds: { maximumLatency: Duration.seconds(70) } });
  const [, latency] = resourceLike(Template.fromStack(stack), ALARM, /TargetLatency/);
  expect(latency.Properties).toMatchObject({ Threshold: 70 });
});
