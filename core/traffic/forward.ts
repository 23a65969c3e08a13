import { Side, SIDES, Weights } from './weights';

/** A forward action as the ELBv2 API reads it back. */
export interface Forward {
  readonly groups: readonly { readonly arn: string; readonly weight: number }[];
  readonly stickiness: { readonly enabled: boolean; readonly seconds: number };
}

export type GroupArns = Readonly<Record<Side, string>>;

/**
 * The forward action for these weights. A side at weight 0 is left out: at weight 0 the clients with a cookie of group
 * stickiness would go on being served by that side, and only a group that the action does not name is truly left
 * (`docs/decisions/0002-weight-zero-leaves-the-action.md`).
 *
 * @param staying a side that is named at weight 0, too: on purpose, so that its clients stay
 */
export function forwardFor(
  weights: Weights,
  arns: GroupArns,
  stickiness: Forward['stickiness'],
  staying?: Side,
): Forward {
  const groups = SIDES.filter((side) => weights[side] > 0 || side === staying).map((side) => ({
    arn: arns[side],
    weight: weights[side],
  }));
  return { groups, stickiness };
}

/** The weights that a forward action gives to the two sides; undefined when it names any other group, or neither. */
export function findWeights(forward: Forward, arns: GroupArns): Weights | undefined {
  const known = forward.groups.every(({ arn }) => arn === arns.source || arn === arns.target);
  if (!known || forward.groups.length === 0) return undefined;
  const weight = (side: Side) => forward.groups.find(({ arn }) => arn === arns[side])?.weight ?? 0;
  return { source: weight('source'), target: weight('target') };
}

/**
 * Whether two actions send requests to the same places in the same shares. The weight of a single group means nothing,
 * and a service may leave it out.
 */
export function sameForward(a: Forward, b: Forward): boolean {
  const listed = ({ groups }: Forward) =>
    groups
      .map(({ arn, weight }) => (groups.length === 1 ? arn : `${arn}=${weight}`))
      .sort()
      .join();
  const stickiness =
    a.stickiness.enabled === b.stickiness.enabled &&
    (!a.stickiness.enabled || a.stickiness.seconds === b.stickiness.seconds);
  return listed(a) === listed(b) && stickiness;
}
