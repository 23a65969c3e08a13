import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Alarm, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { IVpc, Peer, SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { ApplicationListener, ApplicationLoadBalancer, IpAddressType } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import {
  CutoverPlan,
  CutoverPlanPart,
  CutoverProps,
  DrainProfile,
  MigrationAlarmsProps,
  MigrationDashboardProps,
  MigrationLoadBalancerProps,
  MigrationProps,
  ProxyOptions,
  ProxyServiceProps,
  SessionStore,
  SmokeRoute,
} from '../../../lib';
import {
  alarmsIn,
  defaultMigration,
  findDefinition,
  newGroups,
  newMigration,
  newStack,
  resolveText,
  resourceLike,
  Resources,
  listResources,
} from '../fixture';

const SECRET = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret';

function resolveConfig(template: Template): CutoverConfig {
  const [, shift] = resourceLike(template, 'AWS::Lambda::Function', /StepsShift[0-9A-F]{8}$/);
  const { Variables } = shift.Properties.Environment as { Variables: { DRAINSHIFT_CUTOVER_CONFIG: unknown } };
  return JSON.parse(resolveText(Variables.DRAINSHIFT_CUTOVER_CONFIG)) as CutoverConfig;
}

test('default: a network, a load balancer, two services and a cutover', () => {
  const template = defaultMigration();
  template.resourceCountIs('AWS::EC2::VPC', 1);
  template.resourceCountIs('AWS::ElasticLoadBalancingV2::LoadBalancer', 1);
  template.resourceCountIs('AWS::ECS::Service', 2);
  template.resourceCountIs('AWS::StepFunctions::StateMachine', 1);
});

test('default: each side knows the smoke-test port by which its requests are not judged', () => {
  const findPort = (side: RegExp) => {
    const [, task] = resourceLike(defaultMigration(), 'AWS::ECS::TaskDefinition', side);
    const [proxy] = task.Properties.ContainerDefinitions as { Environment: { Name: string; Value: unknown }[] }[];
    return proxy?.Environment.find(({ Name }) => Name === 'DRAINSHIFT_SMOKE_TEST_PORTS')?.Value;
  };
  expect([/Source/, /Target/].map(findPort)).toEqual(['9201', '9202']);
});

test('default: creates what docs/constructs.md says, and nothing else', () => {
  const [, section = ''] = readFileSync(resolve(__dirname, '../../../docs/constructs.md'), 'utf8').split(
    '## What is created',
  );
  const notified = [...(section.split('\n## ')[0] ?? '').matchAll(/`([\w:]+::\w+)` (\d+)/g)];
  const created: Record<string, number> = {};
  for (const { Type } of Object.values((defaultMigration().toJSON() as { Resources: Resources }).Resources))
    created[Type] = (created[Type] ?? 0) + 1;
  expect(Object.fromEntries(notified.map(([, type, count]) => [type, Number(count)]))).toEqual(created);
  const total = Object.values(created).reduce((sum, count) => sum + count, 0);
  expect(section).toContain(`makes ${total} resources`);
});

test('what it costs adds up, and its proxies are counted as they are made', () => {
  const text = readFileSync(resolve(__dirname, '../../../docs/constructs.md'), 'utf8');
  const [, table = ''] = /## What it costs\n[^|]*([^]*?)\n\n/.exec(text) ?? [];
  const lines = table.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  const money = (cell = '') => Number(/^\**\$(\d+\.\d\d)\**$/.exec(cell)?.[1] ?? 0);
  const together = lines.findIndex(([, name]) => name === '**together**');
  for (const column of [3, 4]) {
    const sum = lines.slice(0, together).reduce((total, cells) => total + money(cells[column]), 0);
    expect(sum).toBeCloseTo(money(lines[together]?.[column]), 2);
  }
  const tasks = Object.values(listResources(defaultMigration(), 'AWS::ECS::TaskDefinition'));
  const hourly = ({ Properties: { Cpu, Memory } }: (typeof tasks)[number]) =>
    (Number(Cpu) / 1024) * 0.03238 + (Number(Memory) / 1024) * 0.00356;
  const proxies = tasks.reduce((total, task) => total + 2 * 730 * hourly(task), 0);
  expect(money(lines.find(([, name]) => name?.includes('proxies on Fargate'))?.[3])).toBeCloseTo(proxies, 2);
});

test('default: says where it is', () => {
  const outputs = Object.keys(defaultMigration().findOutputs('*'));
  for (const name of ['LoadBalancerDnsName', 'StateMachineArn', 'StoreBucket']) {
    expect(outputs).toContainEqual(expect.stringContaining(name));
  }
});

test('default: the steps know every part that they act on', () => {
  expect(resolveConfig(defaultMigration())).toEqual({
    loadBalancerArn: expect.stringMatching(/^MigrationLoadBalancer[0-9A-F]{8}$/) as string,
    weightedRuleArn: expect.stringContaining('WeightedRule') as string,
    weightedListenerArn: expect.stringContaining('LoadBalancerTraffic') as string,
    smokeListenerArns: {
      source: expect.stringContaining('LoadBalancerSource') as string,
      target: expect.stringContaining('LoadBalancerTarget') as string,
    },
    targetGroupArns: {
      source: expect.stringContaining('SourceGroup') as string,
      target: expect.stringContaining('TargetGroup') as string,
    },
    clusterArn: expect.stringContaining('Cluster') as string,
    serviceNames: {
      source: expect.stringContaining('SourceService') as string,
      target: expect.stringContaining('TargetService') as string,
    },
    adminPort: 9901,
    adminSecretArn: expect.stringContaining('AdminSecret') as string,
    storeBucket: expect.stringContaining('Store') as string,
    domainName: 'shop.example.com',
    eventBusName: 'default',
    cutoverName: expect.stringContaining('Cutover') as string,
    stackName: expect.any(String) as string,
  });
});

test('default: the store is private, encrypted, versioned and outlives the stack', () => {
  const [, store] = resourceLike(defaultMigration(), 'AWS::S3::Bucket', /Store/);
  expect(store).toMatchObject({
    DeletionPolicy: 'Retain',
    Properties: {
      BucketEncryption: expect.anything() as object,
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    },
  });
});

test('default: the admin secret is generated, of letters and digits', () => {
  defaultMigration().hasResourceProperties('AWS::SecretsManager::Secret', {
    GenerateSecretString: { PasswordLength: 64, ExcludePunctuation: true },
  });
});

test('custom: someone may be allowed to start a cutover', () => {
  const stack = newStack();
  const operators = new Role(stack, 'Operators', { assumedBy: new ServicePrincipal('chatbot.amazonaws.com') });
  newMigration(stack).cutover.grantStart(operators);
  Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
    Roles: [{ Ref: stack.getLogicalId(operators.node.defaultChild as never) }],
    PolicyDocument: { Statement: [{ Action: 'states:StartExecution', Effect: 'Allow' }] },
  });
});

