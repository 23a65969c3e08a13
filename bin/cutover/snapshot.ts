import { ExecutionLook, findEnd } from '../../core/cutover/execution-look';
import { Progress, findProgress } from '../../core/cutover/progress';
import type { LockHolder } from '../../core/traffic/lock';
import type { Weights } from '../../core/traffic/weights';
import type { CutoverPorts } from '../../lambda/operator';
import { readWeights } from '../shared/weights-change';

/** One look at a deployed cutover. What could not be read is absent, and never zero or null: `unknown` says why. */
export interface Snapshot {
  /** ISO 8601. */
  readonly at: string;
  readonly weights?: Weights;
  /** Null of a free one. */
  readonly lock?: Pick<LockHolder, 'execution' | 'startedAt' | 'expiresAt'> | null;
  /** Null where none is under way. */
  readonly execution?: ShownExecution | null;
  /** Why a part is absent, one line each. */
  readonly unknown: readonly string[];
}

export interface ShownExecution extends Progress {
  readonly name: string;
  readonly status: ExecutionLook['status'];
  /** The state that it is in. */
  readonly state?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** Of one that has ended. */
  readonly outcome?: ReturnType<typeof findEnd>;
  readonly cause?: string;
}

type InForce = Pick<Snapshot, 'weights' | 'lock' | 'unknown'>;

/** The weights in force and the lock. */
export async function readInForce(ports: Pick<CutoverPorts, 'loadBalancer' | 'lock'>): Promise<InForce> {
  try {
    const { weights, lock } = await readWeights(ports);
    return { weights, lock: lock ? pickHolder(lock) : null, unknown: [] };
  } catch (error) {
    return { unknown: [`the weights and the lock: ${formatError(error)}`] };
  }
}

/** The lock has the whole state of a cutover with it. */
function pickHolder({ execution, startedAt, expiresAt }: LockHolder): NonNullable<Snapshot['lock']> {
  return { execution, startedAt, ...(expiresAt !== undefined && { expiresAt }) };
}

export function showExecution(name: string, look: ExecutionLook, nowMs: number): ShownExecution {
  const { status, state, run, cause, startedAtMs, endedAtMs } = look;
  const outcome = findEnd(look);
  return {
    name,
    status,
    ...(state !== undefined && { state }),
    ...(startedAtMs !== undefined && { startedAt: new Date(startedAtMs).toISOString() }),
    ...(endedAtMs !== undefined && { endedAt: new Date(endedAtMs).toISOString() }),
    ...(run && findProgress(run, nowMs)),
    ...(outcome && { outcome, next: undefined, gate: undefined, hook: undefined }),
    ...(cause !== undefined && { cause }),
  };
}

export function formatError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
