import type { LedgerReport } from '../proxy/admin-api';
import { KindEndings, subtractKindEndings } from '../judge/kind-tally';
import { MoveTally, subtractMoveTally, sumCarriedLive } from '../judge/move-tally';
import { KindCounts, NO_CONNECTIONS, addKinds, eachKind, total } from '../proxy/connections';
import { countArrived } from '../judge/sessions';
import { CutoverRun, DrainKinds, DrainProgress, rollBack } from './run';
import { drainLimitSeconds, drainVerdict } from '../proxy/drain';
import { findDirection } from '../plan/direction';
import { MAX_DRAIN_LOOKS } from '../plan/plan';
import { NO_COUNTS, TaskReading, computeDifference, unknownTasks } from '../judge/tally';

/**
 * How much longer a drain waits where nothing is live but what is unknown: ECS stops a task that fails its health checks behind the
 * deregistration delay of its group, and within its stop timeout of up to two minutes; then it is known. The side with the traffic
 * serves meanwhile; a rollback would send it to a side of which a task hangs.
 */
export const MAX_UNKNOWN_MS = 600_000;
const UNKNOWN_POLL_SECONDS = 10;

/** What the first look at the ledgers of the side that is left makes of the drain. */
export function beginDrain(run: CutoverRun, tasks: readonly TaskReading[], nowMs: number): DrainProgress {
  const limits = tasks.map(({ report }) => drainLimitSeconds(run.plan.drain, report?.active ?? NO_CONNECTIONS));
  // Two polls of margin: one for the order to reach every task, one for the last look.
  const limitSeconds = Math.max(0, ...limits) + 2 * run.plan.pollSeconds;
  const active = sumActive(tasks);
  const counts = findCounts(run);
  const { lost, unknown } = run.judgedCounts ?? counts;
  const goneBefore = counts.lost - lost + counts.unknown - unknown;
  return {
    startedAtMs: nowMs,
    limitMs: limitSeconds * 1000,
    atStart: active,
    active,
    unknownTasks: unknownTasks(tasks).length,
    before: { ...counts, lost, unknown },
    ...(goneBefore > 0 && { goneBefore }),
    ended: { moved: 0, closed: 0, forced: 0, lost: counts.lost - lost, unknown: counts.unknown - unknown },
    ...beginKinds(run),
    ...seeMoves(run, tasks, findMoves(run)),
  };
}

/** What died with its task since the last verdict counts, and nothing else that ended before. */
function beginKinds(run: CutoverRun): Pick<DrainProgress, 'kinds'> {
  const now = findKinds(run);
  if (!now) return {};
  const judged = run.judgedCounts ? run.judgedCounts.kinds : now;
  if (!judged) return {};
  const before = eachKind((kind) => {
    const { lost, unknown } = judged[kind];
    return { ...now[kind], lost, unknown };
  });
  const ended = subtractKindEndings(now, before);
  return { kinds: { before, goneBefore: eachKind((kind) => ended[kind].lost + ended[kind].unknown), ended } };
}

function seeKinds(run: CutoverRun, kinds: DrainKinds | undefined): Pick<DrainProgress, 'kinds'> {
  const now = findKinds(run);
  return { kinds: now && kinds && { ...kinds, ended: subtractKindEndings(now, kinds.before) } };
}

function seeMoves(
  run: CutoverRun,
  tasks: readonly TaskReading[],
  before: MoveTally | undefined,
): Pick<DrainProgress, 'carried' | 'moves'> {
  const now = findMoves(run);
  const reports = tasks.flatMap(({ report }) => (report?.carried ? [report] : []));
  return {
    ...(reports.length > 0 && { carried: sumCarriedLive(reports) }),
    moves: now && before && { before, seen: subtractMoveTally(now, before) },
  };
}

function findMoves({ watch, plan }: CutoverRun): MoveTally | undefined {
  return watch?.tallies[findDirection(plan).from].moves;
}

function findKinds({ watch, plan }: CutoverRun): KindEndings | undefined {
  return watch?.tallies[findDirection(plan).from].kinds;
}