test('imported: takes a network of another stack', () => {
  const stack = newStack();
  const vpc = importedVpc(stack, 'vpc-0123456789abcdef0');
  newMigration(stack, { vpc });
  Template.fromStack(stack).resourceCountIs('AWS::EC2::VPC', 0);
});

test('default: a dashboard, and alarms that stop a cutover', () => {
  const template = defaultMigration();
  template.resourceCountIs('AWS::CloudWatch::Dashboard', 1);
  const alarms = Object.keys(template.findResources('AWS::CloudWatch::Alarm'));
  const { source, target } = alarmsIn(template);
  expect(source).toEqual({ metric: [expect.stringContaining('NoSource')], other: [] });
  expect(target.metric).toContainEqual(expect.stringContaining('TargetErrors'));
  expect(alarms.length).toBeGreaterThan(target.metric.length);
  for (const name of target.metric) expect(alarms).toContain(name);
});

test('custom: without monitoring, one alarm of the user stops a cutover', () => {
  const stack = newStack();
  const metric = new Metric({ namespace: 'Shop', metricName: 'LostOrders' });
  const alarm = new Alarm(stack, 'LostOrders', { metric, threshold: 1, evaluationPeriods: 1 });
  newMigration(stack, { monitoring: false, rollbackAlarms: [alarm] });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::CloudWatch::Dashboard', 0);
  expect(alarmsIn(template).target.metric).toEqual([expect.stringMatching(/^LostOrders/)]);
});

