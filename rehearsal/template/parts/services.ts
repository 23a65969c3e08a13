import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CutoverConfig } from '../../../core/cutover/cutover-config';
import type { Cluster, EcsService } from '../../tasks/model';
import type { ServiceSpec } from '../../tasks/runner';
import type { ContainerSpec } from '../../tasks/task-process';
import { UsageError } from '../../errors/usage-error';
import { roleName } from './functions';
import { Properties } from '../resources/properties';
import { Ready, Resources } from '../resources/resources';
import { readTracking } from './scaling-policies';
import { buildTaskDefinition } from './task-definition';

/** Environment values that are known only here: secrets by ARN, for a variable. */
type SecretValue = (arn: string, variable: string) => string;

export function buildClusters(resources: Resources): Cluster[] {
  return resources
    .ofType('AWS::ECS::Cluster')
    .map(({ identity }) => ({ arn: identity.attributes.Arn ?? '', name: identity.ref }));
}

/** The proxies of a template, each service with its container's command and environment. What else it has is not run here. */
export function buildServices(
  resources: Resources,
  clusters: readonly Cluster[],
  { serviceNames }: CutoverConfig,
  secretValue: SecretValue,
): ServiceSpec[] {
  const definitions = new Map(
    resources.ofType('AWS::ECS::TaskDefinition').map((definition) => [definition.identity.ref, definition]),
  );
  const names = Object.values(serviceNames);
  const services = resources
    .ofType('AWS::ECS::Service')
    .filter(({ identity }) => names.includes(identity.attributes.Name ?? ''));
  return services.map(({ logicalId, identity, properties }) => {
    const taskDefinitionArn = properties.string('TaskDefinition');
    const definition = definitions.get(taskDefinitionArn);
    if (!definition)
      throw new UsageError(
        `service '${logicalId}' must have a task definition in the template, got '${taskDefinitionArn}'`,
      );
    const loadBalancers = properties.list('LoadBalancers').map((balancer) => ({
      targetGroupArn: balancer.string('TargetGroupArn'),
      containerName: balancer.string('ContainerName'),
      containerPort: balancer.number('ContainerPort'),
    }));
    const name = identity.attributes.Name ?? '';
    const cluster = properties.string('Cluster');
    return {
      arn: identity.ref,
      name,
      clusterArn: clusters.find(({ name: known, arn }) => known === cluster || arn === cluster)?.arn ?? cluster,
      taskDefinitionArn,
      launchType: 'FARGATE',
      loadBalancers,
      createdAt: new Date(),
      desiredCount: desiredCount(resources, properties, name),
      ...findScaling(resources, name),
      ...healthLimits(properties),
      taskDefinition: buildTaskDefinition(definition),
      container: findContainer(resources, definition, loadBalancers[0], secretValue),
    };
  });
}

/** When a task that fails the load balancer's health check is replaced, and how many may run meanwhile. */
function healthLimits(service: Properties) {
  const deployment = service.object('DeploymentConfiguration');
  return {
    healthCheckGracePeriodSeconds: service.number('HealthCheckGracePeriodSeconds', 0),
    minimumHealthyPercent: deployment.number('MinimumHealthyPercent', 100),
    maximumPercent: deployment.number('MaximumPercent', 200),
  };
}

function findScaling(resources: Resources, name: string): Pick<ServiceSpec, 'scaling'> {
  const found = findScalableTarget(resources, name);
  if (!found) return {};
  const policies = resources
    .ofType('AWS::ApplicationAutoScaling::ScalingPolicy')
    .filter(({ properties }) => scales(resources, properties, name))
    .filter(({ properties }) => properties.string('PolicyType', 'StepScaling') === 'TargetTrackingScaling')
    .map(({ identity, properties }) => {
      const configuration = properties.object('TargetTrackingScalingPolicyConfiguration');
      return readTracking(properties.string('PolicyName', identity.ref), identity.ref, configuration);
    });
  return { scaling: { min: found.number('MinCapacity'), max: found.number('MaxCapacity'), suspended: {}, policies } };
}

/** A policy names its target by its id (`service/…|ecs:service:DesiredCount|ecs`, or what `Ref` gives), or by what that has. */
function scales(resources: Resources, policy: Properties, name: string): boolean {
  if (policy.has('ResourceId')) return policy.string('ResourceId').endsWith(`/${name}`);
  const id = policy.string('ScalingTargetId', '');
  const target = resources
    .ofType('AWS::ApplicationAutoScaling::ScalableTarget')
    .find(({ properties }) => properties.string('ResourceId').endsWith(`/${name}`));
  return target !== undefined && target.identity.ref === id;
}

function findScalableTarget(resources: Resources, name: string): Properties | undefined {
  return resources
    .ofType('AWS::ApplicationAutoScaling::ScalableTarget')
    .find(({ properties }) => properties.string('ResourceId').endsWith(`/${name}`))?.properties;
}

/** Without a count of its own a service starts at its autoscaling's minimum. */
function desiredCount(resources: Resources, service: Properties, name: string): number {
  if (service.has('DesiredCount')) return service.number('DesiredCount');
  return findScalableTarget(resources, name)?.number('MinCapacity') ?? 1;
}

/** The container that the load balancer leads to; what runs beside it is not run here. */
function findContainer(
  resources: Resources,
  definition: Ready,
  balanced: EcsService['loadBalancers'][number] | undefined,
  secretValue: SecretValue,
): ContainerSpec {
  const containers = definition.properties.list('ContainerDefinitions');
  const container = containers.find((each) => each.string('Name') === balanced?.containerName) ?? containers[0];
  if (!container) throw new UsageError(`task definition '${definition.logicalId}' must have a container, got none`);
  const image = container.string('Image');
  const command = [...container.strings('EntryPoint'), ...container.strings('Command')];
  const folder = resources.stack.images.get(image.split(':').at(-1) ?? '');
  if (folder === undefined || !existsSync(join(folder, 'proxy.js')) || command.length === 0) {
    throw new UsageError(
      `the image of '${definition.logicalId}' must be built from the package's proxy, with its command in the template, to run without a container engine; got '${image}'`,
    );
  }
  const plain = container.list('Environment').map((pair) => [pair.string('Name'), pair.string('Value')]);
  const secret = container.list('Secrets').map((pair) => {
    const name = pair.string('Name');
    return [name, secretValue(pair.string('ValueFrom'), name)];
  });
  return {
    name: container.string('Name'),
    image,
    folder,
    command,
    environment: Object.fromEntries([...plain, ...secret]) as Record<string, string>,
    role: roleName(resources, definition.properties.string('TaskRoleArn', '')),
    port: balanced?.containerPort ?? 0,
    stopTimeoutSeconds: container.number('StopTimeout', 30),
  };
}
