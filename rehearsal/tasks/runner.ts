import type { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { AwsError } from '../aws/aws-error';
import type { ElbModel } from '../load-balancer/model';
import type { Targets } from '../load-balancer/targets';
import { Addresses } from './addresses';
import type { Cluster, EcsModel, EcsService } from './model';
import { ContainerSpec, TaskProcess } from './task-process';

/** A task that stops by itself this often is not started again: the rehearsal cannot go on. */
const MOST_FAILURES = 3;

export interface ServiceSpec extends EcsService {
  readonly container: ContainerSpec;
}

export interface TaskRunnerOptions {
  readonly elb: ElbModel;
  readonly targets: Targets;
  readonly addresses: Addresses;
  readonly log: Writable;
  /** A process that must end with the rehearsal, however that ends. */
  readonly started: (pid: number) => void;
  /** A service whose tasks do not stay up. */
  readonly failed: (service: EcsService, reason: string) => void;
}

/** Keeps every service at its desired count, and stops tasks the way ECS does. */
export class TaskRunner implements EcsModel {
  readonly clusters = new Map<string, Cluster>();
  readonly services = new Map<string, ServiceSpec>();
  readonly tasks = new Map<string, TaskProcess>();
  private readonly failures = new Map<string, number>();
  private stopped = false;

  constructor(private readonly options: TaskRunnerOptions) {}

  addCluster(cluster: Cluster): void {
    this.clusters.set(cluster.arn, cluster);
  }

  addService(service: ServiceSpec): void {
    this.services.set(service.arn, service);
    this.reconcile(service);
  }

  setDesiredCount(serviceArn: string, count: number): void {
    const service = this.services.get(serviceArn);
    if (!service) throw new AwsError('ServiceNotFoundException', 'Service not found.');
    service.desiredCount = count;
    this.reconcile(service);
  }

  stopTask(taskArn: string, reason: string): void {
    const task = this.tasks.get(taskArn);
    if (!task) throw new AwsError('InvalidParameterException', 'The referenced task was not found.');
    task.desiredStatus = 'STOPPED';
    task.stoppedReason = reason;
    // StopTask signals at once and deregisters beside it: the order that loses requests (amazon-ecs-agent#2316).
    void task.terminate(reason);
    this.deregister(task);
  }

  /** Ends every process at once, without waiting out delays: the world is over. */
  stop(): void {
    this.stopped = true;
    for (const task of this.tasks.values()) task.kill();
  }

  private reconcile(service: ServiceSpec): void {
    if (this.stopped) return;
    const live = [...this.tasks.values()].filter(
      (task) => task.serviceArn === service.arn && task.desiredStatus === 'RUNNING',
    );
    for (let missing = service.desiredCount - live.length; missing > 0; missing -= 1) this.startTask(service);
    const surplus = live.length - service.desiredCount;
    if (surplus > 0) for (const task of live.slice(-surplus)) void this.scaleIn(task);
  }

  private startTask(service: ServiceSpec): void {
    const id = crypto.randomUUID().replaceAll('-', '');
    const task = new TaskProcess(
      {
        arn: `${service.clusterArn.replace(':cluster/', ':task/')}/${id}`,
        serviceArn: service.arn,
        clusterArn: service.clusterArn,
        taskDefinitionArn: service.taskDefinitionArn,
        ip: this.options.addresses.take(),
      },
      service.container,
      this.options.log,
    );
    this.tasks.set(task.arn, task);
    if (task.pid !== undefined) this.options.started(task.pid);
    task.events.on('status', (status) => {
      if (status === 'RUNNING') this.register(task);
      if (status === 'STOPPED') this.taskStopped(service, task);
    });
  }

  private taskStopped(service: ServiceSpec, task: TaskProcess): void {
    this.deregister(task);
    if (this.stopped) return;
    // One that never ran, or that nobody asked to stop, is replaced; one that fails again and again ends the rehearsal.
    if (task.startedAt === undefined) {
      const failures = (this.failures.get(service.arn) ?? 0) + 1;
      this.failures.set(service.arn, failures);
      if (failures >= MOST_FAILURES) return this.options.failed(service, task.stoppedReason ?? 'unknown');
    }
    return this.reconcile(service);
  }

  /** Deregister, wait out the delay, SIGTERM, SIGKILL after stopTimeout. */
  private async scaleIn(task: TaskProcess): Promise<void> {
    task.desiredStatus = 'STOPPED';
    task.stoppedReason = 'Scaling activity initiated by deployment';
    task.setStatus('DEACTIVATING');
    this.deregister(task);
    await pause(1000 * this.deregistrationDelay(task), undefined, { ref: false });
    if (!this.stopped) await task.terminate('Scaling activity');
  }

  private deregistrationDelay(task: TaskProcess): number {
    const groups = this.services.get(task.serviceArn)?.loadBalancers ?? [];
    const delays = groups.map(({ targetGroupArn }) =>
      Number(
        this.options.elb.targetGroup(targetGroupArn).attributes.get('deregistration_delay.timeout_seconds') ?? 300,
      ),
    );
    return Math.max(0, ...delays);
  }

  private register(task: TaskProcess): void {
    for (const { targetGroupArn, containerPort } of this.services.get(task.serviceArn)?.loadBalancers ?? []) {
      this.options.targets.register(targetGroupArn, [{ id: task.ip, port: containerPort }]);
    }
  }

  private deregister(task: TaskProcess): void {
    for (const { targetGroupArn, containerPort } of this.services.get(task.serviceArn)?.loadBalancers ?? []) {
      this.options.targets.deregister(targetGroupArn, [{ id: task.ip, port: containerPort }]);
    }
  }
}
