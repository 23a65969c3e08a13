import type { BackendCallOrder, BackendCallReport } from '../../core/proxy/backend-call';
import type { Side } from '../../core/traffic/weights';
import { settle } from '../contract/settle';
import type { CarryContext } from './carrier';

/** A call of a backend, through whichever task responds. */
export type BackendOrder = Pick<BackendCallOrder, 'method' | 'path' | 'body' | 'timeoutMs'>;

/** Of the tasks that a call is tried through, one after the other. */
const MAX_TASKS = 3;

/**
 * A task that does not respond is no word of the backend: the next one is asked.
 *
 * @param first which of the tasks is the first
 */
export async function callThroughTasks(
  to: Side,
  order: BackendOrder,
  { sessions, committed: epoch }: CarryContext,
  host: string,
  first = 0,
): Promise<BackendCallReport> {
  const tasks = sessions();
  const count = Math.min(MAX_TASKS, tasks.length);
  const chosen = Array.from({ length: count }, (_, at) => tasks[(first + at) % tasks.length]!);
  let problem = 'no task to call it through';
  for (const task of chosen) {
    const asked = await settle(() => task.callBackend({ to, host, epoch, ...order }));
    if ('value' in asked) return asked.value;
    problem = asked.problem;
  }
  return { upstreamProblem: problem };
}
