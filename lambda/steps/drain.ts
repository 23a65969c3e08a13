import { CutoverRun, note, rollBack } from '../../core/cutover/run';
import { callHooksFirst } from '../../core/cutover/hooks';
import { MAX_UNKNOWN_MS, beginDrain, observeDrain } from '../../core/cutover/drain-run';
import { endOfReturning, keepsClients, noteReturning } from '../../core/cutover/returning';
import { CONFIRM_POLL_SECONDS } from '../../core/plan/plan';
import { keepPollSeconds } from '../../core/plan/stickiness-plan';
import { DEFAULT_MOVES } from '../../core/moves/moves';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { NO_CONNECTIONS, total } from '../../core/proxy/connections';
import { fitDrainOrder } from '../../core/proxy/fit-order';
import { leaveSide } from '../shared/leave';
import { findDirection } from '../../core/plan/direction';
import { TaskReading } from '../../core/judge/tally';
import { createLookingHandler } from '../shared/looks';
import { Look, STORE_MS, judged } from '../shared/observe';
import { CALLS_AT_ONCE, pooled } from '../contract/concurrently';
import type { Ports } from '../contract/ports';
import { settle, settleWithin } from '../contract/settle';

/**
 * One look at the drain of the side that is left, while both sides are judged. The first look begins it; a task that is not draining
 * yet is told to at every look, and one that cannot be told is told again at the next.
 */
async function drainSide(run: CutoverRun, ports: Ports, nowMs: number, { tasks, sides }: Look): Promise<CutoverRun> {
  const left = tasks[findDirection(run.plan).from];
  if (!left) return waitForTasks(run, nowMs);
  if (keepsClients(run, ports.loadBalancer.groupArns)) return waitForReturning(run, ports, nowMs, { left, sides });
  if (run.left && !run.left.hasReadBack) return { ...run, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
  const progress = run.drain ?? beginDrain(run, left, nowMs);
  // Known before anything drains, so that a stopped execution is put back in order; a store that is away stops no drain.
  if (!run.drain) {
    await settleWithin(STORE_MS, 'saving the drain', () => ports.store.save({ ...run, drain: progress }));
  }
  await Promise.all([tellToDrain(left, run, ports), recallCarried(tasks[findDirection(run.plan).to], run, ports)]);

  const noted = run.drain
    ? run
    : note(run, nowMs, 'Drain', { active: progress.active, limitSeconds: progress.limitMs / 1000 });
  const after = observeDrain(noted, progress, left, nowMs);
  if (after.verdict === 'wait') return after;
  const noticed = note(after, nowMs, 'Drain', {
    verdict: after.verdict,
    active: after.drain?.active,
    unknownTasks: after.drain?.unknownTasks,
    ended: after.drain?.ended,
  });
  return callHooksFirst(noticed);
}

/** Clients that a cookie binds to the side go on being served there, for as long as the plan says and the side serves. */
async function waitForReturning(
  run: CutoverRun,
  ports: Ports,
  nowMs: number,
  { left, sides }: { readonly left: readonly TaskReading[]; readonly sides: Look['sides'] },
): Promise<CutoverRun> {
  const { from } = findDirection(run.plan);
  const returning = noteReturning(run, left, nowMs);
  const isDead = sides[from].serves === false;
  const because = isDead ? `the ${from} does not serve` : endOfReturning(returning, run, nowMs);
  if (because !== undefined) return leaveSide({ ...run, returning }, because, ports, nowMs);
  return { ...run, returning, verdict: 'wait', waitSeconds: keepPollSeconds(run.plan) };
}

async function tellToDrain(tasks: readonly TaskReading[], { plan }: CutoverRun, { proxies }: Ports): Promise<void> {
  const serving = tasks.filter(({ report, life }) => report?.state === 'serving' && life === 'running');
  await pooled(serving, CALLS_AT_ONCE, ({ address, report }) =>
    settle(() => proxies.drain(address, fitDrainOrder(plan.drain, report))),
  );
}

/**
 * Connections of the side that is left that clients have at the proxies of the other one: a cutover the other way has moved them.
 * They move home.
 */
async function recallCarried(
  tasks: readonly TaskReading[] = [],
  { plan }: CutoverRun,
  { proxies }: Ports,
): Promise<void> {
  const carrying = tasks.filter(
    ({ report, life }) => report?.state === 'serving' && life === 'running' && isCarrying(report),
  );
  await pooled(carrying, CALLS_AT_ONCE, ({ address }) =>
    settle(() => proxies.undrain(address, { moves: plan.drain.moves ?? DEFAULT_MOVES })),
  );
}

function isCarrying({ carried = NO_CONNECTIONS }: LedgerReport): boolean {
  return total(carried) > 0;
}

/** The connections of the side that is left are unknown: that is not zero. */
function waitForTasks(run: CutoverRun, nowMs: number): CutoverRun {
  const { drain: progress, plan } = run;
  const { from } = findDirection(plan);
  const sinceMs = progress?.startedAtMs ?? run.watch?.blindSinceMs[`${from}Tasks`] ?? nowMs;
  const limitMs = progress ? progress.limitMs + MAX_UNKNOWN_MS : MAX_BLIND_MS;
  if (nowMs - sinceMs < limitMs) return { ...run, verdict: 'wait', waitSeconds: plan.pollSeconds };
  const rule = `the tasks of the ${from} must be listed within ${Math.round(limitMs / 1000)} s of the drain`;
  return rollBack(run, 'DrainOverdue', `${rule}, got no response of ECS`);
}

const MAX_BLIND_MS = 600_000;

export const drain = judged(drainSide, { isConfirmed: true, resume: 'drain' });

export const handler = createLookingHandler(drain);
