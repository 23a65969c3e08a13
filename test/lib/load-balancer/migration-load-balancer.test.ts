import { App, CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Peer, Vpc } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  DesyncMitigationMode,
  HttpCodeElb,
  IApplicationLoadBalancer,
  SslPolicy,
  TrustStore,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { MigrationLoadBalancer, MigrationLoadBalancerProps, StickyTargetGroup } from '../../../lib';
import { MutualTls } from '../../../lib/load-balancer/mutual-tls';
import { certificateIn, defaultMigration, newLoadBalancer, newStack, resourceLike, listResources } from '../fixture';

const LISTENER = 'AWS::ElasticLoadBalancingV2::Listener';
const RULE = 'Custom::DrainshiftWeightedRule';
const BALANCER = 'AWS::ElasticLoadBalancingV2::LoadBalancer';
const GROUP = 'AWS::EC2::SecurityGroup';
const ELB = 'arn:aws:elasticloadbalancing:eu-central-1:111122223333';
const WEB_ACL = 'arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/shop/0123';

function synth(props?: Partial<MigrationLoadBalancerProps>): Template {
  const stack = newStack();
  newLoadBalancer(stack, props);
  return Template.fromStack(stack);
}

function listAttributes(template: Template): Record<string, unknown> {
  const [, { Properties }] = resourceLike(template, BALANCER, /./);
  const pairs = Properties.LoadBalancerAttributes as { Key: string; Value: unknown }[];
  return Object.fromEntries(pairs.map(({ Key, Value }) => [Key, Value]));
}

/** `from:port` of all addresses that the load balancer lets in. */
function letIn(template: Template): string[] {
  const [, { Properties }] = resourceLike(template, GROUP, /LoadBalancer/);
  const rules = (Properties.SecurityGroupIngress ?? []) as { CidrIp: string; FromPort: number; ToPort: number }[];
  return rules.map(({ CidrIp, FromPort }) => `${CidrIp}:${FromPort}`).sort();
}

