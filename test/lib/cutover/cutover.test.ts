import { CfnParameter, Duration, TimeZone } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Alarm, CompositeAlarm, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { GatewayVpcEndpointAwsService, Peer, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Stack } from 'aws-cdk-lib';
import { AdminSecret, Cutover, CutoverPlan, MigrationSide, ProxyCompute, ProxyService } from '../../../lib';
import { CutoverProps } from '../../../lib/cutover/cutover-props';
import {
  alarmsIn,
  certificateIn,
  newMigration,
  newStack,
  Resource,
  resourceLike,
  listResources,
  resolveText,
} from '../fixture';
import { MigrationLoadBalancer, StickyTargetGroup } from '../../../lib';

function newCutover(stack: Stack, props: Partial<CutoverProps> = {}): Cutover {
  const vpc = props.vpc ?? new Vpc(stack, 'Vpc');
  const cluster = new Cluster(stack, 'Cluster', { vpc });
  const adminSecret = new AdminSecret(stack, 'AdminSecret').secret;
  const sourceGroup = new StickyTargetGroup(stack, 'SourceGroup', { vpc });
  const targetGroup = new StickyTargetGroup(stack, 'TargetGroup', { vpc });
  const loadBalancer = new MigrationLoadBalancer(stack, 'LoadBalancer', {
    vpc,
    sourceGroup,
    targetGroup,
    certificate: certificateIn(stack),
  });
  const proxies = (side: MigrationSide, group: StickyTargetGroup) =>
    new ProxyService(stack, side, { cluster, side, targetGroup: group, adminSecret, upstreamUrl: 'http://a.internal' });
  return new Cutover(stack, 'Cutover', {
    vpc,
    loadBalancer,
    source: proxies(MigrationSide.SOURCE, sourceGroup),
    target: proxies(MigrationSide.TARGET, targetGroup),
    adminSecret,
    domainName: 'shop.example.com',
    ...props,
  });
}

function synth(stack: Stack, props: Partial<CutoverProps> = {}): Template {
  newCutover(stack, props);
  return Template.fromStack(stack);
}

/** What JSON escapes. */
const QUOTED = 'p99 > "3 s" \\ 5xx';

const alarmIn = (stack: Stack, id: string, alarmName?: string) =>
  new Alarm(stack, id, {
    alarmName,
    metric: new Metric({ namespace: 'App', metricName: 'Errors' }),
    threshold: 1,
    evaluationPeriods: 1,
  });

/** The statements of all steps with this action, by the step's name. */
function statements(template: Template, action: string): [string, { Resource: unknown }][] {
  return Object.entries(listResources(template, 'AWS::IAM::Policy')).flatMap(([id, { Properties }]) => {
    const { Statement } = Properties.PolicyDocument as {
      Statement: { Action: string | string[]; Resource: unknown }[];
    };
    const step = /CutoverSteps([A-Z][a-z]+)Service/.exec(id)?.[1] ?? id;
    return Statement.filter(({ Action }) => [Action].flat().includes(action)).map(
      (each): [string, { Resource: unknown }] => [step, each],
    );
  });
}

function configIn(template: Template): Record<string, unknown> {
  const [, output] = Object.entries(template.findOutputs('*')).find(([name]) => name.endsWith('CutoverConfig')) ?? [];
  return JSON.parse(resolveText((output as { Value: unknown }).Value)) as Record<string, unknown>;
}

interface Rule {
  readonly ToPort: number;
  readonly CidrIp?: string;
  readonly DestinationPrefixListId?: string;
  readonly DestinationSecurityGroupId?: unknown;
}

const HEEDING = [
  'Approve',
  'Bake',
  'Confirm',
  'Doctor',
  'Drain',
  'Hook',
  'Preflight',
  'Recover',
  'Rollback',
  'Shift',
  'Verify',
];
const TELLING = ['Approve', 'Complete', 'Confirm', 'Lock', 'Record', 'Recover', 'Rollback', 'Switch'];

