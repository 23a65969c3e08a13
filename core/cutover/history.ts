import type { Evidence } from './evidence';
import { ExecutionEnd, ExecutionLook, findEnd } from './execution-look';

/** One cutover of the past, or the one that is under way. */
export interface PastCutover {
  readonly execution: string;
  /** ISO 8601; undefined where neither the evidence nor Step Functions knows it. */
  readonly startedAt?: string;
  readonly outcome: ExecutionEnd | 'under way' | 'unknown';
  readonly durationSeconds?: number;
  /** Who started it, by their own word. */
  readonly startedBy?: string;
  readonly because?: string;
}

const OUTCOMES: Readonly<Record<Evidence['outcome'], ExecutionEnd>> = {
  completed: 'completed',
  'rolled-back': 'rolledBack',
  refused: 'refused',
  failed: 'failed',
};

/** The evidence is what counts: a recovery may have put back what an execution left that was stopped. */
export function describeEvidence(evidence: Evidence): PastCutover {
  const { execution, startedAt, outcome, durationSeconds, timeline, failure } = evidence;
  const startedBy = timeline.find(({ state }) => state === 'Lock')?.detail.startedBy;
  return {
    execution,
    startedAt,
    outcome: OUTCOMES[outcome],
    durationSeconds: Math.round(durationSeconds),
    ...(typeof startedBy === 'string' && { startedBy }),
    ...(failure && { because: `${failure.code}: ${failure.message.split('\n')[0]}` }),
  };
}

/** One that has left no evidence, yet or at all. */
export function describeExecution(execution: string, look: ExecutionLook, nowMs: number): PastCutover {
  const { startedAtMs, endedAtMs, input, cause } = look;
  const { startedBy } = (input ?? {}) as { readonly startedBy?: unknown };
  const seconds = startedAtMs === undefined ? undefined : Math.round(((endedAtMs ?? nowMs) - startedAtMs) / 1000);
  return {
    execution,
    ...(startedAtMs !== undefined && { startedAt: new Date(startedAtMs).toISOString() }),
    outcome: findEnd(look) ?? 'under way',
    ...(seconds !== undefined && { durationSeconds: seconds }),
    ...(typeof startedBy === 'string' && { startedBy }),
    ...(cause !== undefined && { because: cause.split('\n')[0] }),
  };
}
