import { CutoverRun, RollbackRecord } from './run';
import { findPaceMs } from './pacing';

/** Without what an earlier look saw, and could not do: this one has tried again. */
export function findStart({ rollback: started }: CutoverRun, nowMs: number): RollbackRecord {
  if (!started) return { startedAt: new Date(nowMs).toISOString() };
  return { ...started, sides: undefined, notDone: undefined, notMoved: undefined };
}

/** When it last did something that takes time: a pace has its own. */
export function findLastMs({ startedAt, pace }: RollbackRecord): number {
  return findPaceMs(pace) ?? Date.parse(startedAt);
}