test('custom: a topic hears of the cutover and of the alarms', () => {
  const stack = newStack();
  newMigration(stack, { notificationTopic: new Topic(stack, 'Topic') });
  const template = Template.fromStack(stack);
  expect(resolveConfig(template).notificationTopicArn).toMatch(/^Topic/);
  template.allResourcesProperties('AWS::CloudWatch::Alarm', {
    AlarmActions: [{ Ref: Match.stringLikeRegexp('^Topic') }],
  });
});

test('custom: what a backend asks for reaches its proxies and its target group, and those of no other', () => {
  const stack = newStack();
  const target = { upstreamUrl: 'http://new.internal', minTasks: 5, drainProfile: DrainProfile.WEBSOCKET_HEAVY };
  newMigration(stack, { target });
  const template = Template.fromStack(stack);
  const minimum = (side: RegExp) =>
    resourceLike(template, 'AWS::ApplicationAutoScaling::ScalableTarget', side)[1].Properties.MinCapacity;
  expect([minimum(/^MigrationSource/), minimum(/^MigrationTarget/)]).toEqual([2, 5]);
  const delay = { Key: 'deregistration_delay.timeout_seconds', Value: '330' };
  const attributes = (side: RegExp) =>
    resourceLike(template, 'AWS::ElasticLoadBalancingV2::TargetGroup', side)[1].Properties.TargetGroupAttributes;
  expect(attributes(/TargetGroup[0-9A-F]{8}$/)).toContainEqual(delay);
  expect(attributes(/SourceGroup/)).not.toContainEqual(delay);
});

test('custom: both sides share one session store', () => {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Vpc');
  newMigration(stack, { vpc, sessionStore: new SessionStore(stack, 'Sessions', { vpc }) });
  const tasks = Object.values(listResources(Template.fromStack(stack), 'AWS::ECS::TaskDefinition'));
  expect(tasks.map(({ Properties }) => JSON.stringify(Properties).includes('DRAINSHIFT_SESSION_STORE_URL'))).toEqual([
    true,
    true,
  ]);
});

test('custom: a store that a side names none of is the shared one', () => {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Vpc');
  const [shared, own] = ['Shared', 'Own'].map((id) => new SessionStore(stack, id, { vpc }));
  newMigration(stack, {
    vpc,
    sessionStore: shared,
    source: { upstreamUrl: 'http://old.internal', sessionStore: undefined },
    target: { upstreamUrl: 'http://new.internal', sessionStore: own },
  });
  const tasks = Object.entries(listResources(Template.fromStack(stack), 'AWS::ECS::TaskDefinition'));
  const stores = tasks.map(([id, { Properties }]) => [id, /(Own|Shared)Cache/.exec(JSON.stringify(Properties))?.[1]]);
  expect(Object.fromEntries(stores)).toEqual({
    [tasks.find(([id]) => id.startsWith('MigrationSource'))?.[0] ?? 'none']: 'Shared',
    [tasks.find(([id]) => id.startsWith('MigrationTarget'))?.[0] ?? 'none']: 'Own',
  });
});

test.each(['source', 'target'] as const)('custom: says that it is the backend of the %s that is wrong', (side) => {
  expect(() => newMigration(newStack(), { [side]: { upstreamUrl: 'http://shop.internal/v2' } })).toThrow(
    `'${side}.upstreamUrl' must be http(s)://host[:port] without a path, got http://shop.internal/v2`,
  );
});

test('custom: a proxy must give up before the load balancer does', () => {
  const source = { upstreamUrl: 'http://old.internal', upstreamIdleTimeout: Duration.minutes(2) };
  const idleTimeout = Duration.minutes(2);
  expect(() => newMigration(newStack(), { source, idleTimeout })).toThrow(
    "'source.upstreamIdleTimeout' must be under the idle timeout of the load balancer (2 minutes), got 2 minutes",
  );
  newMigration(newStack(), { source, idleTimeout: Duration.seconds(121) });
});

