import type { TrackingPolicy } from '../../../rehearsal/tasks/target-tracking';
import { ARNS, LocalCloud, T0, startLocalCloud } from './world';

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud();
});
afterEach(() => cloud.stop());

async function call(operation: string, input: object): Promise<Record<string, object[]>> {
  const response = await fetch(cloud.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AnyScaleFrontendService.${operation}`,
      authorization: 'AWS4-HMAC-SHA256 Credential=OPERATOR/20260101/eu-central-1/application-autoscaling/aws4_request',
    },
    body: JSON.stringify(input),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, object[]>;
}

test('policies and activities are described, of one service or by name; a new registration keeps them', async () => {
  const configuration = { TargetValue: 50 };
  const policy: TrackingPolicy = {
    ...{ name: 'Cpu', arn: 'policy', metric: { kind: 'cpu' } as const, target: 50, disableScaleIn: false },
    ...{ scaleOutCooldownSeconds: 60, scaleInCooldownSeconds: 300, createdAt: T0, configuration },
  };
  const activities = [{ at: T0, from: 2, to: 5, cause: 'monitor alarm' }];
  const source = cloud.ecsModel.services.get(ARNS.sourceService)!;
  source.scaling = { min: 2, max: 9, suspended: {}, policies: [policy, { ...policy, name: 'Requests' }], activities };
  const id = {
    ServiceNamespace: 'ecs',
    ResourceId: 'service/web/source',
    ScalableDimension: 'ecs:service:DesiredCount',
  };
  await call('RegisterScalableTarget', { ...id, MaxCapacity: 8 });
  expect(await call('DescribeScalingPolicies', { ServiceNamespace: 'ecs', PolicyNames: ['Cpu'] })).toMatchObject({
    ScalingPolicies: [
      { ...id, PolicyName: 'Cpu', PolicyARN: 'policy', TargetTrackingScalingPolicyConfiguration: configuration },
    ],
  });
  expect(await call('DescribeScalingActivities', id)).toMatchObject({
    ScalingActivities: [{ ...id, Description: 'Setting desired count to 5.', Cause: 'monitor alarm' }],
  });
  const other = { ...id, ResourceId: 'service/web/target' };
  expect(await call('DescribeScalingPolicies', other)).toEqual({ ScalingPolicies: [] });
});

const ID = {
  ServiceNamespace: 'ecs',
  ResourceId: 'service/web/source',
  ScalableDimension: 'ecs:service:DesiredCount',
};
const byMetric = (specification: object) => ({
  PolicyType: 'TargetTrackingScaling',
  TargetTrackingScalingPolicyConfiguration: { TargetValue: 12.5, ScaleInCooldown: 0, ...specification },
});
const predefined = (PredefinedMetricType: string, more = {}) =>
  byMetric({ PredefinedMetricSpecification: { PredefinedMetricType, ...more } });

test('a policy that is put is tracked, one of its name is replaced, and one that is deleted is gone', async () => {
  const source = cloud.ecsModel.services.get(ARNS.sourceService)!;
  await expect(
    call('PutScalingPolicy', { ...ID, PolicyName: 'Early', ...predefined('ECSServiceAverageCPUUtilization') }),
  ).rejects.toThrow(/No scalable target registered/);
  await call('RegisterScalableTarget', { ...ID, MinCapacity: 1, MaxCapacity: 4 });
  const label = { ResourceLabel: 'app/web/1/targetgroup/web/2' };
  for (const [name, policy, metric] of [
    ['Cpu', predefined('ECSServiceAverageCPUUtilization'), { kind: 'cpu' }],
    ['Memory', predefined('ECSServiceAverageMemoryUtilization'), { kind: 'memory' }],
    ['Requests', predefined('ALBRequestCountPerTarget', label), { kind: 'requests', targetGroup: 'targetgroup/web/2' }],
    ['Live', byMetric({ CustomizedMetricSpecification: { MetricName: 'LiveConnections' } }), { kind: 'connections' }],
  ] as const) {
    const { PolicyARN } = await call('PutScalingPolicy', { ...ID, PolicyName: name, ...policy });
    expect((await call('PutScalingPolicy', { ...ID, PolicyName: name, ...policy })).PolicyARN).toBe(PolicyARN);
    expect(source.scaling?.policies?.at(-1)).toMatchObject({
      ...{ name, metric, target: 12.5, scaleInCooldownSeconds: 0, scaleOutCooldownSeconds: 300 },
    });
  }
  expect(source.scaling?.policies).toHaveLength(4);
  await call('DeleteScalingPolicy', { ...ID, PolicyName: 'Memory' });
  const { ScalingPolicies = [] } = await call('DescribeScalingPolicies', { ServiceNamespace: 'ecs' });
  expect(ScalingPolicies.map((each) => (each as { PolicyName: string }).PolicyName)).toEqual([
    'Cpu',
    'Requests',
    'Live',
  ]);
  await expect(call('DeleteScalingPolicy', { ...ID, PolicyName: 'Memory' })).rejects.toThrow(/No scaling policy found/);
});

test('what is not evaluated here is rejected by its name', async () => {
  await call('RegisterScalableTarget', { ...ID, MinCapacity: 1, MaxCapacity: 4 });
  const put = (policy: object) => call('PutScalingPolicy', { ...ID, PolicyName: 'P', ...policy });
  await expect(put({ PolicyType: 'StepScaling' })).rejects.toThrow(
    /'PolicyType' must be TargetTrackingScaling to be rehearsed, got .?.?StepScaling/,
  );
  await expect(put(byMetric({ CustomizedMetricSpecification: { MetricName: 'Queue' } }))).rejects.toThrow(
    /metric' must be one that is measured here, got .?.?Queue/,
  );
  await expect(call('PutScheduledAction', ID)).rejects.toThrow(
    /must be of a scaling policy to be rehearsed, got a schedule/,
  );
});
