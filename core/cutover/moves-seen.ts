import { MoveTally, NO_MOVE_TALLY, CARRIED_ENDINGS, CarriedEndings, sumCarried } from '../judge/move-tally';
import { MoveFigures, MoveRejection, addMoves } from '../moves/moves';
import { Stall, summarizeStall } from '../judge/stall';
import { KindCounts, NO_CONNECTIONS, STREAM_KINDS } from '../proxy/connections';
import type { LatencyCounts } from '../proxy/latency-buckets';
import type { CutoverRun } from './run';

/** What became of live connections that moved to the other backend while their client stayed, in switches and in the drain. */
export interface MovesSeen {
  /** Moves; a connection that was moved back and moved again is two. */
  readonly moved: number;
  /** Connections that did not move, by why: `core/moves/moves.ts` has a sentence for each. */
  readonly rejected: Readonly<Partial<Record<MoveRejection, number>>>;
  /** How long their clients waited; absent where nothing moved, or no room was left for it. */
  readonly stall?: Stall;
  /** The same in buckets; see `core/proxy/latency-buckets.ts`. */
  readonly stallCounts: LatencyCounts;
  /** Those that the tasks of the side that was left still carried at the last look, and tasks that did not respond then. */
  readonly carried: KindCounts;
  readonly carriedUnknownTasks: number;
  /** How others ended that were carried. */
  readonly carriedEnded: Readonly<Record<keyof CarriedEndings['http'], number>>;
}

/** @returns undefined where it is unknown: no proxy said anything of it, or the state had no room */
export function summarizeMoves({ drain, switches = [] }: CutoverRun): MovesSeen | undefined {
  const ofSwitches = switches.flatMap(({ moves }) => moves ?? []);
  const ofDrain = drain?.moves?.seen;
  if (!ofDrain && ofSwitches.length === 0) return undefined;
  const none: MoveFigures = { ...NO_MOVE_TALLY, underWay: 0 };
  const sum = [ofDrain ?? NO_MOVE_TALLY, ...ofSwitches].reduce<MoveFigures>(
    (all, { rejected, stall, longestStallMs }) => addMoves(all, { rejected, stall, longestStallMs, underWay: 0 }),
    none,
  );
  const inSwitches = ofSwitches.reduce(
    (all, { moved }) => STREAM_KINDS.reduce((count, kind) => count + moved[kind], all),
    0,
  );
  const stall = summarizeStall(sum.stall, sum.longestStallMs);
  return {
    moved: (drain?.ended.moved ?? 0) + inSwitches,
    rejected: sum.rejected,
    ...(stall && { stall }),
    stallCounts: sum.stall,
    carried: drain?.carried ?? NO_CONNECTIONS,
    carriedUnknownTasks: drain?.unknownTasks ?? 0,
    carriedEnded: sumEndings(ofDrain ?? NO_MOVE_TALLY),
  };
}

function sumEndings({ ended }: MoveTally): MovesSeen['carriedEnded'] {
  const sums = CARRIED_ENDINGS.map((ending) => [ending, sumCarried(ended, ending)]);
  return Object.fromEntries(sums) as MovesSeen['carriedEnded'];
}
