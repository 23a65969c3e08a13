import type { HookTime } from '../plan/phase-hooks';

/** A point of a cutover at which hooks are called. */
export interface HookPoint {
  readonly when: HookTime;
  /** From 1, of a shift and of a bake. */
  readonly stage?: number;
  /** From 1: a switch that was aborted is attempted again. */
  readonly attempt: number;
}

/** What came of a call. */
export interface HookRecord extends HookPoint {
  readonly name: string;
  readonly at: string;
  readonly seconds: number;
  readonly outcome: 'passed' | 'failed';
  /** Why it counts as failed: its own word, or what was wrong with its response. */
  readonly why?: string;
}

export interface HookRecords {
  readonly records: readonly HookRecord[];
  /** Earlier ones, which the state of a cutover has no room for. */
  readonly leftOut: number;
}
