import { readFileSync, readdirSync } from 'node:fs';
import type { ElbModel } from '../load-balancer/model/model';
import type { EcsModel, EcsService, EcsTask } from './model';
import type { TrackedMetric } from './target-tracking';

/** Of Fargate: 1,024 are one core. */
const UNITS_PER_CORE = 1024;
const DEFAULT_MEMORY_MIB = 2048;
const MIB = 1024 * 1024;
const PAGE_BYTES = 4096;
/** Linux tells processor time in hundredths of a second, whatever its own clock does. */
const TICKS_PER_SECOND = 100;
const MINUTE_MS = 60_000;

interface Use {
  readonly ticks: number;
  readonly bytes: number;
}

/** What a service's metrics say of the time since the last period ended. */
export class ServiceMetrics {
  private sinceMs = performance.now();
  /** Processor time and memory of each process group, now and at the end of the last period. */
  private now: ReadonlyMap<number, Use> | undefined;
  private before: ReadonlyMap<number, Use> | undefined;
  private readonly requests = new Map<string, number>();

  constructor(
    private readonly ecs: EcsModel,
    private readonly elb: ElbModel,
  ) {}

  /** @returns undefined without data */
  read(service: EcsService, metric: TrackedMetric): number | undefined {
    const tasks = [...this.ecs.tasks.values()].filter(
      ({ serviceArn, status }) => serviceArn === service.arn && status === 'RUNNING',
    );
    if (tasks.length === 0) return undefined;
    if (metric.kind === 'requests') return this.readRequests(metric.targetGroup);
    if (metric.kind === 'connections') return this.readConnections(service, tasks);
    return metric.kind === 'unknown' ? undefined : this.readUse(service, tasks, metric.kind);
  }

  endPeriod(): void {
    this.before = this.now ?? readUse();
    this.now = undefined;
    this.sinceMs = performance.now();
    for (const { arn, requests = 0 } of this.elb.targetGroups.values()) this.requests.set(arn, requests);
  }

  /** CloudWatch has no value for a minute without requests. */
  private readRequests(name: string): number | undefined {
    const group = [...this.elb.targetGroups.values()].find(({ arn }) => arn.endsWith(`:${name}`));
    if (!group) return undefined;
    const healthy = [...group.targets.values()].filter(({ state }) => state === 'healthy').length;
    const requests = (group.requests ?? 0) - (this.requests.get(group.arn) ?? 0);
    const minutes = (performance.now() - this.sinceMs) / MINUTE_MS;
    return healthy === 0 || requests === 0 ? undefined : requests / minutes / healthy;
  }

  private readConnections({ loadBalancers }: EcsService, tasks: readonly EcsTask[]): number {
    const counts = loadBalancers.flatMap(({ targetGroupArn, containerPort }) => {
      const { targets } = this.elb.targetGroup(targetGroupArn);
      return tasks.map(({ ip }) => targets.get(`${ip}:${containerPort}`)?.outstanding ?? 0);
    });
    return counts.reduce((sum, count) => sum + count, 0) / tasks.length;
  }

  /** A task that has started since says nothing of its processor time yet. */
  private readUse(service: EcsService, tasks: readonly EcsTask[], kind: 'cpu' | 'memory'): number | undefined {
    this.now ??= readUse();
    const { cpu = UNITS_PER_CORE, memory = DEFAULT_MEMORY_MIB } = service.taskDefinition?.content ?? {};
    const seconds = (performance.now() - this.sinceMs) / 1000;
    const fractions = tasks.flatMap(({ pid }) => {
      const [now, before] = [this.now, this.before].map((uses) => (pid === undefined ? undefined : uses?.get(pid)));
      if (!now) return [];
      if (kind === 'memory') return [now.bytes / (Number(memory) * MIB)];
      if (!before) return [];
      const cores = Math.max(0, now.ticks - before.ticks) / TICKS_PER_SECOND / seconds;
      return [cores / (Number(cpu) / UNITS_PER_CORE)];
    });
    if (fractions.length === 0) return undefined;
    return (100 * fractions.reduce((sum, share) => sum + share, 0)) / fractions.length;
  }
}

/**
 * By the process group, which a task's processes are: the first of them leads it.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
function readUse(): Map<number, Use> {
  const uses = new Map<number, Use>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      // It has ended meanwhile.
      continue;
    }
    // The name before may have spaces and parentheses. What follows begins with the third field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const field = (number: number) => Number(fields[number - 3]);
    const known = uses.get(field(5)) ?? { ticks: 0, bytes: 0 };
    uses.set(field(5), {
      ticks: known.ticks + field(14) + field(15),
      bytes: known.bytes + field(24) * PAGE_BYTES,
    });
  }
  return uses;
}
