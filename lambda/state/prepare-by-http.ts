import type { CutoverRun } from '../../core/cutover/run';
import type { StatePlan } from '../../core/plan/state-plan';
import type { TransferReport } from '../../core/proxy/state-transfer';
import { StatePreparation, formatCopyId } from '../../core/state/preparation';
import { oneLine } from '../../core/text/one-line';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import type { TaskSession } from '../contract/switch-ports';
import type { Prepared } from './prepared';

/** Looks without a response after which another task carries the state. */
const MAX_UNANSWERED = 2;
const MAX_WHY = 200;

interface Asked {
  readonly run: CutoverRun;
  readonly plan: StatePlan & { readonly http: NonNullable<StatePlan['http']> };
  readonly preparation: StatePreparation;
  readonly limitMs: number;
  readonly waitMs: number;
}

/** One proxy task copies, and is asked how far it is. When it is gone another one begins anew. */
export async function prepareByHttp(
  { run, plan, preparation, limitMs, waitMs }: Asked,
  ports: Ports,
): Promise<Prepared> {
  const opened = await ports.proxies.open();
  const tasks = opened.flatMap(({ id, session }) => (session ? [{ id, session }] : []));
  try {
    const chosen = chooseTask(tasks, preparation);
    if (!chosen) return { kind: 'failed', preparation, why: 'a proxy task must carry the state, got none' };
    const { task, copy } = chosen;
    const stored = await settle(() => ports.switches.readRegime());
    // An application takes no import of an epoch that has ended.
    if ('problem' in stored) return { kind: 'copying', preparation: withWhy(preparation, stored.problem) };
    const { from, to } = copy;
    const order = {
      ...({
        id: formatCopyId(run.execution, copy),
        kind: 'copy',
        from,
        to,
        path: plan.http.path,
        cancels: false,
      } as const),
      ...{ host: ports.smoke.host, epoch: stored.value.regime.committed },
      ...{ maxBytes: plan.maxBytes, limitMs: Math.ceil(limitMs), waitMs: Math.ceil(waitMs) },
    };
    const asked = await settle(() => task.session.transferState(order));
    if ('problem' in asked)
      return { kind: 'copying', preparation: withWhy({ ...copy, unanswered: copy.unanswered + 1 }, asked.problem) };
    return judge(note(copy, asked.value), asked.value);
  } finally {
    for (const { session } of tasks) session.close();
  }
}

/** Nothing is copied any more, and the process that copied has heard it. */
export async function cancelCopy(
  run: CutoverRun,
  preparation: StatePreparation,
  path: string,
  ports: Ports,
): Promise<void> {
  const opened = await ports.proxies.open();
  const sessions = opened.flatMap(({ id, session }) => (session && id === preparation.task ? session : []));
  const { from, to } = preparation;
  const id = formatCopyId(run.execution, preparation);
  const order = { ...({ id, kind: 'copy', from, to, path, epoch: 0, maxBytes: 1, limitMs: 1_000 } as const) };
  await Promise.all(
    sessions.map(async (session) => settle(() => session.transferState({ ...order, waitMs: 1_000, cancels: true }))),
  );
  for (const { session } of opened) session?.close();
}

interface Found {
  readonly id: string;
  readonly session: TaskSession;
}

function chooseTask(
  tasks: readonly Found[],
  preparation: StatePreparation,
): { readonly task: Found; readonly copy: StatePreparation } | undefined {
  const current = tasks.find(({ id }) => id === preparation.task);
  if (current && preparation.unanswered < MAX_UNANSWERED && preparation.starts > 0)
    return { task: current, copy: preparation };
  const task = tasks.find(({ id }) => id !== preparation.task) ?? current;
  return task && { task, copy: { ...preparation, task: task.id, unanswered: 0, starts: preparation.starts + 1 } };
}

function withWhy(copy: StatePreparation, why: string): StatePreparation {
  return { ...copy, why: oneLine(why, MAX_WHY) };
}

function note(copy: StatePreparation, report: TransferReport): StatePreparation {
  const { bytes, keys, cursor, resumed, tookMs, state } = report;
  return {
    ...copy,
    ...{ unanswered: 0, why: undefined, bytes, resumed, tookMs, isReady: state === 'done' },
    ...(keys !== undefined && { keys }),
    ...(cursor !== undefined && { cursor }),
  };
}

function judge(preparation: StatePreparation, { state, problem = 'no reason' }: TransferReport): Prepared {
  if (state === 'failed') return { kind: 'failed', preparation, why: problem };
  return { kind: state === 'done' ? 'ready' : 'copying', preparation };
}
