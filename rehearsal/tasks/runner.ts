import { setTimeout as pause } from 'node:timers/promises';
import { AwsError } from '../aws-error';
import type { ElbModel } from '../load-balancer/model';
import type { Targets } from '../load-balancer/targets';
import type { ProcessHooks } from '../processes';
import { Addresses } from './addresses';
import type { Cluster, EcsModel, EcsService } from './model';
import { canTakeOver } from './deployment';
import { ContainerSpec, TaskProcess } from './task-process';

/** A task that ends by itself sooner than this counts as a failed start. */
const SHORT_LIFE_MS = 10_000;
/** After this many failed starts within the window a service is given up: the rehearsal cannot go on. */
const MOST_FAILURES = 4;
const FAILURE_WINDOW_MS = 60_000;
/** Before the second try after a failed start, and so much longer before each that follows; the first is at once. */
const BACK_OFF_MS = 250;

/** How often a deployment looks whether its tasks can take over. */
const TAKE_OVER_POLL_MS = 100;

export interface ServiceSpec extends EcsService {
  readonly container: ContainerSpec;
}

interface TaskRunnerOptions {
  readonly elb: ElbModel;
  readonly targets: Targets;
  readonly addresses: Addresses;
  readonly processes: ProcessHooks;
  /** A service whose tasks do not stay up. */
  readonly failed: (service: EcsService, reason: string) => void;
}

/** Keeps every service at its desired count, and stops tasks the way ECS does. */
export class TaskRunner implements EcsModel {
  readonly clusters = new Map<string, Cluster>();
  readonly services = new Map<string, ServiceSpec>();
  readonly tasks = new Map<string, TaskProcess>();
  /** When starts failed, by service. */
  private readonly failures = new Map<string, readonly number[]>();
  private readonly retries = new Set<NodeJS.Timeout>();
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

  forceNewDeployment(serviceArn: string): void {
    const service = this.services.get(serviceArn);
    if (!service) throw new AwsError('ServiceNotFoundException', 'Service not found.');
    service.deployment = (service.deployment ?? 0) + 1;
    this.reconcile(service);
    this.retireOldTasks(service);
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

  /** Ends every process at once, without waiting out delays: the world is over. Resolves when they are gone. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const retry of this.retries) clearTimeout(retry);
    await Promise.all([...this.tasks.values()].map((task) => task.kill()));
  }

  private reconcile(service: ServiceSpec): void {
    if (this.stopped) return;
    const live = this.wanted(service).filter(({ deployment }) => deployment === (service.deployment ?? 0));
    for (let missing = service.desiredCount - live.length; missing > 0; missing -= 1) this.startTask(service);
    const surplus = live.length - service.desiredCount;
    if (surplus > 0) for (const task of live.slice(-surplus)) void this.scaleIn(task);
  }

  /** Those that are to run. */
  private wanted({ arn }: ServiceSpec): TaskProcess[] {
    return [...this.tasks.values()].filter((task) => task.serviceArn === arn && task.desiredStatus === 'RUNNING');
  }

  /** The tasks of older deployments go once the newest one's can take over. */
  private retireOldTasks(service: ServiceSpec): void {
    const old = this.wanted(service).filter(({ deployment }) => deployment !== service.deployment);
    if (this.stopped || old.length === 0) return;
    if (canTakeOver(this.options.elb, service, this.tasks.values())) {
      for (const task of old) void this.scaleIn(task);
      return;
    }
    const retry = setTimeout(() => {
      this.retries.delete(retry);
      this.retireOldTasks(service);
    }, TAKE_OVER_POLL_MS);
    this.retries.add(retry);
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
        deployment: service.deployment ?? 0,
      },
      service.container,
      this.options.processes,
    );
    this.tasks.set(task.arn, task);
    task.events.on('status', (status) => {
      if (status === 'RUNNING') this.register(task);
      if (status === 'STOPPED') this.taskStopped(service, task);
    });
  }

  private taskStopped(service: ServiceSpec, task: TaskProcess): void {
    this.deregister(task);
    if (this.stopped) return;
    const lifeMs = task.startedAt ? Date.now() - task.startedAt.getTime() : 0;
    if (!task.hasFailed || lifeMs >= SHORT_LIFE_MS) return this.reconcile(service);
    return this.startFailed(service, task.stoppedReason ?? 'unknown', Date.now());
  }

  /** A task that does not stay up is replaced, later each time; one that fails again and again ends the rehearsal. */
  private startFailed(service: ServiceSpec, reason: string, nowMs: number): void {
    const recent = (this.failures.get(service.arn) ?? []).filter((atMs) => nowMs - atMs < FAILURE_WINDOW_MS);
    this.failures.set(service.arn, [...recent, nowMs]);
    if (recent.length + 1 >= MOST_FAILURES) return this.options.failed(service, reason);
    const retry = setTimeout(() => {
      this.retries.delete(retry);
      this.reconcile(service);
    }, BACK_OFF_MS * recent.length);
    this.retries.add(retry);
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
