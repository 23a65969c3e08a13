import { KindCounts, NO_CONNECTIONS } from './connections';
import {
  CutoverRun,
  DrainEndings,
  Failure,
  Outcome,
  RollbackRecord,
  StageRecord,
  TimelineEntry,
  failureOf,
} from './cutover';
import { Plan } from './plan';

/** The one file that a cutover leaves. The rehearsal adds `traffic`: what its own clients saw. */
export interface Evidence {
  readonly schema: 'drainshift/evidence/1';
  readonly outcome: Outcome;
  readonly execution: string;
  readonly startedAt: string;
  readonly durationSeconds: number;
  readonly plan: Plan;
  readonly stages: readonly StageRecord[];
  /** The source's last ledger, and how its connections ended in the drain. */
  readonly drain: { readonly source: KindCounts; readonly atStart: KindCounts } & DrainEndings;
  readonly failure?: Failure;
  readonly rollback?: RollbackRecord;
  readonly timeline: readonly TimelineEntry[];
}

export function evidenceOf(run: CutoverRun, outcome: Outcome, nowMs: number): Evidence {
  const failure = outcome === 'completed' ? undefined : failureOf(run);
  return {
    schema: 'drainshift/evidence/1',
    outcome,
    execution: run.execution,
    startedAt: run.startedAt,
    durationSeconds: Math.round((nowMs - Date.parse(run.startedAt)) / 100) / 10,
    plan: run.plan,
    stages: run.stages,
    drain: {
      source: run.drain?.active ?? NO_CONNECTIONS,
      atStart: run.drain?.atStart ?? NO_CONNECTIONS,
      moved: run.drain?.ended.moved ?? 0,
      closed: run.drain?.ended.closed ?? 0,
      forced: run.drain?.ended.forced ?? 0,
    },
    ...(failure && { failure }),
    ...(run.rollback && { rollback: run.rollback }),
    timeline: run.timeline,
  };
}