describe('default', () => {
  const stack = newStack();
  const cutover = newCutover(stack);
  const template = Template.fromStack(stack);

  test('the state machine and its functions are traced, and their logs end after three months', () => {
    template.hasResourceProperties('AWS::StepFunctions::StateMachine', { TracingConfiguration: { Enabled: true } });
    const logs = Object.entries(listResources(template, 'AWS::Logs::LogGroup')).filter(([id]) =>
      id.startsWith('Cutover'),
    );
    expect(logs.map(([, { Properties }]) => Properties.RetentionInDays)).toEqual([90, 90]);
  });

  test('it checks no alarm, notifies the default bus alone, and starts by no one but a person', () => {
    expect(statements(template, 'cloudwatch:DescribeAlarms')).toEqual([]);
    expect(statements(template, 'sns:Publish')).toEqual([]);
    const puts = statements(template, 'events:PutEvents');
    expect(puts.map(([step]) => step).sort()).toEqual(TELLING);
    for (const [, { Resource }] of puts) expect(JSON.stringify(Resource)).toContain('event-bus/default');
    template.resourceCountIs('AWS::Scheduler::Schedule', 0);
    template.resourceCountIs('AWS::EC2::VPCEndpoint', 0);
  });

  test('the cutover config is put out under a name that ends as the command line looks for it', () => {
    expect(configIn(template)).toMatchObject({
      adminPort: 9901,
      domainName: 'shop.example.com',
      eventBusName: 'default',
      cutoverName: expect.stringMatching(/Cutover/) as string,
    });
    const none = { metric: [], other: [] };
    expect(alarmsIn(template)).toEqual({ source: none, target: none });
  });

  test("the load balancer's store is the cutover's", () => {
    expect(listResources(template, 'AWS::S3::Bucket')).toHaveProperty(
      (stack.resolve(cutover.store.bucketName) as { Ref: string }).Ref,
    );
    const ids = Object.keys(listResources(template, 'AWS::S3::Bucket'));
    expect(ids.filter((id) => id.startsWith('Cutover'))).toEqual([]);
  });

  test('its metrics are those of the state machine, and the weight of a side', () => {
    const { namespace, metricName, dimensions } = cutover.metricWeight(MigrationSide.TARGET);
    expect([namespace, metricName, dimensions]).toEqual([
      'Drainshift',
      'Weight',
      { Cutover: configIn(template).cutoverName, Side: 'target' },
    ]);
    const metrics = [
      cutover.metricStarted(),
      cutover.metricSucceeded(),
      cutover.metricFailed(),
      cutover.metricAborted(),
      cutover.metricTimedOut(),
      cutover.metricTime(),
      cutover.metric('ExecutionThrottled'),
    ];
    expect(metrics.map((metric) => `${metric.namespace} ${metric.metricName}`)).toEqual(
      [
        'ExecutionsStarted',
        'ExecutionsSucceeded',
        'ExecutionsFailed',
        'ExecutionsAborted',
        'ExecutionsTimedOut',
        'ExecutionTime',
        'ExecutionThrottled',
      ].map((name) => `AWS/States ${name}`),
    );
  });
});

