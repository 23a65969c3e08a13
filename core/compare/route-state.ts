import type { RateOdds } from '../judge/rate-odds';
import type { DifferenceKind } from './difference';
import type { WindowCounts } from './field-odds';

export interface Example {
  readonly request: string;
  readonly kind: DifferenceKind;
  /** null where there is none. */
  readonly source: string | null;
  readonly target: string | null;
}

/** What was counted of a field of one route. */
export interface FieldState {
  readonly field: string;
  readonly isIgnored: boolean;
  /** In how many it differed. */
  readonly hits: WindowCounts;
  readonly window: WindowCounts;
  odds: RateOdds;
  /** Of comparisons with the target. */
  readonly kinds: Map<DifferenceKind, number>;
  readonly examples: Example[];
}

export interface RouteState {
  readonly route: string;
  readonly all: WindowCounts;
  readonly window: WindowCounts;
  /** Comparisons in which everything was compared that both have. */
  whole: number;
  /** Comparisons with a difference that is not ignored. */
  differ: number;
  readonly fields: Map<string, FieldState>;
}
