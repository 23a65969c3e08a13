import { AwsError } from '../../../errors/aws-error';
import type { EcsModel, EcsService, ServiceScaling } from '../../../tasks/model';
import {
  COOLDOWN_SECONDS,
  TrackedMetric,
  TrackingPolicy,
  findCustomizedMetric,
  findPredefinedMetric,
} from '../../../tasks/target-tracking';
import { buildUuid } from '../../identifiers';
import { AwsObject, Operation, Place } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';
import { RpcService } from '../../protocols/rpc';

const DIMENSION = 'ecs:service:DesiredCount';
const MAX_CAPACITY = 10_000;
const COOLDOWNS = { min: 0, max: 86_400 };
const STATES = {
  DynamicScalingInSuspended: 'scaleIn',
  DynamicScalingOutSuspended: 'scaleOut',
  ScheduledScalingSuspended: 'scheduled',
} as const;

/** Nothing is scaled by the clock here. */
const NOT_REHEARSED = ['PutScheduledAction', 'DeleteScheduledAction', 'DescribeScheduledActions'] as const;

/** Application Auto Scaling, of the desired count of ECS services: what is registered, suspended and scaled, and by which policies. */
export function scalingService(model: EcsModel, place: Place): RpcService {
  const operations = new Map<string, Operation>([
    ['DescribeScalableTargets', { run: (input) => describeTargets(model, place, input) }],
    ['DescribeScalingPolicies', { run: (input) => describePolicies(model, input) }],
    ['DescribeScalingActivities', { run: (input) => describeActivities(model, input) }],
    ['PutScalingPolicy', { run: (input) => putPolicy(model, place, input) }],
    ['DeleteScalingPolicy', { run: (input) => deletePolicy(model, input) }],
    ...NOT_REHEARSED.map((name) => [name, { run: () => rejectSchedule(name) }] as const),
    [
      'RegisterScalableTarget',
      {
        resources: () => [`arn:aws:application-autoscaling:${place.region}:${place.account}:scalable-target/*`],
        context: (input) => ({
          'application-autoscaling:service-namespace': input.optionalText('ServiceNamespace') ?? '',
          'application-autoscaling:scalable-dimension': input.optionalText('ScalableDimension') ?? '',
        }),
        run: (input) => register(model, place, input),
      },
    ],
  ]);
  const service = { prefix: 'application-autoscaling', target: 'AnyScaleFrontendService', version: '1.1' } as const;
  return { ...service, invalidCode: 'ValidationException', operations };
}

function describeTargets(model: EcsModel, place: Place, input: Parameters): AwsObject {
  readNamespace(input);
  const ids = input.texts('ResourceIds');
  const registered = [...model.services.values()].flatMap((service) => {
    const id = findResourceId(service);
    return service.scaling && (ids.length === 0 || ids.includes(id)) ? [{ id, service, scaling: service.scaling }] : [];
  });
  return {
    ScalableTargets: registered.map(({ id, service, scaling }) => ({
      ServiceNamespace: 'ecs',
      ResourceId: id,
      ScalableDimension: DIMENSION,
      MinCapacity: scaling.min,
      MaxCapacity: scaling.max,
      RoleARN: `arn:aws:iam::${place.account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService`,
      CreationTime: service.createdAt,
      SuspendedState: writeSuspended(scaling),
      ScalableTargetARN: writeArn(place, service),
    })),
  };
}

function describePolicies(model: EcsModel, input: Parameters): AwsObject {
  const names = input.texts('PolicyNames');
  const policies = listAsked(model, input).flatMap(({ id, scaling }) =>
    (scaling.policies ?? []).map((policy) => ({ id, policy })),
  );
  return {
    ScalingPolicies: policies
      .filter(({ policy }) => names.length === 0 || names.includes(policy.name))
      .map(({ id, policy }) => ({
        PolicyARN: policy.arn,
        PolicyName: policy.name,
        ServiceNamespace: 'ecs',
        ResourceId: id,
        ScalableDimension: DIMENSION,
        PolicyType: 'TargetTrackingScaling',
        TargetTrackingScalingPolicyConfiguration: policy.configuration as AwsObject,
        Alarms: [],
        CreationTime: policy.createdAt,
      })),
  };
}

/** One that is there is replaced, as at AWS. */
function putPolicy(model: EcsModel, place: Place, input: Parameters): AwsObject {
  const { scaling, service, id } = findRegistered(model, input);
  const name = input.text('PolicyName');
  const type = input.optionalText('PolicyType') ?? 'StepScaling';
  if (type !== 'TargetTrackingScaling') throw input.reject('PolicyType', 'TargetTrackingScaling to be rehearsed', type);
  const configuration = input.optionalObject('TargetTrackingScalingPolicyConfiguration');
  if (!configuration) throw input.reject('TargetTrackingScalingPolicyConfiguration', 'given', undefined);
  const metric = readMetric(configuration);
  if (metric.kind === 'unknown') throw configuration.reject('metric', 'one that is measured here', metric.name);
  const known = scaling.policies?.find((policy) => policy.name === name);
  const seconds = (key: string) => configuration.optionalInteger(key, COOLDOWNS) ?? COOLDOWN_SECONDS;
  const policy: TrackingPolicy = {
    name,
    arn:
      known?.arn ?? `arn:aws:autoscaling:${place.region}:${place.account}:scalingPolicy:${buildUuid(`${id} ${name}`)}`,
    metric,
    target: configuration.number('TargetValue'),
    disableScaleIn: configuration.optionalBoolean('DisableScaleIn') ?? false,
    scaleOutCooldownSeconds: seconds('ScaleOutCooldown'),
    scaleInCooldownSeconds: seconds('ScaleInCooldown'),
    createdAt: known?.createdAt ?? new Date(),
    configuration: configuration.given,
  };
  const others = (scaling.policies ?? []).filter((each) => each !== known);
  service.scaling = { ...scaling, policies: [...others, policy] };
  return { PolicyARN: policy.arn, Alarms: [] };
}

