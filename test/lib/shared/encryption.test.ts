import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { ApplicationListener, ApplicationLoadBalancer } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { STEPS } from '../../../core/cutover/cutover-config';
import { STEP_RIGHTS } from '../../../lib/cutover/cutover-rights';
import { createEverything } from '../everything';
import { newMigration, newStack, Resource, resourceLike, listResources } from '../fixture';
import { newProxies } from '../proxy/proxy-fixture';

let everything: Template | undefined;
const template = () => {
  if (everything) return everything;
  const stack = newStack();
  const { cutover } = createEverything(stack);
  const operators = new Role(stack, 'Operators', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
  cutover.grantAbort(operators);
  return (everything = Template.fromStack(stack));
};

/** Of every type that takes a key, where its key stands. */
const KEY_OF: Record<string, (properties: Record<string, unknown>) => unknown> = {
  'AWS::SecretsManager::Secret': ({ KmsKeyId }) => KmsKeyId,
  'AWS::Logs::LogGroup': ({ KmsKeyId }) => KmsKeyId,
  'AWS::SQS::Queue': ({ KmsMasterKeyId }) => KmsMasterKeyId,
  'AWS::SNS::Topic': ({ KmsMasterKeyId }) => KmsMasterKeyId,
  'AWS::ElastiCache::ServerlessCache': ({ KmsKeyId }) => KmsKeyId,
  'AWS::Scheduler::Schedule': ({ KmsKeyArn }) => KmsKeyArn,
  'AWS::Lambda::Function': ({ Environment, KmsKeyArn }) => (Environment === undefined ? 'has none' : KmsKeyArn),
  'AWS::S3::Bucket': ({ BucketEncryption }) =>
    (BucketEncryption as Encryption).ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.KMSMasterKeyID,
};

interface Encryption {
  readonly ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { KMSMasterKeyID?: unknown } }];
}

/** What no key can be given to: a load balancer writes its logs to no bucket with one. What the CDK makes has no secrets. */
const WITHOUT_KEY = [/^MigrationLoadBalancerAccessLogs/, /^LogRetention/, /^CustomVpcRestrictDefaultSG/];

/** Types that take a key of KMS and have none here, and why. */
const DECIDED_OTHERWISE: Record<string, string> = {
  'AWS::StepFunctions::StateMachine': 'its events would come without their input, which a recovery reads',
  'AWS::Lambda::EventSourceMapping': 'the key is for filters, of which there are none',
};

/** The types of a template that take a key of KMS, by the names of their properties in the CDK. */
function typesWithKey(made: Template): string[] {
  const types = new Set(
    Object.values((made.toJSON() as { Resources: Record<string, Resource> }).Resources).map(({ Type }) => Type),
  );
  const modules = [...new Set([...types].map((type) => `aws-${type.split('::')[1]?.toLowerCase()}`))];
  return modules
    .filter((name) => existsSync(join(dirname(require.resolve('aws-cdk-lib/package.json')), name)))
    .flatMap((name) => Object.values(jest.requireActual<Record<string, unknown>>(`aws-cdk-lib/${name}`)))
    .filter(
      (each): each is CfnClass =>
        typeof each === 'function' && types.has((each as unknown as CfnClass).CFN_RESOURCE_TYPE_NAME),
    )
    .filter(({ prototype }) => Object.getOwnPropertyNames(prototype).some((name) => KEY_PROPERTY.test(name)))
    .map(({ CFN_RESOURCE_TYPE_NAME: type }) => type);
}

interface CfnClass {
  readonly CFN_RESOURCE_TYPE_NAME: string;
  readonly prototype: object;
}

const KEY_PROPERTY = /^(kms\w*Key(Id|Arn)|\w*[eE]ncryption(Configuration)?)$/;

test('of every type that takes a key it is known where, or why not', () => {
  const types = typesWithKey(template());
  expect(types.length).toBeGreaterThan(7);
  const known = [...Object.keys(KEY_OF), ...Object.keys(DECIDED_OTHERWISE)];
  expect(types.filter((type) => !known.includes(type))).toEqual([]);
});

function openIn(made: Template): string[] {
  const [key] = resourceLike(made, 'AWS::KMS::Key', /./);
  const expected = JSON.stringify({ 'Fn::GetAtt': [key, 'Arn'] });
  return Object.entries(KEY_OF).flatMap(([type, formatKey]) =>
    Object.entries(listResources(made, type))
      .filter(([id]) => !WITHOUT_KEY.some((pattern) => pattern.test(id)))
      .filter(([, { Properties }]) => ![expected, '"has none"'].includes(JSON.stringify(formatKey(Properties)) ?? ''))
      .map(([id]) => `${type} ${id}`),
  );
}

test('custom: whatever takes a key has it', () => {
  expect(openIn(template())).toEqual([]);
  for (const type of Object.keys(KEY_OF)) expect(Object.keys(listResources(template(), type))).not.toEqual([]);
});

test('custom: so has what proves the proxies before a rule joins a listener', () => {
  const stack = newStack();
  const arn = (what: string) => `arn:aws:elasticloadbalancing:eu-central-1:111122223333:${what}`;
  const group = { securityGroupId: 'sg-0123456789abcdef0' };
  newMigration(stack, {
    encryptionKey: new Key(stack, 'Key'),
    loadBalancer: ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'Balancer', {
      loadBalancerArn: arn('loadbalancer/app/shop/0123456789abcdef'),
      vpc: new Vpc(stack, 'Vpc'),
      ...group,
    }),
    listener: ApplicationListener.fromApplicationListenerAttributes(stack, 'Listener', {
      listenerArn: arn('listener/app/shop/0123456789abcdef/0123456789abcdef'),
      securityGroup: SecurityGroup.fromSecurityGroupId(stack, 'Group', group.securityGroupId),
    }),
  });
  const made = Template.fromStack(stack);
  expect(openIn(made)).toEqual([]);
  expect(Object.keys(listResources(made, 'AWS::Lambda::Function'))).toContainEqual(
    expect.stringMatching(/AdoptionProof/),
  );
});