describe('default', () => {
  const template = synth();

  test('is internal and strict', () => {
    template.hasResourceProperties(BALANCER, { Scheme: 'internal' });
    expect(listAttributes(template)).toEqual({
      'deletion_protection.enabled': 'false',
      'routing.http2.enabled': 'true',
      'routing.http.preserve_host_header.enabled': 'true',
      'routing.http.drop_invalid_header_fields.enabled': 'true',
      'routing.http.desync_mitigation_mode': 'strictest',
      'idle_timeout.timeout_seconds': '600',
      'client_keep_alive.seconds': '3600',
      'access_logs.s3.enabled': 'true',
      'access_logs.s3.bucket': { Ref: expect.stringContaining('AccessLogs') as string },
      'connection_logs.s3.enabled': 'true',
      'connection_logs.s3.bucket': { Ref: expect.stringContaining('AccessLogs') as string },
    });
  });

  test('lets no address in', () => {
    expect(letIn(template)).toEqual([]);
  });

  test.each([443, 9201, 9202])('listens with TLS 1.3 on %i', (port) => {
    template.hasResourceProperties(LISTENER, {
      Port: port,
      Protocol: 'HTTPS',
      SslPolicy: Match.stringLikeRegexp('TLS13'),
      MutualAuthentication: Match.absent(),
    });
    template.resourceCountIs(LISTENER, 3);
  });

  test('responds with 503 on :443 where no rule holds', () => {
    template.hasResourceProperties(LISTENER, {
      Port: 443,
      DefaultActions: [
        Match.objectLike({ Type: 'fixed-response', FixedResponseConfig: Match.objectLike({ StatusCode: '503' }) }),
      ],
    });
  });

  test.each([
    [9201, 'SourceGroup'],
    [9202, 'TargetGroup'],
  ])('leads %i to one side alone', (port, group) => {
    template.hasResourceProperties(LISTENER, {
      Port: port,
      DefaultActions: [{ Type: 'forward', TargetGroupArn: { Ref: Match.stringLikeRegexp(`^${group}`) } }],
    });
  });

  test('begins with everything on the source, sticky to a side', () => {
    template.resourceCountIs(RULE, 1);
    template.hasResourceProperties(RULE, {
      ListenerArn: { Ref: Match.stringLikeRegexp('Traffic') },
      Priority: 1000,
      PathPatterns: ['/*'],
      SourceGroupArn: { Ref: Match.stringLikeRegexp('^SourceGroup') },
      TargetGroupArn: { Ref: Match.stringLikeRegexp('^TargetGroup') },
      InitialWeights: { Source: 100, Target: 0 },
      StickinessSeconds: 3600,
      StoreBucket: { Ref: Match.stringLikeRegexp('Store') },
    });
  });

  test('lets the log delivery service write the logs, waits for that right, and keeps them for 90 days', () => {
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: 's3:PutObject',
            Effect: 'Allow',
            Principal: { Service: 'logdelivery.elasticloadbalancing.amazonaws.com' },
          }),
        ]),
      },
    });
    template.hasResource(BALANCER, { DependsOn: Match.arrayWith([Match.stringLikeRegexp('AccessLogsPolicy')]) });
    const [, logs] = resourceLike(template, 'AWS::S3::Bucket', /AccessLogs/);
    expect(logs.Properties.LifecycleConfiguration).toMatchObject({ Rules: [{ ExpirationInDays: 90 }] });
  });

  test('its store is private, encrypted, versioned and outlives the stack', () => {
    const [, store] = resourceLike(template, 'AWS::S3::Bucket', /Store/);
    expect(store).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: {
        BucketEncryption: { ServerSideEncryptionConfiguration: [expect.anything()] },
        VersioningConfiguration: { Status: 'Enabled' },
        PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true },
      },
    });
  });

  test('with nothing but a certificate, makes a network and both groups', () => {
    const stack = newStack();
    new MigrationLoadBalancer(stack, 'LoadBalancer', { certificate: certificateIn(stack) });
    const made = Template.fromStack(stack);
    made.resourceCountIs('AWS::EC2::VPC', 1);
    made.resourceCountIs('AWS::ElasticLoadBalancingV2::TargetGroup', 2);
  });

  test('the proxies of a migration keep an idle connection for longer than it does', () => {
    const proxies = Object.values(listResources(defaultMigration(), 'AWS::ECS::TaskDefinition'));
    const seconds = proxies.map(({ Properties }) => {
      const [container] = Properties.ContainerDefinitions as { Environment: { Name: string; Value: string }[] }[];
      return Number(container?.Environment.find(({ Name }) => Name === 'DRAINSHIFT_CLIENT_IDLE_SECONDS')?.Value ?? 75);
    });
    expect(seconds).toHaveLength(2);
    expect(Math.min(...seconds)).toBeGreaterThan(
      Number(listAttributes(defaultMigration())['idle_timeout.timeout_seconds']),
    );
  });
});

