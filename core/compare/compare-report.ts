import type { DifferenceKind } from './difference';
import type { Excess, Tally } from './excess';
import type { Example } from './route-state';

export type CompareVerdict = 'promote' | 'roll back' | 'inconclusive';

/** How large a change would have been seen with 95 % confidence; parts of all responses. */
export interface Excluded {
  /** In fields in which the source never differed from itself. */
  readonly quiet: number;
  /** In the noisy field that hides most; 0 where none is noisy. */
  readonly noisy: number;
}

export interface Judged {
  readonly verdict: CompareVerdict;
  /** What led to it, in lines for people; the gravest first. */
  readonly because: readonly string[];
  readonly excluded: Excluded;
}

/** Of the document. A reader rejects another one. */
export const REPORT_VERSION = 1;

/**
 * What a field's differences are.
 *
 * - `differs`: the target differs in it more often than the source from itself, and by more than is tolerated.
 * - `suspect`: it may, and there are too few repeats to say so.
 * - `tolerated`: it does, and by no more than is tolerated.
 * - `rare`: it was seen to differ from the target alone, and not often enough to say more.
 * - `noise`: the source differs from itself in it.
 * - `unrepeated`: no request of the route was repeated, so that nothing says what is noise.
 * - `ignored`: the options say so.
 */
export const FINDINGS = ['differs', 'suspect', 'unrepeated', 'rare', 'tolerated', 'noise', 'ignored'] as const;
export type Finding = (typeof FINDINGS)[number];

export interface FieldReport {
  /** `status`, `header.content-type`, `body.items[*].price`, `body line 12`, `body`, `response`. */
  readonly field: string;
  readonly finding: Finding;
  /** The source against itself. */
  readonly repeats: Tally;
  /** The target against the source. */
  readonly comparisons: Tally;
  readonly excess: Excess;
  /** Against noise, 1 at the beginning; at most 1e12. They count as far as `MAX_FALSE_ALARM_ODDS` of one of all fields. */
  readonly odds: number;
  readonly kinds: Readonly<Partial<Record<DifferenceKind, number>>>;
  readonly examples: readonly Example[];
}

export interface RouteReport {
  /** `GET /items/{id}`. */
  readonly route: string;
  readonly comparisons: number;
  readonly repeats: number;
  /** Responses of the target with a difference that is not ignored. */
  readonly differ: number;
  /** Those that differ beyond noise first. */
  readonly fields: readonly FieldReport[];
}

/** A whole comparison, as JSON. */
export interface CompareReport extends Judged {
  readonly version: typeof REPORT_VERSION;
  readonly tolerance: number;
  readonly noiseTolerance: number;
  readonly comparisons: number;
  /** Of these all of the body was compared. */
  readonly whole: number;
  readonly repeats: number;
  readonly differ: number;
  /** Fields that differ over all routes together, where no single route shows it. */
  readonly shared: readonly FieldReport[];
  /** The routes with differences beyond noise first, then those with the most comparisons. */
  readonly routes: readonly RouteReport[];
}