describe('custom', () => {
  test('metric alarms are read by name, by the steps that check them and by no other', () => {
    const stack = newStack();
    const template = synth(stack, { alarms: [alarmIn(stack, 'Errors'), alarmIn(stack, 'Latency', QUOTED)] });
    const found = statements(template, 'cloudwatch:DescribeAlarms');
    expect(found.map(([step]) => step).sort()).toEqual(HEEDING);
    const arns = ['Errors', 'Latency'].map((id) => ({
      'Fn::GetAtt': [expect.stringMatching(`^${id}`) as string, 'Arn'],
    }));
    for (const [, { Resource }] of found) expect(Resource).toEqual(arns);
    // CloudFormation would put the name into the text as it is.
    expect(alarmsIn(template).target.metric).toEqual([expect.stringMatching(/^Errors/), QUOTED]);
  });

  test('composite alarms take the right to read all, because CloudWatch gives them to no one else', () => {
    const stack = newStack();
    const composite = new CompositeAlarm(stack, 'All', { alarmRule: alarmIn(stack, 'Errors') });
    const imported = Alarm.fromAlarmArn(
      stack,
      'Imported',
      `arn:aws:cloudwatch:eu-central-1:111122223333:alarm:${QUOTED}`,
    );
    const quoted = new CompositeAlarm(stack, 'Quoted', {
      alarmRule: alarmIn(stack, 'Latency', QUOTED),
      compositeAlarmName: `all ${QUOTED}`,
    });
    const template = synth(stack, { alarms: [composite, imported, quoted] });
    const found = statements(template, 'cloudwatch:DescribeAlarms');
    expect(found.map(([step, { Resource }]) => [step, Resource]).sort()).toEqual(HEEDING.map((step) => [step, '*']));
    expect(alarmsIn(template).target.other).toEqual([expect.stringMatching(/^All/), QUOTED, `all ${QUOTED}`]);
  });

  test('people are notified through a topic, also through one with a key of its own', () => {
    const stack = newStack();
    const notificationTopic = new Topic(stack, 'Ops', { masterKey: new Key(stack, 'Key') });
    const template = synth(stack, { notificationTopic });
    const published = statements(template, 'sns:Publish');
    expect(published.map(([step]) => step).sort()).toEqual(TELLING);
    for (const [, { Resource }] of published) expect(Resource).toEqual(stack.resolve(notificationTopic.topicArn));
    expect(statements(template, 'kms:Decrypt').map(([step]) => step)).toEqual(expect.arrayContaining(TELLING));
  });

  test('events go to the bus that is given', () => {
    const stack = newStack();
    const eventBus = new EventBus(stack, 'Bus');
    const template = synth(stack, { eventBus });
    const resources = statements(template, 'events:PutEvents').map(([, { Resource }]) => Resource);
    expect(resources).toEqual(TELLING.map(() => stack.resolve(eventBus.eventBusArn) as unknown));
  });

  test('a schedule starts an execution with its plan, and not when it is late', () => {
    const stack = newStack();
    const plan = CutoverPlan.gradual({ poll: Duration.seconds(10) });
    const at = ScheduleExpression.at(new Date('2027-03-01T02:00:00Z'), TimeZone.EUROPE_BERLIN);
    const template = synth(stack, { schedule: { at, plan } });
    const [, schedule]: [string, Resource] = resourceLike(template, 'AWS::Scheduler::Schedule', /./);
    const target = schedule.Properties.Target as { Input: string };
    expect(schedule.Properties).toMatchObject({
      ScheduleExpression: 'at(2027-03-01T02:00:00)',
      ScheduleExpressionTimezone: 'Europe/Berlin',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: { RetryPolicy: { MaximumEventAgeInSeconds: 600 } },
    });
    expect(JSON.parse(target.Input)).toMatchObject({ plan: { pollSeconds: 10 } });
  });

  test('a schedule with a plan that is less careful than the deployed one is rejected at synth', () => {
    const stack = newStack();
    const plan = CutoverPlan.gradual({ poll: Duration.seconds(20) });
    const at = ScheduleExpression.at(new Date('2027-03-01T02:00:00Z'), TimeZone.EUROPE_BERLIN);
    expect(() => synth(stack, { schedule: { at, plan } })).toThrow(
      "'schedule.plan.pollSeconds' must be at most 15, as deployed, got 20",
    );
  });

  test("a schedule without a plan starts with the cutover's own", () => {
    const template = synth(newStack(), { schedule: { at: ScheduleExpression.cron({ hour: '2', minute: '0' }) } });
    template.hasResourceProperties('AWS::Scheduler::Schedule', { Target: { Input: '{}' } });
  });

  test('who may start, abort and approve may do that and no more', () => {
    const stack = newStack();
    const cutover = newCutover(stack);
    const granted = (id: string, grant: (role: Role) => unknown) => {
      const role = new Role(stack, id, { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
      grant(role);
      return id;
    };
    granted('Starter', (role) => cutover.grantStart(role));
    granted('Stopper', (role) => cutover.grantAbort(role));
    granted('Approver', (role) => cutover.grantApprove(role));
    const template = Template.fromStack(stack);
    const findPolicy = (id: string) =>
      (
        resourceLike(template, 'AWS::IAM::Policy', new RegExp(`^${id}DefaultPolicy`))[1].Properties.PolicyDocument as {
          Statement: unknown[];
        }
      ).Statement;
    const objects = (keys: string) => ({
      'Fn::Join': ['', [stack.resolve(cutover.store.bucketArn), `/${keys}`]],
    });
    expect(findPolicy('Starter')).toMatchObject([{ Action: 'states:StartExecution' }]);
    expect(findPolicy('Stopper')).toMatchObject([{ Action: 's3:PutObject', Resource: objects('abort/*') }]);
    expect(findPolicy('Approver')).toMatchObject([{ Action: 's3:PutObject', Resource: objects('approval/*') }]);
  });

  test('logs are kept for as long as asked', () => {
    const template = synth(newStack(), { logRetention: RetentionDays.ONE_WEEK });
    const logs = Object.entries(listResources(template, 'AWS::Logs::LogGroup')).filter(([id]) =>
      id.startsWith('Cutover'),
    );
    expect(logs.map(([, { Properties }]) => Properties.RetentionInDays)).toEqual([7, 7]);
  });
});

describe('a network without NAT gateways', () => {
  const isolated = (stack: Stack) =>
    new Vpc(stack, 'Vpc', {
      natGateways: 0,
      subnetConfiguration: [{ name: 'app', subnetType: SubnetType.PRIVATE_ISOLATED }],
    });
  const servicesIn = (template: Template) =>
    Object.values(listResources(template, 'AWS::EC2::VPCEndpoint')).map(({ Properties }) =>
      resolveText(Properties.ServiceName).replace(/^(com\.amazonaws\.)?(AWS::Region\.)?/, ''),
    );

  test('gets the endpoints that the steps and the proxies call, open to them alone', () => {
    const stack = newStack();
    const template = synth(stack, { vpc: isolated(stack), vpcEndpoints: true });
    expect(
      servicesIn(template)
        .map((name) => name.split('.').slice(-2).join('.').replace('Region.', ''))
        .sort(),
    ).toHaveLength(9);
    for (const name of [
      'elasticloadbalancing',
      'ecs',
      'secretsmanager',
      'sts',
      'events',
      'logs',
      'ecr.api',
      'ecr.dkr',
      's3',
    ])
      expect(servicesIn(template).some((service) => service.endsWith(name))).toBe(true);
    const ingress = Object.entries(listResources(template, 'AWS::EC2::SecurityGroupIngress')).filter(([id]) =>
      id.startsWith('CutoverEndpoints'),
    );
    expect(ingress).toHaveLength(3);
    expect(JSON.stringify(ingress)).not.toContain('CidrIp');
  });

  test('leads to the store of a switch from every subnet that proxies may run in', () => {
    const stack = newStack();
    const template = synth(stack, { vpc: isolated(stack), vpcEndpoints: true });
    const tables = Object.keys(listResources(template, 'AWS::EC2::RouteTable')).map((Ref) => ({ Ref }));
    expect(tables).toHaveLength(2);
    template.hasResourceProperties('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Gateway', RouteTableIds: tables });
  });

  test('gets those of the agents on instances and of ECS Exec, and lets the instances in', () => {
    const stack = newStack();
    newMigration(stack, {
      vpc: isolated(stack),
      vpcEndpoints: true,
      monitoring: false,
      source: { upstreamUrl: 'http://old.internal', compute: ProxyCompute.ec2() },
      target: { upstreamUrl: 'http://new.internal', enableExecuteCommand: true },
    });
    const template = Template.fromStack(stack);
    const names = servicesIn(template);
    for (const name of ['ecs-agent', 'ecs-telemetry', 'ssmmessages']) {
      expect(names.filter((service) => service.endsWith(name))).toHaveLength(1);
    }
    const [instances] = resourceLike(template, 'AWS::EC2::SecurityGroup', /^MigrationSourceInstances/);
    const ingress = Object.entries(listResources(template, 'AWS::EC2::SecurityGroupIngress')).filter(([id]) =>
      id.startsWith('MigrationCutoverEndpoints'),
    );
    expect(ingress).toHaveLength(4);
    expect(JSON.stringify(ingress)).toContain(`"SourceSecurityGroupId":{"Fn::GetAtt":["${instances}","GroupId"]}`);
  });

  test('gets those of alarms and topics where there are any', () => {
    const stack = newStack();
    const template = synth(stack, {
      vpc: isolated(stack),
      vpcEndpoints: true,
      alarms: [alarmIn(stack, 'Errors')],
      notificationTopic: new Topic(stack, 'Ops'),
    });
    const names = servicesIn(template);
    expect(names.filter((name) => /monitoring$|sns$/.test(name))).toHaveLength(2);
  });

  test('lets out to the endpoints and S3 alone where the prefix list is given, and to an HTTPS backend', () => {
    const stack = newStack();
    newMigration(stack, {
      vpc: isolated(stack),
      vpcEndpoints: true,
      apiPeers: [Peer.prefixList('pl-6ea54007')],
      monitoring: false,
      source: { upstreamUrl: 'http://old.internal', compute: ProxyCompute.ec2() },
      target: { upstreamUrl: 'https://new.internal' },
    });
    const template = Template.fromStack(stack);
    const formatName = (id: unknown) =>
      /^Migration(\w*?)SecurityGroup/.exec((id as { 'Fn::GetAtt': string[] })['Fn::GetAtt'][0] ?? '')?.[1];
    const inline = Object.entries(listResources(template, 'AWS::EC2::SecurityGroup')).flatMap(([id, { Properties }]) =>
      ((Properties.SecurityGroupEgress ?? []) as Rule[]).map((rule) => ({
        from: formatName({ 'Fn::GetAtt': [id] }),
        ...rule,
      })),
    );
    const separate = Object.values(listResources(template, 'AWS::EC2::SecurityGroupEgress')).map(({ Properties }) => ({
      from: formatName(Properties.GroupId),
      ...(Properties as unknown as Rule),
    }));
    const https = [...inline, ...separate]
      .filter(({ ToPort }) => ToPort === 443)
      .map((rule) => {
        const { DestinationSecurityGroupId: id } = rule;
        const group = id === undefined ? undefined : formatName(id);
        return `${rule.from} → ${rule.DestinationPrefixListId ?? rule.CidrIp ?? group}`;
      });
    const callers = ['Cutover', 'Source', 'SourceInstances', 'Target'];
    const expected = callers.flatMap((from) => [`${from} → pl-6ea54007`, `${from} → CutoverEndpoints`]);
    // The proxies of the source move live connections there.
    expect(https.sort()).toEqual([...expected, 'Source → 0.0.0.0/0', 'Target → 0.0.0.0/0'].sort());
  });

  test('lets credentials of the own account alone through the endpoints that take a policy', () => {
    const stack = newStack();
    const template = synth(stack, {
      vpc: isolated(stack),
      vpcEndpoints: true,
      alarms: [alarmIn(stack, 'Errors')],
      notificationTopic: new Topic(stack, 'Ops'),
    });
    const own = { StringEquals: { 'aws:PrincipalAccount': { Ref: 'AWS::AccountId' } } };
    const statement = { Effect: 'Allow', Principal: { AWS: '*' }, Action: '*', Resource: '*', Condition: own };
    for (const { Properties } of Object.values(listResources(template, 'AWS::EC2::VPCEndpoint'))) {
      // Those of S3 and ECS: the responses to CloudFormation, and the layers of images, go through the first.
      const isFree = /\.(s3|ecs)$/.test(resolveText(Properties.ServiceName));
      const { Statement } = (Properties.PolicyDocument ?? {}) as { Statement?: unknown[] };
      expect(Statement).toEqual(isFree ? undefined : [statement]);
    }
  });

  test('keeps the endpoints that it has', () => {
    const stack = newStack();
    const vpc = isolated(stack);
    vpc.addGatewayEndpoint('OwnS3', { service: GatewayVpcEndpointAwsService.S3 });
    const template = synth(stack, { vpc, vpcEndpoints: true });
    template.resourcePropertiesCountIs('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Gateway' }, 1);
  });
});

