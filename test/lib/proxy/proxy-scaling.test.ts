import { CfnParameter, Duration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { memoryState } from '../../../core/proxy/memory-budget';
import { DrainProfile } from '../../../lib/shared/drain-profile';
import { ProxyScaling } from '../../../lib/proxy/proxy-scaling';
import { StickyTargetGroup } from '../../../lib/load-balancer/sticky-target-group';
import { CONNECTION_BYTES, EXCHANGE_BYTES, TLS_BYTES } from '../../../proxy/data-plane/shared/memory-budget';
import { newStack, listResources } from '../fixture';
import { newProxies, findTemplate } from './proxy-fixture';

const POLICY = 'AWS::ApplicationAutoScaling::ScalingPolicy';

interface Tracking {
  readonly TargetValue: number;
  readonly ScaleInCooldown: unknown;
  readonly ScaleOutCooldown: unknown;
  readonly PredefinedMetricSpecification?: { readonly PredefinedMetricType: string };
  readonly CustomizedMetricSpecification?: Record<string, unknown>;
}

/** The policies by what they track. */
function findPolicies(template: Template): Record<string, Tracking> {
  const all = Object.values(listResources(template, POLICY)).map(
    ({ Properties }) => Properties.TargetTrackingScalingPolicyConfiguration as Tracking,
  );
  const formatName = (policy: Tracking) =>
    policy.PredefinedMetricSpecification?.PredefinedMetricType ??
    (policy.CustomizedMetricSpecification?.MetricName as string);
  return Object.fromEntries(all.map((policy) => [formatName(policy), policy]));
}

describe('default', () => {
  const template = findTemplate();
  const policies = findPolicies(template);

  test('follows CPU, requests and live connections', () => {
    expect(Object.fromEntries(Object.entries(policies).map(([name, { TargetValue }]) => [name, TargetValue]))).toEqual({
      ECSServiceAverageCPUUtilization: 50,
      ALBRequestCountPerTarget: 60_000,
      LiveConnections: 2_500,
    });
  });

  test('tracks the metric that these proxies write', () => {
    expect(policies.LiveConnections?.CustomizedMetricSpecification).toEqual({
      Namespace: 'Drainshift',
      MetricName: 'LiveConnections',
      Dimensions: [{ Name: 'Service', Value: expect.stringMatching(/Proxies/) as string }],
      Statistic: 'Average',
    });
  });

  test('takes proxies away no faster than they drain, and adds them quickly', () => {
    for (const policy of Object.values(policies)) {
      expect(policy).toMatchObject({ ScaleInCooldown: 300, ScaleOutCooldown: 60 });
    }
  });

  test('leaves the number of tasks to the autoscaling', () => {
    template.hasResourceProperties('AWS::ECS::Service', { DesiredCount: Match.absent() });
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 2, MaxCapacity: 10 });
  });
});

test('custom: its own figures, and only those that are asked for', () => {
  const template = findTemplate({
    minTasks: 1,
    maxTasks: 3,
    scaling: {
      cpuPercent: 40,
      requestsPerTarget: 0,
      connectionsPerTask: 900,
      scaleInCooldown: Duration.minutes(20),
      scaleOutCooldown: Duration.seconds(30),
    },
  });
  expect(findPolicies(template)).toEqual({
    ECSServiceAverageCPUUtilization: expect.objectContaining({ TargetValue: 40, ScaleInCooldown: 1200 }) as Tracking,
    LiveConnections: expect.objectContaining({ TargetValue: 900, ScaleOutCooldown: 30 }) as Tracking,
  });
  template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 1, MaxCapacity: 3 });
});

test('custom: a larger proxy is given more', () => {
  const { ALBRequestCountPerTarget: requests, LiveConnections: connections } = findPolicies(
    findTemplate({ cpu: 8192, memoryLimitMiB: 16384 }),
  );
  expect([requests?.TargetValue, connections?.TargetValue]).toEqual([480_000, 20_000]);
});

/** Of the memory for connections, which is half of the task's, by the estimate of the proxy: each with a request under way. */
function shareHeld(connections: number, memoryLimitMiB: number): number {
  return (connections * (CONNECTION_BYTES + TLS_BYTES + EXCHANGE_BYTES)) / (memoryLimitMiB * 2 ** 19);
}

