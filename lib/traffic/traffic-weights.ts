/** The relative weights of the two sides: integers from 0 to 999, of which at least one is above 0. */
export interface TrafficWeights {
  /** The share of the backend that serves today. */
  readonly source: number;

  /** The share of the backend that will serve. */
  readonly target: number;
}

/** Everything on the source: how a migration starts. */
export const ALL_ON_SOURCE: TrafficWeights = { source: 100, target: 0 };
