import {
  DescribeClustersCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ListClustersCommand,
  ListServicesCommand,
  ListTasksCommand,
  StopTaskCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { ARNS, T0, LocalCloud, nameOfFailure, startLocalCloud, taskArn } from './world';

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud();
});
afterEach(() => cloud.stop());

test('clusters and services are listed and described by name or ARN; what is missing is a failure in the response', async () => {
  expect((await cloud.ecs.send(new ListClustersCommand({}))).clusterArns).toEqual([ARNS.cluster]);
  const clusters = await cloud.ecs.send(new DescribeClustersCommand({ clusters: ['web', 'other'] }));
  expect(clusters.clusters).toMatchObject([{ clusterName: 'web', runningTasksCount: 4, activeServicesCount: 2 }]);
  expect(clusters.failures).toMatchObject([{ reason: 'MISSING' }]);
  const { serviceArns } = await cloud.ecs.send(new ListServicesCommand({ cluster: ARNS.cluster }));
  expect(serviceArns).toEqual([ARNS.sourceService, ARNS.targetService]);
  const services = await cloud.ecs.send(
    new DescribeServicesCommand({ cluster: 'web', services: ['source', ARNS.targetService, 'other'] }),
  );
  expect(services.services).toMatchObject([
    { serviceName: 'source', desiredCount: 2, runningCount: 2, pendingCount: 0, createdAt: T0 },
    {
      serviceName: 'target',
      deployments: [{ status: 'PRIMARY', rolloutState: 'COMPLETED' }],
      // What ECS takes where a template says nothing.
      deploymentConfiguration: { minimumHealthyPercent: 100, maximumPercent: 200 },
      healthCheckGracePeriodSeconds: 0,
    },
  ]);
  expect(services.failures).toEqual([{ arn: ARNS.sourceService.replace(/source$/, 'other'), reason: 'MISSING' }]);
});

test('the tasks of a service lead to their addresses', async () => {
  const { taskArns } = await cloud.ecs.send(new ListTasksCommand({ cluster: 'web', serviceName: 'target' }));
  expect(taskArns).toEqual([taskArn(3), taskArn(4)]);
  const { tasks, failures } = await cloud.ecs.send(
    new DescribeTasksCommand({ cluster: 'web', tasks: [...(taskArns ?? []), 'gone'] }),
  );
  expect(tasks?.map((task) => task.containers?.[0]?.networkInterfaces?.[0]?.privateIpv4Address)).toEqual([
    '127.0.1.3',
    '127.0.1.4',
  ]);
  expect(tasks?.[0]?.attachments?.[0]?.details).toContainEqual({ name: 'privateIPv4Address', value: '127.0.1.3' });
  expect(tasks?.[0]).toMatchObject({
    lastStatus: 'RUNNING',
    desiredStatus: 'RUNNING',
    group: 'service:target',
    startedAt: T0,
  });
  expect(failures).toEqual([{ arn: taskArn(0).replace(/0{32}$/, 'gone'), reason: 'MISSING' }]);
});

test('tasks come in pages', async () => {
  const first = await cloud.ecs.send(new ListTasksCommand({ cluster: 'web', maxResults: 3 }));
  const rest = await cloud.ecs.send(
    new ListTasksCommand({ cluster: 'web', maxResults: 3, nextToken: first.nextToken }),
  );
  expect([...(first.taskArns ?? []), ...(rest.taskArns ?? [])]).toEqual([1, 2, 3, 4].map(taskArn));
  expect(rest.nextToken).toBeUndefined();
});

test('a stopped task leaves the list and shows why it stopped', async () => {
  const id = taskArn(1).slice(-32);
  await cloud.ecs.send(new StopTaskCommand({ cluster: 'web', task: id, reason: 'fault' }));
  expect((await cloud.ecs.send(new ListTasksCommand({ cluster: 'web', serviceName: 'source' }))).taskArns).toEqual([
    taskArn(2),
  ]);
  const stopped = await cloud.ecs.send(new ListTasksCommand({ cluster: 'web', desiredStatus: 'STOPPED' }));
  expect(stopped.taskArns).toEqual([taskArn(1)]);
  const { tasks } = await cloud.ecs.send(new DescribeTasksCommand({ cluster: 'web', tasks: [id] }));
  expect(tasks).toMatchObject([{ lastStatus: 'STOPPED', stoppedReason: 'fault', containers: [{ exitCode: 143 }] }]);
});

