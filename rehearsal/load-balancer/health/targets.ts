import { AwsError } from '../../errors/aws-error';
import { Limit, machineTime } from '../../processes/machine-time';
import { ElbModel, Target, TargetAddress, TargetGroup } from '../model/model';

const formatKey = ({ id, port }: TargetAddress) => `${id}:${port}`;

/** Registration of targets, and their slow way out: `draining` until the deregistration delay has ended. */
export class Targets {
  private readonly delays = new Map<Target, Limit>();
  private isStopped = false;
  private readonly cuts = new WeakMap<Target, AbortController>();

  constructor(
    private readonly model: ElbModel,
    /** Called for each target that was registered, so that its health is checked at once. */
    private readonly registered: (group: TargetGroup, target: Target) => void,
  ) {}

  /** @throws AwsError when a target is still draining: the service lets an address in again only after its delay. */
  register(groupArn: string, addresses: readonly TargetAddress[]): void {
    const group = this.model.targetGroup(groupArn);
    for (const address of addresses) {
      const present = group.targets.get(formatKey(address));
      if (present?.state === 'draining') {
        throw new AwsError('InvalidTarget', `Target '${formatKey(address)}' is draining and cannot be registered yet`);
      }
      if (present) continue;
      const state = this.model.isInUse(groupArn) ? 'initial' : 'unused';
      const target: Target = { ...address, state, outstanding: 0 };
      if (state === 'initial') {
        target.reason = { code: 'Elb.RegistrationInProgress', description: 'Target registration is in progress' };
      }
      group.targets.set(formatKey(address), target);
      this.registered(group, target);
    }
  }

  deregister(groupArn: string, addresses: readonly TargetAddress[]): void {
    const group = this.model.targetGroup(groupArn);
    for (const address of addresses) {
      const target = group.targets.get(formatKey(address));
      if (!target || target.state === 'draining') continue;
      target.state = 'draining';
      target.reason = { code: 'Target.DeregistrationInProgress', description: 'Target deregistration is in progress' };
      // The last tasks stop beside it.
      if (this.isStopped) continue;
      const delayMs = 1000 * Number(group.attributes.get('deregistration_delay.timeout_seconds') ?? 300);
      this.delays.set(
        target,
        machineTime.limit(delayMs, () => this.remove(group, target)),
      );
    }
  }

  /** Fires when the target is gone: what is still under way with it is cut then. */
  findCut(target: Target): AbortSignal {
    const cut = this.cuts.get(target) ?? new AbortController();
    this.cuts.set(target, cut);
    return cut.signal;
  }

  stop(): void {
    this.isStopped = true;
    for (const delay of this.delays.values()) delay.clear();
    this.delays.clear();
  }

  private remove(group: TargetGroup, target: Target): void {
    this.delays.delete(target);
    group.targets.delete(formatKey(target));
    this.cuts.get(target)?.abort();
  }
}
