import type { CompareReport } from '../../../core/compare/compare-report';

/** What the clients of a recording did. */
export interface RecordingResult {
  /** How often its requests were sent from the first one on. */
  readonly rounds: number;
  /** Requests that cannot be sent again. */
  readonly skipped: number;
  /** How long after its time a request was sent, at the most. */
  readonly maxBehindMs: number;
  /** The target's responses with the recorded ones. */
  readonly comparison: CompareReport;
}
