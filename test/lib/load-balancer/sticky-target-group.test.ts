import { CfnParameter, Duration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationProtocolVersion,
  ApplicationTargetGroup,
  TargetGroupLoadBalancingAlgorithmType as Algorithm,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { DrainProfile } from '../../../lib/shared/drain-profile';
import { StickyTargetGroup, StickyTargetGroupProps } from '../../../lib/load-balancer/sticky-target-group';
import { newStack, resourceLike } from '../fixture';

const GROUP = 'AWS::ElasticLoadBalancingV2::TargetGroup';

function findGroup(props: Partial<StickyTargetGroupProps> = {}): Template {
  const stack = newStack();
  new StickyTargetGroup(stack, 'Group', { vpc: new Vpc(stack, 'Vpc'), ...props });
  return Template.fromStack(stack);
}

function listAttributes(template: Template): Record<string, unknown> {
  const [, group] = resourceLike(template, GROUP, /./);
  const pairs = group.Properties.TargetGroupAttributes as { Key: string; Value: unknown }[];
  return Object.fromEntries(pairs.map(({ Key, Value }) => [Key, Value]));
}

describe('default', () => {
  const template = findGroup();

  test('ip targets over HTTPS, checked over HTTPS', () => {
    template.hasResourceProperties(GROUP, {
      TargetType: 'ip',
      Protocol: 'HTTPS',
      ProtocolVersion: Match.absent(),
      Port: 8443,
      HealthCheckProtocol: 'HTTPS',
      HealthCheckPath: '/.drainshift/health',
      HealthCheckIntervalSeconds: 10,
      HealthCheckTimeoutSeconds: 5,
      HealthyThresholdCount: 2,
      UnhealthyThresholdCount: 2,
      Matcher: { HttpCode: '200' },
    });
  });

  test('sticky for a day by the cookie of the load balancer, and drained for two minutes', () => {
    expect(listAttributes(template)).toEqual({
      'deregistration_delay.timeout_seconds': '150',
      'stickiness.enabled': 'true',
      'stickiness.type': 'lb_cookie',
      'stickiness.lb_cookie.duration_seconds': '86400',
    });
  });
});

test('custom: its own times, checks and thresholds', () => {
  const template = findGroup({
    stickiness: Duration.hours(8),
    drainProfile: DrainProfile.SHORT_LIVED,
    slowStart: Duration.seconds(30),
    healthCheck: {
      interval: Duration.seconds(30),
      timeout: Duration.seconds(20),
      healthyThreshold: 3,
      unhealthyThreshold: 4,
    },
    targetGroupHealth: {
      routingMinimumHealthyTargetCount: 2,
      dnsMinimumHealthyTargetCount: 3,
      dnsMinimumHealthyTargetPercentage: 50,
    },
  });
  template.hasResourceProperties(GROUP, {
    HealthCheckIntervalSeconds: 30,
    HealthCheckTimeoutSeconds: 20,
    HealthyThresholdCount: 3,
    UnhealthyThresholdCount: 4,
  });
  expect(listAttributes(template)).toMatchObject({
    'deregistration_delay.timeout_seconds': '60',
    'slow_start.duration_seconds': '30',
    'stickiness.lb_cookie.duration_seconds': '28800',
    'target_group_health.unhealthy_state_routing.minimum_healthy_targets.count': '2',
    'target_group_health.dns_failover.minimum_healthy_targets.count': '3',
    'target_group_health.dns_failover.minimum_healthy_targets.percentage': '50',
  });
});

test('custom: zones stay in DNS, and requests with healthy proxies', () => {
  const targetGroupHealth = { dnsMinimumHealthyTargetCount: 0, routingMinimumHealthyTargetPercentage: 0 };
  expect(listAttributes(findGroup({ targetGroupHealth }))).toMatchObject({
    'target_group_health.dns_failover.minimum_healthy_targets.count': 'off',
    'target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage': 'off',
  });
});

test('custom: a cookie of the application', () => {
  expect(listAttributes(findGroup({ applicationCookie: 'SESSION', stickiness: Duration.hours(1) }))).toMatchObject({
    'stickiness.type': 'app_cookie',
    'stickiness.app_cookie.cookie_name': 'SESSION',
    'stickiness.app_cookie.duration_seconds': '3600',
  });
});

test('custom: random with anomaly mitigation, where clients are not sticky', () => {
  const attributes = listAttributes(findGroup({ sticky: false, algorithm: Algorithm.WEIGHTED_RANDOM }));
  expect(attributes).toMatchObject({
    'stickiness.enabled': 'false',
    'load_balancing.algorithm.type': 'weighted_random',
    'load_balancing.algorithm.anomaly_mitigation': 'on',
  });
  expect(Object.keys(attributes)).not.toContain('stickiness.type');
});

test.each([
  [ApplicationProtocolVersion.HTTP2, { HttpCode: '200' }],
  [ApplicationProtocolVersion.GRPC, { GrpcCode: '0' }],
])('custom: speaks %s to the proxies', (protocolVersion, Matcher) => {
  findGroup({ protocolVersion }).hasResourceProperties(GROUP, { ProtocolVersion: protocolVersion, Matcher });
});

test('imported: takes a network of another stack', () => {
  const stack = newStack();
  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', { vpcId: 'vpc-0123456789abcdef0', availabilityZones: ['a'] });
  new StickyTargetGroup(stack, 'Group', { vpc });
  Template.fromStack(stack).hasResourceProperties(GROUP, { VpcId: 'vpc-0123456789abcdef0' });
});

test.each<[Partial<StickyTargetGroupProps>, string]>([
  [{ stickiness: Duration.days(8) }, "'stickiness' must be from 1 second to 7 days, got 8 days"],
  [{ stickiness: Duration.millis(1500) }, "'stickiness' must be a whole number of seconds, got 1 second 500 millis"],
  [{ stickiness: Duration.seconds(0) }, "'stickiness' must be from 1 second to 7 days, got 0 seconds"],
  [{ sticky: false, stickiness: Duration.hours(1) }, "'stickiness' must be absent where 'sticky' is false, got 1 hour"],
  [{ sticky: false, applicationCookie: 'SID' }, "'applicationCookie' must be absent where 'sticky' is false, got SID"],
  [
    { applicationCookie: 'AWSALBTG' },
    "'applicationCookie' must be the name of a cookie that does not begin with 'AWSALB', got AWSALBTG",
  ],
  [
    { applicationCookie: 'my cookie' },
    "'applicationCookie' must be the name of a cookie that does not begin with 'AWSALB', got my cookie",
  ],
  [{ algorithm: Algorithm.WEIGHTED_RANDOM }, "'algorithm' must be another one, or 'sticky' false, got weighted_random"],
  [{ anomalyMitigation: true }, "'anomalyMitigation' must be false with any algorithm but weighted_random, got true"],
  [{ slowStart: Duration.seconds(29) }, "'slowStart' must be from 30 seconds to 15 minutes, got 29 seconds"],
  [{ slowStart: Duration.minutes(16) }, "'slowStart' must be from 30 seconds to 15 minutes, got 16 minutes"],
  [
    { slowStart: Duration.minutes(1), algorithm: Algorithm.LEAST_OUTSTANDING_REQUESTS },
    "'slowStart' must be absent with least_outstanding_requests, got 1 minute",
  ],
  [
    { slowStart: Duration.minutes(1), algorithm: Algorithm.WEIGHTED_RANDOM, sticky: false },
    "'slowStart' must be absent with weighted_random, got 1 minute",
  ],
  [
    { healthCheck: { interval: Duration.seconds(4) } },
    "'healthCheck.interval' must be from 5 seconds to 5 minutes, got 4 seconds",
  ],
  [
    { healthCheck: { timeout: Duration.seconds(121) } },
    "'healthCheck.timeout' must be from 2 seconds to 2 minutes, got 2 minutes 1 second",
  ],
  [
    { healthCheck: { timeout: Duration.seconds(10) } },
    "'healthCheck.timeout' must be under the interval of 10 seconds, got 10 seconds",
  ],
  [{ healthCheck: { healthyThreshold: 1 } }, "'healthCheck.healthyThreshold' must be an integer from 2 to 10, got 1"],
  [
    { healthCheck: { unhealthyThreshold: 11 } },
    "'healthCheck.unhealthyThreshold' must be an integer from 2 to 10, got 11",
  ],
  [
    { targetGroupHealth: { routingMinimumHealthyTargetCount: 0 } },
    "'targetGroupHealth.routingMinimumHealthyTargetCount' must be an integer from 1 to 1000, got 0",
  ],
  [
    { targetGroupHealth: { dnsMinimumHealthyTargetPercentage: 101 } },
    "'targetGroupHealth.dnsMinimumHealthyTargetPercentage' must be an integer from 0 to 100, got 101",
  ],
  [
    { targetGroupHealth: { routingMinimumHealthyTargetCount: 3, dnsMinimumHealthyTargetCount: 2 } },
    "'targetGroupHealth.dnsMinimumHealthyTargetCount' must be 0 or at least routingMinimumHealthyTargetCount, which is 3, got 2",
  ],
])('refused %#', (props, message) => {
  expect(() => findGroup(props)).toThrow(message);
});

test('rejected: a health of the group that is known only at deployment, which the CDK cannot write', () => {
  const number = new CfnParameter(newStack(), 'Number', { type: 'Number' }).valueAsNumber;
  const message = "'targetGroupHealth' must be known at synthesis, got a token";
  expect(() => findGroup({ targetGroupHealth: { routingMinimumHealthyTargetCount: number } })).toThrow(message);
  expect(() => findGroup({ targetGroupHealth: { dnsMinimumHealthyTargetCount: number } })).toThrow(message);
});

test('the cookie of an application is rejected in a rule with weights', () => {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Vpc');
  const own = new StickyTargetGroup(stack, 'Own', { vpc, applicationCookie: 'SESSION' });
  expect(() => own._checkWeightable('sourceGroup')).toThrow(
    "'sourceGroup' must be sticky by the load balancer's own cookie in a rule with weights, got SESSION",
  );
  expect(() => new StickyTargetGroup(stack, 'Group', { vpc })._checkWeightable('sourceGroup')).not.toThrow();
});

test('what is known only at deployment passes, and reaches the template', () => {
  const stack = newStack();
  const number = new CfnParameter(stack, 'Number', { type: 'Number' }).valueAsNumber;
  const later = Duration.seconds(number);
  new StickyTargetGroup(stack, 'Group', {
    vpc: new Vpc(stack, 'Vpc'),
    stickiness: later,
    slowStart: later,
    applicationCookie: new CfnParameter(stack, 'Cookie').valueAsString,
    drainProfile: DrainProfile.custom({ drain: later, deregistrationDelay: later, stopTimeout: later }),
    healthCheck: { interval: later, timeout: later, healthyThreshold: number, unhealthyThreshold: number },
  });
  const template = Template.fromStack(stack);
  template.hasResourceProperties(GROUP, {
    HealthCheckIntervalSeconds: { Ref: 'Number' },
    HealthCheckTimeoutSeconds: { Ref: 'Number' },
    HealthyThresholdCount: { Ref: 'Number' },
  });
  expect(listAttributes(template)).toMatchObject({
    'deregistration_delay.timeout_seconds': { Ref: 'Number' },
    'slow_start.duration_seconds': { Ref: 'Number' },
    'stickiness.app_cookie.cookie_name': { Ref: 'Cookie' },
    'stickiness.app_cookie.duration_seconds': { Ref: 'Number' },
  });
});

describe('rejected at synthesis: attributes that were set past the props', () => {
  const synth = (change: (group: ApplicationTargetGroup) => void, props: Partial<StickyTargetGroupProps> = {}) => {
    const stack = newStack();
    const group = new StickyTargetGroup(stack, 'Group', { vpc: new Vpc(stack, 'Vpc'), ...props });
    group._checkWeightable('sourceGroup');
    change(group.targetGroup);
    return () => Template.fromStack(stack);
  };

  test.each<[string, string, string]>([
    [
      'load_balancing.algorithm.type',
      'weighted_random',
      "'load_balancing.algorithm.type' must be another one, or 'sticky' false, got weighted_random",
    ],
    [
      'load_balancing.cross_zone.enabled',
      'false',
      "'load_balancing.cross_zone.enabled' must be true, or 'sticky' false, got false",
    ],
    [
      'deregistration_delay.timeout_seconds',
      '30',
      "'deregistration_delay.timeout_seconds' must be at least 150 s (15 s for the last requests + drain 120 s + a margin of 15 s), got 30 s",
    ],
  ])('%s %s', (name, value, message) => {
    expect(synth((group) => group.setAttribute(name, value))).toThrow(message);
  });

  test('the cookie of an application in a rule with weights', () => {
    expect(synth((group) => group.enableCookieStickiness(Duration.hours(1), 'SESSION'))).toThrow(
      "'stickiness.type' must be lb_cookie in a rule with weights, got app_cookie",
    );
  });

  test('a slow start with another algorithm', () => {
    const props = { sticky: false, slowStart: Duration.seconds(60) };
    const change = (group: ApplicationTargetGroup) =>
      group.setAttribute('load_balancing.algorithm.type', 'least_outstanding_requests');
    expect(synth(change, props)).toThrow(
      "'slow_start.duration_seconds' must be absent with least_outstanding_requests, got 60",
    );
  });

  test('those that fit are taken', () => {
    expect(synth((group) => group.setAttribute('deregistration_delay.timeout_seconds', '600'))).not.toThrow();
  });
});
