import { drainSeen } from '../../core/cutover/drain-run';
import { CutoverRun, RecallRecord, RollbackRecord, note } from '../../core/cutover/run';
import { sumCarriedLive } from '../../core/judge/move-tally';
import { TaskReading, addReadings, unknownTasks } from '../../core/judge/tally';
import { DEFAULT_MOVES } from '../../core/moves/moves';
import { findDirection } from '../../core/plan/direction';
import { CONNECTION_KINDS, KIND_FACTS, total } from '../../core/proxy/connections';
import type { Ports } from '../contract/ports';
import { settleWithin } from '../contract/settle';
import { timeLeftMs } from '../contract/time-left';
import { undrain } from '../shared/undrain';

/** How long the proxies have for it. Those that are not back by then are on record. */
const FOLLOW_MS = 15_000;
const PAUSE_MS = 500;
const READ_MS = 3_000;
/** For the rest of a step. */
const REST_MS = 4_000;

/**
 * Tells the proxies of the side that got its weight back to move back what a drain has moved to the other backend. Not before: what moves
 * back to a side that does not serve is lost.
 *
 * @param run that is restored; any other is returned as it is
 */
export async function recallMoved(run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  const { rollback: record, plan } = run;
  const { moves = DEFAULT_MOVES } = plan.drain;
  // Proxies of an older version have moved nothing.
  const mayCarry = run.drain?.carried !== undefined || (run.drain?.unknownTasks ?? 0) > 0;
  const isDue = run.verdict === 'restored' && record && !record.recalled && mayCarry && moves !== 'none';
  if (!isDue) return run;
  const notDone = await undrain(findDirection(plan).from, moves, ports);
  return withRecord(run, { recalled: {} }, notDone);
}

/** Waits for that, for a bounded time: the weights are back, and nothing waits for this. */
export async function followRecalled(run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  const record = run.rollback;
  const isDue = run.verdict === 'restored' && record?.recalled && !record.recalled.left && !record.arrivals;
  if (!isDue) return run;
  const { from } = findDirection(run.plan);
  const untilMs = ports.now() + FOLLOW_MS;
  let seen: Seen | undefined;
  do {
    seen = (await look(run, ports)) ?? seen;
    if (seen?.isOver) break;
    if (timeLeftMs() < REST_MS + READ_MS + PAUSE_MS) break;
    await ports.pause(PAUSE_MS);
  } while (ports.now() < untilMs);
  if (!seen)
    return withRecord(run, {}, [`what the proxies of the ${from} still carry is unknown: ECS did not list them`]);
  const { tasks, left, unknown } = seen;
  const problem = describeLeft(from, left, unknown);
  const noted = note(withSeen(run, tasks, ports.now()), ports.now(), 'Recall', {
    carried: left,
    unknownTasks: unknown,
  });
  return withRecord(noted, { recalled: { left, unknownTasks: unknown } }, problem === undefined ? [] : [problem]);
}

interface Seen {
  readonly tasks: readonly TaskReading[];
  readonly left: NonNullable<RecallRecord['left']>;
  readonly unknown: number;
  readonly isOver: boolean;
}

async function look(run: CutoverRun, ports: Ports): Promise<Seen | undefined> {
  const { from } = findDirection(run.plan);
  const read = await settleWithin(READ_MS, `reading the tasks of the ${from}`, () => ports.proxies.tasks(from));
  if (!('value' in read)) return undefined;
  const reports = read.value.flatMap(({ report }) => report ?? []);
  const left = sumCarriedLive(reports);
  const unknown = unknownTasks(read.value).length;
  const isMoving = reports.some(({ moves }) => (moves?.underWay ?? 0) > 0);
  return { tasks: read.value, left, unknown, isOver: total(left) === 0 && unknown === 0 && !isMoving };
}

/** The evidence has what became of them. */
function withSeen(run: CutoverRun, tasks: readonly TaskReading[], nowMs: number): CutoverRun {
  const { watch, drain, plan } = run;
  if (!watch || !drain) return run;
  const { from } = findDirection(plan);
  const tallies = { ...watch.tallies, [from]: addReadings(watch.tallies[from], tasks, nowMs) };
  const next = { ...run, watch: { ...watch, tallies } };
  return { ...next, drain: drainSeen(next, drain, tasks) };
}

function describeLeft(side: string, left: Seen['left'], unknown: number): string | undefined {
  const kinds = CONNECTION_KINDS.flatMap((kind) =>
    left[kind] > 0 ? [`${left[kind]} ${KIND_FACTS[kind].plural}`] : [],
  );
  const silent = unknown > 0 ? [`${unknown} tasks that did not respond`] : [];
  const got = [...kinds, ...silent];
  if (got.length === 0) return undefined;
  return `the proxies of the ${side} must carry no connection of the other backend any more, got ${got.join(', ')}`;
}

function withRecord(run: CutoverRun, more: Partial<RollbackRecord>, lines: readonly string[]): CutoverRun {
  const record = { ...run.rollback!, ...more };
  const notDone = [...(record.notDone ?? []), ...lines];
  return { ...run, rollback: { ...record, ...(notDone.length > 0 && { notDone }) } };
}
