import { App, CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster, ContainerImage, CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { ConnectionMoves } from '../../../lib/traffic/connection-moves';
import { DrainProfile } from '../../../lib/shared/drain-profile';
import { MigrationSide } from '../../../lib/traffic/migration-side';
import { ProxyServiceProps } from '../../../lib/proxy/proxy-service-props';
import { SessionStore } from '../../../lib/session-store/session-store';
import { newStack, resourceLike, listResources } from '../fixture';
import { Container, findContainer, buildEnvironment, newProxies, SERVICE, TASK, findTemplate } from './proxy-fixture';

const POLICY = 'AWS::IAM::Policy';

describe('default', () => {
  const template = findTemplate();

  test('runs the image without a shell, a root user or a writable disk', () => {
    template.hasResourceProperties(TASK, {
      ContainerDefinitions: [
        Match.objectLike({
          Name: 'proxy',
          User: '65532',
          ReadonlyRootFilesystem: true,
          MountPoints: Match.absent(),
          StopTimeout: 120,
          Ulimits: [{ Name: 'nofile', SoftLimit: 65535, HardLimit: 65535 }],
          PortMappings: [
            { ContainerPort: 8443, Protocol: 'tcp' },
            { ContainerPort: 9901, Protocol: 'tcp' },
          ],
        }),
      ],
    });
  });

  test('gives the proxy its side, its addresses, its upstream, its worker and what it writes to AWS', () => {
    expect(buildEnvironment(template)).toEqual({
      DRAINSHIFT_SIDE: 'source',
      DRAINSHIFT_LISTEN: '0.0.0.0:8443',
      DRAINSHIFT_ADMIN: '0.0.0.0:9901',
      DRAINSHIFT_ADMIN_SECRET_ARN: { Ref: expect.stringMatching(/^Secret/) as string },
      DRAINSHIFT_UPSTREAM: 'http://old.internal:8080',
      DRAINSHIFT_TLS: 'self-signed',
      DRAINSHIFT_WORKERS: '1',
      DRAINSHIFT_CLIENT_IDLE_SECONDS: '4060',
      DRAINSHIFT_PROPAGATION_SECONDS: '5',
      DRAINSHIFT_UPSTREAM_IDLE_SECONDS: '60',
      DRAINSHIFT_STOP_TIMEOUT_SECONDS: '120',
      DRAINSHIFT_GRACE_PERIOD_SECONDS: '100',
      DRAINSHIFT_GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS: '10',
      DRAINSHIFT_MEMORY_BYTES: '536870912',
      // It has no load balancer of a migration.
      DRAINSHIFT_SMOKE_TEST_PORTS: '',
      DRAINSHIFT_EMF: 'true',
      DRAINSHIFT_SERVICE_NAME: expect.stringMatching(/^[A-Za-z0-9-]+$/) as string,
      DRAINSHIFT_TASK_PROTECTION: 'true',
    });
  });

  test('gives the admin secret as a secret, and never as text', () => {
    expect(Object.keys(buildEnvironment(template))).not.toContain('DRAINSHIFT_ADMIN_SECRET');
    expect(findContainer(template).Secrets).toEqual([
      { Name: 'DRAINSHIFT_ADMIN_SECRET', ValueFrom: { Ref: expect.stringMatching(/^Secret/) as string } },
    ]);
  });

  test('ends its grace period before ECS kills it', () => {
    const environment = buildEnvironment(template);
    const seconds = (name: string) => Number(environment[`DRAINSHIFT_${name}_SECONDS`]);
    const needed = seconds('PROPAGATION') + seconds('GRACE_PERIOD') + seconds('GRACEFUL_SHUTDOWN_TIMEOUT');
    expect(needed).toBeLessThan(findContainer(template).StopTimeout);
  });

  test('rolls a failed deployment back, evens out the zones, lets no one execute and has no public address', () => {
    template.hasResourceProperties(SERVICE, {
      DeploymentConfiguration: Match.objectLike({
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        MinimumHealthyPercent: 100,
        MaximumPercent: 200,
      }),
      AvailabilityZoneRebalancing: 'ENABLED',
      EnableExecuteCommand: false,
      NetworkConfiguration: { AwsvpcConfiguration: Match.objectLike({ AssignPublicIp: 'DISABLED' }) },
    });
  });

  test('runs without any capability of Linux', () => {
    template.hasResourceProperties(TASK, {
      ContainerDefinitions: [Match.objectLike({ LinuxParameters: { Capabilities: { Drop: ['ALL'] } } })],
    });
  });

  test('tags its tasks, by which they are distinguished from others of the cluster', () => {
    const [service] = Object.values(listResources(template, SERVICE));
    expect(service?.Properties).toMatchObject({ PropagateTags: 'SERVICE', Tags: [{ Key: 'drainshift:proxies' }] });
  });

  test('may read its secret again and protect its own tasks from scale-in, and nothing else', () => {
    const [, policy] = resourceLike(template, POLICY, /TaskRole/);
    expect((policy.Properties.PolicyDocument as { Statement: unknown[] }).Statement).toEqual([
      {
        Action: ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'],
        Effect: 'Allow',
        Resource: { Ref: expect.stringMatching(/^Secret/) as string },
      },
      {
        Action: 'ecs:UpdateTaskProtection',
        Condition: {
          StringEquals: { 'aws:ResourceTag/drainshift:proxies': expect.stringMatching(/Proxies/) as string },
        },
        Effect: 'Allow',
        Resource: {
          'Fn::Join': ['', expect.arrayContaining([{ Ref: expect.stringMatching(/^Cluster/) as string }, '/*']) as []],
        },
      },
    ]);
  });

  test('keeps its log for three months, and does not wait for it', () => {
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 90 });
    template.hasResourceProperties(TASK, {
      ContainerDefinitions: [
        Match.objectLike({
          LogConfiguration: Match.objectLike({ Options: Match.objectLike({ mode: 'non-blocking' }) }),
        }),
      ],
    });
  });

  test('is created after the listener that its target group hangs on', () => {
    const [, service] = resourceLike(template, SERVICE, /./);
    const [listener] = resourceLike(template, 'AWS::ElasticLoadBalancingV2::Listener', /./);
    expect(service.DependsOn).toContain(listener);
  });

  test('lets the load balancer alone reach the data port, and no one the admin port', () => {
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 1);
    template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 8443,
      ToPort: 8443,
      GroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^ProxiesSecurityGroup'), 'GroupId'] },
      SourceSecurityGroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^LoadBalancerSecurityGroup'), 'GroupId'] },
    });
  });
});

