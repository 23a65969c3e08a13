import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import { servicesPort } from '../../../lambda/adapters/services';
import { ARNS, REGION, LocalCloud, startLocalCloud } from '../../rehearsal/aws/world';
import { awsCliTest, callEndpoint } from './world';

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud();
  callEndpoint(cloud.url);
});
afterEach(() => cloud.stop());

const services = () =>
  servicesPort({ clusterArn: ARNS.cluster, serviceNames: { source: 'source', target: 'target' } } as CutoverConfig);
const source = () => cloud.ecsModel.services.get(ARNS.sourceService)!;

test('reads what is suspended, sets it, and leaves the capacities alone', async () => {
  source().scaling = { min: 2, max: 9, suspended: { scheduled: true } };
  const port = services();
  const before = await port.scaling('source');
  expect(before).toEqual({ scaleIn: false, scaleOut: false, scheduled: true });
  expect(await port.scaling('target')).toBeUndefined();
  await port.suspend('source', { scaleIn: true, scaleOut: true, scheduled: true });
  expect(source().scaling).toEqual({ min: 2, max: 9, suspended: { scaleIn: true, scaleOut: true, scheduled: true } });
  await port.suspend('source', before!);
  expect(await port.scaling('source')).toEqual(before);
});

test('a call that is rejected is not repeated, and says why', async () => {
  await expect(services().suspend('target', { scaleIn: true, scaleOut: true, scheduled: true })).rejects.toThrow(
    /Application Auto Scaling must respond to RegisterScalableTarget, got 400 .*Minimum capacity and maximum capacity/,
  );
});

test('one that meets a failure is repeated', async () => {
  source().scaling = { min: 1, max: 2, suspended: {} };
  cloud.endpoint.faults.set({ action: 'DescribeScalableTargets' }, { kind: 'throttle' }, { times: 2 });
  expect(await services().scaling('source')).toMatchObject({ scaleIn: false });
});

test('a deployment in progress is named', async () => {
  const port = services();
  expect(await port.deployment('source')).toBeUndefined();
  cloud.ecsModel.forceNewDeployment(ARNS.sourceService);
  expect(await port.deployment('source')).toBe('2 deployments');
});

awsCliTest('the AWS CLI sees and sets the same', async () => {
  source().scaling = { min: 1, max: 4, suspended: {} };
  const env = { ...process.env, AWS_DEFAULT_REGION: REGION, AWS_PAGER: '' };
  const aws = async (...args: string[]) =>
    (await promisify(execFile)('aws', ['application-autoscaling', ...args, '--output', 'json'], { env })).stdout;
  const named = ['--service-namespace', 'ecs', '--scalable-dimension', 'ecs:service:DesiredCount'];
  const state = 'DynamicScalingInSuspended=true,DynamicScalingOutSuspended=false,ScheduledScalingSuspended=false';
  await aws('register-scalable-target', ...named, '--resource-id', 'service/web/source', '--suspended-state', state);
  expect(await services().scaling('source')).toEqual({ scaleIn: true, scaleOut: false, scheduled: false });
  const seen = JSON.parse(await aws('describe-scalable-targets', ...named)) as { ScalableTargets: object[] };
  expect(seen.ScalableTargets).toMatchObject([
    {
      ResourceId: 'service/web/source',
      MinCapacity: 1,
      MaxCapacity: 4,
      SuspendedState: { DynamicScalingInSuspended: true },
    },
  ]);
});
