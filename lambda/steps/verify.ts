import { total } from '../../core/connections';
import { CutoverRun, note } from '../../core/cutover';
import { activeOf, describeLive } from '../../core/drain-run';
import { CutoverError } from '../../core/errors';
import { unknownTasks } from '../../core/tally';
import { Look, judged } from '../judged';
import type { Ports } from '../ports';
import { settle } from '../settle';
import { handlerOf } from '../step';

/** Without the store it goes on judging for so long, and then completes without it. */
const MAX_STORE_SECONDS = 3_600;

/**
 * The last look, and the last one that may roll back: both sides judged as in a bake (which smokes them), everything read,
 * the source's ledgers known to be at zero. What may pass by itself is repeated by the state machine. That it has passed is
 * written down before anything else is done: from here on the target is the safe side.
 */
async function verifyBoth(run: CutoverRun, ports: Ports, nowMs: number, look: Look): Promise<CutoverRun> {
  const { tasks, blind } = look;
  const isWaiting = blind.some((what) => what === 'loadBalancer' || what === 'alarms' || what === 'targetTasks');
  if (isWaiting || !tasks.source) return { ...run, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
  const source = activeOf(tasks.source);
  const unknown = unknownTasks(tasks.source);
  if (total(source) > 0 || unknown.length > 0) {
    throw new CutoverError('NotDrained', `the source must be at zero, got ${describeLive(source, unknown)}`);
  }
  const drain = run.drain && { ...run.drain, active: source, unknownTasks: 0 };
  const verified = note({ ...run, ...(drain && { drain }), isVerified: true, verdict: 'verified' }, nowMs, 'Verify', {
    source,
  });
  const saved = await settle(() => ports.store.save(verified));
  if ('value' in saved) return verified;
  const sinceMs = run.watch?.blindSinceMs.store ?? nowMs;
  if (nowMs - sinceMs >= MAX_STORE_SECONDS * 1000) return verified;
  return { ...run, verdict: 'wait', waitSeconds: run.plan.pollSeconds };
}

export const verify = judged(verifyBoth, { isConfirmed: true });

export const handler = handlerOf(verify);
