import { total } from '../../core/proxy/connections';
import { CutoverRun, note, rollBack } from '../../core/cutover/run';
import { callHooksFirst } from '../../core/cutover/hooks';
import { sumActive, describeLive, drainSeen } from '../../core/cutover/drain-run';
import { findDirection } from '../../core/plan/direction';
import { CutoverError } from '../../core/errors/errors';
import { countArrived } from '../../core/judge/sessions';
import { unknownTasks } from '../../core/judge/tally';
import { formatMark } from '../../core/cutover/verified-mark';
import { createLookingHandler } from '../shared/looks';
import { Look, judged } from '../shared/observe';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';

/** What may pass by itself has so long: a task that hangs is killed by ECS within its stop timeout. */
const MAX_UNVERIFIED_SECONDS = 300;
/**
 * While neither the store nor the rule takes it that Verify has passed, it has not: it goes on judging, at this pace, for as
 * long as the reserve of the history allows.
 */
const UNSAVED_POLL_SECONDS = 60;
const MAX_UNSAVED_SECONDS = 10_800;

/**
 * The last look, and the last one that may roll back: both sides judged as in a bake (which smokes them), everything read,
 * the ledgers of the side that was left known to be at zero. That it has passed is written down before anything else is done, into the lock or,
 * where the store takes nothing, at the rule: from here on the other is the safe side, for every reader.
 */
async function verifyBoth(run: CutoverRun, ports: Ports, nowMs: number, look: Look): Promise<CutoverRun> {
  const { tasks, blind } = look;
  const { from, to } = findDirection(run.plan);
  const isBlind = blind.some((what) => what === 'loadBalancer' || what === 'alarms' || what === `${to}Tasks`);
  const left = tasks[from];
  if (isBlind) return { ...run, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
  if (!left) return waitForZero(run, `the tasks of the ${from} must be listed, got no response of ECS`, nowMs);
  const active = sumActive(left);
  const unknown = unknownTasks(left);
  const returning = countArrived(left)?.returning ?? 0;
  if (total(active) > 0 || unknown.length > 0 || returning > 0) {
    const got = describeLive(active, unknown, returning);
    return waitForZero(run, `the ${from} must be at zero, got ${got}`, nowMs);
  }
  // Before it is written down that Verify has passed: after that nothing rolls back. This step looks again behind them.
  const hooked = callHooksFirst(run, [{ when: 'afterVerify', attempt: 1 }], 'drained');
  if (hooked !== run) return hooked;
  const drain = run.drain && drainSeen(run, run.drain, left);
  const atZero: CutoverRun = { ...run, unverifiedSinceMs: undefined };
  const verified = note(
    { ...atZero, ...(drain && { drain }), isVerified: true, verdict: 'verified' },
    nowMs,
    'Verify',
    {
      [from]: active,
    },
  );
  if (await isWrittenDown(verified, ports)) return verified;
  const unsavedSinceMs = run.unsavedSinceMs ?? nowMs;
  if (nowMs - unsavedSinceMs >= MAX_UNSAVED_SECONDS * 1000) {
    const rule = `that Verify has passed must be written into the store or at the rule within ${MAX_UNSAVED_SECONDS} s`;
    return rollBack(run, 'AwsUnavailable', `${rule}, got neither`);
  }
  const waitSeconds = Math.max(run.plan.pollSeconds, UNSAVED_POLL_SECONDS);
  return { ...atZero, unsavedSinceMs, verdict: 'wait', waitSeconds };
}

async function isWrittenDown(verified: CutoverRun, { store, loadBalancer }: Ports): Promise<boolean> {
  try {
    await store.save(verified);
    return true;
  } catch (error) {
    // Another's, or just being put back: the next look says so.
    if (error instanceof CutoverError && error.code === 'LockLost') return false;
    return 'value' in (await settle(() => loadBalancer.mark('verified', formatMark(verified))));
  }
}

function waitForZero(run: CutoverRun, message: string, nowMs: number): CutoverRun {
  const unverifiedSinceMs = run.unverifiedSinceMs ?? nowMs;
  if (nowMs - unverifiedSinceMs >= MAX_UNVERIFIED_SECONDS * 1000) return rollBack(run, 'NotDrained', message);
  return { ...run, unverifiedSinceMs, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
}

export const verify = judged(verifyBoth, { isConfirmed: true, resume: 'drained' });

export const handler = createLookingHandler(verify);
