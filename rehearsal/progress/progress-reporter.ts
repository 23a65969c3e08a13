import type { Sample } from './samples';

/** What a person is told while it runs. */
export interface ProgressReporter {
  /** Whether it is drawn anew in place; a log gets lines. */
  readonly isLive: boolean;
  step(text: string): void;
  progress(sample: Sample): void;
}
