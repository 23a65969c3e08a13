import type { HookCallRecord } from './hook';
import type { MoveFigures } from '../moves/moves';
import type { StreamKind } from '../proxy/connections';
import type { HoldFigures } from '../proxy/hold';
import type { Side } from '../traffic/weights';
import type { Outcome } from './decision';
import type { SwitchTrace } from './switch-trace';

export type StreamCounts = Readonly<Record<StreamKind, number>>;

/** `underWay`: that had not joined when the record was made; what became of them is in no figure. */
export interface SwitchMoves extends MoveFigures {
  readonly moved: StreamCounts;
}

/** What one attempt to switch was. Times are milliseconds from the first call to hold. */
export interface SwitchRecord {
  readonly epoch: number;
  readonly from: Side;
  readonly to: Side;
  readonly outcome: Outcome;
  /** Of an abort. */
  readonly why?: string;
  /** Who wrote the decision: the execution, or a task whose lease expired. */
  readonly by: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Another call of the same execution had begun it: what was before this one is in no figure here, and unknown. */
  readonly isResumed?: true;
  /** ISO 8601; of the first call to hold. Absent where nothing was held, or another call had held before. */
  readonly heldAt?: string;
  readonly members: number;
  /** What kept the side that was left from writing. */
  readonly fence: 'drained' | 'drainedAndAbandoned' | 'frozen' | 'epoch';
  /** Requests that clients or proxies had given up shortly before, and that may have been running still. */
  readonly abandoned: number;
  /** Requests that waited at the same time, at the most, as the looks saw them. */
  readonly maxWaiting: number;
  /** What the hold came to, of all tasks: requests that waited and were released, and what was rejected, by reason. */
  readonly holds?: HoldFigures;
  /** Connections that were closed in order, so that they connect anew and wait; those of them that had to be cut. By kind. */
  readonly streams?: { readonly closed: StreamCounts; readonly forced: StreamCounts };
  /** Connections that left their backend before the decision and joined the one that it led to. Absent where no task says so. */
  readonly moves?: SwitchMoves;
  /** The calls of the hook, in their order; of a transfer of state the copy before the hold first. */
  readonly hook?: readonly HookCallRecord[];
  /** The side at which state that was copied may be left behind an abort: it could not be discarded. */
  readonly left?: Side;
  /** The side that serves, and that a hook may have left frozen: its thaw failed. */
  readonly frozen?: Side;
  readonly heldMs?: number;
  readonly emptyMs?: number;
  readonly decidedMs?: number;
  readonly releasedMs?: number;
  /** What `drainshift verify` replays. Absent of older attempts where the state of the cutover had no room for it. */
  readonly trace?: SwitchTrace | undefined;
}
