import { randomInt } from 'node:crypto';
import type { DryRunReport } from '../../core/proxy/hold';
import type { LedgerReport } from '../../core/proxy/admin-api';
import type { HoldRules, TaskDryRun } from '../../core/cutover/hold-dry-run';
import { CALLS_AT_ONCE, pooled } from '../contract/concurrently';
import type { Ports } from '../contract/ports';
import { settle, settleWithin } from '../contract/settle';
import type { SwitchTask, TaskSession } from '../contract/switch-ports';

type OpenTask = SwitchTask & { readonly session: TaskSession };

/** Two calls of one task. */
const CALL_MS = 6_000;
/** A task ends its count when it can. */
const LATE_MS = 50;
const MAX_LOOKS = 20;
/** Added to the epoch, so that two dry runs at the same time are told apart. No hold's epoch changes by it. */
const MAX_DRAW = 2 ** 32;

/**
 * Has every proxy task count for so long what a hold would park, and reads what each has counted. The tasks of both sides, as
 * in a switch: who has no requests counts none.
 */
export async function dryRunHold(
  seconds: number,
  rules: HoldRules,
  { proxies, pause }: Pick<Ports, 'proxies' | 'pause'>,
): Promise<TaskDryRun[]> {
  const opened = await proxies.open();
  try {
    const tasks = opened.filter((task): task is OpenTask => task.session !== undefined);
    const started = await pooled(tasks, CALLS_AT_ONCE, async (task) => {
      const start = () => startAt(task.session, seconds * 1000, rules);
      return { task, epoch: await settleWithin(CALL_MS, 'the start of the dry run', start) };
    });
    await pause(seconds * 1000 + LATE_MS);
    return await pooled(started, CALLS_AT_ONCE, async ({ task: { id, home: side, session }, epoch }) => {
      if ('problem' in epoch) return { id, side, problem: epoch.problem };
      const read = await settle(() => readCount(session, epoch.value, pause));
      if ('problem' in read) return { id, side, problem: read.problem };
      const { dryRun, longestRequestMs } = read.value;
      return { id, side, waiting: dryRun.waiting, full: dryRun.full, longestRequestMs };
    });
  } finally {
    for (const { session } of opened) session?.close();
  }
}

async function startAt(session: TaskSession, leaseMs: number, { maxWaiting, maxPauseMs }: HoldRules): Promise<number> {
  const { hold } = await session.report();
  const epoch = hold.epoch + randomInt(1, MAX_DRAW);
  const limits = { leaseMs, maxWaiting, maxWaitMs: maxPauseMs, maxHoldMs: maxPauseMs, minIntervalMs: 0 };
  await session.hold({ ...limits, epoch, committed: 0, endsStreams: false, dryRun: true });
  return epoch;
}

async function readCount(
  session: TaskSession,
  epoch: number,
  pause: Ports['pause'],
): Promise<LedgerReport & { readonly dryRun: DryRunReport }> {
  for (let look = 0; look < MAX_LOOKS; look += 1) {
    const report = await session.report();
    const { dryRun } = report;
    if (dryRun?.epoch !== epoch) throw new Error(describeLost(epoch, dryRun));
    if (dryRun.isOver) return { ...report, dryRun };
    await pause(LATE_MS);
  }
  throw new Error(`the dry run (epoch ${epoch}) must end with its lease, got one that counts on`);
}

function describeLost(epoch: number, got: DryRunReport | undefined): string {
  const rule = `the report must have the dry run of epoch ${epoch}`;
  if (got) return `${rule}, got that of epoch ${got.epoch}: another dry run was started meanwhile`;
  return `${rule}, got none: a hold or a process of the task began meanwhile, or its image is older than this command`;
}
