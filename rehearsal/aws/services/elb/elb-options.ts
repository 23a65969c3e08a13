import type { ElbModel, TargetAddress } from '../../../load-balancer/model/model';
import type { Place } from '../../operations/operation';

/** How targets come and go; the load balancer owns their health and their draining. @throws AwsError */
export interface Targets {
  register(targetGroupArn: string, targets: readonly TargetAddress[]): void;
  deregister(targetGroupArn: string, targets: readonly TargetAddress[]): void;
}

export interface ElbOptions {
  readonly elb: ElbModel;
  readonly targets: Targets;
  readonly place: Place;
}
