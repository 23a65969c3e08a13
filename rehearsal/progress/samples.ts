import { KindCounts } from '../../core/proxy/connections';
import type { HoldReport } from '../../core/proxy/hold';
import type { Outcome } from '../../core/switch/decision';
import { Side, Weights } from '../../core/traffic/weights';

/** One look at a rehearsal in motion, for the live progress and for the chart of the report. */
export interface Sample {
  readonly atMs: number;
  /** The state machine's place. */
  readonly state: string;
  readonly stage: number;
  readonly stages: number;
  readonly weights: Weights;
  /** HTTP responses since the start, by the side that made them. */
  readonly responses: Readonly<Record<Side, number>>;
  readonly wrong: number;
  readonly live: Readonly<Record<Side, KindCounts>>;
  readonly draining: boolean;
  readonly messages: number;
  /** Of the full rate of the traffic (0–1): less where this machine cannot carry more. @default 1 */
  readonly share?: number | undefined;
}

/** One look at the tasks of both sides while a switch is under way. */
export interface SwitchSample {
  readonly atMs: number;
  readonly epoch: number;
  readonly to: Side;
  /** Undefined until it is decided. */
  readonly outcome: Outcome | undefined;
  readonly tasks: readonly TaskSample[];
}

export interface TaskSample {
  readonly home: Side;
  /** `source 1` */
  readonly label: string;
  /** Absent of a task that does not respond. */
  readonly report?: {
    readonly hold: HoldReport['state'];
    readonly inFlight: number;
    readonly waiting: number;
    /** Where the next request goes. */
    readonly upstream: Side;
  };
}
