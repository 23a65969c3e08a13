import { FIRST_WINDOW_LOOKS, windowLooks, windowPollSeconds } from '../plan/plan';
import { findOpening } from '../plan/windows-plan';
import { CutoverRun, note } from './run';

const WEEK_MS = 604_800_000;

/**
 * The run that waits for the next window of its plan; undefined where a shift may begin now.
 *
 * Between two shifts both sides are looked at as often as the plan has room for in all such waits together. Where a cutover waits for
 * longer than its plan could, a wait takes at most half of the looks that are left.
 */
export function waitForWindow(run: CutoverRun, nowMs: number): CutoverRun | undefined {
  const { plan, window } = run;
  // Where the clocks skip the only window of a week it is searched again.
  const opensMs = findOpening(plan.windows, nowMs) ?? nowMs + WEEK_MS;
  if (opensMs <= nowMs) return undefined;
  const opensAt = new Date(opensMs).toISOString();
  const looks = window?.looks ?? 0;
  const seconds = Math.ceil((opensMs - nowMs) / 1000);
  const pace = findPace(run, seconds, looks);
  const isFirst = window?.opensAt !== opensAt;
  // What was planned before is still the pace: later looks of the same wait do not get rarer.
  const waitSeconds = Math.min(seconds, isFirst ? Math.max(plan.pollSeconds, pace) : window.paceSeconds);
  const waiting: CutoverRun = {
    ...run,
    window: { opensAt, looks: looks + 1, paceSeconds: isFirst ? waitSeconds : window.paceSeconds },
    verdict: 'wait',
    waitSeconds,
  };
  return isFirst ? note(waiting, nowMs, 'Window', { opensAt }) : waiting;
}

function findPace({ plan, stage }: CutoverRun, seconds: number, looks: number): number {
  if (!stage) return Math.ceil(seconds / FIRST_WINDOW_LOOKS);
  const planned = windowPollSeconds(plan);
  const left = FIRST_WINDOW_LOOKS + windowLooks(plan) - looks;
  if (seconds / planned <= left) return planned;
  return Math.max(planned, Math.ceil(seconds / Math.max(1, Math.floor(left / 2))));
}
