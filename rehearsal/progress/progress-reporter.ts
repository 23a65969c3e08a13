import type { SwitchRecord } from '../../core/switch/switch-record';
import type { Sample, SwitchSample } from './samples';

/** What a person is told while it runs. */
export interface ProgressReporter {
  /** Whether it is drawn anew in place; a log gets lines. */
  readonly isLive: boolean;
  step(text: string): void;
  progress(sample: Sample): void;
  /** A switch is under way. */
  switching(sample: SwitchSample): void;
  /** An attempt to switch has ended. What it was stays on the screen. */
  switched(record: SwitchRecord): void;
}
