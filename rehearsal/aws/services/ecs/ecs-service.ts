import { Cluster, EcsModel } from '../../../tasks/model';
import { AwsError } from '../../../errors/aws-error';
import { Operation, Place, AwsObject } from '../../operations/operation';
import { page } from '../../operations/paging';
import { Parameters } from '../../operations/parameters';
import { RpcService } from '../../protocols/rpc';
import { EcsLookup } from './lookup';
import { formatName, writeCluster, writeService, writeTask, writeTaskDefinition } from './shapes';

const MAX_DESIRED = 10_000;
/** What UpdateService takes. */
const CHANGEABLE: readonly string[] = ['cluster', 'service', 'desiredCount', 'forceNewDeployment'];

/** Amazon ECS. */
export function ecsService(model: EcsModel, place: Place): RpcService {
  return {
    prefix: 'ecs',
    target: 'AmazonEC2ContainerServiceV20141113',
    version: '1.1',
    invalidCode: 'InvalidParameterException',
    operations: new Map([
      ...clusterOperations(model, place),
      ...serviceOperations(model, place),
      ...taskOperations(model, place),
    ]),
  };
}

function clusterOperations(model: EcsModel, place: Place): ReadonlyMap<string, Operation> {
  const lookup = new EcsLookup(model, place);
  const asked = (input: Parameters) => (input.has('clusters') ? input.texts('clusters') : ['default']);

  const listClusters = (input: Parameters): AwsObject => {
    const arns = [...model.clusters.values()].map(({ arn }) => arn);
    return paged(input, 'clusterArns', arns, { fallback: 100, max: 100 });
  };
  const describeClusters = (input: Parameters): AwsObject =>
    describe(asked(input), {
      member: 'clusters',
      find: (name) => lookup.findCluster(name),
      write: (cluster) => writeCluster(model, cluster),
      buildArn: (name) => lookup.clusterArn(new Parameters({ cluster: name }, input.invalidCode)),
    });
  const clusterArns = (input: Parameters) =>
    asked(input).map((name) => lookup.clusterArn(new Parameters({ cluster: name }, input.invalidCode)));
  return new Map<string, Operation>([
    ['ListClusters', { run: listClusters }],
    ['DescribeClusters', { resources: clusterArns, run: describeClusters }],
  ]);
}

function serviceOperations(model: EcsModel, place: Place): ReadonlyMap<string, Operation> {
  const lookup = new EcsLookup(model, place);
  const context = (input: Parameters) => ({ 'ecs:cluster': lookup.clusterArn(input) });

  const listServices = (input: Parameters): AwsObject => {
    const cluster = lookup.cluster(input);
    const services = [...model.services.values()].filter(({ clusterArn }) => clusterArn === cluster.arn);
    return paged(
      input,
      'serviceArns',
      services.map(({ arn }) => arn),
      { fallback: 10, max: 100 },
    );
  };

  const describeServices = (input: Parameters): AwsObject => {
    const cluster = lookup.cluster(input);
    return describe(some(input, 'services', 10), {
      member: 'services',
      find: (name) => lookup.findService(cluster, name),
      write: (service) => writeService(model, service),
      buildArn: (name) => lookup.serviceArn(input, name),
    });
  };

  const updateService = (input: Parameters): AwsObject => {
    const service = lookup.service(lookup.cluster(input), input.text('service'));
    const other = input.names.find((name) => !CHANGEABLE.includes(name));
    if (other !== undefined) {
      throw input.reject(other, 'absent: the rehearsal changes desiredCount, and forces new deployments', other);
    }
    const isForced = input.optionalBoolean('forceNewDeployment') ?? false;
    const count = input.optionalInteger('desiredCount', { min: 0, max: MAX_DESIRED });
    if (count !== undefined) model.setDesiredCount(service.arn, count);
    if (isForced) model.forceNewDeployment(service.arn);
    return { service: writeService(model, service) };
  };

  const findServices = (input: Parameters) => input.texts('services').map((name) => lookup.serviceArn(input, name));
  const findService = (input: Parameters) => [lookup.serviceArn(input, input.text('service'))];
  return new Map<string, Operation>([
    ['ListServices', { context, run: listServices }],
    ['DescribeServices', { resources: findServices, context, run: describeServices }],
    ['UpdateService', { resources: findService, context, run: updateService }],
  ]);
}