describe('custom', () => {
  test('takes sizes, processors, subnets and settings of the proxy', () => {
    const template = findTemplate({
      side: MigrationSide.TARGET,
      upstreamUrl: 'https://new.internal',
      cpu: 2048,
      memoryLimitMiB: 4096,
      cpuArchitecture: CpuArchitecture.X86_64,
      availabilityZoneRebalancing: false,
      protectLongLivedConnections: false,
      upstreamIdleTimeout: Duration.minutes(3),
      moves: ConnectionMoves.ALL,
      movesNever: ['/live?ticket=*', 'X-One-Time-Token'],
      moveTimeout: Duration.seconds(3),
      webSocketNoContextTakeover: true,
      environment: { DRAINSHIFT_ACCESS_LOG: 'on' },
    });
    template.hasResourceProperties(TASK, {
      Cpu: '2048',
      RuntimePlatform: Match.objectLike({ CpuArchitecture: 'X86_64' }),
    });
    template.hasResourceProperties(SERVICE, { AvailabilityZoneRebalancing: 'DISABLED' });
    expect(buildEnvironment(template)).toMatchObject({
      DRAINSHIFT_SIDE: 'target',
      DRAINSHIFT_WORKERS: '2',
      DRAINSHIFT_TASK_PROTECTION: 'false',
      DRAINSHIFT_UPSTREAM_IDLE_SECONDS: '180',
      DRAINSHIFT_MOVES: 'all',
      DRAINSHIFT_MOVES_NEVER: '/live?ticket=*,X-One-Time-Token',
      DRAINSHIFT_MOVE_TIMEOUT_SECONDS: '3',
      DRAINSHIFT_WEBSOCKET_NO_CONTEXT_TAKEOVER: 'true',
      DRAINSHIFT_ACCESS_LOG: 'on',
    });
    expect(JSON.stringify(listResources(template, POLICY))).not.toContain('ecs:UpdateTaskProtection');
  });

  test.each([
    [{ cpu: 512, memoryLimitMiB: 1024 }, '1'],
    [{ cpu: 16384, memoryLimitMiB: 32768 }, '16'],
    [{ cpu: 4096, memoryLimitMiB: 8192, workers: 3 }, '3'],
  ])('workers: %j', (props, workers) => {
    expect(buildEnvironment(findTemplate(props)).DRAINSHIFT_WORKERS).toBe(workers);
  });

  test('the memory for connections is half of the task, or what is asked for', () => {
    const budget = (props: Partial<ProxyServiceProps>) => buildEnvironment(findTemplate(props)).DRAINSHIFT_MEMORY_BYTES;
    expect(budget({})).toBe(String(512 * 2 ** 20));
    expect(budget({ cpu: 4096 })).toBe(String(4096 * 2 ** 20));
    expect(budget({ environment: { DRAINSHIFT_MEMORY_BYTES: '1000000' } })).toBe('1000000');
    const stack = newStack();
    newProxies(stack, { memoryLimitMiB: new CfnParameter(stack, 'Memory', { type: 'Number' }).valueAsNumber });
    expect(buildEnvironment(Template.fromStack(stack))).not.toHaveProperty('DRAINSHIFT_MEMORY_BYTES');
  });

  test('requests by the smoke-test port of its side are not judged, whenever the load balancer is made; others may be named', () => {
    const findPorts = (props: Partial<ProxyServiceProps>) => {
      const stack = newStack();
      const proxies = newProxies(stack, props);
      const port = new CfnParameter(stack, 'Port', { type: 'Number' }).valueAsNumber;
      proxies.targetGroup._smokeTestPorts.push(9201, port);
      return buildEnvironment(Template.fromStack(stack)).DRAINSHIFT_SMOKE_TEST_PORTS;
    };
    expect(findPorts({})).toEqual({ 'Fn::Join': ['', ['9201,', { Ref: 'Port' }]] });
    expect(findPorts({ environment: { DRAINSHIFT_SMOKE_TEST_PORTS: '9201,8080' } })).toBe('9201,8080');
  });

  test('drains as its target group does', () => {
    const template = findTemplate({}, { drainProfile: DrainProfile.SHORT_LIVED });
    expect(findContainer(template).StopTimeout).toBe(50);
    expect(buildEnvironment(template)).toMatchObject({
      DRAINSHIFT_STOP_TIMEOUT_SECONDS: '50',
      DRAINSHIFT_GRACE_PERIOD_SECONDS: '30',
    });
  });

  test('drains by a profile of its own that fits the target group', () => {
    const template = findTemplate(
      { drainProfile: DrainProfile.SHORT_LIVED },
      { drainProfile: DrainProfile.WEBSOCKET_HEAVY },
    );
    expect(findContainer(template).StopTimeout).toBe(50);
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
      TargetGroupAttributes: Match.arrayWith([{ Key: 'deregistration_delay.timeout_seconds', Value: '330' }]),
    });
  });

  test('an upstream that is known only at deployment may be on any port', () => {
    const stack = newStack();
    newProxies(stack, { upstreamUrl: new CfnParameter(stack, 'Upstream').valueAsString });
    Template.fromStack(stack).hasResourceProperties('AWS::EC2::SecurityGroup', {
      GroupDescription: 'The source proxies of a migration',
      SecurityGroupEgress: Match.arrayWith([Match.objectLike({ FromPort: 0, ToPort: 65535 })]),
    });
  });

  test('keeps its log as long as asked', () => {
    findTemplate({ logRetention: RetentionDays.ONE_YEAR }).hasResourceProperties('AWS::Logs::LogGroup', {
      RetentionInDays: 365,
    });
  });
});

