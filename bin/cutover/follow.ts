import { ExecutionEnd, ExecutionLook, findEnd } from '../../core/cutover/execution-look';
import { CutoverError } from '../../core/errors/errors';
import type { RollbackPorts } from '../../lambda/operator';

/** A look at an execution, or why there is none. */
export type Read = { readonly look: ExecutionLook } | { readonly problem: string; readonly isUnknown: boolean };

/** One who follows an execution. */
export interface Follower {
  /** Receives every look. */
  readonly onRead: (read: Read) => void | Promise<void>;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly pause: (ms: number) => Promise<void>;
}

/** `unfollowed`: it goes on without the one who followed. */
export interface Followed {
  readonly outcome: ExecutionEnd | 'unfollowed';
  readonly look?: ExecutionLook;
}

const POLL_MS = 2_000;
/** Step Functions may not know an execution at once that it has started. */
const MAX_UNKNOWN_MS = 60_000;
const MAX_UNREADABLE_MS = 600_000;

/**
 * Looks at an execution until it ends, or the signal does.
 *
 * @throws CutoverError `AwsUnavailable` when it cannot be read for long
 */
export async function followExecution(
  execution: string,
  executions: RollbackPorts['executions'],
  { onRead, signal, now, pause }: Follower,
): Promise<Followed> {
  let readMs = now();
  while (!signal.aborted) {
    const read = await lookAt(execution, executions);
    await onRead(read);
    if ('look' in read) {
      readMs = now();
      const outcome = findEnd(read.look);
      if (outcome) return { outcome, look: read.look };
    } else {
      const limitMs = read.isUnknown ? MAX_UNKNOWN_MS : MAX_UNREADABLE_MS;
      if (now() - readMs >= limitMs)
        throw new CutoverError('AwsUnavailable', `${read.problem}. '${execution}' goes on`);
    }
    await pause(POLL_MS);
  }
  return { outcome: 'unfollowed' };
}

/** One look. */
export async function lookAt(execution: string, executions: RollbackPorts['executions']): Promise<Read> {
  try {
    const look = await executions.look(execution);
    return look ? { look } : { problem: `Step Functions does not know '${execution}'`, isUnknown: true };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error), isUnknown: false };
  }
}