function taskOperations(model: EcsModel, place: Place): ReadonlyMap<string, Operation> {
  const lookup = new EcsLookup(model, place);
  const context = (input: Parameters) => ({ 'ecs:cluster': lookup.clusterArn(input) });

  const listTasks = (input: Parameters): AwsObject => {
    const arns = tasksAskedFor(lookup, lookup.cluster(input), input);
    return paged(input, 'taskArns', arns, { fallback: 100, max: 100 });
  };

  const describeTasks = (input: Parameters): AwsObject => {
    const cluster = lookup.cluster(input);
    return describe(some(input, 'tasks', 100), {
      member: 'tasks',
      find: (id) => lookup.findTask(cluster, id),
      write: (task) => writeTask(model, task),
      buildArn: (id) => lookup.taskArn(input, id),
    });
  };

  const stopTask = (input: Parameters): AwsObject => {
    const task = lookup.findTask(lookup.cluster(input), input.text('task'));
    if (!task) throw new AwsError(input.invalidCode, 'The referenced task was not found.');
    model.stopTask(task.arn, input.optionalText('reason') ?? 'Task stopped by user');
    return { task: writeTask(model, task) };
  };

  // ListTasks is allowed or denied by the container instances of the cluster, on Fargate too.
  const listInstances = (input: Parameters) => [
    `arn:aws:ecs:${place.region}:${place.account}:container-instance/${formatName(lookup.clusterArn(input))}/*`,
  ];
  const findTasks = (input: Parameters) => input.texts('tasks').map((id) => lookup.taskArn(input, id));
  const findTask = (input: Parameters) => [lookup.taskArn(input, input.text('task'))];
  return new Map<string, Operation>([
    ['ListTasks', { resources: listInstances, context, run: listTasks }],
    ['DescribeTasks', { resources: findTasks, context, run: describeTasks }],
    ['StopTask', { resources: findTask, context, run: stopTask }],
    ['DescribeTaskDefinition', { run: (input) => describeTaskDefinition(model, input) }],
  ]);
}

/** Stopped tasks are listed only when they are asked for. */
function tasksAskedFor(lookup: EcsLookup, cluster: Cluster, input: Parameters): string[] {
  const serviceName = input.optionalText('serviceName');
  const service = serviceName === undefined ? undefined : lookup.service(cluster, serviceName);
  const desired = input.optionalText('desiredStatus') ?? 'RUNNING';
  if (!['RUNNING', 'PENDING', 'STOPPED'].includes(desired)) {
    throw input.reject('desiredStatus', 'RUNNING, PENDING or STOPPED', desired);
  }
  const family = input.optionalText('family');
  return lookup
    .findTasks(cluster)
    .filter((task) => task.desiredStatus === desired)
    .filter((task) => service === undefined || task.serviceArn === service.arn)
    .filter((task) => family === undefined || formatName(task.taskDefinitionArn).startsWith(`${family}:`))
    .map((task) => task.arn);
}

/** By ARN, `family:revision` or `family`. */
function describeTaskDefinition(model: EcsModel, input: Parameters): AwsObject {
  const asked = input.text('taskDefinition');
  const users = [...model.services.values(), ...model.tasks.values()];
  const isAsked = (arn: string) =>
    arn === asked || formatName(arn) === asked || formatName(arn).startsWith(`${asked}:`);
  const arn = users.map(({ taskDefinitionArn }) => taskDefinitionArn).find(isAsked);
  if (arn === undefined) throw new AwsError('ClientException', 'Unable to describe task definition.');
  const definitions = [...model.services.values()].map(({ taskDefinition }) => taskDefinition);
  return writeTaskDefinition(
    arn,
    definitions.find((definition) => definition?.arn === arn),
  );
}

interface Described<T> {
  readonly member: string;
  readonly find: (name: string) => T | undefined;
  readonly write: (item: T) => AwsObject;
  readonly buildArn: (name: string) => string;
}

/** What is unknown is a failure in the response, not of the call. */
function describe<T>(names: readonly string[], { member, find, write, buildArn }: Described<T>): AwsObject {
  const results = names.map((name) => ({ name, item: find(name) }));
  return {
    [member]: results.flatMap(({ item }) => (item === undefined ? [] : [write(item)])),
    failures: results.flatMap(({ name, item }) =>
      item === undefined ? [{ arn: buildArn(name), reason: 'MISSING' }] : [],
    ),
  };
}

function some(input: Parameters, name: string, max: number): string[] {
  const names = input.texts(name);
  if (names.length === 0 || names.length > max) {
    throw input.reject(name, `a list of 1 to ${max} elements`, names.length);
  }
  return names;
}

function paged(input: Parameters, member: string, arns: string[], size: { fallback: number; max: number }): AwsObject {
  const token = input.optionalText('nextToken');
  const limit = input.optionalInteger('maxResults', { min: 1, max: size.max }) ?? size.fallback;
  const { items, next } = page(arns, { size: limit, token }, () =>
    input.reject('nextToken', 'the nextToken of an earlier page', token),
  );
  return { [member]: items, nextToken: next };
}
