import { Template } from 'aws-cdk-lib/assertions';
import { RECOVERY_ATTEMPTS, RECOVERY_PAUSE_SECONDS } from '../../../core/cutover/recovery';
import { defaultMigration, newMigration, newStack, resourceLike, listResources } from '../fixture';

const template = defaultMigration();
const [recover, recoverFunction] = resourceLike(template, 'AWS::Lambda::Function', /CutoverStepsRecover/);
const [retries, retriesQueue] = resourceLike(template, 'AWS::SQS::Queue', /Retries/);
const [givenUp, givenUpQueue] = resourceLike(template, 'AWS::SQS::Queue', /GivenUp/);
const buildArn = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] });

test('a call that fails goes to the queue at once, no matter what could not make it', () => {
  template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
    FunctionName: { Ref: recover },
    MaximumRetryAttempts: 0,
    DestinationConfig: { OnFailure: { Destination: buildArn(retries) } },
  });
  const [, rule] = resourceLike(template, 'AWS::Events::Rule', /Interrupted/);
  expect(rule.Properties.Targets).toEqual([
    expect.objectContaining({ Arn: buildArn(recover), DeadLetterConfig: { Arn: buildArn(retries) } }),
  ]);
});

test('from the queue it is called for six hours, never twice at a time, and then given up', () => {
  const [, source] = resourceLike(template, 'AWS::Lambda::EventSourceMapping', /./);
  expect(source.Properties).toMatchObject({
    FunctionName: { Ref: recover },
    EventSourceArn: buildArn(retries),
    BatchSize: 1,
  });
  expect(retriesQueue.Properties).toMatchObject({
    VisibilityTimeout: RECOVERY_PAUSE_SECONDS,
    RedrivePolicy: { deadLetterTargetArn: buildArn(givenUp), maxReceiveCount: RECOVERY_ATTEMPTS },
  });
  expect(RECOVERY_PAUSE_SECONDS * RECOVERY_ATTEMPTS).toBe(6 * 3600);
  expect(RECOVERY_PAUSE_SECONDS).toBeGreaterThan(Number(recoverFunction.Properties.Timeout));
  expect(givenUpQueue.Properties.MessageRetentionPeriod).toBe(14 * 86_400);
});

test('the queues are encrypted, and take nothing without TLS', () => {
  for (const { Properties } of [retriesQueue, givenUpQueue]) expect(Properties.SqsManagedSseEnabled).toBe(true);
  const policies = Object.values(listResources(template, 'AWS::SQS::QueuePolicy'));
  // The third is that of the dead proxies.
  expect(policies).toHaveLength(3);
  for (const { Properties } of policies)
    expect(JSON.stringify(Properties)).toContain('{"aws:SecureTransport":"false"}');
});

test('what was given up is a metric', () => {
  const stack = newStack();
  const metric = newMigration(stack).cutover.metricRecoveryGivenUp();
  const [id] = resourceLike(Template.fromStack(stack), 'AWS::SQS::Queue', /GivenUp/);
  expect([metric.namespace, metric.metricName, metric.statistic]).toEqual([
    'AWS/SQS',
    'ApproximateNumberOfMessagesVisible',
    'Maximum',
  ]);
  expect(stack.resolve(metric.dimensions)).toEqual({ QueueName: { 'Fn::GetAtt': [id, 'QueueName'] } });
});
