import { Duration } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnRotationSchedule } from 'aws-cdk-lib/aws-secretsmanager';
import { AdminSecret } from '../../../lib';
import { defaultMigration, newStack, resourceLike, listResources } from '../fixture';

interface Policy {
  readonly Statement: readonly { readonly Action: string | string[]; readonly Resource: unknown }[];
}

/** What a role may do with a secret, and with nothing else. */
function findSecretActions(template: Template, role: RegExp): string[] {
  const [, { Properties }] = resourceLike(template, 'AWS::IAM::Policy', role);
  const statements = (Properties.PolicyDocument as Policy).Statement;
  return statements.flatMap(({ Action }) => Action).filter((action) => action.startsWith('secretsmanager:'));
}

test('default: it is not rotated, and each task may read it again', () => {
  const template = defaultMigration();
  template.resourceCountIs('AWS::SecretsManager::RotationSchedule', 0);
  const [secret] = resourceLike(template, 'AWS::SecretsManager::Secret', /^MigrationAdminSecret/);
  for (const side of ['Source', 'Target']) {
    const [, { Properties }] = resourceLike(template, 'AWS::ECS::TaskDefinition', new RegExp(`^Migration${side}`));
    const [container] = Properties.ContainerDefinitions as { Environment: unknown[] }[];
    expect(container?.Environment).toContainEqual({ Name: 'DRAINSHIFT_ADMIN_SECRET_ARN', Value: { Ref: secret } });
    const role = new RegExp(`^Migration${side}.*TaskRole`);
    expect(findSecretActions(template, role)).toEqual([
      'secretsmanager:GetSecretValue',
      'secretsmanager:DescribeSecret',
    ]);
  }
});

test('custom: Secrets Manager alone rotates it, and its function may touch no other secret', () => {
  const stack = newStack();
  new AdminSecret(stack, 'Admin').addRotation({
    automaticallyAfter: Duration.days(7),
    logRetention: RetentionDays.ONE_WEEK,
  });
  const template = Template.fromStack(stack);
  const [secret] = resourceLike(template, 'AWS::SecretsManager::Secret', /^Admin/);
  const [name, lambda] = resourceLike(template, 'AWS::Lambda::Function', /^AdminRotation/);
  expect(lambda.Properties).toMatchObject({ Handler: 'index.rotation' });
  expect(lambda.Properties.VpcConfig).toBeUndefined();
  template.hasResourceProperties('AWS::SecretsManager::RotationSchedule', {
    SecretId: { Ref: secret },
    RotationLambdaARN: { 'Fn::GetAtt': [name, 'Arn'] },
    RotationRules: { ScheduleExpression: 'rate(7 days)' },
    RotateImmediatelyOnUpdate: false,
  });
  template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 7 });
  const permissions = Object.values(listResources(template, 'AWS::Lambda::Permission'));
  expect(permissions.map(({ Properties }) => Properties.Principal)).toEqual(['secretsmanager.amazonaws.com']);
  const [, policy] = resourceLike(template, 'AWS::IAM::Policy', /^AdminRotation/);
  const onAll = (policy.Properties.PolicyDocument as Policy).Statement.filter(({ Resource }) => Resource === '*');
  expect(onAll.map(({ Action }) => Action)).toEqual(['secretsmanager:GetRandomPassword']);
  // What it calls, and the one that Secrets Manager's own functions need beside.
  expect(findSecretActions(template, /^AdminRotation/).sort()).toEqual(
    [
      ...['DescribeSecret', 'GetSecretValue', 'ListSecretVersionIds', 'PutSecretValue', 'UpdateSecretVersionStage'],
      'GetRandomPassword',
    ]
      .map((action) => `secretsmanager:${action}`)
      .sort(),
  );
});

test('custom: on request alone', () => {
  const stack = newStack();
  new AdminSecret(stack, 'Admin').addRotation({ automaticallyAfter: Duration.days(0) });
  const [, { Properties }] = resourceLike(Template.fromStack(stack), 'AWS::SecretsManager::RotationSchedule', /./);
  expect(Properties.RotationRules).toBeUndefined();
});

test.each([
  Duration.hours(3),
  Duration.minutes(270),
  Duration.hours(25),
  Duration.hours(36),
  Duration.days(1000),
  Duration.millis(1),
])('refused: every %p, which Secrets Manager has no schedule for', (automaticallyAfter) => {
  const secret = new AdminSecret(newStack(), 'Admin');
  expect(() => secret.addRotation({ automaticallyAfter })).toThrow(
    `'automaticallyAfter' must be whole hours from 4 to 23, or whole days from 1 to 999 (0: on request), got ${automaticallyAfter.toHumanString()}`,
  );
});

test.each([
  [Duration.minutes(240), 'rate(4 hours)'],
  [Duration.hours(23), 'rate(23 hours)'],
  [Duration.hours(24), 'rate(1 day)'],
  [Duration.hours(48), 'rate(2 days)'],
  [Duration.days(999), 'rate(999 days)'],
])('every %p is a schedule of Secrets Manager', (automaticallyAfter, expression) => {
  const stack = newStack();
  const schedule = new AdminSecret(stack, 'Admin').addRotation({ automaticallyAfter });
  const { rotationRules } = schedule.node.defaultChild as CfnRotationSchedule;
  expect(rotationRules).toEqual({ scheduleExpression: expression });
});