test('imported: takes a load balancer with its listener, its network and a cluster', () => {
  const stack = newStack();
  const vpc = importedVpc(stack, 'vpc-0123456789abcdef0');
  const { loadBalancer, listener } = importedBalancer(stack, vpc);
  newMigration(stack, { loadBalancer, listener, cluster: new Cluster(stack, 'Mine', { vpc }) });
  const template = Template.fromStack(stack);
  for (const type of ['AWS::EC2::VPC', 'AWS::ElasticLoadBalancingV2::LoadBalancer']) template.resourceCountIs(type, 0);
  template.resourceCountIs('AWS::ECS::Cluster', 1);
  expect(Object.keys(template.findOutputs('*'))).not.toContainEqual(expect.stringContaining('DnsName'));
});

test('imported: a cluster of another network is rejected', () => {
  const stack = newStack();
  const cluster = new Cluster(stack, 'Mine', { vpc: importedVpc(stack, 'vpc-0123456789abcdef0') });
  const vpc = importedVpc(stack, 'vpc-fedcba9876543210f');
  expect(() => newMigration(stack, { vpc, cluster })).toThrow(
    "'cluster' must be in the network vpc-fedcba9876543210f, got one in vpc-0123456789abcdef0",
  );
});

test('imported: a load balancer of another network is rejected', () => {
  const stack = newStack();
  const { loadBalancer } = importedBalancer(stack, importedVpc(stack, 'vpc-0123456789abcdef0'));
  const vpc = importedVpc(stack, 'vpc-fedcba9876543210f');
  expect(() => newMigration(stack, { vpc, loadBalancer })).toThrow(
    "'loadBalancer' must be in the network vpc-fedcba9876543210f, got one in vpc-0123456789abcdef0",
  );
});

test('imported: what is not looked up yet is not rejected, or it never would be', () => {
  const stack = new Stack(newStack(), 'Shop', { env: { account: '111122223333', region: 'eu-central-1' } });
  const loadBalancer = ApplicationLoadBalancer.fromLookup(stack, 'Balancer', { loadBalancerTags: { app: 'shop' } });
  const vpc = importedVpc(stack, 'vpc-fedcba9876543210f');
  expect(newMigration(stack, { vpc, loadBalancer }).vpc).toBe(vpc);
});

test.each(['loadBalancer', 'listener'] as const)(
  'imported: a %s of another stack is rejected: none could go first',
  (name) => {
    const stack = newStack();
    const elsewhere = new Stack(stack.node.root, 'Network');
    const vpc = importedVpc(elsewhere, 'vpc-0123456789abcdef0');
    const props = { ...importedBalancer(stack, vpc), [name]: importedBalancer(elsewhere, vpc)[name] };
    expect(() => newMigration(stack, props)).toThrow(
      `'${name}' must be imported into the stack 'Test' by its attributes, got that of 'Network'`,
    );
  },
);

test('imported: a load balancer that another stack of the app makes is taken by its attributes', () => {
  const stack = newStack();
  const network = new Stack(stack.node.root, 'Network');
  const vpc = new Vpc(network, 'Vpc');
  const theirs = new ApplicationLoadBalancer(network, 'Balancer', { vpc });
  const [group] = theirs.connections.securityGroups;
  const loadBalancer = ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'Balancer', {
    loadBalancerArn: theirs.loadBalancerArn,
    securityGroupId: group?.securityGroupId ?? 'none',
    vpc,
  });
  newMigration(stack, { loadBalancer });
  Template.fromStack(stack).resourceCountIs('AWS::ElasticLoadBalancingV2::Listener', 3);
});

test('imported: a network without private subnets is rejected', () => {
  const stack = newStack();
  const vpc = Vpc.fromVpcAttributes(stack, 'Public', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a', 'b'],
    publicSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
  });
  expect(() => newMigration(stack, { vpc })).toThrow(
    "'vpc' must be a network with private subnets, where the proxies and the steps run, got one without",
  );
});

function importedBalancer(scope: Construct, vpc: IVpc) {
  const arn = (what: string) => `arn:aws:elasticloadbalancing:eu-central-1:111122223333:${what}`;
  const securityGroupId = 'sg-0123456789abcdef0';
  return {
    loadBalancer: ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(scope, 'Balancer', {
      ...{ loadBalancerArn: arn('loadbalancer/app/shop/0123456789abcdef'), securityGroupId, vpc },
    }),
    listener: ApplicationListener.fromApplicationListenerAttributes(scope, 'Listener', {
      listenerArn: arn('listener/app/shop/0123456789abcdef/0123456789abcdef'),
      securityGroup: SecurityGroup.fromSecurityGroupId(scope, 'Group', securityGroupId),
    }),
  };
}

