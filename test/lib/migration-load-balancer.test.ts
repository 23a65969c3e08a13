import { CfnParameter, Duration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Peer, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { MigrationLoadBalancerProps, StickyTargetGroup } from '../../lib';
import { newLoadBalancer, newStack } from './fixture';

const LISTENER = 'AWS::ElasticLoadBalancingV2::Listener';
const RULE = 'AWS::ElasticLoadBalancingV2::ListenerRule';
const BALANCER = 'AWS::ElasticLoadBalancingV2::LoadBalancer';

function synth(props?: Partial<MigrationLoadBalancerProps>): Template {
  const stack = newStack();
  newLoadBalancer(stack, props);
  return Template.fromStack(stack);
}

describe('default', () => {
  const template = synth();

  test('is internal and strict', () => {
    template.hasResourceProperties(BALANCER, {
      Scheme: 'internal',
      LoadBalancerAttributes: Match.arrayWith([
        { Key: 'routing.http2.enabled', Value: 'true' },
        { Key: 'idle_timeout.timeout_seconds', Value: '60' },
        { Key: 'routing.http.drop_invalid_header_fields.enabled', Value: 'true' },
        { Key: 'routing.http.desync_mitigation_mode', Value: 'strictest' },
        { Key: 'access_logs.s3.enabled', Value: 'true' },
      ]),
    });
  });

  test.each([443, 9201, 9202])('listens with TLS 1.3 on %i', (port) => {
    template.hasResourceProperties(LISTENER, {
      Port: port,
      Protocol: 'HTTPS',
      SslPolicy: Match.stringLikeRegexp('TLS13'),
    });
  });

  test('answers 503 on :443 where no rule holds', () => {
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
      Conditions: [{ Field: 'path-pattern', PathPatternConfig: { Values: ['/*'] } }],
      Actions: [
        {
          Type: 'forward',
          ForwardConfig: {
            TargetGroupStickinessConfig: { Enabled: true, DurationSeconds: 3600 },
            TargetGroups: [
              { TargetGroupArn: { Ref: Match.stringLikeRegexp('^SourceGroup') }, Weight: 100 },
              { TargetGroupArn: { Ref: Match.stringLikeRegexp('^TargetGroup') }, Weight: 0 },
            ],
          },
        },
      ],
    });
  });

  test('lets the log delivery service write the access logs, and waits for that right', () => {
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
  });
});

describe('custom', () => {
  test('takes weights, stickiness, scheme and peers', () => {
    const template = synth({
      internetFacing: true,
      initialWeights: { source: 0, target: 999 },
      sideStickiness: Duration.days(7),
      allowedPeers: [Peer.ipv4('192.0.2.0/24')],
      smokeTestPeers: [Peer.ipv4('198.51.100.0/24')],
    });
    template.hasResourceProperties(BALANCER, { Scheme: 'internet-facing' });
    template.hasResourceProperties(RULE, {
      Actions: [
        Match.objectLike({
          ForwardConfig: {
            TargetGroupStickinessConfig: { Enabled: true, DurationSeconds: 604_800 },
            TargetGroups: [Match.objectLike({ Weight: 0 }), Match.objectLike({ Weight: 999 })],
          },
        }),
      ],
    });
    template.hasResourceProperties('AWS::EC2::SecurityGroup', {
      GroupDescription: 'The load balancer of a migration',
      SecurityGroupIngress: [
        Match.objectLike({ CidrIp: '192.0.2.0/24', FromPort: 443, ToPort: 443 }),
        Match.objectLike({ CidrIp: '198.51.100.0/24', FromPort: 9201, ToPort: 9201 }),
        Match.objectLike({ CidrIp: '198.51.100.0/24', FromPort: 9202, ToPort: 9202 }),
      ],
    });
  });

  test('takes weights that are known only at deployment', () => {
    const stack = newStack();
    const weight = new CfnParameter(stack, 'Weight', { type: 'Number' }).valueAsNumber;
    newLoadBalancer(stack, { initialWeights: { source: weight, target: 0 } });
    Template.fromStack(stack).hasResourceProperties(RULE, {
      Actions: [
        Match.objectLike({
          ForwardConfig: Match.objectLike({
            TargetGroups: Match.arrayWith([Match.objectLike({ Weight: { Ref: 'Weight' } })]),
          }),
        }),
      ],
    });
  });
});

test('imported: takes a network and a log bucket of another stack', () => {
  const stack = newStack();
  const vpc = Vpc.fromVpcAttributes(stack, 'Imported', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a', 'b'],
    privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
  });
  newLoadBalancer(stack, {
    vpc,
    accessLogBucket: Bucket.fromBucketName(stack, 'Logs', 'the-logs'),
    sourceGroup: new StickyTargetGroup(stack, 'Source', { vpc }),
    targetGroup: new StickyTargetGroup(stack, 'Target', { vpc }),
  });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::S3::Bucket', 0);
  template.hasResourceProperties(BALANCER, {
    Subnets: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
    LoadBalancerAttributes: Match.arrayWith([{ Key: 'access_logs.s3.bucket', Value: 'the-logs' }]),
  });
});
