import { findDirection } from '../plan/direction';
import { describeWait } from './hooks';
import { describePace } from './pacing';
import type { CutoverRun } from './run';
import { describePreparation } from '../state/preparation';
import { total } from '../proxy/connections';
import { adviseToFree } from '../traffic/lock';
import { formatWeights } from '../traffic/weights';

/** The action in the input of an execution that rolls a completed cutover back. */
export const ROLLBACK_ACTION = 'rollback';

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED' | 'PENDING_REDRIVE';

/** An execution of the state machine, as it is now. */
export interface ExecutionLook {
  readonly status: ExecutionStatus;
  /** As it was started. */
  readonly input: unknown;
  /** The state that it is in; absent of one that has ended. */
  readonly state?: string;
  /** What the last step returned, where that can be read. */
  readonly run?: CutoverRun;
  /** Milliseconds since the epoch. */
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
  /** Of one that failed: the name of its end, such as `RolledBack`, and why. */
  readonly error?: string;
  readonly cause?: string;
}

/** One line for a person who waits, without the time. */
export function describeLook({ state = 'starting', run }: ExecutionLook): string {
  return [state, ...(run ? listFacts(run, state) : [])].join(', ');
}

function listPreparation({ preparation }: CutoverRun, state: string): string[] {
  return preparation && state === 'Switch' ? [describePreparation(preparation)] : [];
}

function listFacts(run: CutoverRun, state: string): string[] {
  const { stage, plan, drain, switches, approval, hooking, verdict, failure, rollback } = run;
  const last = switches?.at(-1);
  const present = stage && plan.stages[stage.index];
  const { from } = findDirection(plan);
  return [
    ...listPreparation(run, state),
    ...(last ? [`epoch ${last.epoch} to the ${last.to}: ${last.outcome}`] : []),
    ...(present ? [`stage ${stage.index + 1} of ${plan.stages.length}: ${formatWeights(present.weights)}`] : []),
    ...(approval ? [`it waits for an approval at '${approval.gate}'`] : []),
    ...(hooking?.waiting && !rollback ? [`the hook ${describeWait(hooking.waiting)}`] : []),
    ...(drain ? [`the ${from} has ${total(drain.active)} live connections`] : []),
    ...(verdict === 'rollBack' && failure ? [`it rolls back: ${failure.message.split('\n')[0]}`] : []),
    ...(rollback?.pace ? [`pace of the rollback: ${describePace(rollback.pace).join('; ')}`] : []),
  ];
}

/**
 * How the lock of an execution is freed that has ended with it; undefined of one that goes on.
 *
 * @param storeBucket where the lock is
 */
export function describeKeptLock(look: ExecutionLook, storeBucket: string): string | undefined {
  if (!findEnd(look)) return undefined;
  const free = `${adviseToFree(storeBucket)}. Then run this command again`;
  const ended = `which has ended as ${look.error ?? look.status}`;
  // Past every Catch: what the recovery function puts back.
  const isStopped = look.status === 'ABORTED' || look.status === 'TIMED_OUT';
  return isStopped
    ? `${ended}: its recovery restores the weights and frees the lock, within minutes. If it has given up (see its message), look at the weights and ${free}`
    : `${ended} and keeps the lock, because a person has to decide. Look at the weights, and ${free}`;
}

/** How an execution has ended, for an exit code; undefined of one that goes on. */
export type ExecutionEnd = 'completed' | 'rolledBack' | 'refused' | 'failed';

const ENDS: Readonly<Record<string, ExecutionEnd>> = {
  RolledBack: 'rolledBack',
  Refused: 'refused',
  NotStarted: 'refused',
};

export function findEnd({ status, error = '' }: Pick<ExecutionLook, 'status' | 'error'>): ExecutionEnd | undefined {
  if (status === 'RUNNING' || status === 'PENDING_REDRIVE') return undefined;
  if (status === 'SUCCEEDED') return 'completed';
  return Object.hasOwn(ENDS, error) ? ENDS[error] : 'failed';
}
