import { Cluster, EcsModel, EcsService, EcsTask, TaskDefinition } from '../../../tasks/model';
import { toNumber, buildUuid } from '../../identifiers';
import { AwsObject } from '../../operations/operation';

export function writeCluster(model: EcsModel, cluster: Cluster): AwsObject {
  const tasks = [...model.tasks.values()].filter((task) => task.clusterArn === cluster.arn);
  return {
    clusterArn: cluster.arn,
    clusterName: cluster.name,
    status: 'ACTIVE',
    registeredContainerInstancesCount: 0,
    runningTasksCount: tasks.filter(isRunning).length,
    pendingTasksCount: tasks.filter(isPending).length,
    activeServicesCount: [...model.services.values()].filter((service) => service.clusterArn === cluster.arn).length,
    statistics: [],
    tags: [],
    settings: [],
    capacityProviders: ['FARGATE'],
    defaultCapacityProviderStrategy: [],
  };
}

export function writeService(model: EcsModel, service: EcsService): AwsObject {
  const tasks = [...model.tasks.values()].filter((task) => task.serviceArn === service.arn);
  return {
    ...writeCounts(service, tasks),
    serviceArn: service.arn,
    serviceName: service.name,
    clusterArn: service.clusterArn,
    loadBalancers: service.loadBalancers.map((attached) => ({ ...attached })),
    serviceRegistries: [],
    platformVersion: 'LATEST',
    platformFamily: 'Linux',
    deployments: writeDeployments(service, tasks),
    events: [],
    placementConstraints: [],
    placementStrategy: [],
    schedulingStrategy: 'REPLICA',
    deploymentController: { type: 'ECS' },
    deploymentConfiguration: {
      minimumHealthyPercent: service.minimumHealthyPercent ?? 100,
      maximumPercent: service.maximumPercent ?? 200,
    },
    healthCheckGracePeriodSeconds: service.healthCheckGracePeriodSeconds ?? 0,
    enableECSManagedTags: false,
    enableExecuteCommand: false,
  };
}

function writeCounts(service: EcsService, tasks: readonly EcsTask[]) {
  return {
    status: 'ACTIVE',
    taskDefinition: service.taskDefinitionArn,
    desiredCount: service.desiredCount,
    runningCount: tasks.filter(isRunning).length,
    pendingCount: tasks.filter(isPending).length,
    launchType: service.launchType,
    createdAt: service.createdAt,
  };
}

/** The newest one, and each older one as long as it has tasks. */
function writeDeployments(service: EcsService, tasks: readonly EcsTask[]): AwsObject[] {
  const newest = service.deployment ?? 0;
  const ofNumber = (number: number) => tasks.filter(({ deployment = 0 }) => deployment === number);
  const older = new Set(tasks.filter(isLive).map(({ deployment = 0 }) => deployment));
  older.delete(newest);
  const numbers = [newest, ...[...older].sort((a, b) => b - a)];
  return numbers.map((number) => {
    const isPrimary = number === newest;
    const counts = writeCounts(service, ofNumber(number));
    const isSteady = counts.runningCount === counts.desiredCount && counts.pendingCount === 0 && older.size === 0;
    return {
      ...counts,
      // Nothing more is wanted of one that goes.
      desiredCount: isPrimary
        ? counts.desiredCount
        : ofNumber(number).filter((task) => task.desiredStatus === 'RUNNING').length,
      id: `ecs-svc/${toNumber(`${service.arn} ${number}`)}`,
      status: isPrimary ? 'PRIMARY' : 'ACTIVE',
      failedTasks: 0,
      updatedAt: service.createdAt,
      rolloutState: isPrimary && !isSteady ? 'IN_PROGRESS' : 'COMPLETED',
    };
  });
}

function isLive({ status }: EcsTask): boolean {
  return status === 'PROVISIONING' || status === 'RUNNING';
}

function isRunning(task: EcsTask): boolean {
  return task.status === 'RUNNING';
}

function isPending(task: EcsTask): boolean {
  return task.status === 'PROVISIONING';
}

export function writeTask(model: EcsModel, task: EcsTask): AwsObject {
  const service = model.services.get(task.serviceArn);
  const attachmentId = buildUuid(`attachment ${task.arn}`);
  return {
    taskArn: task.arn,
    clusterArn: task.clusterArn,
    taskDefinitionArn: task.taskDefinitionArn,
    group: `service:${service?.name ?? formatName(task.serviceArn)}`,
    lastStatus: task.status,
    desiredStatus: task.desiredStatus,
    healthStatus: 'UNKNOWN',
    launchType: 'FARGATE',
    platformVersion: '1.4.0',
    platformFamily: 'Linux',
    connectivity: 'CONNECTED',
    createdAt: task.createdAt,
    startedAt: task.startedAt,
    stoppedAt: task.stoppedAt,
    stoppedReason: task.stoppedReason,
    attachments: [writeNetworkInterface(task, attachmentId)],
    containers: [writeContainer(task, attachmentId)],
    attributes: [],
    overrides: { containerOverrides: [], inferenceAcceleratorOverrides: [] },
    tags: [],
    version: 1,
  };
}

/** What the template says of it; of one that is in no template, that there is one. */
export function writeTaskDefinition(arn: string, definition: TaskDefinition | undefined): AwsObject {
  const [family, revision = '1'] = formatName(arn).split(':');
  const content = {
    networkMode: 'awsvpc',
    compatibilities: ['EC2', 'FARGATE'],
    requiresCompatibilities: ['FARGATE'],
    volumes: [],
    placementConstraints: [],
    containerDefinitions: [],
    ...(definition?.content as AwsObject | undefined),
    taskDefinitionArn: arn,
    family,
    revision: Number(revision),
    status: 'ACTIVE',
  };
  return { taskDefinition: content, tags: (definition?.tags ?? []).map((tag) => ({ ...tag })) };
}

function writeNetworkInterface(task: EcsTask, id: string): AwsObject {
  return {
    id,
    type: 'ElasticNetworkInterface',
    status: task.status === 'STOPPED' ? 'DELETED' : 'ATTACHED',
    details: [
      { name: 'networkInterfaceId', value: `eni-${id.replaceAll('-', '').slice(0, 17)}` },
      { name: 'privateIPv4Address', value: task.ip },
    ],
  };
}

function writeContainer(task: EcsTask, attachmentId: string): AwsObject {
  return {
    containerArn: `${task.arn.replace(/:task\//, ':container/')}/${buildUuid(`container ${task.arn}`)}`,
    taskArn: task.arn,
    name: task.containerName,
    image: task.image,
    runtimeId: `${formatName(task.arn)}-${toNumber(task.arn)}`,
    lastStatus: containerStatus(task),
    exitCode: task.exitCode,
    reason: task.exitCode === undefined ? undefined : task.stoppedReason,
    networkBindings: [],
    networkInterfaces: [{ attachmentId, privateIpv4Address: task.ip }],
    healthStatus: 'UNKNOWN',
  };
}

/** A container knows three states only. */
function containerStatus(task: EcsTask): string {
  if (task.status === 'STOPPED') return 'STOPPED';
  return task.status === 'PROVISIONING' ? 'PENDING' : 'RUNNING';
}

/** The last step of an ARN. */
export function formatName(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}
