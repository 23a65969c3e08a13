import type { CutoverRun } from '../../core/cutover/run';
import type { TaskReading } from '../../core/judge/tally';
import { DEFAULT_MOVES, narrowMoves } from '../../core/moves/moves';
import { findDirection } from '../../core/plan/direction';
import type { LedgerReport } from '../../core/proxy/admin-api';
import type { Ports } from '../contract/ports';
import { settle, settleWithin } from '../contract/settle';

/** Of the tasks that are asked whether they reach the other backend: all of a service have the same settings. */
const MAX_PROBES = 3;
const PROBE_MS = 4_000;

/**
 * Why a plan that moves live connections will move fewer than it says. Nothing is blocked by it: what does not move is closed in order.
 *
 * @param tasks of the side that is left
 */
export async function findMoveWarnings(
  run: CutoverRun,
  tasks: readonly TaskReading[],
  ports: Ports,
): Promise<readonly string[]> {
  const { moves = DEFAULT_MOVES } = run.plan.drain;
  if (moves === 'none') return [];
  const reports = tasks.flatMap(({ life, report }) => (life === 'running' && report ? [report] : []));
  const { from } = findDirection(run.plan);
  const able = reports.filter(({ movable }) => movable?.hasOther && movable.setting !== 'none');
  const lacks: readonly (readonly [(report: LedgerReport) => boolean, string])[] = [
    [({ movable }) => !movable, 'move no connection: they are of an older version'],
    [({ movable }) => movable?.setting === 'none', "move no connection: their setting 'moves' is none"],
    [
      ({ movable }) => movable !== undefined && movable.setting !== 'none' && !movable.hasOther,
      "move no connection: they do not know the other backend ('other_upstream')",
    ],
    [
      ({ movable }) =>
        movable !== undefined &&
        movable.hasOther &&
        movable.setting !== 'none' &&
        narrowMoves(movable.setting, moves) !== moves,
      `move fewer than 'drain.moves: ${moves}': their setting 'moves' is narrower`,
    ],
  ];
  const found = lacks.flatMap(([isSo, what]) => {
    const count = reports.filter(isSo).length;
    return count === 0 ? [] : [`${count} of ${reports.length} proxies of the ${from} ${what}`];
  });
  const unreached = able.length > 0 && !run.plan.switch ? await findUnreached(run, ports) : undefined;
  return unreached === undefined ? found : [...found, unreached];
}

/** A switch shows it at every task. */
async function findUnreached({ plan }: CutoverRun, { proxies, smoke }: Ports): Promise<string | undefined> {
  const { from, to } = findDirection(plan);
  const opened = await settle(() => proxies.open());
  if ('problem' in opened) return undefined;
  const path = plan.smoke[0]?.path ?? '/';
  const asked = opened.value.filter(({ home, session }) => home === from && session).slice(0, MAX_PROBES);
  const probes = asked.map(async ({ id, session }) => {
    const order = { to, path, host: smoke.host, isOfBackendAlone: true };
    const probed = await settleWithin(PROBE_MS, `asking the ${to}'s backend`, () => session!.probe(order));
    const problem = 'problem' in probed ? probed.problem : probed.value.upstreamProblem;
    return problem === undefined ? [] : [`of ${id}: ${problem}`];
  });
  const [first] = (await Promise.all(probes)).flat();
  for (const { session } of opened.value) session?.close();
  if (first === undefined) return undefined;
  return `proxies of the ${from} must reach the ${to}'s backend to move connections there, got ${first}`;
}
