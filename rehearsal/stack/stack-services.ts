import { SIDES, Side } from '../../core/traffic/weights';
import { until } from '../processes/waiting';
import { Account, inOwnRole } from '../tasks/aws-environment';
import { LocalPlaces, pointAt } from '../tasks/point-at';
import type { TaskRunner } from '../tasks/runner';
import { CustomResource, PROOF } from '../template/parts/custom-resources';
import type { StackModel } from '../template/model/stack-model';
import type { DeployedStack } from './deployed-stack';
import { Trust, trustedService } from './trust';

interface ServicesOptions extends LocalPlaces {
  readonly stack: DeployedStack;
  readonly tasks: TaskRunner;
  readonly trust: Trust;
  readonly account: Account;
  /** Whether waiting has become useless. */
  readonly isBroken: () => boolean;
}

const HEALTHY_WITHIN_MS = 60_000;
/** What stops the wait is what breaks. */
const NEVER = new AbortController().signal;

/** The ECS services of a stack, which start once. */
export class StackServices {
  private hasStarted = false;

  constructor(private readonly options: ServicesOptions) {}

  start(): void {
    if (this.hasStarted) return;
    this.hasStarted = true;
    const { stack, tasks, trust, account } = this.options;
    for (const cluster of stack.model.clusters) tasks.addCluster(cluster);
    for (const service of stack.model.services) {
      tasks.addService(inOwnRole(trustedService(pointAt(service, this.options), trust), account));
    }
  }

  /** A rule that joins a listener with traffic comes after its services, as in its stack. */
  async startBefore({ logicalId, type, properties }: CustomResource): Promise<void> {
    if (properties.RequiresTargets !== 'true' && type !== PROOF) return;
    this.start();
    await until(() => this.options.isBroken() || SIDES.every((side) => isHealthy(this.options.stack.model, side)), {
      withinMs: HEALTHY_WITHIN_MS,
      signal: NEVER,
      problem: () => `'${logicalId}' must have healthy targets before it, got none`,
    });
  }
}

/** Whether a side has as many healthy targets as its service wants. */
export function isHealthy({ config, elb, services }: StackModel, side: Side): boolean {
  const service = services.find(({ name }) => name === config.serviceNames[side]);
  const targets = [...elb.targetGroup(config.targetGroupArns[side]).targets.values()];
  return targets.filter(({ state }) => state === 'healthy').length >= (service?.desiredCount ?? 1);
}
