import { MAX_LOOKING_SECONDS } from '../plan/looking';
import { firstWindowLooks, windowLooks, windowPollSeconds } from '../plan/plan';
import { findOpening } from '../plan/windows-plan';
import { CutoverRun, WindowProgress, note } from './run';

const WEEK_MS = 604_800_000;
/** A poll may begin a little before its time. */
const EARLY_MS = 2_000;

/**
 * The run that waits for the next window of its plan; undefined where a shift may begin now.
 *
 * Between two shifts it is polled as often as the plan has room for in all such waits together. Where a cutover waits for longer than
 * its plan could, a wait takes at most half of the polls that are left. An invocation looks again and again from one poll to the next:
 * at an abort alone before the first shift, at both sides from then on.
 */
export function waitForWindow(run: CutoverRun, nowMs: number): CutoverRun | undefined {
  const { plan, window } = run;
  const opensMs = findOpensMs(run, nowMs);
  if (opensMs <= nowMs) return undefined;
  const opensAt = new Date(opensMs).toISOString();
  const looks = window?.looks ?? 0;
  const seconds = Math.ceil((opensMs - nowMs) / 1000);
  const isFirst = window?.opensAt !== opensAt;
  // What was planned before is still the pace: later polls of the same wait do not get rarer.
  const pace = isFirst ? Math.max(plan.pollSeconds, findPace(run, seconds, looks)) : window.paceSeconds;
  const waitSeconds = Math.min(seconds, pace);
  const polled = countPoll(isFirst ? undefined : window, waitSeconds, nowMs);
  const waiting: CutoverRun = {
    ...run,
    window: { opensAt, ...polled, looks: looks + (polled.dueMs === window?.dueMs ? 0 : 1) },
    verdict: 'wait',
    waitSeconds,
  };
  return isFirst ? note(waiting, nowMs, 'Window', { opensAt }) : waiting;
}

/** What is known is not searched again: that would cost each look milliseconds. */
function findOpensMs({ plan, window }: CutoverRun, nowMs: number): number {
  const knownMs = window === undefined ? 0 : Date.parse(window.opensAt);
  if (knownMs > nowMs) return knownMs;
  // Where the clocks skip the only window of a week it is searched again.
  return findOpening(plan.windows, nowMs) ?? nowMs + WEEK_MS;
}

/** An invocation looks again and again: its looks are one poll. @param before of this wait; undefined where it begins */
function countPoll(
  before: WindowProgress | undefined,
  waitSeconds: number,
  nowMs: number,
): Pick<WindowProgress, 'paceSeconds' | 'dueMs'> {
  const isWithin = before?.dueMs !== undefined && nowMs < before.dueMs;
  const dueMs = isWithin ? before.dueMs : nowMs + waitSeconds * 1000 - EARLY_MS;
  return { paceSeconds: before?.paceSeconds ?? waitSeconds, dueMs };
}

function findPace({ plan, stage }: CutoverRun, seconds: number, looks: number): number {
  if (!stage) return Math.min(MAX_LOOKING_SECONDS, Math.ceil(seconds / firstWindowLooks(plan)));
  const planned = windowPollSeconds(plan);
  const left = firstWindowLooks(plan) + windowLooks(plan) - looks;
  if (seconds / planned <= left) return planned;
  return Math.max(planned, Math.ceil(seconds / Math.max(1, Math.floor(left / 2))));
}
