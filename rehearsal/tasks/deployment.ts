import type { ElbModel } from '../load-balancer/model';
import type { EcsService, EcsTask } from './model';

/**
 * Whether the tasks of a service's newest deployment can take over: as many as are desired are running, and the load
 * balancer finds them healthy. A group that no rule uses is not checked by it.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
 */
export function canTakeOver(elb: ElbModel, service: EcsService, tasks: Iterable<EcsTask>): boolean {
  const ready = [...tasks].filter(
    (task) =>
      (task.deployment ?? 0) === (service.deployment ?? 0) &&
      task.status === 'RUNNING' &&
      service.loadBalancers.every(isServed(elb, task)),
  );
  return ready.length >= service.desiredCount;
}

function isServed(elb: ElbModel, { ip }: EcsTask) {
  return ({ targetGroupArn, containerPort }: EcsService['loadBalancers'][number]): boolean => {
    const state = elb.targetGroup(targetGroupArn).targets.get(`${ip}:${containerPort}`)?.state;
    return state === 'healthy' || state === 'unused';
  };
}
