import { total } from '../../core/connections';
import { CutoverRun, note, retreat } from '../../core/cutover';
import { activeOf, describeLive } from '../../core/drain-run';
import { unknownTasks } from '../../core/tally';
import { Look, judged } from '../judged';
import type { Ports } from '../ports';
import { settle } from '../settle';
import { handlerOf } from '../step';

/** What may pass by itself has so long: a task that hangs is killed by ECS within its stop timeout. */
const MAX_UNVERIFIED_SECONDS = 300;
/** Without the store it goes on judging, at this pace, for a day; then it completes without it. */
const UNSAVED_POLL_SECONDS = 60;
const MAX_UNSAVED_SECONDS = 86_400;

/**
 * The last look, and the last one that may roll back: both sides judged as in a bake (which smokes them), everything read,
 * the source's ledgers known to be at zero. That it has passed is written down before anything else is done: from here on the
 * target is the safe side.
 */
async function verifyBoth(run: CutoverRun, ports: Ports, nowMs: number, look: Look): Promise<CutoverRun> {
  const { tasks, blind } = look;
  const isBlind = blind.some((what) => what === 'loadBalancer' || what === 'alarms' || what === 'targetTasks');
  if (isBlind || !tasks.source) return { ...run, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
  const source = activeOf(tasks.source);
  const unknown = unknownTasks(tasks.source);
  if (total(source) > 0 || unknown.length > 0) {
    return waitForZero(run, `the source must be at zero, got ${describeLive(source, unknown)}`, nowMs);
  }
  const drain = run.drain && { ...run.drain, active: source, unknownTasks: 0 };
  const verified = note({ ...run, ...(drain && { drain }), isVerified: true, verdict: 'verified' }, nowMs, 'Verify', {
    source,
  });
  if ('value' in (await settle(() => ports.store.save(verified)))) return verified;
  const unsavedSinceMs = run.unsavedSinceMs ?? nowMs;
  if (nowMs - unsavedSinceMs >= MAX_UNSAVED_SECONDS * 1000) return verified;
  const waitSeconds = Math.max(run.plan.pollSeconds, UNSAVED_POLL_SECONDS);
  return { ...run, unsavedSinceMs, verdict: 'wait', waitSeconds };
}

function waitForZero(run: CutoverRun, message: string, nowMs: number): CutoverRun {
  const unverifiedSinceMs = run.unverifiedSinceMs ?? nowMs;
  if (nowMs - unverifiedSinceMs >= MAX_UNVERIFIED_SECONDS * 1000) return retreat(run, 'NotDrained', message);
  return { ...run, unverifiedSinceMs, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
}

export const verify = judged(verifyBoth, { isConfirmed: true });

export const handler = handlerOf(verify);
