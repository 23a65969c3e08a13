import { App, Duration, Lazy, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { GraphWidget, Dashboard } from 'aws-cdk-lib/aws-cloudwatch';
import { IVpc, Port, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { AccountRootPrincipal, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { StepFunctionsStartExecution as OnSchedule } from 'aws-cdk-lib/aws-scheduler-targets';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { DefinitionBody, IntegrationPattern, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { StepFunctionsStartExecution } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { HttpCodeElb } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import {
  Cutover,
  ICutover,
  IMigrationLoadBalancer,
  IProxyService,
  MigrationAlarms,
  MigrationDashboard,
  MigrationLoadBalancer,
  MigrationSide,
  NetworkFront,
  ProxyService,
} from '../../lib';
import { findDefinition, newMigration, newStack, resolveText, resourceLike, listResources } from './fixture';
import { twiceIn } from './twice';

const OWNER = '111122223333';
const OTHER = '444455556666';
const REGION = 'eu-central-1';
const STATE_MACHINE = `arn:aws:states:${REGION}:${OWNER}:stateMachine:shop`;
const ELB = `arn:aws:elasticloadbalancing:${REGION}:${OWNER}`;
const LOAD_BALANCER = `${ELB}:loadbalancer/app/shop/0123456789abcdef`;

interface Imported {
  readonly vpc: IVpc;
  readonly cutover: ICutover;
  readonly loadBalancer: IMigrationLoadBalancer;
  readonly source: IProxyService;
  readonly target: IProxyService;
}

/** A migration of another app, as a stack knows it by what it was told. */
function importInto(stack: Stack): Imported {
  const vpc = Vpc.fromVpcAttributes(stack, 'Network', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: [`${REGION}a`, `${REGION}b`],
    privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
  });
  const group = (id: string, digit: number) =>
    SecurityGroup.fromSecurityGroupId(stack, id, `sg-0123456789abcdef${digit}`);
  const adminSecret = Secret.fromSecretCompleteArn(
    stack,
    'AdminSecret',
    `arn:aws:secretsmanager:${REGION}:${OWNER}:secret:admin-abcdef`,
  );
  const proxies = (id: string, side: MigrationSide, digit: number) =>
    ProxyService.fromProxyServiceAttributes(stack, id, {
      side,
      serviceArn: `arn:aws:ecs:${REGION}:${OWNER}:service/shop/${side}`,
      serviceName: `Shop-${id}`,
      targetGroupArn: `${ELB}:targetgroup/${side}/0123456789abcdef`,
      loadBalancerArn: LOAD_BALANCER,
      securityGroups: [group(`${id}Group`, digit)],
      adminSecret,
    });
  return {
    vpc,
    cutover: Cutover.fromCutoverAttributes(stack, 'Cutover', {
      stateMachineArn: STATE_MACHINE,
      cutoverName: 'Shop-Cutover',
      store: Bucket.fromBucketAttributes(stack, 'Store', {
        bucketName: 'the-store',
        encryptionKey: Key.fromKeyArn(stack, 'Key', `arn:aws:kms:${REGION}:${OWNER}:key/0123`),
      }),
      undrainFunctionArn: `arn:aws:lambda:${REGION}:${OWNER}:function:undrain`,
      holdDryRunFunctionArn: `arn:aws:lambda:${REGION}:${OWNER}:function:dry`,
      doctorFunctionArn: `arn:aws:lambda:${REGION}:${OWNER}:function:doctor`,
      recoverFunctionArn: `arn:aws:lambda:${REGION}:${OWNER}:function:recover`,
      givenUpQueueArn: `arn:aws:sqs:${REGION}:${OWNER}:given-up`,
    }),
    loadBalancer: MigrationLoadBalancer.fromMigrationLoadBalancerAttributes(stack, 'LoadBalancer', {
      loadBalancerArn: LOAD_BALANCER,
      securityGroup: group('LoadBalancerGroup', 3),
      vpc,
      redirectsHttp: true,
    }),
    source: proxies('Source', MigrationSide.SOURCE, 4),
    target: proxies('Target', MigrationSide.TARGET, 5),
  };
}

function stackIn(account: string, id = 'Foreign'): Stack {
  return new Stack(newStack().node.root, id, { env: { account, region: REGION } });
}

function statementsIn(template: Template) {
  return Object.values(listResources(template, 'AWS::IAM::Policy')).flatMap(
    ({ Properties }) =>
      (Properties.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] }).Statement,
  );
}

describe.each([
  ['a stack of the same account', OWNER],
  ['a stack of another account', OTHER],
])('imported into %s', (_, account) => {
  const stack = stackIn(account);
  const { cutover, loadBalancer, source, target, vpc } = importInto(stack);
  const operators = new Role(stack, 'Operators', { assumedBy: new AccountRootPrincipal() });
  const grants = [
    'grantStart',
    'grantAbort',
    'grantApprove',
    'grantUndrain',
    'grantHoldDryRun',
    'grantDoctor',
  ] as const;
  for (const grant of grants) cutover[grant](operators);
  const tool = new SecurityGroup(stack, 'Tool', { vpc, allowAllOutbound: false });
  source.grantDrain(operators, tool);
  const backend = new SecurityGroup(stack, 'Backend', { vpc });
  backend.connections.allowFrom(target, Port.tcp(8080));
  new NetworkFront(stack, 'Front', { loadBalancer });
  loadBalancer.allowSmokeTestsFrom(tool);
  new MigrationDashboard(stack, 'Dashboard', { cutover, loadBalancer, source, target });
  new Schedule(stack, 'Schedule', {
    schedule: ScheduleExpression.rate(Duration.days(7)),
    target: new OnSchedule(cutover.stateMachine, { input: ScheduleTargetInput.fromObject({}) }),
  });
  const start = new StepFunctionsStartExecution(stack, 'Move', {
    stateMachine: cutover.stateMachine,
    associateWithParent: true,
    integrationPattern: IntegrationPattern.REQUEST_RESPONSE,
  });
  new StateMachine(stack, 'Workflow', { definitionBody: DefinitionBody.fromChainable(start) });
  const template = Template.fromStack(stack);

  test('someone may start, abort, approve, undrain, count and drain, and no more', () => {
    const role = stack.resolve(operators.roleName) as unknown;
    const policies = Object.values(listResources(template, 'AWS::IAM::Policy')).filter(
      ({ Properties }) => JSON.stringify(Properties.Roles) === JSON.stringify([role]),
    );
    const granted = policies.flatMap(
      ({ Properties }) =>
        (Properties.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] }).Statement,
    );
    expect(granted.map(({ Action, Resource }) => [Action, Resource])).toEqual([
      ['states:StartExecution', STATE_MACHINE],
      ['kms:GenerateDataKey', `arn:aws:kms:${REGION}:${OWNER}:key/0123`],
      ['s3:PutObject', buildArn('the-store/abort/*')],
      ['s3:PutObject', buildArn('the-store/approval/*')],
      [
        'lambda:InvokeFunction',
        [`arn:aws:lambda:${REGION}:${OWNER}:function:undrain`, `arn:aws:lambda:${REGION}:${OWNER}:function:undrain:*`],
      ],
      [
        'lambda:InvokeFunction',
        [`arn:aws:lambda:${REGION}:${OWNER}:function:dry`, `arn:aws:lambda:${REGION}:${OWNER}:function:dry:*`],
      ],
      [
        'lambda:InvokeFunction',
        [`arn:aws:lambda:${REGION}:${OWNER}:function:doctor`, `arn:aws:lambda:${REGION}:${OWNER}:function:doctor:*`],
      ],
      [
        ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'],
        `arn:aws:secretsmanager:${REGION}:${OWNER}:secret:admin-abcdef`,
      ],
    ]);
  });

  test('the rules between security groups are of this stack', () => {
    const rules = Object.values(listResources(template, 'AWS::EC2::SecurityGroupIngress')).map(
      ({ Properties }) => `${String(Properties.FromPort)} of ${JSON.stringify(Properties.GroupId)}`,
    );
    expect(rules.filter((rule) => rule.includes('sg-')).sort()).toEqual([
      '443 of "sg-0123456789abcdef3"',
      '80 of "sg-0123456789abcdef3"',
      '9201 of "sg-0123456789abcdef3"',
      '9202 of "sg-0123456789abcdef3"',
      '9901 of "sg-0123456789abcdef4"',
    ]);
    template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 8080,
      SourceSecurityGroupId: 'sg-0123456789abcdef5',
    });
  });

  test('a front stands before the load balancer, and waits for nothing that is not here', () => {
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
      TargetType: 'alb',
      Port: 443,
      Targets: [{ Id: LOAD_BALANCER, Port: 443 }],
    });
    template.resourceCountIs('AWS::ElasticLoadBalancingV2::Listener', 2);
  });

  test('a schedule and a workflow start it', () => {
    template.hasResourceProperties('AWS::Scheduler::Schedule', {
      Target: Match.objectLike({ Arn: STATE_MACHINE, Input: '{}' }),
    });
    const [state] = Object.values(findDefinition(template).States);
    expect(state?.Parameters).toEqual({
      Input: { 'AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$': '$$.Execution.Id' },
      StateMachineArn: STATE_MACHINE,
    });
    expect(statementsIn(template)).toContainEqual(
      expect.objectContaining({ Action: 'states:StartExecution', Resource: STATE_MACHINE }),
    );
  });

  test('every metric of the dashboard is of where the migration is', () => {
    const [, { Properties }] = resourceLike(template, 'AWS::CloudWatch::Dashboard', /./);
    const { widgets } = JSON.parse(resolveText(Properties.DashboardBody)) as {
      widgets: { properties: { metrics?: [string | object, ...unknown[]][]; markdown?: string } }[];
    };
    const metrics = widgets.flatMap(({ properties }) => properties.metrics ?? []);
    const direct = metrics.filter(([first]) => typeof first === 'string');
    expect(direct.length).toBeGreaterThan(20);
    const places = direct.map((metric) => {
      const { accountId, region } = metric.at(-1) as { accountId?: string; region?: string };
      return [accountId, region];
    });
    const expected = account === OTHER ? OWNER : undefined;
    expect(new Set(places.map(([accountId]) => accountId))).toEqual(new Set([expected]));
    expect(widgets[0]?.properties.markdown).toContain(`region=${REGION}#/statemachines/view/${STATE_MACHINE}`);
  });

  test('no two rules mean the same', () => expect(twiceIn(template.toJSON() as never)).toEqual([]));
});

