import type { AsynchronousCall } from '../functions/asynchronous-calls';
import { errorMessage } from '../functions/error-message';
import type { ProgressReporter } from '../progress/progress-reporter';
import type { ExecutionDescription } from '../state-machine/model';
import { until } from '../processes/waiting';
import type { LocalCloud } from './local-cloud';

/** What `recover` did about an execution that ended past every Catch. */
export interface RecoveryEvidence {
  /** `nothingToDo`: the cutover had put everything in order by itself. `none`: no rule calls a function. */
  readonly outcome: 'restored' | 'nothingToDo' | 'givenUp' | 'none';
  /** How the execution ended: `ABORTED`, `TIMED_OUT`, `FAILED`. */
  readonly status: string;
  readonly calls: number;
  /** From the end of the execution until the last call had ended. */
  readonly seconds: number;
  /** Of the last call that failed. */
  readonly error?: string;
}

/**
 * Waits until what a rule calls at the end of an execution has done its work, or was given up.
 *
 * @returns undefined for an execution that succeeded
 * @throws the signal's reason
 */
export async function recovered(
  cloud: LocalCloud,
  execution: ExecutionDescription,
  signal: AbortSignal,
): Promise<RecoveryEvidence | undefined> {
  const { name, status, stoppedAt } = execution;
  if (status === 'SUCCEEDED') return undefined;
  const calls = () => cloud.statusRules.calls.filter(({ subject }) => subject === name);
  await until(() => calls().every(({ state }) => state !== 'underWay'), { signal });
  const endedMs = Math.max(...calls().map(({ endedAt }) => endedAt?.getTime() ?? 0));
  const error = calls().findLast((call) => call.error !== undefined)?.error;
  return {
    outcome: findOutcome(calls()),
    status,
    calls: calls().reduce((sum, call) => sum + call.calls, 0),
    seconds: Math.max(0, endedMs - (stoppedAt?.getTime() ?? endedMs)) / 1000,
    ...(error !== undefined && { error: errorMessage(error) }),
  };
}

function findOutcome(calls: readonly AsynchronousCall[]): RecoveryEvidence['outcome'] {
  if (calls.length === 0) return 'none';
  if (calls.some(({ state }) => state === 'givenUp')) return 'givenUp';
  return calls.some(({ result }) => isRecovered(result)) ? 'restored' : 'nothingToDo';
}

function isRecovered(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'recovered' in result && result.recovered === true;
}

/** Told of every change of a call; the usual end of a cutover, with nothing to do, needs no line. */
export function tellRecovery(call: AsynchronousCall, reporter: ProgressReporter): void {
  const { subject, state, calls, error, result } = call;
  if (state === 'givenUp') {
    return reporter.step(`recover gave '${subject}' up after ${calls} calls: ${errorMessage(error ?? 'no error')}`);
  }
  if (state === 'done') {
    if (isRecovered(result)) reporter.step(`recover put back what '${subject}' left`);
    return;
  }
  if (calls > 0)
    reporter.step(`recover failed (call ${calls}), and is called again: ${errorMessage(error ?? 'no error')}`);
}