/** The drain after another look, with the verdict for the Choice state. */
export function observeDrain(
  run: CutoverRun,
  drain: DrainProgress,
  tasks: readonly TaskReading[],
  nowMs: number,
): CutoverRun {
  const unknown = unknownTasks(tasks);
  const seen = drainSeen(run, drain, tasks);
  const { active } = seen;
  const next: CutoverRun = { ...run, drain: seen };
  // A task that did not respond holds an unknown number of connections.
  const returning = seen.returning ?? 0;
  const live = total(active) + unknown.length + returning;
  const isUnknown = unknown.length > 0 && unknown.length === live;
  const limitMs = drain.limitMs + lateMs(drain, tasks, nowMs) + (isUnknown ? MAX_UNKNOWN_MS : 0);
  const verdict = drainVerdict({ active: live, startedMs: drain.startedAtMs, limitMs }, nowMs);
  if (verdict === 'drained') return { ...next, verdict: 'drained' };
  if (verdict === 'wait') {
    const isLate = isUnknown && nowMs - drain.startedAtMs >= drain.limitMs;
    const pace = isLate ? UNKNOWN_POLL_SECONDS : Math.ceil(drain.limitMs / 1000 / MAX_DRAIN_LOOKS);
    return { ...next, verdict: 'wait', waitSeconds: Math.max(run.plan.pollSeconds, pace) };
  }
  const seconds = Math.round(limitMs / 1000);
  return rollBack(
    next,
    'DrainOverdue',
    `the ${findDirection(run.plan).from} must be at zero ${seconds} s after the drain began, got ${describeLive(active, unknown, returning)}`,
  );
}

/** What has become of the connections of the side that is left, with another look at its tasks. */
export function drainSeen(run: CutoverRun, drain: DrainProgress, tasks: readonly TaskReading[]): DrainProgress {
  const { moved, closed, forced, lost, unknown } = computeDifference(findCounts(run), drain.before);
  const ended = { moved, closed, forced, lost, unknown };
  const arrived = countArrived(tasks);
  return {
    ...drain,
    active: sumActive(tasks),
    unknownTasks: unknownTasks(tasks).length,
    ...(arrived && { returning: arrived.returning }),
    ended,
    ...seeKinds(run, drain.kinds),
    ...seeMoves(run, tasks, drain.moves?.before),
  };
}

function findCounts({ watch, plan }: CutoverRun) {
  return watch?.tallies[findDirection(plan).from].counts ?? NO_COUNTS;
}

/** The drain of a finished cutover whose end is on no record but a mark: what was still live at the last one ended unseen. */
export function unseenEnd(drain: DrainProgress): DrainProgress {
  const unknown = drain.ended.unknown + total(drain.active);
  const kinds = drain.kinds && {
    ...drain.kinds,
    ended: eachKind((kind) => {
      const ended = drain.kinds!.ended[kind];
      return { ...ended, unknown: ended.unknown + drain.active[kind] };
    }),
  };
  const ended = { ...drain.ended, unknown };
  return { ...drain, active: NO_CONNECTIONS, unknownTasks: 0, ended, ...(kinds && { kinds }) };
}

/**
 * A request that arrived in the drain has its full time. The proxies report how long that still is; for those that never end
 * the drain takes twice its time at most.
 */
function lateMs({ startedAtMs, limitMs }: DrainProgress, tasks: readonly TaskReading[], nowMs: number): number {
  const remaining = Math.max(0, ...tasks.map(({ report }) => report?.drainRemainingSeconds ?? 0));
  if (remaining === 0) return 0;
  const endsMs = nowMs + remaining * 1000;
  return Math.min(limitMs, Math.max(0, endsMs - startedAtMs - limitMs));
}

/** The connections of the tasks that responded, without the requests of testers. */
export function sumActive(tasks: readonly TaskReading[]): KindCounts {
  return tasks.reduce((sum, { report }) => (report ? addKinds(sum, withoutTesters(report)) : sum), NO_CONNECTIONS);
}

/** Which of the two kinds they are is not known; how many there are is. */
function withoutTesters({ active, ofTesters = 0 }: LedgerReport): KindCounts {
  const http = Math.max(0, active.http - ofTesters);
  const streaming = Math.max(0, active.streaming - Math.max(0, ofTesters - active.http));
  return { ...active, http, streaming };
}

/** For a message: what is live, and what is unknown. */
export function describeLive(active: KindCounts, unknown: readonly TaskReading[], returning = 0): string {
  const kinds = Object.entries(active).filter(([, count]) => count > 0);
  const live = kinds.map(([kind, count]) => `${count} ${kind}`).join(', ') || 'none live';
  const known = returning > 0 ? `${live}, and ${returning} requests of clients that return since the last look` : live;
  if (unknown.length === 0) return known;
  const names = unknown.slice(0, 3).map(({ address, problem }) => `${address} (${problem ?? 'no response'})`);
  return `${known}, and ${unknown.length} tasks that did not respond: ${names.join(', ')}`;
}