test.each([
  [{}, [50, 60_000, 2_500], '512', '1024'],
  [{ cpu: 256 }, [50, 60_000, 1_250], '256', '512'],
  [{ cpu: 1024 }, [60, 60_000, 5_000], '1024', '2048'],
  [{ cpu: 1024, workers: 4 }, [60, 240_000, 5_000], '1024', '2048'],
  [{ memoryLimitMiB: 4096 }, [50, 60_000, 5_000], '512', '4096'],
  [{ cpu: 4096 }, [60, 240_000, 20_000], '4096', '8192'],
])(
  'the size of a proxy says what it is kept to, and one of two can take the connections of the other: %j',
  (size, figures, cpu, memory) => {
    const template = findTemplate(size);
    const { ECSServiceAverageCPUUtilization, ALBRequestCountPerTarget, LiveConnections } = findPolicies(template);
    const kept = [ECSServiceAverageCPUUtilization, ALBRequestCountPerTarget, LiveConnections];
    expect(kept.map((policy) => policy?.TargetValue)).toEqual(figures);
    template.hasResourceProperties('AWS::ECS::TaskDefinition', { Cpu: cpu, Memory: memory });
    expect(memoryState(2 * shareHeld(LiveConnections?.TargetValue ?? Infinity, Number(memory)), 1, 0)).toBe('free');
  },
);

test('custom: a drain has ended before the next proxy is taken away', () => {
  const drainProfile = DrainProfile.custom({ drain: Duration.minutes(20) });
  const cooldowns = Object.values(findPolicies(findTemplate({}, { drainProfile }))).map(
    (policy) => policy.ScaleInCooldown,
  );
  expect(cooldowns).toEqual([1230, 1230, 1230]);
});

const LONG = { drainProfile: DrainProfile.custom({ drain: Duration.minutes(20) }) };
test.each<[ProxyScaling, string]>([
  [{ cpuPercent: 95 }, "'scaling.cpuPercent' must be an integer from 10 to 90, got 95"],
  [{ requestsPerTarget: -1 }, "'scaling.requestsPerTarget' must be an integer from 0 to 1000000000, got -1"],
  [{ connectionsPerTask: 0.5 }, "'scaling.connectionsPerTask' must be an integer from 0 to 1000000, got 0.5"],
  [
    { scaleInCooldown: Duration.minutes(5) },
    "'scaling.scaleInCooldown' must be from 20 minutes 30 seconds to 1 day, got 5 minutes",
  ],
  [{ scaleOutCooldown: Duration.days(2) }, "'scaling.scaleOutCooldown' must be from 0 seconds to 1 day, got 2 days"],
])('refused %#', (scaling, message) => {
  expect(() => findTemplate({ scaling }, LONG)).toThrow(message);
});

test.each([
  [{ minTasks: 0 }, "'minTasks' must be an integer from 1 to 200, got 0"],
  [{ minTasks: 3, maxTasks: 2 }, "'maxTasks' must be at least minTasks, which is 3, got 2"],
  [{ maxTasks: 201 }, "'maxTasks' must be an integer from 1 to 200, got 201"],
])('refused: %j', (props, message) => {
  expect(() => findTemplate(props)).toThrow(message);
});

test.each([
  [{ minTasks: 0 }, 'maxTasks', "'minTasks' must be an integer from 1 to 200, got 0"],
  [{ maxTasks: 201 }, 'minTasks', "'maxTasks' must be an integer from 1 to 200, got 201"],
])('refused: %j, whatever %s will be', (props, later, message) => {
  const number = new CfnParameter(newStack(), 'Number', { type: 'Number' }).valueAsNumber;
  expect(() => findTemplate({ ...props, [later]: number })).toThrow(message);
});

test('rejected: a target group that no listener leads to', () => {
  const stack = newStack();
  const targetGroup = new StickyTargetGroup(stack, 'Lonely', { vpc: new Vpc(stack, 'OtherVpc') });
  expect(() => newProxies(stack, { targetGroup })).toThrow(
    "'targetGroup' must be on a listener before its proxies are made, got Test/Lonely",
  );
});

test('known only at deployment', () => {
  const stack = newStack();
  const number = new CfnParameter(stack, 'Number', { type: 'Number' }).valueAsNumber;
  const later = Duration.seconds(number);
  const scaling = { requestsPerTarget: number, scaleInCooldown: later, scaleOutCooldown: later };
  newProxies(stack, { minTasks: number, maxTasks: number, scaling });
  const ref = { Ref: 'Number' };
  expect(findPolicies(Template.fromStack(stack)).ALBRequestCountPerTarget).toMatchObject({
    TargetValue: ref,
    ScaleInCooldown: ref,
    ScaleOutCooldown: ref,
  });
});

test('workers that are known only at deployment count as one', () => {
  const stack = newStack();
  newProxies(stack, { workers: new CfnParameter(stack, 'Number', { type: 'Number' }).valueAsNumber });
  const { ALBRequestCountPerTarget: requests, LiveConnections: connections } = findPolicies(Template.fromStack(stack));
  expect([requests?.TargetValue, connections?.TargetValue]).toEqual([60_000, 2_500]);
});