describe('custom', () => {
  test('takes weights, stickiness, and which requests are shared out', () => {
    synth({
      initialWeights: { source: 0, target: 999 },
      sideStickiness: Duration.days(7),
      rulePriority: 5,
      pathPatterns: ['/shop/*'],
      hostHeaders: ['shop.example.com'],
    }).hasResourceProperties(RULE, {
      Priority: 5,
      PathPatterns: ['/shop/*'],
      HostHeaders: ['shop.example.com'],
      InitialWeights: { Source: 0, Target: 999 },
      StickinessSeconds: 604_800,
    });
  });

  test('takes weights that are known only at deployment', () => {
    const stack = newStack();
    const weight = new CfnParameter(stack, 'Weight', { type: 'Number' }).valueAsNumber;
    newLoadBalancer(stack, { initialWeights: { source: weight, target: 0 } });
    Template.fromStack(stack).hasResourceProperties(RULE, { InitialWeights: { Source: { Ref: 'Weight' }, Target: 0 } });
  });

  test('takes a scheme, and peers of each listener', () => {
    const template = synth({
      internetFacing: true,
      allowedPeers: [Peer.ipv4('192.0.2.0/24')],
      smokeTestPeers: [Peer.ipv4('198.51.100.0/24')],
      smokeTests: { sourcePeers: [Peer.ipv4('203.0.113.1/32')], targetPeers: [Peer.ipv4('203.0.113.2/32')] },
    });
    template.hasResourceProperties(BALANCER, {
      Scheme: 'internet-facing',
      Subnets: [{ Ref: Match.stringLikeRegexp('Public') }, { Ref: Match.stringLikeRegexp('Public') }],
    });
    expect(letIn(template)).toEqual([
      '192.0.2.0/24:443',
      '198.51.100.0/24:9201',
      '198.51.100.0/24:9202',
      '203.0.113.1/32:9201',
      '203.0.113.2/32:9202',
    ]);
  });

  test('takes other ports, to which it redirects', () => {
    const template = synth({
      trafficPort: 8443,
      smokeTests: { sourcePort: 9301, targetPort: 9302 },
      redirectHttp: true,
      allowedPeers: [Peer.ipv4('192.0.2.0/24')],
      smokeTestPeers: [Peer.ipv4('198.51.100.0/24')],
    });
    expect(letIn(template)).toEqual([
      '192.0.2.0/24:80',
      '192.0.2.0/24:8443',
      '198.51.100.0/24:9301',
      '198.51.100.0/24:9302',
    ]);
    template.hasResourceProperties(LISTENER, {
      Port: 80,
      Protocol: 'HTTP',
      DefaultActions: [
        { Type: 'redirect', RedirectConfig: { Protocol: 'HTTPS', Port: '8443', StatusCode: 'HTTP_301' } },
      ],
    });
  });

  test('takes a security policy for all listeners', () => {
    const policies = Object.values(listResources(synth({ sslPolicy: SslPolicy.TLS13_13 }), LISTENER));
    expect(policies.map(({ Properties }) => Properties.SslPolicy)).toEqual(Array(3).fill(SslPolicy.TLS13_13));
  });

  test('takes attributes', () => {
    const attributes = listAttributes(
      synth({
        deletionProtection: true,
        idleTimeout: Duration.seconds(4000),
        clientKeepAlive: Duration.minutes(5),
        desyncMitigationMode: DesyncMitigationMode.DEFENSIVE,
        dropInvalidHeaderFields: false,
        connectionLogs: false,
      }),
    );
    expect(attributes).toMatchObject({
      'deletion_protection.enabled': 'true',
      'idle_timeout.timeout_seconds': '4000',
      'client_keep_alive.seconds': '300',
      'routing.http.desync_mitigation_mode': 'defensive',
      'routing.http.drop_invalid_header_fields.enabled': 'false',
      'access_logs.s3.enabled': 'true',
    });
    expect(attributes).not.toHaveProperty('connection_logs.s3.enabled');
  });

  test('stands behind a web ACL', () => {
    synth({ webAclArn: WEB_ACL }).hasResourceProperties('AWS::WAFv2::WebACLAssociation', {
      WebACLArn: WEB_ACL,
      ResourceArn: { Ref: Match.stringLikeRegexp('^LoadBalancer') },
    });
  });

  test('its metrics are those of the load balancer', () => {
    const loadBalancer = newLoadBalancer(newStack());
    const metrics = [
      loadBalancer.metricRequestCount(),
      loadBalancer.metricHttpCodeElb(HttpCodeElb.ELB_5XX_COUNT),
      loadBalancer.metricTargetResponseTime({ statistic: 'p99' }),
      loadBalancer.metricActiveConnectionCount(),
      loadBalancer.metricRejectedConnectionCount(),
    ];
    expect(metrics.map(({ metricName, statistic }) => `${metricName} ${statistic}`)).toEqual([
      'RequestCount Sum',
      'HTTPCode_ELB_5XX_Count Sum',
      'TargetResponseTime p99',
      'ActiveConnectionCount Sum',
      'RejectedConnectionCount Sum',
    ]);
  });
});

