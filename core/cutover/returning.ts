import type { TaskReading } from '../judge/tally';
import { countArrived } from '../judge/sessions';
import { findDirection } from '../plan/direction';
import { planLeaving } from '../plan/stickiness-plan';
import { Forward, GroupArns, sameForward } from '../traffic/forward';
import type { CutoverRun, Returning } from './run';

/** Whether clients may still return: the side that is left has no weight, and is in the action. */
export function keepsClients({ intended, plan }: CutoverRun, arns: GroupArns): boolean {
  const left = arns[findDirection(plan).from];
  return intended?.groups.some(({ arn, weight }) => arn === left && weight === 0) === true;
}

/**
 * After another look at the tasks of the side that is left. One that says nothing may have had some, and so may a time of which none
 * is known.
 */
export function noteReturning(run: CutoverRun, readings: readonly TaskReading[], nowMs: number): Returning {
  const running = readings.filter(({ life }) => life !== 'stopped');
  const isUnknown = running.some(({ window }) => window === undefined);
  const arrived = countArrived(running)?.returning ?? 0;
  const before = run.returning;
  if (!before) return beginReturning(run, isUnknown, nowMs);
  const lastMs = isUnknown || arrived > 0 ? nowMs : Math.max(before.lastMs, findUnseenMs(run));
  return { ...before, lastMs, requests: before.requests + arrived };
}

/** What came in the bake counts, too. */
function beginReturning(run: CutoverRun, isUnknown: boolean, nowMs: number): Returning {
  const { stage, watch, plan } = run;
  const sinceMs = stage?.confirmedAtMs ?? nowMs;
  const requests = watch?.sessions?.[findDirection(plan).from].returning;
  const isQuiet = requests === 0 && !isUnknown;
  return { sinceMs, lastMs: isQuiet ? Math.max(sinceMs, findUnseenMs(run)) : nowMs, requests: requests ?? 0 };
}

function findUnseenMs({ watch }: CutoverRun): number {
  return (watch?.comparison?.unseenUntil ?? 0) * 1000;
}

/** Why the wait ends: none has returned for as long as a cookie lasts, or all of the time has passed; undefined while it goes on. */
export function endOfReturning(
  { sinceMs, lastMs }: Returning,
  { plan, initial }: CutoverRun,
  nowMs: number,
): 'none returns' | 'time has passed' | undefined {
  const cookieMs = (initial?.stickiness.seconds ?? 0) * 1000;
  if (nowMs - lastMs >= cookieMs) return 'none returns';
  return nowMs - sinceMs >= plan.stickiness.keepSeconds * 1000 ? 'time has passed' : undefined;
}

/**
 * Whether the weighted rule is as the cutover has set it. Where clients are kept it may also be as the cutover is about to set it: a
 * step that was cut short has perhaps done so. For a while after that it may still read back as before.
 */
export function isAsSet(run: CutoverRun, forward: Forward, arns: GroupArns, nowMs: number): boolean {
  const { intended, initial, left, plan } = run;
  if (!intended) return false;
  const next = initial && keepsClients(run, arns) ? [planLeaving(plan, arns, initial.stickiness)] : [];
  const isSpreading = left && !left.hasReadBack && nowMs - left.atMs < plan.confirmTimeoutSeconds * 1000;
  return [intended, ...next, ...(isSpreading ? [left.before] : [])].some((each) => sameForward(forward, each));
}

/** Notes that the action without the side that is left has read back. */
export function settleLeft(run: CutoverRun, forward: Forward | undefined): CutoverRun {
  const { left, intended } = run;
  if (!left || left.hasReadBack || !intended || !forward || !sameForward(forward, intended)) return run;
  return { ...run, left: { ...left, hasReadBack: true } };
}