function importedVpc(stack: Stack, vpcId: string): IVpc {
  return Vpc.fromVpcAttributes(stack, vpcId, {
    vpcId,
    availabilityZones: ['a', 'b'],
    privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
  });
}

describe('internet-facing: whether the smoke tests are let in', () => {
  const WARNING = Match.stringLikeRegexp(
    "Set 'smokeRoute' to SmokeRoute.TARGETS, which stays inside the network, or list .* in 'smokeTestPeers'",
  );
  const imported = (stack: Stack) =>
    Vpc.fromVpcAttributes(stack, 'Theirs', {
      vpcId: 'vpc-0123456789abcdef0',
      availabilityZones: ['eu-central-1a', 'eu-central-1b'],
      publicSubnetIds: ['subnet-0123456789abcde0a', 'subnet-0123456789abcde0b'],
      privateSubnetIds: ['subnet-0123456789abcde0c', 'subnet-0123456789abcde0d'],
    });

  test.each<[string, (stack: Stack) => Partial<MigrationProps>, number]>([
    ['an imported network', (stack) => ({ vpc: imported(stack) }), 1],
    [
      'peers of one side alone',
      (stack) => ({ vpc: imported(stack), smokeTests: { sourcePeers: [Peer.ipv4('192.0.2.1/32')] } }),
      1,
    ],
    [
      'an imported network, and its gateways',
      (stack) => ({ vpc: imported(stack), smokeTestPeers: [Peer.ipv4('192.0.2.1/32')] }),
      0,
    ],
    ['a network of this app', () => ({}), 0],
    ['requests to the targets themselves', (stack) => ({ vpc: imported(stack), smokeRoute: SmokeRoute.TARGETS }), 0],
  ])('%s', (_, findProps, warnings) => {
    const stack = newStack();
    newMigration(stack, { internetFacing: true, monitoring: false, ...findProps(stack) });
    expect(Annotations.fromStack(stack).findWarning('/Test/Migration/Cutover', WARNING)).toHaveLength(warnings);
  });

  test('someone who is let in later counts', () => {
    const stack = newStack();
    const { loadBalancer } = newMigration(stack, { internetFacing: true, monitoring: false, vpc: imported(stack) });
    loadBalancer.allowSmokeTestsFrom(Peer.ipv4('192.0.2.1/32'));
    expect(Annotations.fromStack(stack).findWarning('/Test/Migration/Cutover', WARNING)).toHaveLength(0);
  });
});

test('custom: subnets and the retention of logs reach the steps and the proxies, unless a side has its own', () => {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Vpc', {
    maxAzs: 2,
    subnetConfiguration: ['Public', 'Apps', 'Data'].map((name) => ({
      name,
      subnetType: name === 'Public' ? SubnetType.PUBLIC : SubnetType.PRIVATE_WITH_EGRESS,
    })),
  });
  newMigration(stack, {
    vpc,
    privateSubnets: { subnetGroupName: 'Apps' },
    logGroupRetention: RetentionDays.ONE_WEEK,
    target: {
      upstreamUrl: 'http://new.internal',
      vpcSubnets: { subnetGroupName: 'Data' },
      logRetention: RetentionDays.ONE_DAY,
    },
  });
  const made = Template.fromStack(stack);
  const subnets = (value: unknown) => new Set(JSON.stringify(value).match(/Vpc(Apps|Data|Public)Subnet/g));
  const services = Object.entries(listResources(made, 'AWS::ECS::Service'));
  const ofServices = services.map(([id, { Properties }]) => [
    id.includes('Source') ? 'source' : 'target',
    ...subnets(Properties.NetworkConfiguration),
  ]);
  expect(ofServices.sort()).toEqual([
    ['source', 'VpcAppsSubnet'],
    ['target', 'VpcDataSubnet'],
  ]);
  const steps = Object.values(listResources(made, 'AWS::Lambda::Function')).filter(
    ({ Properties }) => Properties.VpcConfig,
  );
  for (const { Properties } of steps) {
    expect([...subnets((Properties.VpcConfig as { SubnetIds: unknown }).SubnetIds)]).toEqual(['VpcAppsSubnet']);
  }
  const days = (id: RegExp) => resourceLike(made, 'AWS::Logs::LogGroup', id)[1].Properties.RetentionInDays;
  expect(
    [/^MigrationSourceLog/, /^MigrationTargetLog/, /^MigrationCutoverLog/, /^MigrationCutoverStepsLog/].map(days),
  ).toEqual([7, 1, 7, 7]);
});

