import { Side, Weights } from '../traffic/weights';

/** Which side a cutover leaves, and which one it moves the traffic to. */
export interface Direction {
  readonly from: Side;
  readonly to: Side;
}

/** What a side is to a cutover. */
export type Role = keyof Direction;

/** Also of a plan that an older version has written, which went from the source to the target. */
export function findDirection(plan: { readonly from?: Side } | undefined): Direction {
  return plan?.from === 'target' ? { from: 'target', to: 'source' } : { from: 'source', to: 'target' };
}

export function exchangeWeights({ source, target }: Weights): Weights {
  return { source: target, target: source };
}