describe('mutual TLS', () => {
  const trustStoreIn = (stack: Stack) => TrustStore.fromTrustStoreArn(stack, 'Trust', `${ELB}:truststore/clients/0123`);
  const smokeListener = { Port: 9201, MutualAuthentication: Match.absent() };

  test('with an existing trust store, on the traffic alone', () => {
    const stack = newStack();
    const mutualTls = MutualTls.verify(trustStoreIn(stack), { advertiseAuthorities: true });
    expect(newLoadBalancer(stack, { mutualTls }).healthCheckPort).toBe(9201);
    const template = Template.fromStack(stack);
    template.hasResourceProperties(LISTENER, smokeListener);
    template.hasResourceProperties(LISTENER, {
      Port: 443,
      MutualAuthentication: {
        Mode: 'verify',
        TrustStoreArn: `${ELB}:truststore/clients/0123`,
        IgnoreClientCertificateExpiry: false,
        AdvertiseTrustStoreCaNames: 'on',
      },
    });
  });

  test('with a bundle in S3', () => {
    const stack = newStack();
    const bucket = Bucket.fromBucketName(stack, 'Authorities', 'the-authorities');
    const options = { objectVersion: '3', ignoreExpiry: true };
    newLoadBalancer(stack, { mutualTls: MutualTls.verifyBundle(bucket, 'clients.pem', options) });
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::TrustStore', {
      CaCertificatesBundleS3Bucket: 'the-authorities',
      CaCertificatesBundleS3Key: 'clients.pem',
      CaCertificatesBundleS3ObjectVersion: '3',
    });
    template.hasResourceProperties(LISTENER, {
      Port: 443,
      MutualAuthentication: Match.objectLike({ Mode: 'verify', IgnoreClientCertificateExpiry: true }),
    });
  });

  test('passed through to the backend, which decides', () => {
    synth({ mutualTls: MutualTls.passThrough() }).hasResourceProperties(LISTENER, {
      Port: 443,
      MutualAuthentication: { Mode: 'passthrough' },
    });
  });
});