test('a task on its way out is listed as one that is to stop, and still has its address', async () => {
  for (const [status, index] of [
    ['DEACTIVATING', 1],
    ['STOPPING', 2],
  ] as const) {
    Object.assign(cloud.ecsModel.tasks.get(taskArn(index)) ?? {}, { status, desiredStatus: 'STOPPED' });
  }
  const list = (desiredStatus: 'RUNNING' | 'STOPPED') =>
    cloud.ecs.send(new ListTasksCommand({ cluster: 'web', serviceName: 'source', desiredStatus }));
  expect((await list('RUNNING')).taskArns).toEqual([]);
  const { taskArns } = await list('STOPPED');
  expect(taskArns).toEqual([taskArn(1), taskArn(2)]);
  const { tasks } = await cloud.ecs.send(new DescribeTasksCommand({ cluster: 'web', tasks: taskArns }));
  expect(tasks).toMatchObject([{ lastStatus: 'DEACTIVATING' }, { lastStatus: 'STOPPING' }]);
  expect(tasks?.[0]?.attachments?.[0]?.details).toContainEqual({ name: 'privateIPv4Address', value: '127.0.1.1' });
});

test('UpdateService scales, also to 0, and rejects what is not rehearsed', async () => {
  const { service } = await cloud.ecs.send(
    new UpdateServiceCommand({ cluster: 'web', service: 'source', desiredCount: 0 }),
  );
  expect(service).toMatchObject({ desiredCount: 0, deployments: [{ rolloutState: 'IN_PROGRESS' }] });
  const other = cloud.ecs.send(
    new UpdateServiceCommand({ cluster: 'web', service: 'source', taskDefinition: 'proxy:4' }),
  );
  expect(await nameOfFailure(other)).toBe('InvalidParameterException');
});

test('a forced deployment is the primary one, beside the one whose tasks still run', async () => {
  const force = new UpdateServiceCommand({ cluster: 'web', service: 'source', forceNewDeployment: true });
  const { service } = await cloud.ecs.send(force);
  expect(service?.deployments).toMatchObject([
    { status: 'PRIMARY', desiredCount: 2, runningCount: 0, rolloutState: 'IN_PROGRESS' },
    { status: 'ACTIVE', runningCount: 2 },
  ]);
  expect(new Set(service?.deployments?.map(({ id }) => id)).size).toBe(2);
});

test('a task definition reports what its template says, by family, revision or ARN', async () => {
  for (const taskDefinition of ['proxy', 'proxy:3', ARNS.taskDefinition]) {
    const notified = await cloud.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
    expect(notified).toMatchObject({
      taskDefinition: {
        taskDefinitionArn: ARNS.taskDefinition,
        family: 'proxy',
        revision: 3,
        status: 'ACTIVE',
        cpu: '512',
        containerDefinitions: [{ name: 'proxy', environment: [{ name: 'SIDE', value: 'source' }] }],
      },
      tags: [{ key: 'team', value: 'web' }],
    });
  }
});

test('an ARN of something else, or of elsewhere, is no identifier here', async () => {
  const list = (cluster: string) => cloud.ecs.send(new ListTasksCommand({ cluster }));
  const service = (name: string) => cloud.ecs.send(new DescribeServicesCommand({ cluster: 'web', services: [name] }));
  const elsewhere = ARNS.cluster.replace('eu-central-1', 'eu-west-1');
  const [source, machine] = [ARNS.sourceService, ARNS.machine];
  for (const call of [() => list(source), () => list('arn:web'), () => list(elsewhere), () => service(machine)]) {
    await expect(call()).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringMatching(/^Invalid identifier: /) as string,
    });
  }
  expect(await nameOfFailure(list(`${ARNS.cluster}-2`))).toBe('ClusterNotFoundException');
});

test('an unknown cluster, service or task is an exception of its name', async () => {
  const calls = [
    cloud.ecs.send(new ListTasksCommand({})),
    cloud.ecs.send(new ListTasksCommand({ cluster: 'web', serviceName: 'other' })),
    cloud.ecs.send(new StopTaskCommand({ cluster: 'web', task: 'other' })),
    cloud.ecs.send(new DescribeTasksCommand({ cluster: 'web', tasks: [] })),
    cloud.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'other' })),
  ];
  expect(await Promise.all(calls.map(nameOfFailure))).toEqual([
    'ClusterNotFoundException',
    'ServiceNotFoundException',
    'InvalidParameterException',
    'InvalidParameterException',
    'ClientException',
  ]);
});
