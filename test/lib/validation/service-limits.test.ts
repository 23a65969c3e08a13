import { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Alarm, IAlarm, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { CutoverPlan, MigrationProps } from '../../../lib';
import { alarmsIn, newMigration, newStack, resolveText, Resource, listResources } from '../fixture';

const findAlarms = (stack: Stack, side: string, count: number, length: number): IAlarm[] =>
  Array.from({ length: count }, (_, index) => {
    const metric = new Metric({ namespace: 'App', metricName: 'Errors' });
    const alarmName = `${side}-${index}-`.padEnd(length, 'x');
    return new Alarm(stack, `${side}${index}`, { alarmName, metric, threshold: 1, evaluationPeriods: 1 });
  });

function synth(props: (stack: Stack) => Partial<MigrationProps>): Template {
  const stack = newStack();
  newMigration(stack, { monitoring: false, ...props(stack) });
  return Template.fromStack(stack);
}

const computeBytes = ({ Properties }: Resource) => {
  const { Variables = {} } = (Properties.Environment ?? {}) as { Variables?: Record<string, unknown> };
  return Object.entries(Variables).reduce((sum, [name, value]) => sum + name.length + resolveText(value).length, 0);
};

describe('the largest sensible migration: sixty alarms a side, with names of 100 characters', () => {
  const template = synth((stack) => ({
    rollbackAlarms: findAlarms(stack, 'target', 60, 100),
    sourceAlarms: findAlarms(stack, 'source', 60, 100),
    notificationTopic: new Topic(stack, 'Ops', { topicName: 't'.repeat(200) }),
    eventBus: EventBus.fromEventBusName(stack, 'Bus', 'b'.repeat(200)),
  }));

  test('its alarms are in the definition, and none in the environment of a function', () => {
    const { source, target } = alarmsIn(template);
    expect([source.metric.length, target.metric.length]).toEqual([60, 60]);
    const functions = Object.values(listResources(template, 'AWS::Lambda::Function'));
    expect(JSON.stringify(functions.map(({ Properties }) => Properties.Environment))).not.toMatch(
      /Alarm|source-1|target1/,
    );
    expect(Math.max(...functions.map(computeBytes))).toBeLessThan(3000);
  });

  test('its policies are within what IAM takes', () => {
    const policies = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy'].flatMap((type) =>
      Object.values(listResources(template, type)).map(({ Properties }) => JSON.stringify(Properties.PolicyDocument)),
    );
    expect(Math.max(...policies.map(({ length }) => length))).toBeLessThan(6_000);
  });
});

test.each<[string, (stack: Stack) => Partial<MigrationProps>, RegExp | undefined]>([
  [
    'alarms with the longest names that fit',
    (stack) => ({ rollbackAlarms: findAlarms(stack, 'target', 120, 255) }),
    undefined,
  ],
  [
    'smoke requests that are longer than the environment of undrain',
    () => ({ plan: CutoverPlan.gradual({ smoke: [{ path: `/${'a'.repeat(4000)}` }] }) }),
    /'plan\.smoke' and the names .* must be so short that the environment of 'Undrain' has at most 4096 bytes, got up to \d{4}/,
  ],
  [
    'names of what is acted on',
    (stack) => ({
      notificationTopic: Topic.fromTopicArn(stack, 'Ops', `arn:aws:sns:eu-central-1:111122223333:${'t'.repeat(4000)}`),
    }),
    /the environment of 'Undrain' has at most 4096 bytes/,
  ],
  [
    'a task definition of more than ECS takes',
    () => ({ source: { upstreamUrl: 'http://old.internal', environment: { FLAGS: 'x'.repeat(64_000) } } }),
    /'environment', and what was added to the task, must be so short that the task definition has at most 65536 bytes, got up to 6\d{4}/,
  ],
])('counted at synthesis: %s', (_, props, message) => {
  const made = () => synth(props);
  if (message) expect(made).toThrow(message);
  else expect(made).not.toThrow();
});