describe('imported', () => {
  test('an alarm, a topic and a bus of elsewhere are checked and notified', () => {
    const stack = newStack();
    const arn = (service: string, name: string) => `arn:aws:${service}:eu-central-1:111122223333:${name}`;
    const template = synth(stack, {
      alarms: [Alarm.fromAlarmArn(stack, 'Alarm', arn('cloudwatch', 'alarm:theirs'))],
      notificationTopic: Topic.fromTopicArn(stack, 'Topic', arn('sns', 'ops')),
      eventBus: EventBus.fromEventBusArn(stack, 'Bus', arn('events', 'event-bus/ours')),
    });
    expect(configIn(template)).toMatchObject({
      notificationTopicArn: arn('sns', 'ops'),
      eventBusName: 'ours',
    });
    expect(alarmsIn(template).target.other).toEqual(['theirs']);
    const topics = statements(template, 'sns:Publish').map(([, { Resource }]) => Resource);
    expect(topics).toEqual(TELLING.map(() => arn('sns', 'ops')));
  });

  test('the steps run in an imported network, in the subnets that are named', () => {
    const stack = newStack();
    const vpc = Vpc.fromVpcAttributes(stack, 'Theirs', {
      vpcId: 'vpc-0123456789abcdef0',
      availabilityZones: ['eu-central-1a', 'eu-central-1b'],
      privateSubnetIds: ['subnet-0123456789abcde0a', 'subnet-0123456789abcde0b'],
      isolatedSubnetIds: ['subnet-0123456789abcde0c', 'subnet-0123456789abcde0d'],
    });
    const template = synth(stack, { vpc, vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED } });
    template.hasResourceProperties('AWS::Lambda::Function', {
      Handler: 'index.shift',
      VpcConfig: {
        SubnetIds: ['subnet-0123456789abcde0c', 'subnet-0123456789abcde0d'],
        SecurityGroupIds: Match.anyValue(),
      },
    });
  });
});

