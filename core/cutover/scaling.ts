import { SIDES, Side } from '../traffic/weights';

/** What of a service's autoscaling is suspended. */
export interface ScalingState {
  readonly scaleIn: boolean;
  readonly scaleOut: boolean;
  readonly scheduled: boolean;
}

/** A side whose autoscaling a cutover has suspended, with what was suspended before. */
export interface SuspendedScaling {
  readonly side: Side;
  readonly before: ScalingState;
}

export const SUSPENDED: ScalingState = { scaleIn: true, scaleOut: true, scheduled: true };

/**
 * The sides whose autoscaling is to be suspended: those that have one, which is not suspended altogether, and that this
 * cutover has not suspended already. What was so before is known of the first time alone.
 */
export function findToSuspend(
  states: Readonly<Partial<Record<Side, ScalingState>>>,
  suspended: readonly SuspendedScaling[],
): SuspendedScaling[] {
  return SIDES.flatMap((side) => {
    const before = states[side];
    if (!before || suspended.some((each) => each.side === side)) return [];
    return before.scaleIn && before.scaleOut && before.scheduled ? [] : [{ side, before }];
  });
}
