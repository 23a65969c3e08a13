import { Duration } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { CutoverPlan } from '../../../lib';
import { defaultMigration, listResources, newMigration, newStack, resourceLike } from '../fixture';

test('default: there is none', () => {
  expect(listResources(defaultMigration(), 'AWS::Scheduler::Schedule')).toEqual({});
  expect(JSON.stringify(defaultMigration())).not.toContain('CutoverWouldBeRejected');
});

test('custom: asks the function on a schedule, and raises an alarm that says where the reason is', () => {
  const stack = newStack();
  const topic = new Topic(stack, 'Topic');
  const plan = CutoverPlan.gradual({ poll: Duration.seconds(10) });
  const migration = newMigration(stack, { plan, readiness: { every: Duration.minutes(30), topic } });
  expect(migration.cutover.readinessAlarm).toBeDefined();
  const template = Template.fromStack(stack);
  const [doctor] = resourceLike(template, 'AWS::Lambda::Function', /CutoverStepsDoctor/);
  const doctorArn = { 'Fn::GetAtt': [doctor, 'Arn'] };
  const [, schedule] = resourceLike(template, 'AWS::Scheduler::Schedule', /Readiness/);
  const target = schedule.Properties.Target as { Arn: unknown; Input: string; RoleArn: { 'Fn::GetAtt': [string] } };
  expect(schedule.Properties).toMatchObject({ ScheduleExpression: 'rate(30 minutes)', State: 'ENABLED' });
  expect(target.Arn).toEqual(doctorArn);
  const input = JSON.stringify(target.Input);
  for (const part of ['isRecorded', 'pollSeconds', 'alarms']) expect(input).toContain(part);
  const [roleId] = target.RoleArn['Fn::GetAtt'];
  const policies = Object.values(listResources(template, 'AWS::IAM::Policy')).filter(({ Properties }) =>
    JSON.stringify(Properties.Roles).includes(roleId),
  );
  expect(policies.map(({ Properties }) => Properties.PolicyDocument)).toMatchObject([
    { Statement: [{ Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: doctorArn }] },
  ]);
  const [, role] = resourceLike(template, 'AWS::IAM::Role', new RegExp(`^${roleId}$`));
  expect(JSON.stringify(role.Properties.AssumeRolePolicyDocument)).toContain('aws:SourceAccount');
  const [, alarm] = resourceLike(template, 'AWS::CloudWatch::Alarm', /Readiness/);
  expect(alarm.Properties).toMatchObject({
    Namespace: 'Drainshift',
    MetricName: 'CutoverWouldBeRejected',
    Dimensions: [{ Name: 'Cutover', Value: migration.cutover.cutoverName }],
    Period: 1800,
    Statistic: 'Maximum',
    Threshold: 1,
    EvaluationPeriods: 2,
    DatapointsToAlarm: 2,
    TreatMissingData: 'breaching',
    AlarmActions: [{ Ref: expect.stringMatching(/^Topic/) as string }],
    OKActions: [{ Ref: expect.stringMatching(/^Topic/) as string }],
  });
  expect(JSON.stringify(alarm.Properties.AlarmDescription)).toMatch(
    /The next cutover would be rejected.*drainshift doctor --stack Test.*log group/,
  );
  // It must never stop the cutover that it is about.
  const [, machine] = resourceLike(template, 'AWS::StepFunctions::StateMachine', /Cutover/);
  expect(JSON.stringify(machine.Properties.DefinitionString)).not.toContain('Readiness');
});

test.each([Duration.minutes(4), Duration.hours(13), Duration.seconds(330)])('every %s is rejected', (every) => {
  expect(() => newMigration(newStack(), { readiness: { every } })).toThrow(
    `'readiness.every' must be whole minutes from 5 minutes to 12 hours, got ${every.toHumanString()}`,
  );
});