describe('ECS Exec', () => {
  test('has somewhere to write, on a file system that is read-only all the same', () => {
    const template = findTemplate({ enableExecuteCommand: true });
    template.hasResourceProperties(SERVICE, { EnableExecuteCommand: true });
    template.hasResourceProperties(TASK, {
      Volumes: [{ Name: 'execute-command-lib' }, { Name: 'execute-command-log' }],
      ContainerDefinitions: [
        Match.objectLike({
          ReadonlyRootFilesystem: true,
          MountPoints: [
            { SourceVolume: 'execute-command-lib', ContainerPath: '/var/lib/amazon', ReadOnly: false },
            { SourceVolume: 'execute-command-log', ContainerPath: '/var/log/amazon', ReadOnly: false },
          ],
        }),
      ],
    });
  });

  test('lets in whom it names, and no one while it is off', () => {
    const stack = newStack();
    const operators = Role.fromRoleName(stack, 'Operators', 'operators');
    newProxies(stack, { enableExecuteCommand: true }).grantExecuteCommand(operators);
    const [, policy] = resourceLike(Template.fromStack(stack), POLICY, /^Operators/);
    const { Statement } = policy.Properties.PolicyDocument as { Statement: Record<string, unknown>[] };
    const onTasks = Statement.filter(({ Resource }) => JSON.stringify(Resource).includes(':task/'));
    expect(onTasks).toHaveLength(1);
    expect(onTasks[0]).toMatchObject({
      Action: ['ecs:ExecuteCommand', 'ecs:DescribeTasks'],
      Condition: { StringEquals: { 'aws:ResourceTag/drainshift:proxies': expect.any(String) as string } },
    });
    const other = newStack();
    expect(() => newProxies(other).grantExecuteCommand(Role.fromRoleName(other, 'Operators', 'operators'))).toThrow(
      "'enableExecuteCommand' must be true before access is granted, got false",
    );
  });
});

