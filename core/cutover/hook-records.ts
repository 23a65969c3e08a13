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
  /** `notYet` of one that the cutover ended on while it waited. */
  readonly outcome: 'passed' | 'failed' | 'notYet';
  /** Why it counts as failed: its own word, or what was wrong with its response. */
  readonly why?: string;
  /** How often it was called, where it said not yet. */
  readonly calls?: number;
  /** When it said so: the last times, ISO 8601. */
  readonly notYetAt?: readonly string[];
}

/** A hook that has said not yet, and is called again. */
export interface HookWait extends HookPoint {
  readonly name: string;
  /** How often it has said so. */
  readonly calls: number;
  /** When: the last times, ISO 8601. */
  readonly notYetAt: readonly string[];
  /** When it was called first. */
  readonly sinceMs: number;
  /** At the earliest. */
  readonly nextAtMs: number;
}

export interface HookRecords {
  readonly records: readonly HookRecord[];
  /** Earlier ones, which the state of a cutover has no room for. */
  readonly leftOut: number;
}