describe('the log of the state machine', () => {
  test('is where no policy of the account is needed, under a name of this very stack', () => {
    const [, { Properties }] = resourceLike(synth(newStack()), 'AWS::Logs::LogGroup', /^CutoverLog/);
    const name = JSON.stringify(Properties.LogGroupName);
    expect(name).toContain('/aws/vendedlogs/states/Test-Cutover');
    expect(name).toContain('"Ref":"AWS::StackId"');
  });
});

describe('rejected at synth', () => {
  test('more alarms than are read at each poll', () => {
    const stack = newStack();
    const alarms = Array.from({ length: 121 }, (_, index) => alarmIn(stack, `Alarm${index}`));
    expect(() => newCutover(stack, { alarms })).toThrow(
      "'alarms' must be at most 120 alarms (put more into a composite alarm), got 121",
    );
  });

  const env = { account: '111122223333', region: 'eu-central-1' };
  const fromArn = (region: string, account: string) => (stack: Stack) =>
    Alarm.fromAlarmArn(stack, 'Alarm', `arn:aws:cloudwatch:${region}:${account}:alarm:theirs`);
  const fromStack = (stack: Stack) => {
    const other = new Stack(stack.node.root, 'Other', { env: { ...env, region: 'eu-west-1' } });
    return alarmIn(other, 'Alarm');
  };

  test.each([
    ["of the region eu-central-1, got 'Placed/Alarm' of eu-west-1", fromArn('eu-west-1', env.account)],
    ["of the account 111122223333, got 'Placed/Alarm' of 444455556666", fromArn(env.region, '444455556666')],
    ["of the region eu-central-1, got 'Other/Alarm' of eu-west-1", fromStack],
  ])('an alarm of elsewhere: %s', (message, alarm) => {
    const stack = new Stack(newStack().node.root, 'Placed', { env });
    expect(() => newCutover(stack, { alarms: [alarm(stack)] })).toThrow(`'alarms' must be alarms ${message}`);
  });

  test('but not one of the same place, nor one whose place no one knows yet', () => {
    const stack = new Stack(newStack().node.root, 'Placed', { env });
    const unknown = Alarm.fromAlarmArn(stack, 'Unknown', new CfnParameter(stack, 'Arn').valueAsString);
    const here = fromArn(env.region, env.account)(stack);
    expect(() => newCutover(stack, { alarms: [here, unknown, alarmIn(stack, 'Own')] })).not.toThrow();
  });

  test('no way to the AWS APIs at all', () => {
    const rule = "'apiPeers' must be the prefix list of S3 at least (or absent: anywhere), got none";
    expect(() => newCutover(newStack(), { apiPeers: [] })).toThrow(rule);
    const options = { upstreamUrl: 'http://a.internal', apiPeers: [] };
    expect(() => newMigration(newStack(), { source: options })).toThrow(rule);
  });

  test('a FIFO topic, to which no one can subscribe an address', () => {
    const stack = newStack();
    const notificationTopic = new Topic(stack, 'Ops', { fifo: true });
    expect(() => newCutover(stack, { notificationTopic })).toThrow(
      "'notificationTopic' must be a standard topic, got a FIFO topic",
    );
  });
});
