import { KindCounts } from '../../core/proxy/connections';
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