describe('the way to the backends', () => {
  const findEgress = (stack: Stack, upstreamUrl: string, otherUpstreamUrl?: string) => {
    newProxies(stack, { upstreamUrl, otherUpstreamUrl });
    const [, group] = resourceLike(Template.fromStack(stack), 'AWS::EC2::SecurityGroup', /^Proxies/);
    const rules = group.Properties.SecurityGroupEgress as Record<string, unknown>[];
    return rules.map(({ CidrIp, CidrIpv6, FromPort, ToPort }) => [CidrIp ?? CidrIpv6, FromPort, ToPort]);
  };
  const https = ['0.0.0.0/0', 443, 443];

  test.each([
    ['http://old.internal', [https, ['0.0.0.0/0', 80, 80]]],
    ['https://old.internal', [https]],
    ['http://[2001:db8::1]:8080', [https, ['::/0', 8080, 8080]]],
    ['https://[2001:db8::1]', [https, ['::/0', 443, 443]]],
  ])('%s', (upstreamUrl, rules) => {
    expect(findEgress(newStack(), upstreamUrl)).toEqual(rules);
  });

  test.each([
    ['https://new.internal', [https, ['0.0.0.0/0', 8080, 8080]]],
    ['http://new.internal:8080', [https, ['0.0.0.0/0', 8080, 8080]]],
    ['http://[2001:db8::1]:9000', [https, ['0.0.0.0/0', 8080, 8080], ['::/0', 9000, 9000]]],
  ])('and to the other one at %s', (otherUpstreamUrl, rules) => {
    expect(findEgress(newStack(), 'http://old.internal:8080', otherUpstreamUrl)).toEqual(rules);
  });

  test('a name that is known only at deployment: by the port that is written, or by all', () => {
    const [one, other] = [newStack(), newStack()];
    const name = (stack: Stack) => new CfnParameter(stack, 'Name').valueAsString;
    expect(findEgress(one, `http://${name(one)}:8080`)).toEqual([https, ['0.0.0.0/0', 8080, 8080]]);
    expect(findEgress(other, `http://${name(other)}`)).toEqual([https, ['0.0.0.0/0', 0, 65_535]]);
  });
});

