import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CaptureStream } from '../../../lib/proxy/capture-stream';
import { CaptureStreamAttributes } from '../../../lib/proxy/capture-stream-base';
import { TrafficCapture } from '../../../lib/proxy/traffic-capture';
import { newStack } from '../fixture';
import { buildEnvironment, newProxies } from './proxy-fixture';

function findSettings(template: Template): Record<string, unknown> {
  const all = Object.entries(buildEnvironment(template));
  return Object.fromEntries(all.filter(([name]) => name.startsWith('DRAINSHIFT_CAPTURE')));
}

function synthesize(build: (stack: Stack) => TrafficCapture): Template {
  const stack = newStack();
  newProxies(stack, { capture: build(stack) });
  return Template.fromStack(stack);
}

const CLUSTER = 'arn:aws:kafka:eu-central-1:111122223333:cluster/shop/id-1';
const bootstrapBrokers = ['b-1.shop.a1b2c3.c2.kafka.eu-central-1.amazonaws.com:9098'];

test('to a topic of MSK: by TLS and IAM, with rights for that topic alone, and a way to its brokers', () => {
  const template = synthesize((stack) => {
    const group = SecurityGroup.fromSecurityGroupId(stack, 'Brokers', 'sg-0brokers');
    const attributes = { clusterArn: CLUSTER, bootstrapBrokers, securityGroups: [group] };
    return TrafficCapture.toStream(CaptureStream.fromCluster(stack, 'Stream', attributes), { methods: ['POST'] });
  });
  expect(findSettings(template)).toEqual({
    DRAINSHIFT_CAPTURE: `kafka+iam://${bootstrapBrokers[0]}/logging-traffic-topic`,
    DRAINSHIFT_CAPTURE_METHODS: 'POST',
  });
  const statement = (actions: string[], resource: string) => ({
    Action: actions.map((action) => `kafka-cluster:${action}`),
    Effect: 'Allow',
    Resource: resource,
  });
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        statement(['Connect', 'WriteDataIdempotently'], CLUSTER),
        statement(
          ['CreateTopic', 'DescribeTopic', 'WriteData'],
          'arn:aws:kafka:eu-central-1:111122223333:topic/shop/id-1/logging-traffic-topic',
        ),
      ]),
    },
  });
  template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
    GroupId: 'sg-0brokers',
    FromPort: 9098,
    ToPort: 9098,
  });
});

test.each<[CaptureStreamAttributes, string]>([
  [{ clusterArn: 'arn:aws:kafka:x', bootstrapBrokers }, "'clusterArn' must be the ARN of a cluster of MSK"],
  [{ clusterArn: CLUSTER, bootstrapBrokers: ['b-1'] }, "'bootstrapBrokers' must be"],
  [{ clusterArn: CLUSTER, bootstrapBrokers, topic: 'a/b' }, "'bootstrapBrokers' must be"],
])('%o: name, rule and value of a stream', (attributes, problem) => {
  expect(() => CaptureStream.fromCluster(newStack(), 'Stream', attributes)).toThrow(problem);
});

test('a cluster of its own: MSK Serverless with IAM in two zones, whose brokers are looked up, kept with what it holds', () => {
  const template = synthesize((stack) => {
    const vpc = new Vpc(stack, 'Network');
    return TrafficCapture.toStream(new CaptureStream(stack, 'Stream', { vpc }));
  });
  template.hasResource('AWS::MSK::ServerlessCluster', {
    DeletionPolicy: 'Retain',
    UpdateReplacePolicy: 'Retain',
    Properties: {
      ClientAuthentication: { Sasl: { Iam: { Enabled: true } } },
      VpcConfigs: [{ SubnetIds: [Match.anyValue(), Match.anyValue()], SecurityGroups: [Match.anyValue()] }],
    },
  });
  template.resourceCountIs('Custom::DrainshiftBrokers', 1);
  template.hasResource('AWS::EC2::SecurityGroup', {
    DeletionPolicy: 'Retain',
    Properties: { GroupDescription: 'The brokers of captured traffic' },
  });
  template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', { FromPort: 9098, ToPort: 9098 });
  const { DRAINSHIFT_CAPTURE: url } = findSettings(template);
  expect(JSON.stringify(url)).toMatch(
    /^{"Fn::Join":\["",\["kafka\+iam:\/\/",{"Fn::GetAtt":\["StreamBrokers\w+","BootstrapBrokerStringSaslIam"\]},"\/logging-traffic-topic"\]\]}$/,
  );
  const rights = JSON.stringify(template.findResources('AWS::IAM::Policy')).match(/kafka[a-z-]*:[A-Za-z]+/g);
  expect([...new Set(rights)].sort()).toEqual([
    'kafka-cluster:Connect',
    'kafka-cluster:CreateTopic',
    'kafka-cluster:DescribeTopic',
    'kafka-cluster:WriteData',
    'kafka-cluster:WriteDataIdempotently',
    'kafka:GetBootstrapBrokers',
  ]);
});

test('a cluster of its own with other props; a replay may read the topic, and nothing else', () => {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Network');
  const vpcSubnets = { subnetType: SubnetType.PUBLIC };
  const stream = new CaptureStream(stack, 'Stream', {
    ...{ vpc, vpcSubnets, topic: 'shop', removalPolicy: RemovalPolicy.DESTROY },
  });
  const role = new Role(stack, 'Replay', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
  stream.grantRead(role);
  const template = Template.fromStack(stack);
  template.hasResource('AWS::MSK::ServerlessCluster', { DeletionPolicy: 'Delete' });
  const [policy] = Object.entries(template.findResources('AWS::IAM::Policy')).filter(([id]) => id.startsWith('Replay'));
  const { Statement } = (policy![1] as { Properties: { PolicyDocument: { Statement: { Action: string[] }[] } } })
    .Properties.PolicyDocument;
  expect(Statement.map(({ Action }) => Action)).toEqual([
    'kafka-cluster:Connect',
    ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
  ]);
  expect(JSON.stringify(Statement)).toContain('/shop');
});

test.each<[string, object, string]>([
  ['a topic that is none', { topic: 'a/b' }, "'topic' must be"],
  ['a name that is none', { subnets: [] }, "'subnets'"],
])('%s: name, rule and value of a cluster', (_, props, problem) => {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Network');
  expect(() => new CaptureStream(stack, 'Stream', { vpc, ...props })).toThrow(problem);
});

test('it needs subnets in two zones', () => {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Network', { maxAzs: 1 });
  expect(() => new CaptureStream(stack, 'Stream', { vpc })).toThrow("'vpcSubnets' must be in 2 availability zones");
});
