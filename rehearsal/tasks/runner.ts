import { AwsError } from '../errors/aws-error';
import type { ElbModel } from '../load-balancer/model/model';
import type { Targets } from '../load-balancer/health/targets';
import { machineTime } from '../processes/machine-time';
import type { ProcessHooks } from '../processes/processes';
import { Addresses } from './addresses';
import type { Cluster, EcsModel, EcsService } from './model';
import { canTakeOver, findCondition, isFoundHealthy, unhealthyGroups } from './deployment';
import { schedule } from './schedule';
import { ContainerSpec, TaskProcess } from './task-process';

/** A task that ends by itself sooner than this counts as a failed start. */
const SHORT_LIFE_MS = 10_000;
/** After this many failed starts within the window a service is given up that was never healthy: the rehearsal cannot go on. */
const MAX_FAILURES = 4;
const FAILURE_WINDOW_MS = 60_000;
/**
 * Before the second try after a failed start, and so much longer before each that follows; the first is at once. As the
 * window moves on, it comes to some five seconds. ECS takes a minute for each start, and up to 27 for those that never ran.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
 */
const BACK_OFF_MS = 250;

/** How often the services are looked at: what the load balancer found, and which starts are due. */
const POLL_MS = 100;
/** In a crash loop a task runs for as long as this. */
const CRASH_AFTER_MS = 500;

const SCALED_IN = 'Scaling activity initiated by deployment';

export interface ServiceSpec extends EcsService {
  readonly container: ContainerSpec;
}

interface TaskRunnerOptions {
  readonly elb: ElbModel;
  readonly targets: Targets;
  readonly addresses: Addresses;
  readonly processes: ProcessHooks;
  /** A service whose tasks did not stay up, from the first on. */
  readonly failed: (service: EcsService, reason: string) => void;
}

/** Keeps every service at its desired count, and stops tasks the way ECS does. */
export class TaskRunner implements EcsModel {
  readonly clusters = new Map<string, Cluster>();
  readonly services = new Map<string, ServiceSpec>();
  readonly tasks = new Map<string, TaskProcess>();
  /** When starts failed, by service. */
  private readonly failures = new Map<string, readonly number[]>();
  /** When the next start is due, by service. */
  private readonly notBefore = new Map<string, number>();
  /** Services of which a task was healthy once. */
  private readonly proven = new Set<string>();
  private readonly crashing = new Set<string>();
  private poll: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(private readonly options: TaskRunnerOptions) {}

  addCluster(cluster: Cluster): void {
    this.clusters.set(cluster.arn, cluster);
  }

  addService(service: ServiceSpec): void {
    this.services.set(service.arn, service);
    this.poll ??= setInterval(() => this.services.forEach((each) => this.reconcile(each)), POLL_MS);
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
  }

  /** A fault: from now on each task of the service is killed soon after its start. */
  crashLoop(serviceArn: string): void {
    this.crashing.add(serviceArn);
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

  /** Ends every process at once, without waiting out delays: the local cloud has ended. Resolves when they are gone. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.poll);
    await Promise.all([...this.tasks.values()].map((task) => task.kill()));
  }

  private reconcile(service: ServiceSpec): void {
    if (this.stopped) return;
    this.crash(service);
    this.noteProven(service);
    const nowMs = Date.now();
    const wanted = this.wanted(service);
    const newest = wanted.filter(({ deployment }) => deployment === (service.deployment ?? 0));
    const { start, scaleIn, replaced } = schedule(
      service,
      newest.map((task) => [task, findCondition(this.options.elb, service, task, nowMs)] as const),
      wanted.length - newest.length,
    );
    if (nowMs >= (this.notBefore.get(service.arn) ?? 0)) for (let n = start; n > 0; n -= 1) this.startTask(service);
    for (const task of scaleIn) void this.retire(task, SCALED_IN);
    for (const task of replaced) void this.retire(task, this.failedChecks(service, task));
    this.retireOldTasks(service);
  }

  /** @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html */
  private failedChecks(service: ServiceSpec, task: TaskProcess): string {
    return `Task failed ELB health checks in (target-group ${unhealthyGroups(this.options.elb, service, task)[0]})`;
  }

  private crash(service: ServiceSpec): void {
    if (!this.crashing.has(service.arn)) return;
    for (const task of this.wanted(service)) {
      if (task.startedAt && Date.now() - task.startedAt.getTime() >= CRASH_AFTER_MS) void task.kill();
    }
  }

  private noteProven(service: ServiceSpec): void {
    if (this.proven.has(service.arn)) return;
    const isProven = this.wanted(service).some((task) => isFoundHealthy(this.options.elb, service, task));
    if (isProven) this.proven.add(service.arn);
  }

  /** Those that are to run. */
  private wanted({ arn }: ServiceSpec): TaskProcess[] {
    return [...this.tasks.values()].filter((task) => task.serviceArn === arn && task.desiredStatus === 'RUNNING');
  }

  /** The tasks of older deployments go once the newest one's can take over. */
  private retireOldTasks(service: ServiceSpec): void {
    const old = this.wanted(service).filter(({ deployment }) => deployment !== (service.deployment ?? 0));
    if (old.length === 0 || !canTakeOver(this.options.elb, service, this.tasks.values())) return;
    for (const task of old) void this.retire(task, SCALED_IN);
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
    if (isFoundHealthy(this.options.elb, service, task)) this.proven.add(service.arn);
    this.deregister(task);
    if (this.stopped) return;
    const lifeMs = task.startedAt ? Date.now() - task.startedAt.getTime() : 0;
    if (task.hasFailed && lifeMs < SHORT_LIFE_MS) {
      this.startFailed(service, task.stoppedReason ?? 'unknown', Date.now());
    }
    this.reconcile(service);
  }

  /**
   * A task that does not stay up is replaced, later each time. Whether a service can be without it is for the cutover to
   * judge; only one that never came up ends the rehearsal.
   */
  private startFailed(service: ServiceSpec, reason: string, nowMs: number): void {
    const recent = (this.failures.get(service.arn) ?? []).filter((atMs) => nowMs - atMs < FAILURE_WINDOW_MS);
    this.failures.set(service.arn, [...recent, nowMs]);
    this.notBefore.set(service.arn, nowMs + BACK_OFF_MS * recent.length);
    if (this.proven.has(service.arn) || recent.length + 1 < MAX_FAILURES) return;
    this.notBefore.set(service.arn, Infinity);
    this.options.failed(service, reason);
  }

  /** Deregister, wait out the delay, SIGTERM, SIGKILL after stopTimeout. */
  private async retire(task: TaskProcess, reason: string): Promise<void> {
    task.desiredStatus = 'STOPPED';
    task.stoppedReason = reason;
    task.setStatus('DEACTIVATING');
    this.deregister(task);
    await machineTime.wait(1000 * this.deregistrationDelay(task));
    if (!this.stopped) await task.terminate(reason);
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
