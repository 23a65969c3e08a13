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

const services = (source = 'source') =>
  servicesPort({ clusterArn: ARNS.cluster, serviceNames: { source, target: 'target' } } as CutoverConfig);

test('a count that is lower is raised', async () => {
  const { desiredCount } = cloud.ecsModel.services.get(ARNS.sourceService)!;
  await services().scaleOut('source', desiredCount + 2);
  expect(cloud.ecsModel.services.get(ARNS.sourceService)!.desiredCount).toBe(desiredCount + 2);
});

awsCliTest('the AWS CLI sees it', async () => {
  const { desiredCount } = cloud.ecsModel.services.get(ARNS.sourceService)!;
  await services().scaleOut('source', desiredCount + 2);
  const env = { ...process.env, AWS_DEFAULT_REGION: REGION, AWS_PAGER: '' };
  const args = ['ecs', 'describe-services', '--cluster', 'web', '--services', 'source', '--output', 'json'];
  const { stdout } = await promisify(execFile)('aws', args, { env });
  expect(JSON.parse(stdout)).toMatchObject({ services: [{ desiredCount: desiredCount + 2 }] });
});

test('one that is as high stays as it is', async () => {
  cloud.ecsModel.setDesiredCount(ARNS.sourceService, 5);
  await services().scaleOut('source', 3);
  await services().scaleOut('source', 5);
  expect(cloud.ecsModel.services.get(ARNS.sourceService)!.desiredCount).toBe(5);
});

test('a call that meets a failure is repeated, and a service that is not there is named', async () => {
  cloud.endpoint.faults.set({ action: 'UpdateService' }, { kind: 'throttle' }, { times: 1 });
  await services().scaleOut('source', 4);
  expect(cloud.ecsModel.services.get(ARNS.sourceService)!.desiredCount).toBe(4);
  await expect(services('gone').scaleOut('source', 4)).rejects.toThrow("ECS must have the service 'gone', got none");
});
