import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { BaseService, ScalableTaskCount } from 'aws-cdk-lib/aws-ecs';
import { reject, checkDuration, checkInteger, isLater } from '../validation/validation';
import { StickyTargetGroup } from '../load-balancer/sticky-target-group';

/**
 * When proxies are added and taken away: as many as the neediest of three figures asks for. A figure without data, such as
 * requests at weight 0, stops proxies from being taken away.
 */
export interface ProxyScaling {
  /**
   * The CPU to keep the proxies at, in percent: from 10 to 90.
   * @default - 60, and 50 for a proxy of less than one core, which is paused when it has used its share of a tenth of a second
   */
  readonly cpuPercent?: number;

  /**
   * The requests of a minute to keep each proxy at; 0 turns this off.
   * @default - 60,000 for each worker
   */
  readonly requestsPerTarget?: number;

  /**
   * The live connections to keep each proxy at; 0 turns this off.
   * @default - 5,000 for each worker, 2,500 for each GiB of memory, and 20,000: whichever is the least
   */
  readonly connectionsPerTask?: number;

  /**
   * How long after a change proxies may be taken away: at least the deregistration delay, so that one drain ends before
   * the next starts.
   * @default - 5 minutes, or the deregistration delay if it is longer; 1 hour where that is known only at deployment
   */
  readonly scaleInCooldown?: Duration;

  /**
   * How long after a change more proxies may be added.
   * @default Duration.minutes(1)
   */
  readonly scaleOutCooldown?: Duration;
}

/** Of 200 tasks a side, the counts stay far under what the state machine can pass on. */
const MAX_TASKS = 200;
/** How many there are unless asked otherwise. */
export const TASK_COUNTS = { minTasks: 2, maxTasks: 10 };
const REQUESTS_PER_WORKER = 60_000;
const CONNECTIONS_PER_WORKER = 5_000;
/** Of the memory that connections may hold, which is half, they then fill a third: one of two proxies can take those of the other. */
const CONNECTIONS_PER_GIB = 2_500;
/** A proxy takes 30,000. */
const CONNECTIONS_PER_TASK = 20_000;
const DAY = Duration.days(1);

interface ScaledProxies {
  readonly targetGroup: StickyTargetGroup;
  readonly minTasks: number;
  readonly maxTasks: number;
  /** Undefined, or a token, where it is known only at deployment. */
  readonly workers: number | undefined;
  readonly size: { readonly cpu: number; readonly memoryLimitMiB: number };
  /** The live connections of a proxy, on average. */
  readonly liveConnections: Metric;
}

export function scaleProxies(service: BaseService, proxies: ScaledProxies, scaling: ProxyScaling): ScalableTaskCount {
  const { targetGroup, minTasks, maxTasks, liveConnections } = proxies;
  const figures = findFigures(proxies);
  const delay = targetGroup.drainProfile.deregistrationDelay;
  checkScaling(scaling, delay);
  const cooldowns = {
    scaleInCooldown: scaling.scaleInCooldown ?? atLeast(delay, Duration.minutes(5)),
    scaleOutCooldown: scaling.scaleOutCooldown ?? Duration.minutes(1),
  };
  const cpuPercent = scaling.cpuPercent ?? figures.cpuPercent;
  const requests = scaling.requestsPerTarget ?? figures.requestsPerTarget;
  const connections = scaling.connectionsPerTask ?? figures.connectionsPerTask;
  checkListener(targetGroup);
  const count = service.autoScaleTaskCount({ minCapacity: minTasks, maxCapacity: maxTasks });
  count.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: cpuPercent, ...cooldowns });
  if (requests !== 0) {
    count.scaleOnRequestCount('Requests', {
      requestsPerTarget: requests,
      targetGroup: targetGroup.targetGroup,
      ...cooldowns,
    });
  }
  if (connections !== 0) {
    count.scaleToTrackCustomMetric('Connections', { metric: liveConnections, targetValue: connections, ...cooldowns });
  }
  return count;
}

/** What is kept to where nothing is asked for. */
function findFigures({ workers, size }: ScaledProxies) {
  // A product of a token would be no number that anybody meant.
  const known = (value: number | undefined, otherwise: number) =>
    value === undefined || isLater(value) ? otherwise : value;
  const processes = known(workers, 1);
  const gibibytes = known(size.memoryLimitMiB, 1024) / 1024;
  const bounds = [CONNECTIONS_PER_TASK, CONNECTIONS_PER_WORKER * processes, CONNECTIONS_PER_GIB * gibibytes];
  return {
    cpuPercent: known(size.cpu, 1024) < 1024 ? 50 : 60,
    requestsPerTarget: REQUESTS_PER_WORKER * processes,
    connectionsPerTask: Math.floor(Math.min(...bounds)),
  };
}

export function checkTaskCounts(minTasks: number, maxTasks: number): void {
  checkInteger('minTasks', minTasks, { min: 1, max: MAX_TASKS });
  if (isLater(maxTasks)) return;
  checkInteger('maxTasks', maxTasks, { min: 1, max: MAX_TASKS });
  if (!isLater(minTasks) && maxTasks < minTasks) {
    reject('maxTasks', `at least minTasks, which is ${minTasks}`, maxTasks);
  }
}

function checkScaling(scaling: ProxyScaling, delay: Duration): void {
  checkInteger('scaling.cpuPercent', scaling.cpuPercent ?? 60, { min: 10, max: 90 });
  checkInteger('scaling.requestsPerTarget', scaling.requestsPerTarget ?? 0, { min: 0, max: 1_000_000_000 });
  checkInteger('scaling.connectionsPerTask', scaling.connectionsPerTask ?? 0, { min: 0, max: 1_000_000 });
  const { scaleInCooldown: scaleIn, scaleOutCooldown: scaleOut } = scaling;
  if (scaleOut) checkDuration('scaling.scaleOutCooldown', scaleOut, { min: Duration.seconds(0), max: DAY });
  // A delay that is known only at deployment compares to nothing.
  const min = delay.isUnresolved() ? Duration.seconds(0) : delay;
  if (scaleIn) checkDuration('scaling.scaleInCooldown', scaleIn, { min, max: DAY });
}

/** ECS rejects a service whose target group no listener leads to; and its requests are counted by load balancer. */
function checkListener({ targetGroup, node }: StickyTargetGroup): void {
  try {
    void targetGroup.firstLoadBalancerFullName;
  } catch {
    reject('targetGroup', 'on a listener before its proxies are made', node.path);
  }
}

function atLeast(duration: Duration, floor: Duration): Duration {
  if (duration.isUnresolved()) return Duration.hours(1);
  return duration.toSeconds() > floor.toSeconds() ? duration : floor;
}