describe('a switch', () => {
  const policyOf = (template: Template) => {
    const [, policy] = resourceLike(template, POLICY, /TaskRole/);
    return (policy.Properties.PolicyDocument as { Statement: Record<string, unknown>[] }).Statement;
  };

  test('default: none, so that the proxies need no store to start', () => {
    const template = findTemplate();
    const names = Object.keys(buildEnvironment(template));
    for (const name of ['DRAINSHIFT_SWITCH_STORE', 'DRAINSHIFT_OTHER_UPSTREAM', 'AWS_REGION'])
      expect(names).not.toContain(name);
    expect(JSON.stringify(policyOf(template))).not.toContain('s3:');
  });

  test('custom: its store, by its key, and the other backend', () => {
    const stack = newStack();
    const encryptionKey = new Key(stack, 'Key');
    const switchStore = new Bucket(stack, 'Store', { encryptionKey });
    newProxies(stack, { switchStore, otherUpstreamUrl: 'http://new.internal:9000' });
    const template = Template.fromStack(stack);
    const [store] = resourceLike(template, 'AWS::S3::Bucket', /^Store/);
    expect(buildEnvironment(template)).toMatchObject({
      DRAINSHIFT_SWITCH_STORE: { Ref: store },
      DRAINSHIFT_OTHER_UPSTREAM: 'http://new.internal:9000',
      AWS_REGION: { Ref: 'AWS::Region' },
    });
    const bucket = { 'Fn::GetAtt': [store, 'Arn'] };
    const key = (name: string) => ({ 'Fn::Join': ['', [bucket, `/switch/${name}`]] });
    const statements = policyOf(template).filter(({ Action }) => /s3:|kms:/.test(JSON.stringify(Action)));
    const onKey = { Effect: 'Allow', Resource: { 'Fn::GetAtt': [expect.stringMatching(/^Key/) as string, 'Arn'] } };
    expect(statements).toEqual([
      { Action: 's3:GetObject', Effect: 'Allow', Resource: [key('regime.json'), key('decision/*')] },
      {
        Action: 's3:PutObject',
        Effect: 'Allow',
        Resource: key('decision/*'),
        Condition: { Null: { 's3:if-none-match': 'false' } },
      },
      {
        Action: 's3:ListBucket',
        Effect: 'Allow',
        Resource: bucket,
        Condition: { StringLikeIfExists: { 's3:prefix': ['switch/regime.json', 'switch/decision/*'] } },
      },
      { Action: 'kms:Decrypt', ...onKey },
      { Action: 'kms:GenerateDataKey', ...onKey },
    ]);
  });

  test('imported: a store of another region is asked there', () => {
    const stack = newStack();
    const switchStore = Bucket.fromBucketAttributes(stack, 'Store', { bucketName: 'the-store', region: 'eu-west-1' });
    newProxies(stack, { switchStore });
    const environment = buildEnvironment(Template.fromStack(stack));
    expect(environment).toMatchObject({ AWS_REGION: 'eu-west-1', DRAINSHIFT_SWITCH_STORE: 'the-store' });
  });

  test.each<[Partial<ProxyServiceProps>, string]>([
    [{ otherUpstreamUrl: 'new.internal' }, "'otherUpstreamUrl' must be http(s)://host[:port] without a path, got new"],
    [
      { environment: { DRAINSHIFT_OTHER_UPSTREAM: 'http://a' } },
      "'environment.DRAINSHIFT_OTHER_UPSTREAM' must be left",
    ],
    [{ environment: { DRAINSHIFT_SWITCH_STORE: 'mine' } }, "'environment.DRAINSHIFT_SWITCH_STORE' must be left"],
  ])('rejected: %j', (props, message) => {
    expect(() => newProxies(newStack(), props)).toThrow(message);
  });
});