test('custom: a load balancer of both kinds of addresses lets in clients of IPv6', () => {
  const stack = newStack();
  newMigration(stack, {
    internetFacing: true,
    redirectHttp: true,
    ipAddressType: IpAddressType.DUAL_STACK,
    allowedPeers: [Peer.anyIpv4(), Peer.anyIpv6()],
  });
  const made = Template.fromStack(stack);
  made.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', { IpAddressType: 'dualstack' });
  for (const port of [80, 443]) {
    made.hasResourceProperties('AWS::EC2::SecurityGroup', {
      SecurityGroupIngress: Match.arrayWith([Match.objectLike({ CidrIpv6: '::/0', FromPort: port, ToPort: port })]),
    });
  }
});

test('rejected: public addresses of IPv6 alone, to which no step finds', () => {
  const ipAddressType = IpAddressType.DUAL_STACK_WITHOUT_PUBLIC_IPV4;
  expect(() => newMigration(newStack(), { internetFacing: true, ipAddressType })).toThrow(
    "'ipAddressType' must be IPV4 or DUAL_STACK, as the steps of a cutover connect with IPv4, got dualstack-without-public-ipv4",
  );
});

/**
 * By which prop of a migration each prop of its parts is reached. The compiler asks for the new ones of the parts; `made` is what
 * the migration makes itself, and `sourceGroup` and `targetGroup` take a group of one's own.
 */
type Reach<Part> = Record<keyof Part, keyof MigrationProps | 'made'>;

const REACH = {
  loadBalancer: {} satisfies Partial<Reach<Omit<MigrationLoadBalancerProps, keyof MigrationProps>>>,
  proxies: {
    ...{ cluster: 'cluster', side: 'made', adminSecret: 'adminSecret', targetGroup: 'sourceGroup' },
  } satisfies Reach<Omit<ProxyServiceProps, keyof ProxyOptions>>,
  alarms: {
    ...{ loadBalancer: 'made', source: 'made', target: 'made' },
    ...{ topic: 'notificationTopic', encryptionKey: 'encryptionKey' },
    ...{ maximumErrorRate: 'alarmThresholds', minimumRequests: 'alarmThresholds', maximumLatency: 'alarmThresholds' },
  } satisfies Reach<MigrationAlarmsProps>,
  dashboard: {
    ...{ loadBalancer: 'made', source: 'made', target: 'made', cutover: 'made', alarms: 'made' },
    ...{ dashboardName: 'dashboardName', defaultInterval: 'dashboardInterval' },
  } satisfies Reach<MigrationDashboardProps>,
  cutover: {
    ...{ loadBalancer: 'made', source: 'made', target: 'made', vpc: 'vpc', vpcSubnets: 'privateSubnets' },
    ...{ adminSecret: 'adminSecret', domainName: 'domainName', trustedAuthorities: 'trustedAuthorities' },
    smokeRoute: 'smokeRoute',
    ...{ plan: 'plan', changeablePlanParts: 'changeablePlanParts', schedule: 'schedule', readiness: 'readiness' },
    ...{ alarms: 'rollbackAlarms', sourceAlarms: 'sourceAlarms', notificationTopic: 'notificationTopic' },
    ...{ eventBus: 'eventBus', vpcEndpoints: 'vpcEndpoints', apiPeers: 'apiPeers' },
    ...{ logRetention: 'logGroupRetention', encryptionKey: 'encryptionKey' },
  } satisfies Reach<CutoverProps>,
} as const;

