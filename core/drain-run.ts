import { LedgerReport } from './admin';
import { CONNECTION_KINDS, KindCounts, NO_CONNECTIONS, addKinds, total } from './connections';
import { CutoverRun, DrainEndings, DrainProgress, retreat } from './cutover';
import { drainLimitSeconds, drainVerdict } from './drain';
import { MOST_DRAIN_LOOKS } from './plan';

/** What the first look at the source's ledgers makes of the drain. */
export function beginDrain(run: CutoverRun, reports: readonly LedgerReport[], nowMs: number): DrainProgress {
  const limits = reports.map(({ active }) => drainLimitSeconds(run.plan.drain, active));
  // Two polls of margin: one for the order to reach every task, one for the last look.
  const limitSeconds = Math.max(0, ...limits) + 2 * run.plan.pollSeconds;
  const active = activeOf(reports);
  return {
    startedAtMs: nowMs,
    limitMs: limitSeconds * 1000,
    atStart: active,
    active,
    ended: { moved: 0, closed: 0, forced: 0 },
    endedBefore: Object.fromEntries(reports.map((report) => [report.instance, endingsOf(report)])),
  };
}

/** The drain after another look, with the verdict for the Choice state. */
export function observeDrain(
  run: CutoverRun,
  drain: DrainProgress,
  reports: readonly LedgerReport[],
  nowMs: number,
): CutoverRun {
  const active = activeOf(reports);
  const next: CutoverRun = { ...run, drain: { ...drain, active, ended: endedSince(drain, reports) } };
  const verdict = drainVerdict({ active: total(active), startedMs: drain.startedAtMs, limitMs: drain.limitMs }, nowMs);
  if (verdict === 'drained') return { ...next, verdict: 'drained' };
  if (verdict === 'wait') {
    const pace = Math.ceil(drain.limitMs / 1000 / MOST_DRAIN_LOOKS);
    return { ...next, verdict: 'wait', waitSeconds: Math.max(run.plan.pollSeconds, pace) };
  }
  const seconds = drain.limitMs / 1000;
  return retreat(
    next,
    'DrainOverdue',
    `the source must be at zero ${seconds} s after the drain began, got ${describe(active)}`,
  );
}

export function activeOf(reports: readonly LedgerReport[]): KindCounts {
  return reports.reduce((sum, report) => addKinds(sum, report.active), NO_CONNECTIONS);
}

function endedSince(drain: DrainProgress, reports: readonly LedgerReport[]): DrainEndings {
  const sum = { moved: 0, closed: 0, forced: 0 };
  for (const report of reports) {
    const now = endingsOf(report);
    const before = drain.endedBefore[report.instance] ?? { moved: 0, closed: 0, forced: 0 };
    sum.moved += now.moved - before.moved;
    sum.closed += now.closed - before.closed;
    sum.forced += now.forced - before.forced;
  }
  // A task that is gone takes its counts with it; what was seen once stays true.
  return {
    moved: Math.max(sum.moved, drain.ended.moved),
    closed: Math.max(sum.closed, drain.ended.closed),
    forced: Math.max(sum.forced, drain.ended.forced),
  };
}

function endingsOf({ ended }: LedgerReport): DrainEndings {
  const sum = (how: keyof DrainEndings) => CONNECTION_KINDS.reduce((count, kind) => count + ended[kind][how], 0);
  return { moved: sum('moved'), closed: sum('closed'), forced: sum('forced') };
}

function describe(active: KindCounts): string {
  return CONNECTION_KINDS.filter((kind) => active[kind] > 0)
    .map((kind) => `${active[kind]} ${kind}`)
    .join(', ');
}