test('rejected: a network in which only public subnets are left, and proxies have no public address', () => {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Public', { subnetConfiguration: [{ name: 'all', subnetType: SubnetType.PUBLIC }] });
  const cluster = new Cluster(stack, 'PublicCluster', { vpc });
  expect(() => newProxies(stack, { cluster })).toThrow(
    "'vpcSubnets' must be given in a network without private subnets, got nothing",
  );
});

test('lets someone drain: the key of the admin API, and the way to it', () => {
  const stack = newStack();
  const operators = Role.fromRoleName(stack, 'Operators', 'operators');
  const bastion = SecurityGroup.fromSecurityGroupId(stack, 'Bastion', 'sg-0123456789abcdef0');
  newProxies(stack).grantDrain(operators, bastion);
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
    FromPort: 9901,
    SourceSecurityGroupId: 'sg-0123456789abcdef0',
  });
  const [, policy] = resourceLike(template, POLICY, /^Operators/);
  expect(JSON.stringify(policy.Properties.PolicyDocument)).toContain('secretsmanager:GetSecretValue');
});

describe('session store', () => {
  test('default: its address, its user and its password as a secret, and a way to it', () => {
    const stack = newStack();
    const vpc = new Vpc(stack, 'StoreVpc');
    newProxies(stack, { sessionStore: new SessionStore(stack, 'Sessions', { vpc }) });
    const template = Template.fromStack(stack);
    expect(buildEnvironment(template)).toMatchObject({
      DRAINSHIFT_SESSION_STORE_URL: { 'Fn::Join': ['', expect.arrayContaining(['rediss://']) as []] },
      DRAINSHIFT_SESSION_STORE_USER: 'sessions',
    });
    expect(findContainer(template).Secrets).toContainEqual({
      Name: 'DRAINSHIFT_SESSION_STORE_PASSWORD',
      ValueFrom: { 'Fn::Join': ['', [{ Ref: expect.stringMatching(/^SessionsSecret/) as string }, ':password::']] },
    });
    template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 6379,
      SourceSecurityGroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^ProxiesSecurityGroup'), 'GroupId'] },
    });
  });

  test('imported: one without a password is reached, and not logged in to', () => {
    const stack = newStack();
    const sessionStore = SessionStore.fromSessionStoreAttributes(stack, 'Sessions', {
      host: 'cache.internal',
      userName: 'app',
    });
    newProxies(stack, { sessionStore });
    const template = Template.fromStack(stack);
    expect(buildEnvironment(template).DRAINSHIFT_SESSION_STORE_URL).toBe('rediss://cache.internal:6379');
    expect(buildEnvironment(template)).not.toHaveProperty('DRAINSHIFT_SESSION_STORE_USER');
    expect(findContainer(template).Secrets.map(({ Name }) => Name)).toEqual(['DRAINSHIFT_ADMIN_SECRET']);
  });
});

test('imported: a session store and operators of other stacks of the app', () => {
  const app = new App({ builtinCloudFormationValidation: false });
  const [before, stack, after] = ['Data', 'Shop', 'Operations'].map((id) => new Stack(app, id)) as [
    Stack,
    Stack,
    Stack,
  ];
  const sessionStore = new SessionStore(before, 'Sessions', { vpc: new Vpc(before, 'StoreVpc') });
  const proxies = newProxies(stack, { sessionStore });
  const vpc = new Vpc(after, 'Vpc');
  const bastion = new SecurityGroup(after, 'Bastion', { vpc, allowAllOutbound: false });
  proxies.grantDrain(new Role(after, 'Operator', { assumedBy: new AccountRootPrincipal() }), bastion);
  const opened = (of: Stack) =>
    Object.values(listResources(Template.fromStack(of), 'AWS::EC2::SecurityGroupIngress')).map(
      ({ Properties }) => Properties.FromPort,
    );
  // Who comes later knows who was there before, and never the other way round: stacks cannot wait for each other.
  expect([opened(before), opened(stack), opened(after)]).toEqual([[], expect.arrayContaining([6379, 8443]), [9901]]);
});

