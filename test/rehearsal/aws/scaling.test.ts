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
