import type { ErrorCode } from '../errors/errors';

/** A reason why a preflight would reject a cutover. */
export interface ReadinessFinding {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * What a cutover would meet if it started now. `unknown`: nothing speaks against it, but not everything could be read.
 * `underWay`: a cutover is. `done`: the weights are already those that the plan ends with.
 */
export type Readiness = 'ready' | 'refused' | 'unknown' | 'underWay' | 'done';

/** What `drainshift doctor` found. */
export interface Diagnosis {
  readonly readiness: Readiness;
  readonly findings: readonly ReadinessFinding[];
  /** What rejects nothing, and will end a cutover without a verdict if it stays so. @default - none */
  readonly warnings?: readonly string[];
  /** What a preflight checks beside, and a diagnosis does not, because that would change something. */
  readonly notChecked: readonly string[];
}

/** The code of what could not be read. */
const UNREADABLE: ErrorCode = 'AwsUnavailable';

export function judgeReadiness(findings: readonly ReadinessFinding[]): Readiness {
  if (findings.length === 0) return 'ready';
  return findings.every(({ code }) => code === UNREADABLE) ? 'unknown' : 'refused';
}

/** Of the alarm: 1 where a cutover would be rejected, undefined where that is not known. A missing figure raises it, too. */
export const REFUSED_FIGURES: Readonly<Record<Readiness, 0 | 1 | undefined>> = {
  ready: 0,
  underWay: 0,
  done: 0,
  refused: 1,
  unknown: undefined,
};
