import type { ElbModel, TargetState } from '../load-balancer/model/model';
import type { EcsService, EcsTask } from './model';
import type { Condition } from './schedule';

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

/** Within the grace period after its start a task is not unhealthy. */
export function findCondition(elb: ElbModel, service: EcsService, task: EcsTask, nowMs: number): Condition {
  if (task.status !== 'RUNNING') return 'pending';
  const graceMs = 1000 * (service.healthCheckGracePeriodSeconds ?? 0);
  const isOnTrial = nowMs - (task.startedAt?.getTime() ?? nowMs) < graceMs;
  if (unhealthyGroups(elb, service, task).length > 0) return isOnTrial ? 'pending' : 'unhealthy';
  return service.loadBalancers.every(isServed(elb, task)) ? 'healthy' : 'pending';
}

/** The ARNs of the groups whose health check it fails. */
export function unhealthyGroups(elb: ElbModel, service: EcsService, task: EcsTask): string[] {
  return service.loadBalancers
    .filter((attached) => stateIn(elb, task, attached) === 'unhealthy')
    .map(({ targetGroupArn }) => targetGroupArn);
}

/** Whether a load balancer has found the task healthy, and does now. One without groups has no load balancer to say so. */
export function isFoundHealthy(elb: ElbModel, service: EcsService, task: EcsTask): boolean {
  const { loadBalancers } = service;
  return loadBalancers.length > 0 && loadBalancers.every((attached) => stateIn(elb, task, attached) === 'healthy');
}

type Attached = EcsService['loadBalancers'][number];

function stateIn(elb: ElbModel, { ip }: EcsTask, { targetGroupArn, containerPort }: Attached): TargetState | undefined {
  return elb.targetGroup(targetGroupArn).targets.get(`${ip}:${containerPort}`)?.state;
}

function isServed(elb: ElbModel, task: EcsTask) {
  return (attached: Attached): boolean => {
    const state = stateIn(elb, task, attached);
    return state === 'healthy' || state === 'unused';
  };
}