test('default: no key of KMS is used', () => {
  const stack = newStack();
  newMigration(stack);
  const made = Template.fromStack(stack);
  made.resourceCountIs('AWS::KMS::Key', 0);
  expect(JSON.stringify(made.toJSON())).not.toContain('kms:');
});

interface Statement {
  readonly Action: string | string[];
  readonly Principal?: { readonly Service?: unknown };
  readonly Condition?: unknown;
  readonly Resource?: unknown;
}

const listStatements = ({ Properties }: Resource, name: 'KeyPolicy' | 'PolicyDocument') =>
  (Properties[name] as { Statement: Statement[] }).Statement;

test('custom: the key lets in the logs and the events of this account, and each once', () => {
  const [, key] = resourceLike(template(), 'AWS::KMS::Key', /./);
  const services = listStatements(key, 'KeyPolicy').filter(({ Principal }) => Principal?.Service !== undefined);
  const logGroups = [
    '',
    [
      'arn:',
      { Ref: 'AWS::Partition' },
      ':logs:',
      { Ref: 'AWS::Region' },
      ':',
      { Ref: 'AWS::AccountId' },
      ':log-group:*',
    ],
  ];
  expect(services).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        Action: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
        Principal: { Service: { 'Fn::Join': ['', ['logs.', { Ref: 'AWS::Region' }, '.amazonaws.com']] } },
        Condition: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': { 'Fn::Join': logGroups } } },
      }),
      expect.objectContaining({
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Principal: { Service: 'events.amazonaws.com' },
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      }),
    ]),
  );
  expect(services).toHaveLength(2);
});

/** Actions on the key, of the role's policies whose name matches. */
function findKeyActions(made: Template, id: RegExp): Set<string> {
  const policies = Object.entries(listResources(made, 'AWS::IAM::Policy')).filter(([name]) => id.test(name));
  expect(policies).not.toEqual([]);
  const actions = policies.flatMap(([, policy]) =>
    listStatements(policy, 'PolicyDocument').flatMap(({ Action }) => Action),
  );
  return new Set(actions.filter((action) => action.startsWith('kms:')));
}

test.each(STEPS)('custom: the step %s may use the key as far as it reads and writes', (step) => {
  const { store } = STEP_RIGHTS[step];
  const name = step.charAt(0).toUpperCase() + step.slice(1);
  const actions = findKeyActions(template(), new RegExp(`^MigrationCutoverSteps${name}ServiceRole`));
  expect(actions).toContain('kms:Decrypt');
  if (store.PutObject) expect(actions).toContain('kms:GenerateDataKey');
});

test.each([
  ['the weighted rules', /^DrainshiftWeightedRules/, ['kms:Decrypt', 'kms:GenerateDataKey']],
  ['the schedule, for its plan', /^SchedulerRole/, ['kms:Decrypt']],
  ['the operators who may abort', /^Operators/, ['kms:GenerateDataKey']],
  ['the tasks, for their secret', /^MigrationSourceTask.*ExecutionRole/, ['kms:Decrypt']],
])('custom: %s may use the key', (_, id, expected) => {
  expect([...findKeyActions(template(), id)].sort()).toEqual(expected);
});

test('imported: a key of another stack or account, whose policy is not ours', () => {
  const stack = newStack();
  const key = Key.fromKeyArn(
    stack,
    'Key',
    'arn:aws:kms:eu-central-1:444455556666:key/11111111-2222-3333-4444-555555555555',
  );
  newMigration(stack, { encryptionKey: key });
  const made = Template.fromStack(stack);
  for (const id of [/^MigrationSourceTask.*ExecutionRole/, /^MigrationCutoverStepsComplete/, /^DrainshiftWeighted/]) {
    expect(findKeyActions(made, id)).toContain('kms:Decrypt');
  }
});

test('imported: a key of another stack of the app, which does not wait for this one', () => {
  const app = new App();
  const keys = new Stack(app, 'Keys');
  const stack = new Stack(app, 'Shop');
  newMigration(stack, { encryptionKey: new Key(keys, 'Key') });
  expect(() => app.synth()).not.toThrow();
  expect(keys.dependencies).toEqual([]);
  expect(stack.dependencies).toEqual([keys]);
});

test('imported: a log group has its own key, whatever the migration has', () => {
  const stack = newStack();
  const logGroup = LogGroup.fromLogGroupName(stack, 'Log', 'shop');
  newMigration(stack, {
    encryptionKey: new Key(stack, 'Key'),
    source: { upstreamUrl: 'http://old.internal', logGroup },
  });
  expect(() => Template.fromStack(stack)).not.toThrow();
});

test('rejected: a key beside a log group', () => {
  const stack = newStack();
  const logGroup = LogGroup.fromLogGroupName(stack, 'Log', 'shop');
  expect(() => newProxies(stack, { logGroup, encryptionKey: new Key(stack, 'Key') })).toThrow(
    "'encryptionKey' must be absent next to 'logGroup', got a key",
  );
});
