import { Duration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AwsSolutionsChecks } from 'cdk-nag';
import { CaptureStream } from '../../../lib/proxy/capture-stream';
import { ProxyImage } from '../../../lib/proxy/proxy-image';
import { TrafficCapture } from '../../../lib/proxy/traffic-capture';
import { ReplayService } from '../../../lib/replay/replay-service';
import { ReplayServiceProps } from '../../../lib/replay/replay-service-props';
import { MigrationSide } from '../../../lib/traffic/migration-side';
import { newStack, resolveText, resourceLike } from '../fixture';
import { findCommand, newReplay } from './replay-fixture';

interface Statement {
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** What the role of the task may do. */
function findRights(template: Template): Statement[] {
  const [, { Properties }] = resourceLike(template, 'AWS::IAM::Policy', /TaskRole/);
  const { Statement } = Properties.PolicyDocument as { Statement: (Statement & { Effect: string })[] };
  expect(new Set(Statement.map(({ Effect }) => Effect))).toEqual(new Set(['Allow']));
  return Statement.map(({ Action, Resource, Condition }) => ({
    Action,
    Resource,
    ...(Condition !== undefined && { Condition }),
  }));
}

test('default: one task, never two, that follows the capture, and keeps all it needs in S3', () => {
  const stack = newStack();
  const { serviceName } = newReplay(stack);
  const template = Template.fromStack(stack);
  expect(findCommand(template)).toEqual([
    ...['node', '--max-old-space-size=1536', 'replay.js', 'replay'],
    ...['--from', 's3://captures/captured', '--to', 'http://new.internal:8080', '--follow'],
    ...['--checkpoint', 's3://kept/replays/to-target.checkpoint.json'],
    ...['--parked', 's3://kept/replays/to-target.parked/', '--status', 's3://store/replays/to-target.json'],
    ...['--metrics', serviceName, '--speed', 'max'],
  ]);
  template.hasResourceProperties('AWS::ECS::Service', {
    DesiredCount: 1,
    DeploymentConfiguration: Match.objectLike({ MinimumHealthyPercent: 0, MaximumPercent: 100 }),
    AvailabilityZoneRebalancing: 'DISABLED',
    NetworkConfiguration: { AwsvpcConfiguration: Match.objectLike({ AssignPublicIp: 'DISABLED' }) },
  });
  template.hasResourceProperties('AWS::ECS::TaskDefinition', {
    ...{ Cpu: '1024', Memory: '2048', RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' } },
    ContainerDefinitions: [
      Match.objectLike({ User: '65532', ReadonlyRootFilesystem: true, StopTimeout: 60, WorkingDirectory: '/app' }),
    ],
  });
  template.hasResourceProperties('AWS::EC2::SecurityGroup', {
    SecurityGroupEgress: [Match.objectLike({ FromPort: 443 }), Match.objectLike({ FromPort: 8080, ToPort: 8080 })],
  });
});

test('default: its task reads the capture, and writes its own objects, and may do nothing else', () => {
  const stack = newStack();
  newReplay(stack);
  const arn = (path: string) => ({ 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:s3:::${path}`]] });
  const status = 'replays/to-target.json';
  const order = 'replays/to-target.order.json';
  const checkpoint = 'replays/to-target.checkpoint.json';
  expect(findRights(Template.fromStack(stack))).toEqual([
    { Action: 's3:GetObject', Resource: arn('captures/captured/*') },
    {
      Action: 's3:ListBucket',
      Resource: arn('captures'),
      Condition: { StringLike: { 's3:prefix': ['captured/*'] } },
    },
    { Action: 's3:GetObject', Resource: [arn(`store/${status}`), arn(`store/${order}`)] },
    { Action: 's3:PutObject', Resource: arn(`store/${status}`) },
    {
      Action: 's3:ListBucket',
      Resource: arn('store'),
      Condition: { StringLikeIfExists: { 's3:prefix': [status, order] } },
    },
    { Action: 's3:GetObject', Resource: arn(`kept/${checkpoint}`) },
    { Action: 's3:PutObject', Resource: [arn(`kept/${checkpoint}`), arn('kept/replays/to-target.parked/*')] },
    {
      Action: 's3:ListBucket',
      Resource: arn('kept'),
      Condition: { StringLikeIfExists: { 's3:prefix': [checkpoint] } },
    },
  ]);
});

test('custom: a topic of MSK is read without a group, and its brokers let the task in', () => {
  const stack = newStack();
  const stream = CaptureStream.fromCluster(stack, 'Stream', {
    clusterArn: 'arn:aws:kafka:eu-central-1:111122223333:cluster/shop/id-1',
    bootstrapBrokers: ['b-1.shop.kafka.eu-central-1.amazonaws.com:9098'],
    securityGroups: [SecurityGroup.fromSecurityGroupId(stack, 'Brokers', 'sg-0brokers')],
  });
  newReplay(stack, { capture: TrafficCapture.toStream(stream) });
  const template = Template.fromStack(stack);
  expect(findCommand(template)).toContain(stream.url);
  const ofKafka = findRights(template).filter(({ Action }) => JSON.stringify(Action).includes('kafka'));
  expect(ofKafka).toEqual([
    { Action: 'kafka-cluster:Connect', Resource: 'arn:aws:kafka:eu-central-1:111122223333:cluster/shop/id-1' },
    {
      Action: ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
      Resource: 'arn:aws:kafka:eu-central-1:111122223333:topic/shop/id-1/logging-traffic-topic',
    },
  ]);
  template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', { GroupId: 'sg-0brokers', FromPort: 9098 });
});

test('custom: each prop is a flag, and the value of a secret header is in no command', () => {
  const stack = newStack();
  const image = ProxyImage.fromEcrRepository(Repository.fromRepositoryName(stack, 'Images', 'replay'), '1.2.3');
  newReplay(stack, {
    ...{ servedBy: MigrationSide.TARGET, key: '/carts/{key}', speed: 2.5, rate: 100, methods: ['POST', 'PUT'] },
    ...{ window: Duration.seconds(2), fromTime: '2026-11-30T17:00:00Z', skipDamaged: true, host: 'recorded' },
    ...{ paths: { '/v1/': '/v2/' }, setHeaders: { 'X-From': 'a b' }, removeHeaders: ['X-Old'] },
    ...{ secretHeaders: { Authorization: new Secret(stack, 'Token', { encryptionKey: new Key(stack, 'Key') }) } },
    ...{ signFor: 'es/eu-central-1', image, transforms: ['/app/change.mjs'], cpu: 2048 },
    environment: { NODE_EXTRA_CA_CERTS: '/app/ca.pem' },
  });
  const template = Template.fromStack(stack);
  const command = findCommand(template);
  expect(command.slice(command.indexOf('--speed'))).toEqual([
    ...['--speed', '2.5', '--rate', '100', '--served-by', 'target', '--key', '/carts/{key}', '--methods', 'POST,PUT'],
    ...['--window', '2s', '--from-time', '2026-11-30T17:00:00Z', '--skip-damaged', '--host', 'recorded'],
    ...['--path', '/v1/=/v2/', '--set-header', 'X-From: a b'],
    ...['--set-header-from', 'Authorization=DRAINSHIFT_REPLAY_HEADER_1', '--remove-header', 'X-Old'],
    ...['--sigv4', 'es/eu-central-1', '--transform', '/app/change.mjs'],
  ]);
  template.hasResourceProperties('AWS::ECS::TaskDefinition', {
    Memory: '4096',
    ContainerDefinitions: [
      Match.objectLike({
        Environment: [{ Name: 'NODE_EXTRA_CA_CERTS', Value: '/app/ca.pem' }],
        Secrets: [{ Name: 'DRAINSHIFT_REPLAY_HEADER_1', ValueFrom: Match.anyValue() }],
      }),
    ],
  });
  const [, execution] = resourceLike(template, 'AWS::IAM::Policy', /ExecutionRole/);
  expect(JSON.stringify(execution.Properties)).toContain('kms:Decrypt');
});

test('custom: a key encrypts a new bucket and the log, and the task may use it', () => {
  const stack = newStack();
  newReplay(stack, { bucket: undefined, encryptionKey: new Key(stack, 'Key') });
  const template = Template.fromStack(stack);
  template.hasResource('AWS::S3::Bucket', {
    DeletionPolicy: 'Retain',
    Properties: { BucketEncryption: Match.anyValue() },
  });
  template.hasResourceProperties('AWS::Logs::LogGroup', { KmsKeyId: Match.anyValue(), RetentionInDays: 90 });
  const ofKey = findRights(template).filter(({ Action }) => JSON.stringify(Action).includes('kms'));
  expect(ofKey.flatMap(({ Action }) => Action)).toEqual(['kms:Decrypt', 'kms:GenerateDataKey']);
  const command = findCommand(template);
  expect(resolveText(command[command.indexOf('--parked') + 1])).toMatch(
    /^s3:\/\/ReplayBucket\w+\/replays\/to-target\.parked\/$/,
  );
});

test('the rules AwsSolutions find nothing in it', () => {
  const stack = newStack();
  newReplay(stack, {
    bucket: undefined,
    secretHeaders: { Authorization: Secret.fromSecretNameV2(stack, 'Token', 'token') },
    capture: TrafficCapture.toBucket(
      new Bucket(stack, 'Captures', { enforceSSL: true, serverAccessLogsPrefix: 'log/' }),
    ),
  });
  Template.fromStack(stack);
  const { violations } = new AwsSolutionsChecks(stack).validateScope(stack);
  const found = violations.filter(({ violatingResources }) => JSON.stringify(violatingResources).includes('Replay'));
  expect(found.map(({ ruleName, violatingResources }) => `${ruleName}: ${JSON.stringify(violatingResources)}`)).toEqual(
    [],
  );
});

test.each<[Partial<ReplayServiceProps>, string]>([
  [
    { toUrl: 'http://new.internal/path' },
    "'toUrl' must be http(s)://host[:port] without a path, got http://new.internal/path",
  ],
  [
    { replayName: 'To Target' },
    "'replayName' must be 1 to 63 of a-z, 0-9 and hyphens, without a hyphen at the beginning, got To Target",
  ],
  [{ key: '/carts/key' }, "'key' must be 'connection', 'all', a path with {key}"],
  [{ speed: 0 }, "'speed' must be a number from 0.01 to 1000, got 0"],
  [{ rate: 0.01 }, "'rate' must be a number from 0.1 to 1000000, got 0.01"],
  [{ window: Duration.hours(2) }, "'window' must be from 0 seconds to 1 hour, got 2 hours"],
  [{ methods: ['GET,PUT'] }, "'methods[0]' must be a method such as POST, got GET,PUT"],
  [{ fromTime: 'yesterday' }, "'fromTime' must be a time such as 2026-11-30T17:00:00Z, got yesterday"],
  [{ paths: { '/v1': 'v2' } }, "'paths./v1' must be the start of a path, without blanks and =, got v2"],
  [{ setHeaders: { 'X A': '1' } }, "'setHeaders.X A' must be the name of a header, got X A"],
  [{ setHeaders: { XA: '1\n2' } }, "'setHeaders.XA' must be the value of a header"],
  [{ removeHeaders: [''] }, "'removeHeaders[0]' must be the name of a header"],
  [{ signFor: 'es' }, "'signFor' must be SERVICE/REGION, such as es/eu-central-1, got es"],
  [{ transforms: ['/app/a.mjs'] }, "'transforms' must be given with an 'image' that has them, got /app/a.mjs"],
  [{ cpu: 1000 }, "'cpu' must be one of 256, 512, 1024"],
  [{ memoryLimitMiB: 1000 }, "'memoryLimitMiB' must be from 2048 to 8192"],
  [{ apiPeers: [] }, "'apiPeers' must be the prefix list of S3 at least"],
  [
    { environment: { DRAINSHIFT_REPLAY_HEADER_1: 'x' } },
    "'environment.DRAINSHIFT_REPLAY_HEADER_1' must be left to the construct",
  ],
  [{ follow: false } as Partial<ReplayServiceProps>, "'follow' must be one of"],
])('%j: name, rule and value', (props, problem) => {
  expect(() => newReplay(newStack(), props)).toThrow(problem);
});

test('rejected: a network of public subnets alone, where none is given', () => {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Public', { subnetConfiguration: [{ name: 'a', subnetType: SubnetType.PUBLIC }] });
  const cluster = new Cluster(stack, 'Elsewhere', { vpc });
  expect(() => newReplay(stack, { cluster })).toThrow(
    "'vpcSubnets' must be given in a network without private subnets",
  );
});

test('its metrics are by the name that its command has', () => {
  const stack = newStack();
  const replay: ReplayService = newReplay(stack);
  const metrics = [replay.metricLag(), replay.metricSent(), replay.metricFailed(), replay.metricParked()];
  expect([...metrics, replay.metricReordered()].map(({ metricName, dimensions }) => [metricName, dimensions])).toEqual(
    ['ReplayLag', 'ReplaySent', 'ReplayFailed', 'ReplayParked', 'ReplayReordered'].map((name) => [
      name,
      { Service: replay.serviceName },
    ]),
  );
});
