import { Duration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { StickyTargetGroup } from '../../lib';
import { newStack } from './fixture';

const GROUP = 'AWS::ElasticLoadBalancingV2::TargetGroup';

test('default: ip targets over HTTPS, checked over HTTPS, sticky for a day', () => {
  const stack = newStack();
  new StickyTargetGroup(stack, 'Group', { vpc: new Vpc(stack, 'Vpc') });
  Template.fromStack(stack).hasResourceProperties(GROUP, {
    TargetType: 'ip',
    Protocol: 'HTTPS',
    Port: 8443,
    HealthCheckProtocol: 'HTTPS',
    HealthCheckPath: '/.drainshift/health',
    HealthCheckIntervalSeconds: 10,
    HealthCheckTimeoutSeconds: 5,
    HealthyThresholdCount: 2,
    UnhealthyThresholdCount: 2,
    TargetGroupAttributes: Match.arrayWith([
      { Key: 'deregistration_delay.timeout_seconds', Value: '300' },
      { Key: 'stickiness.enabled', Value: 'true' },
      { Key: 'stickiness.type', Value: 'lb_cookie' },
      { Key: 'stickiness.lb_cookie.duration_seconds', Value: '86400' },
    ]),
  });
});

test('custom: takes its durations', () => {
  const stack = newStack();
  new StickyTargetGroup(stack, 'Group', {
    vpc: new Vpc(stack, 'Vpc'),
    stickiness: Duration.hours(8),
    deregistrationDelay: Duration.seconds(0),
  });
  Template.fromStack(stack).hasResourceProperties(GROUP, {
    TargetGroupAttributes: Match.arrayWith([
      { Key: 'deregistration_delay.timeout_seconds', Value: '0' },
      { Key: 'stickiness.lb_cookie.duration_seconds', Value: '28800' },
    ]),
  });
});

test('imported: takes a network of another stack', () => {
  const stack = newStack();
  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', { vpcId: 'vpc-0123456789abcdef0', availabilityZones: ['a'] });
  new StickyTargetGroup(stack, 'Group', { vpc });
  Template.fromStack(stack).hasResourceProperties(GROUP, { VpcId: 'vpc-0123456789abcdef0' });
});
