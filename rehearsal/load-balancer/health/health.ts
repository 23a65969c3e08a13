import { withinMachineTime } from '../../processes/machine-time';
import { askHealth } from './health-request';
import { ElbModel, HealthCheck, Target, TargetGroup } from '../model/model';

type Reason = NonNullable<Target['reason']>;

/** Checks every target at its group's interval, and moves it between `initial`, `healthy` and `unhealthy` by the thresholds. */
export class HealthChecks {
  private readonly timers = new Map<Target, NodeJS.Timeout>();

  constructor(private readonly model: ElbModel) {}

  /** Checks a target now and then at the interval, until it drains or is gone. */
  watch(group: TargetGroup, target: Target): void {
    let passes = 0;
    let failures = 0;
    const check = async () => {
      if (!this.model.isInUse(group.arn)) target.state = 'unused';
      else if (target.state === 'unused') target.state = 'initial';
      const reason = target.state === 'unused' ? undefined : await probe(group, target);
      // It may have begun to drain, or the local cloud may have stopped, while the probe was under way.
      if (!this.timers.has(target) || isLeaving(group, target)) return void this.timers.delete(target);
      if (target.state !== 'unused') {
        passes = reason ? 0 : passes + 1;
        failures = reason ? failures + 1 : 0;
        apply(group.healthCheck, target, { passes, failures, reason });
      }
      this.timers.set(
        target,
        setTimeout(() => void check(), group.healthCheck.intervalSeconds * 1000),
      );
    };
    this.timers.set(
      target,
      setTimeout(() => void check(), 0),
    );
  }

  stop(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }
}

function isLeaving(group: TargetGroup, target: Target): boolean {
  return target.state === 'draining' || group.targets.get(`${target.id}:${target.port}`) !== target;
}

/** One pass makes a new target healthy; a known one needs the whole threshold. */
function apply(
  check: HealthCheck,
  target: Target,
  seen: { passes: number; failures: number; reason: Reason | undefined },
): void {
  const needed = target.state === 'initial' ? 1 : check.healthyThreshold;
  if (seen.passes >= needed) {
    target.state = 'healthy';
    delete target.reason;
  } else if (seen.failures >= check.unhealthyThreshold && seen.reason) {
    target.state = 'unhealthy';
    target.reason = seen.reason;
  }
}

/** @returns why the check failed; undefined when it passed */
async function probe({ healthCheck, protocolVersion }: TargetGroup, target: Target): Promise<Reason | undefined> {
  const { protocol, path, matcher, timeoutSeconds } = healthCheck;
  const port = healthCheck.port === 'traffic-port' ? target.port : Number(healthCheck.port);
  let isLate = false;
  try {
    const status = await withinMachineTime(timeoutSeconds * 1000, (signal) => {
      signal.addEventListener('abort', () => (isLate = true));
      return askHealth(protocolVersion, { protocol, host: target.id, port, path, signal });
    });
    if (matches(matcher, status)) return undefined;
    return {
      code: 'Target.ResponseCodeMismatch',
      description: `Health checks failed with these codes: [${status}]`,
    };
  } catch (error) {
    if (isLate) return { code: 'Target.Timeout', description: 'Request timed out' };
    return { code: 'Target.FailedHealthChecks', description: `Health checks failed: ${(error as Error).message}` };
  }
}

/** `200`, `200-299`, `200,204`. */
export function matches(matcher: string, status: number): boolean {
  return matcher.split(',').some((part) => {
    const [low = NaN, high = low] = part.split('-').map(Number);
    return status >= low && status <= high;
  });
}