test('the props by which those of its parts are reached are documented', () => {
  const api = readFileSync(resolve(__dirname, '../../../API.md'), 'utf8');
  const names = Object.values(REACH).flatMap((part) => Object.values<string>(part));
  const missing = names.filter(
    (name) => name !== 'made' && !api.includes(`drainshift.MigrationProps.property.${name}"`),
  );
  expect(missing).toEqual([]);
});

test('custom: the settings of its parts reach them', () => {
  const stack = newStack();
  const key = Secret.fromSecretCompleteArn(stack, 'Key', `${SECRET}:mine-abcdef`);
  const { vpc, sourceGroup, targetGroup } = newGroups(stack);
  const eventBus = EventBus.fromEventBusName(stack, 'Bus', 'ours');
  const own = { minTasks: 3, maxTasks: 7, logRetention: undefined };
  newMigration(stack, {
    ...{ vpc, sourceGroup, targetGroup, eventBus, adminSecret: key, domainName: 'other.example.com' },
    source: { upstreamUrl: 'http://old.internal', ...own },
    target: { upstreamUrl: 'http://new.internal', ...own },
    dashboardName: 'Ours',
    dashboardInterval: Duration.hours(12),
    alarmThresholds: { maximumErrorRate: 0.5, minimumRequests: 33, maximumLatency: Duration.seconds(70) },
    trustedAuthorities: Secret.fromSecretCompleteArn(stack, 'Authorities', `${SECRET}:authorities-abcdef`),
    changeablePlanParts: [CutoverPlanPart.SMOKE],
    logGroupRetention: RetentionDays.FIVE_DAYS,
    ipAddressType: IpAddressType.DUAL_STACK,
    schedule: { at: ScheduleExpression.at(new Date('2030-01-02T03:04:05Z')) },
    plan: CutoverPlan.gradual({ smoke: [{ path: '/only-here' }] }),
    sourceAlarms: [Alarm.fromAlarmName(stack, 'TheirSource', 'their-source')],
    rollbackAlarms: [Alarm.fromAlarmName(stack, 'TheirVeto', 'their-veto')],
  });
  const made = Template.fromStack(stack);
  made.resourceCountIs('AWS::SecretsManager::Secret', 0);
  expect(resolveConfig(made)).toMatchObject({
    adminSecretArn: `${SECRET}:mine-abcdef`,
    trustedAuthoritiesArn: `${SECRET}:authorities-abcdef`,
    domainName: 'other.example.com',
    eventBusName: 'ours',
  });
  expect(alarmsIn(made)).toMatchObject({ source: { other: ['their-source'] }, target: { other: ['their-veto'] } });
  for (const task of Object.values(listResources(made, 'AWS::ECS::TaskDefinition'))) {
    expect(JSON.stringify(task.Properties)).toContain(`${SECRET}:mine-abcdef`);
  }
  made.allResourcesProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 3, MaxCapacity: 7 });
  made.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 5 });
  made.resourceCountIs('AWS::ElasticLoadBalancingV2::TargetGroup', 2);
  made.resourceCountIs('AWS::Scheduler::Schedule', 1);
  made.hasResourceProperties('AWS::CloudWatch::Dashboard', {
    DashboardName: 'Ours',
    DashboardBody: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('"start":"-PT12H"')])] },
  });
  const alarm = (id: RegExp) => resourceLike(made, 'AWS::CloudWatch::Alarm', id)[1].Properties;
  expect(alarm(/TargetLatency/).Threshold).toBe(70);
  for (const errors of [alarm(/TargetErrors/), alarm(/LoadBalancerErrors/)]) {
    expect(errors.Threshold).toBe(0.5);
    expect(JSON.stringify(errors)).toContain('>= 33');
  }
  const machine = JSON.stringify(findDefinition(made));
  expect(machine).toContain('/only-here');
  expect(machine).toContain('"changeableParts":["smoke"]');
});

test.each(['alarmThresholds', 'dashboardName', 'dashboardInterval'] as const)(
  "refused: '%s' without the monitoring that it is about",
  (name) => {
    const values = { alarmThresholds: {}, dashboardName: 'Ours', dashboardInterval: Duration.hours(1) };
    expect(() => newMigration(newStack(), { monitoring: false, [name]: values[name] })).toThrow(
      `'${name}' must be absent where 'monitoring' is false, got a value`,
    );
  },
);
