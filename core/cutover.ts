import { ApprovalGate, ApprovalProgress } from './approval';
import { KindCounts } from './connections';
import { RequestCounts, SideCounters } from './counters';
import { ErrorCode } from './errors';
import { Forward, OtherRules } from './forward';
import { Plan } from './plan';
import { Side, Weights } from './weights';

/**
 * The state of one cutover: what the state machine hands from step to step. It stays far under the 256 KiB that Step
 * Functions allows, because polls replace their figures instead of adding to them.
 */
export interface CutoverRun {
  readonly execution: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly plan: Plan;
  /** How it was before the first shift, read by the preflight that no approval came after: from here on something may move. */
  readonly initial?: InitialReading;
  /** The action that the weighted rule must read back as. */
  readonly intended?: Forward;
  readonly stage?: StageProgress;
  readonly stages: readonly StageRecord[];
  /** Waited for now. */
  readonly approval?: ApprovalProgress;
  /** The gates that a person has opened. */
  readonly approved?: readonly ApprovalGate[];
  readonly drain?: DrainProgress;
  readonly timeline: readonly TimelineEntry[];
  readonly failure?: Failure;
  readonly rollback?: RollbackRecord;
  /** What the Choice state after a step reads. */
  readonly verdict: Verdict;
  /** How long the Wait state before the next look lasts. */
  readonly waitSeconds: number;
  /** Set by Catch when a step threw. */
  readonly error?: { readonly Error: string; readonly Cause: string };
}

export type Verdict =
  'go' | 'wait' | 'approve' | 'approved' | 'confirmed' | 'nextStage' | 'drain' | 'drained' | 'rollBack' | 'restored';

export interface InitialReading {
  readonly stickiness: Forward['stickiness'];
  readonly others: OtherRules;
}

export interface StageProgress {
  readonly index: number;
  readonly shiftedAtMs: number;
  readonly confirmedAtMs?: number;
  /** The counts at the shift. */
  readonly baseline: SideCounters;
  /** Since then, at the last look. */
  readonly observed?: Observed;
}

export interface Observed extends Readonly<Record<Side, RequestCounts>> {
  readonly tasksGone: Readonly<Record<Side, number>>;
}

export interface StageRecord {
  readonly weights: Weights;
  readonly confirmed: boolean;
  /** Requests that arrived on each side from the shift to the verdict. */
  readonly observed: Readonly<Record<Side, number>>;
  readonly errors: Readonly<Record<Side, number>>;
  /** Proxy tasks that were there at the shift and not at the verdict: what they held is on no ledger. */
  readonly tasksGone: Readonly<Record<Side, number>>;
  readonly verdict: 'promote' | 'rollBack' | 'inconclusive';
  /** From the shift to its read-back. */
  readonly confirmSeconds?: number;
  readonly seconds: number;
}

export interface DrainProgress {
  readonly startedAtMs: number;
  readonly limitMs: number;
  /** Connections of the source that were live when the drain began, and now. */
  readonly atStart: KindCounts;
  readonly active: KindCounts;
  readonly ended: DrainEndings;
  /** The endings that had been counted before, by proxy instance. */
  readonly endedBefore: Readonly<Record<string, DrainEndings>>;
}

export interface DrainEndings {
  readonly moved: number;
  readonly closed: number;
  readonly forced: number;
}

export interface RollbackRecord {
  readonly startedAt: string;
  readonly restoredAt?: string;
}

export interface Failure {
  readonly code: ErrorCode | 'Unexpected';
  readonly message: string;
}

export interface TimelineEntry {
  /** ISO 8601. */
  readonly at: string;
  readonly state: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export function begin(execution: string, startedAt: string, plan: Plan): CutoverRun {
  return { execution, startedAt, plan, stages: [], timeline: [], verdict: 'go', waitSeconds: plan.pollSeconds };
}

export function note(run: CutoverRun, nowMs: number, state: string, detail: TimelineEntry['detail']): CutoverRun {
  const at = new Date(nowMs).toISOString();
  return { ...run, timeline: [...run.timeline, { at, state, detail }] };
}

/** A decision to go back: not an exception, because the record of the stage must travel on. */
export function retreat(run: CutoverRun, code: ErrorCode, message: string): CutoverRun {
  return { ...run, verdict: 'rollBack', failure: { code, message } };
}

export type Outcome = 'completed' | 'rolled-back' | 'refused' | 'failed';

/** `refused`: nothing was moved. `failed`: something was, and it could not be put back. */
export function outcomeOf(run: CutoverRun): Exclude<Outcome, 'completed'> {
  if (run.rollback?.restoredAt !== undefined) return 'rolled-back';
  // From preflight on a step may have moved something, also one that was cut short before it could say so.
  return run.initial === undefined ? 'refused' : 'failed';
}

/** Why a run ended badly: its own decision, or what Catch left of an exception. */
export function failureOf(run: Pick<CutoverRun, 'failure' | 'error'>): Failure | undefined {
  if (run.failure) return run.failure;
  if (!run.error) return undefined;
  return { code: run.error.Error as Failure['code'], message: messageOf(run.error.Cause) };
}

/** Lambda reports an exception as JSON in `Cause`; Step Functions' own errors are plain text. */
function messageOf(cause: string): string {
  try {
    const parsed = JSON.parse(cause) as { errorMessage?: string };
    return parsed.errorMessage ?? cause;
  } catch {
    return cause;
  }
}
