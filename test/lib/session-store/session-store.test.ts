import { CfnParameter, Duration, RemovalPolicy, Size, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { SessionStore } from '../../../lib/session-store/session-store';
import {
  SessionStoreAttributes,
  SessionStoreAuthentication,
  SessionStoreProps,
} from '../../../lib/session-store/session-store-props';
import { newStack, resourceLike, listResources } from '../fixture';

const CACHE = 'AWS::ElastiCache::ServerlessCache';
const USER = 'AWS::ElastiCache::User';
const GROUP = 'AWS::ElastiCache::UserGroup';
const SECRET = 'AWS::SecretsManager::Secret';
const SECURITY_GROUP = 'AWS::EC2::SecurityGroup';

function newStore(stack: Stack, props: Partial<SessionStoreProps> = {}): SessionStore {
  return new SessionStore(stack, 'Sessions', { vpc: new Vpc(stack, 'Vpc'), ...props });
}

function newRole(stack: Stack): Role {
  return new Role(stack, 'Role', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
}

describe('default', () => {
  const stack = newStack();
  const store = newStore(stack);
  store.grantConnect(newRole(stack));
  const template = Template.fromStack(stack);

  test('is a serverless Valkey in the private subnets, with a snapshot a day', () => {
    template.hasResourceProperties(CACHE, {
      Engine: 'valkey',
      MajorEngineVersion: '8',
      ServerlessCacheName: Match.stringLikeRegexp('^test-sessions-[a-z0-9]+$'),
      SubnetIds: [
        { Ref: Match.stringLikeRegexp('^VpcPrivateSubnet1') },
        { Ref: Match.stringLikeRegexp('^VpcPrivateSubnet2') },
      ],
      UserGroupId: { Ref: Match.stringLikeRegexp('^SessionsUserGroup') },
      SnapshotRetentionLimit: 1,
      CacheUsageLimits: Match.absent(),
      KmsKeyId: Match.absent(),
    });
  });

  test('has one user, whose password is generated and in no template', () => {
    const [secret] = resourceLike(template, SECRET, /./);
    template.hasResourceProperties(SECRET, {
      GenerateSecretString: {
        GenerateStringKey: 'password',
        SecretStringTemplate: '{"username":"sessions"}',
        PasswordLength: 64,
        ExcludePunctuation: true,
      },
    });
    template.hasResourceProperties(USER, {
      Engine: 'valkey',
      UserName: 'sessions',
      AccessString: 'on ~* &* +@all -@dangerous +info',
      Passwords: [{ 'Fn::Join': ['', ['{{resolve:secretsmanager:', { Ref: secret }, ':SecretString:password::}}']] }],
      AuthenticationMode: Match.absent(),
    });
    template.hasResourceProperties(GROUP, {
      Engine: 'valkey',
      UserIds: [{ Ref: resourceLike(template, USER, /./)[0] }],
    });
    expect(store.userName).toBe('sessions');
  });

  test('lets no one in and itself not out', () => {
    const [, { Properties }] = resourceLike(template, SECURITY_GROUP, /^Sessions/);
    expect(Properties.SecurityGroupIngress).toBeUndefined();
    expect(Properties.SecurityGroupEgress).toEqual([expect.objectContaining({ CidrIp: '255.255.255.255/32' })]);
    expect(Object.keys(listResources(template, 'AWS::EC2::SecurityGroupIngress'))).toEqual([]);
  });

  test('is reached with TLS', () => {
    const [cache] = resourceLike(template, CACHE, /./);
    const address = { 'Fn::GetAtt': [cache, 'Endpoint.Address'] };
    const port = { 'Fn::GetAtt': [cache, 'Endpoint.Port'] };
    expect(stack.resolve(store.url)).toEqual({ 'Fn::Join': ['', ['rediss://', address, ':', port]] });
    expect(stack.resolve(store.endpoint)).toEqual({ 'Fn::Join': ['', [address, ':', port]] });
  });

  test('is kept with all that it needs, but not when its creation fails', () => {
    for (const [type, id] of [
      [CACHE, /./],
      [USER, /./],
      [GROUP, /./],
      [SECRET, /./],
      [SECURITY_GROUP, /^Sessions/],
    ] as const) {
      expect(resourceLike(template, type, id)[1]).toMatchObject({ DeletionPolicy: 'RetainExceptOnCreate' });
    }
  });

  test('lets in who may read the password', () => {
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: [
          {
            Action: ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'],
            Effect: 'Allow',
            Resource: { Ref: resourceLike(template, SECRET, /./)[0] },
          },
        ],
      },
    });
  });
});

