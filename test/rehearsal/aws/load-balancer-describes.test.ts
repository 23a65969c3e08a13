import {
  DescribeListenerCertificatesCommand,
  DescribeListenersCommand,
  DescribeLoadBalancerAttributesCommand,
  DescribeLoadBalancersCommand,
  DescribeRulesCommand,
  DescribeTagsCommand,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { ARNS, T0, LocalCloud, nameOfFailure, startLocalCloud } from './world';

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await startLocalCloud();
});
afterAll(() => cloud.stop());

test('load balancers are found by ARN, by name, or all', async () => {
  const all = await cloud.elb.send(new DescribeLoadBalancersCommand({}));
  const byName = await cloud.elb.send(new DescribeLoadBalancersCommand({ Names: ['front'] }));
  const byArn = await cloud.elb.send(new DescribeLoadBalancersCommand({ LoadBalancerArns: [ARNS.balancer] }));
  expect([byName.LoadBalancers, byArn.LoadBalancers]).toEqual([all.LoadBalancers, all.LoadBalancers]);
  expect(all.LoadBalancers).toMatchObject([
    {
      LoadBalancerArn: ARNS.balancer,
      DNSName: 'front-1.elb.localhost',
      CreatedTime: T0,
      State: { Code: 'active' },
      Type: 'application',
      SecurityGroups: ['sg-1'],
      AvailabilityZones: [
        { ZoneName: 'eu-central-1a', SubnetId: 'subnet-a' },
        { ZoneName: 'eu-central-1b', SubnetId: 'subnet-b' },
      ],
    },
  ]);
});

test('an unknown load balancer, listener, rule or target group is an exception of its name', async () => {
  const calls = [
    cloud.elb.send(new DescribeLoadBalancersCommand({ Names: ['other'] })),
    cloud.elb.send(new DescribeListenersCommand({ ListenerArns: [ARNS.listener.slice(0, -1)] })),
    cloud.elb.send(new DescribeRulesCommand({ RuleArns: [ARNS.rule.slice(0, -1)] })),
    cloud.elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: ARNS.target.slice(0, -1) })),
    cloud.elb.send(new DescribeListenersCommand({})),
  ];
  expect(await Promise.all(calls.map(nameOfFailure))).toEqual([
    'LoadBalancerNotFoundException',
    'ListenerNotFoundException',
    'RuleNotFoundException',
    'TargetGroupNotFoundException',
    'ValidationError',
  ]);
});

test('an ARN of something else, or none, is not valid', async () => {
  const messages = await Promise.all(
    [
      cloud.elb.send(new DescribeListenersCommand({ ListenerArns: [ARNS.rule] })),
      cloud.elb.send(new DescribeRulesCommand({ RuleArns: [ARNS.listener] })),
      cloud.elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: 'source' })),
      cloud.elb.send(new DescribeTargetGroupsCommand({ TargetGroupArns: ['arn:aws:elasticloadbalancing:x'] })),
      cloud.elb.send(new DescribeLoadBalancersCommand({ LoadBalancerArns: [ARNS.target] })),
      cloud.elb.send(new DescribeTagsCommand({ ResourceArns: ['arn:aws:s3:::store'] })),
    ].map((call) => call.then(String, (error: Error) => `${error.name}: ${error.message}`)),
  );
  expect(messages).toEqual([
    `ValidationError: '${ARNS.rule}' is not a valid listener ARN`,
    `ValidationError: '${ARNS.listener}' is not a valid listener rule ARN`,
    "ValidationError: 'source' is not a valid target group ARN",
    "ValidationError: 'arn:aws:elasticloadbalancing:x' is not a valid target group ARN",
    `ValidationError: '${ARNS.target}' is not a valid load balancer ARN`,
    "ValidationError: 'arn:aws:s3:::store' is not a valid load balancer ARN",
  ]);
});

test('a listener has one default certificate, and others that are listed by themselves', async () => {
  const more = 'arn:aws:acm:eu-central-1:123456789012:certificate/2';
  const listener = cloud.elbModel.listener(ARNS.listener);
  listener.certificateArns = [...listener.certificateArns, more];
  const [first = ''] = listener.certificateArns;
  const { Listeners } = await cloud.elb.send(new DescribeListenersCommand({ ListenerArns: [ARNS.listener] }));
  expect(Listeners?.[0]?.Certificates).toEqual([{ CertificateArn: first }]);
  const ask = new DescribeListenerCertificatesCommand({ ListenerArn: ARNS.listener });
  expect((await cloud.elb.send(ask)).Certificates).toEqual([
    { CertificateArn: first, IsDefault: true },
    { CertificateArn: more, IsDefault: false },
  ]);
  listener.certificateArns = [first];
});