describe('containers beside the proxy', () => {
  const image = ContainerImage.fromRegistry('public.ecr.aws/sidecar/agent:1.2');

  test('default: also where an option is there and says nothing', () => {
    const stack = newStack();
    const options = { essential: undefined, readonlyRootFilesystem: undefined, logging: undefined };
    newProxies(stack).addContainer('agent', { image, ...options });
    const [, task] = resourceLike(Template.fromStack(stack), TASK, /./);
    expect((task.Properties.ContainerDefinitions as unknown[])[1]).toMatchObject({
      Essential: false,
      ReadonlyRootFilesystem: true,
      LogConfiguration: { LogDriver: 'awslogs' },
    });
  });

  test('default: not essential, read-only, in the log of the proxies', () => {
    const stack = newStack();
    newProxies(stack).addContainer('agent', { image });
    const [, task] = resourceLike(Template.fromStack(stack), TASK, /./);
    const containers = task.Properties.ContainerDefinitions as (Container & Record<string, unknown>)[];
    // The rehearsal takes the first one for the proxy.
    expect(containers.map(({ Name }) => Name)).toEqual(['proxy', 'agent']);
    expect(containers[1]).toMatchObject({ Essential: false, ReadonlyRootFilesystem: true });
    expect(JSON.stringify(containers[1]?.LogConfiguration)).toContain('"awslogs-stream-prefix":"agent"');
  });

  test.each([
    [{ containerName: 'proxy' }, "'containerName' must be another one than the proxy has, got proxy"],
    [{ portMappings: [{ containerPort: 9901 }] }, "'containerPort' must be another one than the proxy's, got 9901"],
    [
      { stopTimeout: Duration.seconds(121) },
      "'stopTimeout' must be from 2 seconds to 2 minutes, got 2 minutes 1 second",
    ],
    [{ privileged: true }, "'privileged' must be false, got true"],
  ])('refused: %j', (options, message) => {
    expect(() => newProxies(newStack()).addContainer('agent', { image, ...options })).toThrow(message);
  });
});

test('its metrics are those that the proxies write, and those of the load balancer and the service', () => {
  const stack = newStack();
  const proxies = newProxies(stack);
  const of = ({ namespace, metricName, statistic }: Metric) => `${namespace} ${metricName} ${statistic}`;
  expect(
    [
      proxies.metricLiveConnections(),
      proxies.metricRequests(),
      proxies.metricErrors(),
      proxies.metricLatency(),
      proxies.metricDrainRemaining(),
      proxies.metricRequestsPerTarget(),
      proxies.metricCpuUtilization(),
      proxies.metricMemoryUtilization(),
    ].map(of),
  ).toEqual([
    'Drainshift LiveConnections Average',
    'Drainshift Requests Sum',
    'Drainshift Errors Sum',
    'Drainshift Latency p99',
    'Drainshift DrainRemaining Maximum',
    'AWS/ApplicationELB RequestCountPerTarget Sum',
    'AWS/ECS CPUUtilization Average',
    'AWS/ECS MemoryUtilization Average',
  ]);
  expect(proxies.metricRequests().dimensions).toEqual({ Service: proxies.serviceName });
  expect(buildEnvironment(Template.fromStack(stack)).DRAINSHIFT_SERVICE_NAME).toBe(proxies.serviceName);
});