describe('custom', () => {
  test('takes limits, snapshots, a key, a name, subnets and a removal policy', () => {
    const stack = newStack();
    newStore(stack, {
      name: 'shop-sessions',
      userName: 'Shop',
      accessString: 'on ~shop:* +@all',
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
      maximumStorage: Size.gibibytes(20),
      maximumProcessingUnits: 5000,
      snapshotRetention: Duration.days(0),
      encryptionKey: new Key(stack, 'Key'),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const template = Template.fromStack(stack);
    template.hasResourceProperties(CACHE, {
      ServerlessCacheName: 'shop-sessions',
      CacheUsageLimits: { DataStorage: { Unit: 'GB', Maximum: 20 }, ECPUPerSecond: { Maximum: 5000 } },
      SnapshotRetentionLimit: 0,
      KmsKeyId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Key'), 'Arn'] },
      SubnetIds: Match.arrayWith([{ Ref: Match.stringLikeRegexp('^VpcPublicSubnet1') }]),
    });
    template.hasResourceProperties(USER, {
      UserId: 'shop-sessions',
      UserName: 'Shop',
      AccessString: 'on ~shop:* +@all',
    });
    template.hasResource(CACHE, { DeletionPolicy: 'Delete' });
  });

  test('takes one limit without the other', () => {
    const stack = newStack();
    newStore(stack, { maximumProcessingUnits: 1000 });
    Template.fromStack(stack).hasResourceProperties(CACHE, { CacheUsageLimits: { ECPUPerSecond: { Maximum: 1000 } } });
  });

  test('with IAM there is no password: clients sign for a user whose id is its name', () => {
    const stack = newStack();
    const store = newStore(stack, { authentication: SessionStoreAuthentication.IAM });
    store.grantConnect(newRole(stack));
    const template = Template.fromStack(stack);
    const [cache, { Properties }] = resourceLike(template, CACHE, /./);
    const [user] = resourceLike(template, USER, /./);
    const name = Properties.ServerlessCacheName;
    template.resourceCountIs(SECRET, 0);
    template.hasResourceProperties(USER, {
      UserId: name,
      UserName: name,
      AuthenticationMode: { Type: 'iam' },
      Passwords: Match.absent(),
    });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: [
          {
            Action: 'elasticache:Connect',
            Effect: 'Allow',
            Resource: [{ 'Fn::GetAtt': [cache, 'ARN'] }, { 'Fn::GetAtt': [user, 'Arn'] }],
          },
        ],
      },
    });
    expect(store.secret).toBeUndefined();
  });

  test('lets in whom it is asked to, on the ports of writers and readers', () => {
    const stack = newStack();
    const store = newStore(stack);
    const app = new SecurityGroup(stack, 'App', { vpc: Vpc.fromVpcAttributes(stack, 'Other', ATTRIBUTES) });
    store.connections.allowDefaultPortFrom(app, 'Sessions');
    Template.fromStack(stack).hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 6379,
      ToPort: 6380,
      SourceSecurityGroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^App'), 'GroupId'] },
      GroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^SessionsSecurityGroup'), 'GroupId'] },
    });
  });

  test('its metrics are those of its cache', () => {
    const stack = newStack();
    const store = newStore(stack, { name: 'shop' });
    expect(store.metric('ThrottledCmds', { statistic: 'Sum' })).toMatchObject({
      namespace: 'AWS/ElastiCache',
      metricName: 'ThrottledCmds',
      statistic: 'Sum',
      dimensions: { clusterId: 'shop' },
    });
  });
});

const ATTRIBUTES = {
  vpcId: 'vpc-0123456789abcdef0',
  availabilityZones: ['a', 'b'],
  privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
};

describe('imported', () => {
  test('takes a network of another stack', () => {
    const stack = newStack();
    newStore(stack, { vpc: Vpc.fromVpcAttributes(stack, 'Imported', ATTRIBUTES) });
    Template.fromStack(stack).hasResourceProperties(CACHE, { SubnetIds: ATTRIBUTES.privateSubnetIds });
  });

  test('an endpoint makes nothing, and lets out to it who is allowed', () => {
    const stack = newStack();
    const store = SessionStore.fromSessionStoreAttributes(stack, 'Sessions', { host: 'sessions.internal' });
    const vpc = Vpc.fromVpcAttributes(stack, 'Imported', ATTRIBUTES);
    const app = new SecurityGroup(stack, 'App', { vpc, allowAllOutbound: false });
    store.connections.allowDefaultPortFrom(app);
    store.grantConnect(newRole(stack));
    const template = Template.fromStack(stack);
    template.resourceCountIs(CACHE, 0);
    template.resourceCountIs('AWS::IAM::Policy', 0);
    template.hasResourceProperties(SECURITY_GROUP, {
      SecurityGroupEgress: [Match.objectLike({ CidrIp: '0.0.0.0/0', FromPort: 6379, ToPort: 6379 })],
    });
    expect(store.url).toBe('rediss://sessions.internal:6379');
  });

  test('an endpoint with a password, a port and security groups uses them', () => {
    const stack = newStack();
    const secret = Secret.fromSecretNameV2(stack, 'Secret', 'sessions');
    const store = SessionStore.fromSessionStoreAttributes(stack, 'Sessions', {
      host: 'sessions.internal',
      port: 6390,
      userName: 'shop',
      secret,
      securityGroups: [SecurityGroup.fromSecurityGroupId(stack, 'Theirs', 'sg-0123456789abcdef0')],
    });
    const app = new SecurityGroup(stack, 'App', { vpc: Vpc.fromVpcAttributes(stack, 'Imported', ATTRIBUTES) });
    store.connections.allowDefaultPortFrom(app);
    store.grantConnect(newRole(stack));
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      GroupId: 'sg-0123456789abcdef0',
      FromPort: 6390,
    });
    template.resourceCountIs('AWS::IAM::Policy', 1);
    expect([store.endpoint, store.userName, store.secret]).toEqual(['sessions.internal:6390', 'shop', secret]);
  });
});