const buildArn = (name: string) => ({ 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:s3:::${name}`]] });

describe('alarms', () => {
  test('watch an imported migration of their account, by the figures of its own', () => {
    const stack = stackIn(OWNER);
    const parts = importInto(stack);
    const alarms = new MigrationAlarms(stack, 'Alarms', parts);
    alarms.watchCutover(parts.cutover);
    const template = Template.fromStack(stack);
    const text = JSON.stringify(listResources(template, 'AWS::CloudWatch::Alarm'));
    for (const value of [
      'targetgroup/target/0123456789abcdef',
      'app/shop/0123456789abcdef',
      STATE_MACHINE,
      'recover',
      'given-up',
    ]) {
      expect(text).toContain(value);
    }
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: Match.objectLike({
        detail: Match.objectLike({
          clusterArn: [`arn:aws:ecs:${REGION}:${OWNER}:cluster/shop`],
          group: ['service:source', 'service:target'],
        }),
      }),
    });
    expect(twiceIn(template.toJSON() as never)).toEqual([]);
  });

  test('are rejected in another account, where no event of proxies that ended arrives', () => {
    const stack = stackIn(OTHER);
    const parts = importInto(stack);
    expect(() => new MigrationAlarms(stack, 'Alarms', parts)).toThrow(
      `'loadBalancer' must be of the account of the alarms, which is ${OTHER}, got ${OWNER}`,
    );
  });
});

describe('what an import does not know', () => {
  const stack = stackIn(OWNER);
  const cutover = Cutover.fromCutoverAttributes(stack, 'Cutover', { stateMachineArn: STATE_MACHINE });
  const proxies = ProxyService.fromProxyServiceAttributes(stack, 'Source', {
    side: MigrationSide.SOURCE,
    serviceArn: `arn:aws:ecs:${REGION}:${OWNER}:service/shop/source`,
    serviceName: 'Shop-Source',
  });
  const loadBalancer = MigrationLoadBalancer.fromMigrationLoadBalancerAttributes(stack, 'LoadBalancer', {
    loadBalancerArn: LOAD_BALANCER,
    securityGroup: SecurityGroup.fromSecurityGroupId(stack, 'Group', 'sg-0123456789abcdef0'),
  });
  const operators = new Role(stack, 'Operators', { assumedBy: new AccountRootPrincipal() });
  const backend = SecurityGroup.fromSecurityGroupId(stack, 'Backend', 'sg-0123456789abcdef1');

  test.each<[string, string, () => unknown]>([
    ['store', 'Cutover', () => cutover.grantAbort(operators)],
    ['store', 'Cutover', () => cutover.grantApprove(operators)],
    ['undrainFunctionArn', 'Cutover', () => cutover.grantUndrain(operators)],
    ['holdDryRunFunctionArn', 'Cutover', () => cutover.grantHoldDryRun(operators)],
    ['doctorFunctionArn', 'Cutover', () => cutover.grantDoctor(operators)],
    ['recoverFunctionArn', 'Cutover', () => cutover.metricRecoveryErrors()],
    ['givenUpQueueArn', 'Cutover', () => cutover.metricRecoveryGivenUp()],
    ['cutoverName', 'Cutover', () => cutover.metricWeight(MigrationSide.SOURCE)],
    ['targetGroupArn', 'Source', () => proxies.metricRequestsPerTarget()],
    ['adminSecret', 'Source', () => proxies.grantDrain(operators)],
    ['securityGroups', 'Source', () => backend.connections.allowFrom(proxies, Port.tcp(8080))],
    ['securityGroups', 'Source', () => proxies.grantDrain(operators, backend)],
    ['vpc', 'LoadBalancer', () => new NetworkFront(stack, 'Front', { loadBalancer })],
  ])('is asked for by name, where it is needed: %s', (name, id, use) => {
    expect(use).toThrow(`'${name}' must be given where 'Foreign/${id}' is imported, got nothing`);
  });

  test('is not missed by what needs none of it', () => {
    cutover.grantStart(operators);
    const metrics = [cutover.metricFailed(), proxies.metricLiveConnections(), proxies.metricCpuUtilization()];
    new Dashboard(stack, 'Dashboard').addWidgets(new GraphWidget({ left: metrics }));
    expect(loadBalancer.metricHttpCodeElb(HttpCodeElb.ELB_5XX_COUNT).dimensions).toEqual({
      LoadBalancer: 'app/shop/0123456789abcdef',
    });
    expect(() => Template.fromStack(stack)).not.toThrow();
  });
});

test.each([
  'arn:aws:ecs:eu-central-1:111122223333:service/source',
  'arn:aws:ecs:eu-central-1:111122223333:cluster/shop',
  'source',
])('refused: a service whose cluster is not known: %s', (serviceArn) => {
  const side = MigrationSide.SOURCE;
  expect(() =>
    ProxyService.fromProxyServiceAttributes(stackIn(OWNER), 'Source', { side, serviceArn, serviceName: 'Source' }),
  ).toThrow(`'serviceArn' must be the ARN of a service of ECS, with the name of its cluster, got ${serviceArn}`);
});

describe('refused: an attribute that is of something else', () => {
  const stack = stackIn(OWNER);
  const securityGroup = SecurityGroup.fromSecurityGroupId(stack, 'Group', 'sg-0123456789abcdef0');
  let count = 0;
  const ofCutover = (attributes: object) =>
    Cutover.fromCutoverAttributes(stack, `It${(count += 1)}`, { stateMachineArn: STATE_MACHINE, ...attributes });
  const ofLoadBalancer = (attributes: object) =>
    MigrationLoadBalancer.fromMigrationLoadBalancerAttributes(stack, `It${(count += 1)}`, {
      ...{ loadBalancerArn: LOAD_BALANCER, securityGroup },
      ...attributes,
    });
  const ofProxies = (attributes: object) =>
    ProxyService.fromProxyServiceAttributes(stack, `It${(count += 1)}`, {
      side: MigrationSide.SOURCE,
      serviceArn: `arn:aws:ecs:${REGION}:${OWNER}:service/shop/source`,
      serviceName: 'Shop-Source',
      ...attributes,
    });
  const LAMBDA = `arn:aws:lambda:${REGION}:${OWNER}:function:undrain`;
  const GROUP = `${ELB}:targetgroup/source/0123456789abcdef`;

  test.each<[string, string, (attributes: object) => unknown, unknown]>([
    ['stateMachineArn', 'the ARN of a state machine', ofCutover, LAMBDA],
    [
      'stateMachineArn',
      'the ARN of a state machine',
      ofCutover,
      STATE_MACHINE.replace(':stateMachine:', ':execution:'),
    ],
    ['stateMachineArn', 'the ARN of a state machine', ofCutover, `${STATE_MACHINE}:1`],
    ['stateMachineArn', 'the ARN of a state machine', ofCutover, ''],
    ['stateMachineArn', 'a string', ofCutover, undefined],
    ['undrainFunctionArn', 'the ARN of a function, without a version or an alias', ofCutover, `${LAMBDA}:1`],
    ['holdDryRunFunctionArn', 'the ARN of a function, without a version or an alias', ofCutover, 'dry'],
    ['doctorFunctionArn', 'the ARN of a function, without a version or an alias', ofCutover, 'doctor'],
    ['recoverFunctionArn', 'the ARN of a function, without a version or an alias', ofCutover, STATE_MACHINE],
    ['givenUpQueueArn', 'the ARN of a queue', ofCutover, LAMBDA],
    ['store', 'an IBucket', ofCutover, 'the-store'],
    ['loadBalancerArn', 'the ARN of an application load balancer', ofLoadBalancer, `${ELB}:loadbalancer/net/a/0123`],
    ['loadBalancerArn', 'the ARN of an application load balancer', ofLoadBalancer, GROUP],
    ['targetPort', 'a port that no other listener has', ofLoadBalancer, 9201],
    ['securityGroup', 'an ISecurityGroup', ofLoadBalancer, undefined],
    ['side', 'one of "source", "target"', ofProxies, 'sauce'],
    ['serviceArn', 'a string', ofProxies, undefined],
    ['targetGroupArn', 'the ARN of a target group', ofProxies, LOAD_BALANCER],
    ['loadBalancerArn', 'the ARN of an application load balancer', ofProxies, GROUP],
  ])("'%s' must be %s", (name, rule, make, value) => {
    expect(() => make({ [name]: value })).toThrow(`'${name}' must be ${rule}, got `);
  });

  test('what is misspelt comes before what that leaves out', () => {
    const misspelt = { serviceArn: undefined, serviceARN: 'arn' };
    expect(() => ofProxies(misspelt)).toThrow(
      /^'serviceARN' must be one of [^]*\n'serviceArn' must be a string, got nothing$/,
    );
    expect(() => Cutover.fromCutoverAttributes(stack, 'None', null as never)).toThrow(
      "'props' must be an object, got null",
    );
  });

  test('a token passes', () => {
    const later = Lazy.string({ produce: () => STATE_MACHINE });
    expect(() => ofCutover({ undrainFunctionArn: later, givenUpQueueArn: later })).not.toThrow();
  });
});

describe('of one app', () => {
  const app = newStack().node.root as App;
  const env = { account: OWNER, region: REGION };
  const owner = new Stack(app, 'Owner', { env });
  const encryptionKey = new Key(owner, 'EncryptionKey');
  const { cutover, loadBalancer, source, target } = newMigration(owner, { encryptionKey, monitoring: false });
  const abroad = Role.fromRoleArn(owner, 'Abroad', `arn:aws:iam::${OTHER}:role/operators`);
  cutover.grantAbort(abroad);
  cutover.grantApprove(abroad);
  cutover.grantUndrain(abroad);
  const watchers = new Stack(app, 'Watchers', { env });
  const alarms = new MigrationAlarms(watchers, 'Alarms', { loadBalancer, source, target });
  alarms.watchCutover(cutover);
  new MigrationDashboard(watchers, 'Dashboard', { cutover, loadBalancer, source, target, alarms });
  new NetworkFront(watchers, 'Front', { loadBalancer });
  const start = new Role(watchers, 'Start', { assumedBy: new ServicePrincipal('events.amazonaws.com') });
  cutover.grantStart(start);

  test('another stack watches and starts it, without a circle of stacks', () => {
    const template = Template.fromStack(watchers);
    template.resourceCountIs('AWS::CloudWatch::Dashboard', 1);
    expect(statementsIn(template)).toContainEqual(expect.objectContaining({ Action: 'states:StartExecution' }));
    expect(twiceIn(template.toJSON() as never)).toEqual([]);
  });

  test('someone of another account is let in by the policies of the store, its key and the function, too', () => {
    const template = Template.fromStack(owner);
    const [, store] =
      Object.entries(listResources(template, 'AWS::S3::BucketPolicy')).find(([id]) => id.includes('Store')) ?? [];
    const { Statement } = store?.Properties.PolicyDocument as {
      Statement: { Effect: string; Action: unknown; Principal: unknown }[];
    };
    const principal = { AWS: `arn:aws:iam::${OTHER}:role/operators` };
    const allowed = Statement.filter(({ Effect, Action }) => Effect === 'Allow' && Action === 's3:PutObject');
    expect(allowed.map(({ Principal }) => Principal)).toEqual([principal, principal]);
    template.hasResourceProperties('AWS::Lambda::Permission', { Principal: principal.AWS });
    template.hasResourceProperties('AWS::KMS::Key', {
      KeyPolicy: {
        Statement: Match.arrayWith([Match.objectLike({ Action: 'kms:GenerateDataKey', Principal: principal })]),
      },
    });
  });
});