describe('imported', () => {
  test('takes a network and a log bucket of another stack', () => {
    const stack = newStack();
    const vpc = importedVpc(stack);
    newLoadBalancer(stack, {
      vpc,
      accessLogBucket: Bucket.fromBucketName(stack, 'Logs', 'the-logs'),
      sourceGroup: new StickyTargetGroup(stack, 'Source', { vpc }),
      targetGroup: new StickyTargetGroup(stack, 'Target', { vpc }),
    });
    const template = Template.fromStack(stack);
    // The store alone.
    template.resourceCountIs('AWS::S3::Bucket', 1);
    template.hasResourceProperties(BALANCER, { Subnets: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'] });
    expect(listAttributes(template)).toMatchObject({
      'access_logs.s3.bucket': 'the-logs',
      'connection_logs.s3.bucket': 'the-logs',
    });
  });

  function existing(stack: Stack): IApplicationLoadBalancer {
    return ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'Existing', {
      loadBalancerArn: `${ELB}:loadbalancer/app/shop/0123456789abcdef`,
      securityGroupId: 'sg-0123456789abcdef0',
      vpc: importedVpc(stack),
    });
  }

  test('an existing load balancer gets the listeners, and its security group their peers', () => {
    const stack = newStack();
    new MigrationLoadBalancer(stack, 'LoadBalancer', {
      certificate: certificateIn(stack),
      loadBalancer: existing(stack),
      trafficPort: 8443,
      allowedPeers: [Peer.ipv4('192.0.2.0/24')],
      webAclArn: WEB_ACL,
    });
    const template = Template.fromStack(stack);
    template.resourceCountIs(BALANCER, 0);
    template.resourceCountIs('AWS::EC2::VPC', 0);
    for (const Port of [8443, 9201, 9202]) {
      const LoadBalancerArn = `${ELB}:loadbalancer/app/shop/0123456789abcdef`;
      template.hasResourceProperties(LISTENER, { LoadBalancerArn, Port, Protocol: 'HTTPS' });
    }
    template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      GroupId: 'sg-0123456789abcdef0',
      CidrIp: '192.0.2.0/24',
      FromPort: 8443,
    });
    template.resourceCountIs('AWS::WAFv2::WebACLAssociation', 1);
  });

  test('what an existing load balancer keeps is said, with the props that have no effect', () => {
    const stack = newStack();
    new MigrationLoadBalancer(stack, 'LoadBalancer', {
      certificate: certificateIn(stack),
      loadBalancer: existing(stack),
      idleTimeout: Duration.minutes(5),
      deletionProtection: true,
    });
    Annotations.fromStack(stack).hasWarning(
      '/Test/LoadBalancer',
      Match.stringLikeRegexp('preserve_host_header.enabled=true.*Without effect here: deletionProtection, idleTimeout'),
    );
  });

  test('its existing listener gets the weighted rule and nothing else', () => {
    const stack = newStack();
    const loadBalancer = existing(stack);
    const listenerArn = `${ELB}:listener/app/shop/0123456789abcdef/fedcba9876543210`;
    const { securityGroups } = loadBalancer.connections;
    const listener = ApplicationListener.fromApplicationListenerAttributes(stack, 'Listener', {
      listenerArn,
      securityGroup: securityGroups[0]!,
    });
    new MigrationLoadBalancer(stack, 'LoadBalancer', {
      certificate: certificateIn(stack),
      loadBalancer,
      listener,
      hostHeaders: ['shop.example.com'],
    });
    const template = Template.fromStack(stack);
    template.resourceCountIs(LISTENER, 2);
    template.hasResourceProperties(RULE, { ListenerArn: listenerArn, HostHeaders: ['shop.example.com'] });
  });

  test('one that is looked up brings its network', () => {
    const env = { account: '111122223333', region: 'eu-central-1' };
    const stack = new Stack(new App({ builtinCloudFormationValidation: false }), 'Test', { env });
    const loadBalancer = ApplicationLoadBalancer.fromLookup(stack, 'Existing', { loadBalancerTags: { app: 'shop' } });
    const made = new MigrationLoadBalancer(stack, 'LoadBalancer', { certificate: certificateIn(stack), loadBalancer });
    expect(made.vpc).toBe(loadBalancer.vpc);
    expect(made.node.tryFindChild('Vpc')).toBeUndefined();
  });

  function importedVpc(stack: Stack) {
    return Vpc.fromVpcAttributes(stack, 'Imported', {
      vpcId: 'vpc-0123456789abcdef0',
      availabilityZones: ['a', 'b'],
      privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
    });
  }
});