function readMetric(configuration: Parameters): TrackedMetric {
  const predefined = configuration.optionalObject('PredefinedMetricSpecification');
  if (predefined) {
    return findPredefinedMetric(predefined.text('PredefinedMetricType'), () => predefined.text('ResourceLabel'));
  }
  const customized = configuration.optionalObject('CustomizedMetricSpecification');
  return findCustomizedMetric(customized?.optionalText('MetricName') ?? '');
}

function deletePolicy(model: EcsModel, input: Parameters): AwsObject {
  const { scaling, service, id } = findRegistered(model, input);
  const name = input.text('PolicyName');
  const kept = (scaling.policies ?? []).filter((policy) => policy.name !== name);
  if (kept.length === (scaling.policies ?? []).length) {
    throw new AwsError(
      'ObjectNotFoundException',
      `No scaling policy found for service namespace: ecs, resource ID: ${id}, scalable dimension: ${DIMENSION}, policy name: ${name}`,
    );
  }
  service.scaling = { ...scaling, policies: kept };
  return {};
}

function findRegistered(model: EcsModel, input: Parameters) {
  readNamespace(input);
  const id = input.text('ResourceId');
  const service = [...model.services.values()].find((each) => findResourceId(each) === id);
  if (service?.scaling) return { id, service, scaling: service.scaling };
  throw new AwsError(
    'ObjectNotFoundException',
    `No scalable target registered for service namespace: ecs, resource ID: ${id}, scalable dimension: ${DIMENSION}`,
  );
}

function rejectSchedule(name: string): never {
  throw new AwsError('ValidationException', `'${name}' must be of a scaling policy to be rehearsed, got a schedule`);
}

/** Each is fulfilled as soon as ECS has its new desired count: the tasks come and go after it. */
function describeActivities(model: EcsModel, input: Parameters): AwsObject {
  const activities = listAsked(model, input).flatMap(({ id, scaling }) =>
    (scaling.activities ?? []).map((activity) => ({ id, activity })),
  );
  return {
    ScalingActivities: activities.map(({ id, activity: { at, to, cause } }) => ({
      ActivityId: buildUuid(`${id} ${at.getTime()}`),
      ServiceNamespace: 'ecs',
      ResourceId: id,
      ScalableDimension: DIMENSION,
      Description: `Setting desired count to ${to}.`,
      Cause: cause,
      StartTime: at,
      EndTime: at,
      StatusCode: 'Successful',
      StatusMessage: `Successfully set desired count to ${to}. Change successfully fulfilled by ecs.`,
    })),
  };
}

/** Of one resource, or of all. */
function listAsked(model: EcsModel, input: Parameters) {
  readNamespace(input);
  const asked = input.optionalText('ResourceId');
  return [...model.services.values()].flatMap((service) => {
    const id = findResourceId(service);
    return service.scaling && (asked === undefined || asked === id) ? [{ id, scaling: service.scaling }] : [];
  });
}

/** A first registration needs both capacities; a later one changes what it names. */
function register(model: EcsModel, place: Place, input: Parameters): AwsObject {
  readNamespace(input);
  const dimension = input.text('ScalableDimension');
  if (dimension !== DIMENSION) throw input.reject('ScalableDimension', DIMENSION, dimension);
  const id = input.text('ResourceId');
  const service = [...model.services.values()].find((each) => findResourceId(each) === id);
  if (!service) throw new AwsError('ValidationException', `ECS service doesn't exist: ${id}`);
  const bounds = { min: 0, max: MAX_CAPACITY };
  const min = input.optionalInteger('MinCapacity', bounds) ?? service.scaling?.min;
  const max = input.optionalInteger('MaxCapacity', bounds) ?? service.scaling?.max;
  if (min === undefined || max === undefined) {
    throw new AwsError('ValidationException', 'Minimum capacity and maximum capacity must be specified');
  }
  const given = input.optionalObject('SuspendedState');
  const suspended = { ...service.scaling?.suspended };
  for (const [name, key] of Object.entries(STATES)) {
    const value = given?.optionalBoolean(name);
    if (value !== undefined) suspended[key] = value;
  }
  service.scaling = { ...service.scaling, min, max, suspended };
  return { ScalableTargetARN: writeArn(place, service) };
}

function readNamespace(input: Parameters): void {
  const namespace = input.text('ServiceNamespace');
  if (namespace !== 'ecs') throw input.reject('ServiceNamespace', 'ecs', namespace);
}

function writeSuspended({ suspended }: ServiceScaling): AwsObject {
  return Object.fromEntries(Object.entries(STATES).map(([name, key]) => [name, suspended[key] ?? false]));
}

/** `service/CLUSTER/NAME`. */
function findResourceId({ clusterArn, name }: EcsService): string {
  return `service/${clusterArn.split('/').at(-1)}/${name}`;
}

function writeArn({ region, account }: Place, { name }: EcsService): string {
  return `arn:aws:application-autoscaling:${region}:${account}:scalable-target/0ec5${Buffer.from(name).toString('hex').slice(0, 40)}`;
}