test('imported: takes a cluster, a secret and a log of another stack', () => {
  const stack = newStack();
  const vpc = Vpc.fromVpcAttributes(stack, 'Imported', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a'],
    privateSubnetIds: ['subnet-0123456789abcdef1'],
  });
  const adminSecret = Secret.fromSecretCompleteArn(
    stack,
    'ImportedSecret',
    'arn:aws:secretsmanager:eu-central-1:111122223333:secret:admin-AbCdEf',
  );
  newProxies(stack, {
    cluster: Cluster.fromClusterAttributes(stack, 'ImportedCluster', { clusterName: 'shared', vpc }),
    logGroup: LogGroup.fromLogGroupName(stack, 'ImportedLog', '/shared'),
    adminSecret,
  });
  const template = Template.fromStack(stack);
  template.hasResourceProperties(SERVICE, { Cluster: 'shared' });
  template.resourceCountIs('AWS::Logs::LogGroup', 0);
  expect(findContainer(template).Secrets).toEqual([
    { Name: 'DRAINSHIFT_ADMIN_SECRET', ValueFrom: expect.stringMatching(/secret:admin-AbCdEf/) as string },
  ]);
  expect(JSON.stringify(findContainer(template))).toContain('"awslogs-group":"/shared"');
});

test.each<[Partial<ProxyServiceProps>, string]>([
  [{ upstreamUrl: 'old.internal' }, "'upstreamUrl' must be http(s)://host[:port] without a path, got old.internal"],
  [{ workers: 0 }, "'workers' must be an integer from 1 to 64, got 0"],
  [{ upstreamIdleTimeout: Duration.hours(2) }, "'upstreamIdleTimeout' must be from 1 second to 1 hour, got 2 hours"],
  [{ moveTimeout: Duration.minutes(11) }, "'moveTimeout' must be from 1 second to 10 minutes, got 11 minutes"],
  [{ movesNever: ['/a', 'a,b'] }, "'movesNever[1]' must be paths with * for anything, names of header fields, or NAME"],
  [{ workers: 65 }, "'workers' must be an integer from 1 to 64, got 65"],
  [
    { drainProfile: DrainProfile.WEBSOCKET_HEAVY },
    "'targetGroup.drainProfile.deregistrationDelay' must be at least 330 s (15 s for the last requests + drain 300 s + a margin of 15 s), got 150 s",
  ],
  [
    { environment: { DRAINSHIFT_STOP_TIMEOUT_SECONDS: '600' } },
    "'environment.DRAINSHIFT_STOP_TIMEOUT_SECONDS' must be left to the construct, got a value",
  ],
  [
    { environment: { DRAINSHIFT_MEMORY_BYTES: 'abc' } },
    "'environment.DRAINSHIFT_MEMORY_BYTES' must be a number, got abc",
  ],
  [
    { environment: { DRAINSHIFT_ADMIN_SECRET: 'secret' } },
    "'environment.DRAINSHIFT_ADMIN_SECRET' must be left to the construct, got a value",
  ],
])('refused %#', (props, message) => {
  expect(() => findTemplate(props)).toThrow(message);
});

test('rejected: a retention for a log that is not made here', () => {
  const stack = newStack();
  const logGroup = LogGroup.fromLogGroupName(stack, 'ImportedLog', '/shared');
  expect(() => newProxies(stack, { logGroup, logRetention: RetentionDays.ONE_DAY })).toThrow(
    "'logRetention' must be absent next to 'logGroup', got 1",
  );
});

test('what is known only at deployment passes, and reaches the template', () => {
  const stack = newStack();
  const number = new CfnParameter(stack, 'Number', { type: 'Number' }).valueAsNumber;
  const later = Duration.seconds(number);
  const drainProfile = DrainProfile.custom({ drain: later, deregistrationDelay: later, stopTimeout: later });
  newProxies(stack, { workers: number, drainProfile }, { drainProfile });
  const template = Template.fromStack(stack);
  expect(buildEnvironment(template)).toMatchObject({
    DRAINSHIFT_WORKERS: { Ref: 'Number' },
    DRAINSHIFT_STOP_TIMEOUT_SECONDS: { Ref: 'Number' },
  });
  expect(buildEnvironment(template)).not.toHaveProperty('DRAINSHIFT_GRACE_PERIOD_SECONDS');
  expect(findContainer(template).StopTimeout).toEqual({ Ref: 'Number' });
});