describe('rejects', () => {
  test.each<[Partial<SessionStoreProps>, string]>([
    [{ maximumStorage: Size.gibibytes(5001) }, "'maximumStorage' must be whole GiB from 1 to 5000, got 5001 GiB"],
    [{ maximumStorage: Size.mebibytes(512) }, "'maximumStorage' must be whole GiB from 1 to 5000, got 0.5 GiB"],
    [{ maximumProcessingUnits: 999 }, "'maximumProcessingUnits' must be an integer from 1000 to 15000000, got 999"],
    [
      { maximumProcessingUnits: 15_000_001 },
      "'maximumProcessingUnits' must be an integer from 1000 to 15000000, got 15000001",
    ],
    [{ snapshotRetention: Duration.days(36) }, "'snapshotRetention' must be from 0 days to 35 days, got 36 days"],
    [{ snapshotRetention: Duration.hours(36) }, "'snapshotRetention' must be whole days, got 1 day 12 hours"],
    [
      { userName: 'no space' },
      "'userName' must be from 1 to 120 letters, digits, dots, hyphens and underscores, got no space",
    ],
  ])('%#', (props, message) => {
    expect(() => newStore(newStack(), props)).toThrow(message);
  });

  test.each(['Shop', '9shop', 'shop--sessions', 'shop-', 's'.repeat(41), ''])('the name %j', (name) => {
    const rule = 'a letter, then letters, digits and single hyphens, all small and 40 at most';
    expect(() => newStore(newStack(), { name })).toThrow(`'name' must be ${rule}, got ${name}`);
    const iam = { authentication: SessionStoreAuthentication.IAM, userName: name };
    expect(() => newStore(newStack(), iam)).toThrow(`'userName' must be ${rule}, got ${name}`);
  });

  test('subnets in one availability zone', () => {
    const stack = newStack();
    const vpc = Vpc.fromVpcAttributes(stack, 'One', {
      vpcId: 'vpc-0123456789abcdef0',
      availabilityZones: ['a'],
      privateSubnetIds: ['subnet-0123456789abcdef1'],
    });
    expect(() => newStore(stack, { vpc })).toThrow("'vpcSubnets' must be in 2 availability zones at least, got a");
  });

  test.each<[SessionStoreAttributes, string]>([
    [
      { host: 'rediss://sessions.internal' },
      "'host' must be a host name without a wildcard, got rediss://sessions.internal",
    ],
    [{ host: 'sessions.internal', port: 0 }, "'port' must be an integer from 1 to 65535, got 0"],
    [{ host: 'sessions.internal', port: 65_536 }, "'port' must be an integer from 1 to 65535, got 65536"],
    [{ host: 'sessions.internal', port: 63.79 }, "'port' must be an integer from 1 to 65535, got 63.79"],
  ])('an endpoint %#', (attributes, message) => {
    expect(() => SessionStore.fromSessionStoreAttributes(newStack(), 'Sessions', attributes)).toThrow(message);
  });

  test('nothing that is known only at deployment', () => {
    const stack = newStack();
    const text = new CfnParameter(stack, 'Text').valueAsString;
    const number = new CfnParameter(stack, 'Number', { type: 'Number' }).valueAsNumber;
    newStore(stack, { name: text, userName: text, maximumProcessingUnits: number });
    const imported = SessionStore.fromSessionStoreAttributes(stack, 'Imported', { host: text, port: number });
    expect(stack.resolve(imported.url)).toEqual({
      'Fn::Join': ['', ['rediss://', { Ref: 'Text' }, ':', { Ref: 'Number' }]],
    });
    Template.fromStack(stack).hasResourceProperties(CACHE, { ServerlessCacheName: { Ref: 'Text' } });
  });
});

test('two stores of a stack have two names, and the same names in each synthesis', () => {
  const names = () => {
    const stack = newStack();
    const vpc = new Vpc(stack, 'Vpc');
    new SessionStore(stack, 'Blue', { vpc });
    new SessionStore(stack, 'AVeryLongNameThatIsLongerThanAllThatANameMayHold', { vpc });
    const caches = Object.values(listResources(Template.fromStack(stack), CACHE));
    return caches.map(({ Properties }) => Properties.ServerlessCacheName as string);
  };
  const [first, second] = [names(), names()];
  expect(new Set(first).size).toBe(2);
  for (const name of first) expect(name).toMatch(/^(?=.{1,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
  expect(second).toEqual(first);
});