test('a listener shows the port in use and the action of its default rule', async () => {
  const { Listeners } = await cloud.elb.send(new DescribeListenersCommand({ LoadBalancerArn: ARNS.balancer }));
  expect(Listeners).toMatchObject([
    {
      ListenerArn: ARNS.listener,
      Port: 8443,
      Protocol: 'HTTPS',
      DefaultActions: [
        { Type: 'fixed-response', FixedResponseConfig: { StatusCode: '503', ContentType: 'text/plain' } },
      ],
    },
    // One group: the service names it beside the configuration.
    { ListenerArn: ARNS.smokeListener, DefaultActions: [{ Type: 'forward', TargetGroupArn: ARNS.target }] },
  ]);
});

test('rules come in the order of evaluation, the default one last and without conditions', async () => {
  const { Rules } = await cloud.elb.send(new DescribeRulesCommand({ ListenerArn: ARNS.listener }));
  expect(Rules).toEqual([
    {
      RuleArn: ARNS.rule,
      Priority: '10',
      Conditions: [{ Field: 'path-pattern', Values: ['/*'], PathPatternConfig: { Values: ['/*'] } }],
      Actions: [
        {
          Type: 'forward',
          ForwardConfig: {
            TargetGroups: [
              { TargetGroupArn: ARNS.source, Weight: 100 },
              { TargetGroupArn: ARNS.target, Weight: 0 },
            ],
            TargetGroupStickinessConfig: { Enabled: false },
          },
        },
      ],
      IsDefault: false,
    },
    expect.objectContaining({ RuleArn: ARNS.defaultRule, Priority: 'default', Conditions: [], IsDefault: true }),
  ]);
});

test('target groups can be asked for by their load balancer', async () => {
  const { TargetGroups } = await cloud.elb.send(new DescribeTargetGroupsCommand({ LoadBalancerArn: ARNS.balancer }));
  expect(TargetGroups?.map((group) => group.TargetGroupName)).toEqual(['source', 'target']);
  expect(TargetGroups?.[0]).toMatchObject({
    Port: 8443,
    TargetType: 'ip',
    HealthCheckPath: '/.drainshift/health',
    HealthCheckIntervalSeconds: 5,
    Matcher: { HttpCode: '200' },
    LoadBalancerArns: [ARNS.balancer],
  });
});

test('a page is as long as asked, and its marker leads to the next', async () => {
  const first = await cloud.elb.send(new DescribeTargetGroupsCommand({ PageSize: 1 }));
  const second = await cloud.elb.send(new DescribeTargetGroupsCommand({ PageSize: 1, Marker: first.NextMarker }));
  expect(first.TargetGroups?.map((group) => group.TargetGroupName)).toEqual(['source']);
  expect(second.TargetGroups?.map((group) => group.TargetGroupName)).toEqual(['target']);
  expect(second.NextMarker).toBeUndefined();
  expect(await nameOfFailure(cloud.elb.send(new DescribeTargetGroupsCommand({ Marker: 'nonsense' })))).toBe(
    'ValidationError',
  );
});

test('target health gives state and reason, and says what is not registered', async () => {
  const all = await cloud.elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: ARNS.source }));
  expect(all.TargetHealthDescriptions).toEqual([
    { Target: { Id: '127.0.1.1', Port: 8443 }, HealthCheckPort: '8443', TargetHealth: { State: 'healthy' } },
    {
      Target: { Id: '127.0.1.2', Port: 8443 },
      HealthCheckPort: '8443',
      TargetHealth: { State: 'unhealthy', Reason: 'Target.Timeout', Description: 'Request timed out' },
    },
  ]);
  const asked = { TargetGroupArn: ARNS.source, Targets: [{ Id: '127.0.9.9', Port: 1 }] };
  const one = await cloud.elb.send(new DescribeTargetHealthCommand(asked));
  expect(one.TargetHealthDescriptions?.[0]?.TargetHealth).toMatchObject({
    State: 'unused',
    Reason: 'Target.NotRegistered',
  });
});

test('attributes are those that were set and the defaults of the others', async () => {
  const balancer = await cloud.elb.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerArn: ARNS.balancer }));
  expect(balancer.Attributes).toContainEqual({ Key: 'idle_timeout.timeout_seconds', Value: '120' });
  expect(balancer.Attributes).toContainEqual({ Key: 'client_keep_alive.seconds', Value: '3600' });
  const group = await cloud.elb.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn: ARNS.source }));
  expect(group.Attributes).toContainEqual({ Key: 'deregistration_delay.timeout_seconds', Value: '60' });
  expect(group.Attributes).toContainEqual({ Key: 'stickiness.enabled', Value: 'false' });
});

test('tags survive what XML has to escape', async () => {
  const { TagDescriptions } = await cloud.elb.send(
    new DescribeTagsCommand({ ResourceArns: [ARNS.balancer, ARNS.rule] }),
  );
  expect(TagDescriptions).toEqual([
    { ResourceArn: ARNS.balancer, Tags: [{ Key: 'team', Value: 'web & shop' }] },
    { ResourceArn: ARNS.rule, Tags: [] },
  ]);
});
