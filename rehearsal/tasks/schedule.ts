import type { EcsService } from './model';

/** What the scheduler thinks of a task that is to run: `pending` until the load balancer has found it healthy. */
export type Condition = 'pending' | 'healthy' | 'unhealthy';

/** What ECS does next for a service. */
export interface Schedule<T> {
  readonly start: number;
  /** More than are desired. */
  readonly scaleIn: readonly T[];
  /** Unhealthy ones that are to go. */
  readonly replaced: readonly T[];
}

/**
 * A task that is missing is started. For one that is unhealthy a replacement is started first, and it goes when that one is
 * healthy, or unhealthy too. Where `maximumPercent` has no room for a replacement, unhealthy tasks go one by one, down to
 * `minimumHealthyPercent`.
 *
 * @param tasks those of the newest deployment that are to run, the oldest first
 * @param older how many of older deployments are to run
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
 */
export function schedule<T>(
  service: Pick<EcsService, 'desiredCount' | 'minimumHealthyPercent' | 'maximumPercent'>,
  tasks: readonly (readonly [T, Condition])[],
  older = 0,
): Schedule<T> {
  const { desiredCount: desired, minimumHealthyPercent = 100, maximumPercent = 200 } = service;
  const those = (...conditions: Condition[]) =>
    tasks.flatMap(([task, condition]) => (conditions.includes(condition) ? [task] : []));
  const [usable, unhealthy] = [those('healthy', 'pending'), those('unhealthy')];
  const missing = Math.max(0, desired - tasks.length);
  const room = Math.max(0, Math.floor((desired * maximumPercent) / 100) - tasks.length - missing - older);
  const replacements = Math.min(room, Math.max(0, desired - usable.length - missing));
  const scaleIn = usable.slice(desired);
  const healthy = Math.min(those('healthy').length, desired);
  const stoodFor = Math.max(0, healthy + unhealthy.length - desired);
  if (stoodFor > 0) return { start: missing + replacements, scaleIn, replaced: unhealthy.slice(0, stoodFor) };
  const left = tasks.length + older - 1;
  const isStuck = usable.length < desired && missing + replacements + those('pending').length === 0;
  const mayGo = isStuck && left >= Math.ceil((desired * minimumHealthyPercent) / 100);
  return { start: missing + replacements, scaleIn, replaced: mayGo ? unhealthy.slice(0, 1) : [] };
}