describe('rejected', () => {
  test.each<[Partial<MigrationLoadBalancerProps>, string]>([
    [{ trafficPort: 0 }, "'trafficPort' must be a port from 1 to 65535, got 0"],
    [{ smokeTests: { targetPort: 65_536 } }, "'smokeTests.targetPort' must be a port from 1 to 65535, got 65536"],
    [{ trafficPort: 9201 }, "'smokeTests.sourcePort' must be a port that no other listener has, got 9201"],
    [{ trafficPort: 80, redirectHttp: true }, "'trafficPort' must be a port that no other listener has, got 80"],
    [
      { idleTimeout: Duration.seconds(4001) },
      "'idleTimeout' must be a whole number of seconds from 1 to 4000, got 4001",
    ],
    [{ clientKeepAlive: Duration.seconds(59) }, "'clientKeepAlive' must be from 1 minute to 7 days, got 59 seconds"],
    [{ logRetention: Duration.hours(1) }, "'logRetention' must be from 1 day to 3650 days, got 1 hour"],
    [
      { webAclArn: WEB_ACL.replace('regional', 'global') },
      `'webAclArn' must be the ARN of a web ACL of scope REGIONAL, got ${WEB_ACL.replace('regional', 'global')}`,
    ],
    [{ vpc: undefined }, "'vpc' must be the network of the target groups, got none"],
    [{ sideStickiness: Duration.days(8) }, "'sideStickiness' must be from 1 second to 7 days, got 8 days"],
    [
      { initialWeights: { source: 1000, target: 0 } },
      "'initialWeights.source' must be an integer from 0 to 999, got 1000",
    ],
  ])('%j', (props, message) => {
    expect(() => newLoadBalancer(newStack(), props)).toThrow(message);
  });

  test('a log bucket with a key of KMS', () => {
    const stack = newStack();
    const accessLogBucket = new Bucket(stack, 'Logs', {
      encryption: BucketEncryption.KMS,
      encryptionKey: new Key(stack, 'Key'),
    });
    expect(() => newLoadBalancer(stack, { accessLogBucket })).toThrow(
      "'accessLogBucket' must be a bucket with keys of S3, as load balancers write to no other, got one with a key of KMS",
    );
  });

  test('a listener without its load balancer, and what only its owner can set', () => {
    const stack = newStack();
    const loadBalancer = newLoadBalancer(stack);
    const { listener } = loadBalancer;
    const make = (id: string, props: Partial<MigrationLoadBalancerProps>) => () =>
      new MigrationLoadBalancer(stack, id, { certificate: certificateIn(new Stack()), listener, ...props });
    expect(make('A', {})).toThrow("'loadBalancer' must be given with a listener, got none");
    expect(make('B', { loadBalancer: loadBalancer.loadBalancer, mutualTls: MutualTls.passThrough() })).toThrow(
      "'mutualTls' must be set on the existing listener itself, got one for a new listener",
    );
  });

  test('an existing load balancer that does not know its network', () => {
    const stack = newStack();
    const loadBalancer = ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'Existing', {
      loadBalancerArn: `${ELB}:loadbalancer/app/shop/0123456789abcdef`,
      securityGroupId: 'sg-0123456789abcdef0',
    });
    const certificate = certificateIn(stack);
    expect(() => new MigrationLoadBalancer(stack, 'LoadBalancer', { certificate, loadBalancer })).toThrow(
      "'vpc' must be given with a load balancer that does not know its own, got none",
    );
  });

  test('an existing load balancer of another network', () => {
    const stack = newStack();
    const network = (id: string, vpcId: string) =>
      Vpc.fromVpcAttributes(stack, id, {
        vpcId,
        availabilityZones: ['a'],
        privateSubnetIds: ['subnet-0123456789abcdef1'],
      });
    const loadBalancer = ApplicationLoadBalancer.fromApplicationLoadBalancerAttributes(stack, 'Existing', {
      loadBalancerArn: `${ELB}:loadbalancer/app/shop/0123456789abcdef`,
      securityGroupId: 'sg-0123456789abcdef0',
      vpc: network('Theirs', 'vpc-0123456789abcdef0'),
    });
    const props = { certificate: certificateIn(stack), loadBalancer, vpc: network('Ours', 'vpc-fedcba9876543210f') };
    expect(() => new MigrationLoadBalancer(stack, 'LoadBalancer', props)).toThrow(
      "'loadBalancer' must be in the network vpc-fedcba9876543210f, got one in vpc-0123456789abcdef0",
    );
  });

  test('what is known only at deployment passes', () => {
    const stack = newStack();
    const number = new CfnParameter(stack, 'Number', { type: 'Number' }).valueAsNumber;
    const webAclArn = new CfnParameter(stack, 'WebAcl').valueAsString;
    const props = { trafficPort: number, idleTimeout: Duration.seconds(number), webAclArn };
    expect(() => newLoadBalancer(stack, props)).not.toThrow();
  });
});
