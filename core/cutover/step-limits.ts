import { MAX_LOOKING_SECONDS } from '../plan/looking';
import { MAX_HOOK_SECONDS } from '../plan/phase-hooks';
import type { Step } from './cutover-config';

/** How long a step may take, unless it is one of the others. */
export const STEP_SECONDS = 30;
/** Of a step that looks again and again: the last look begins with the time of a whole step left. */
const LOOKING_STEP_SECONDS = STEP_SECONDS + MAX_LOOKING_SECONDS;
/** An invocation looks for so long at the least, where its step waits for as long. */
const MIN_LOOKING_SECONDS = 60;
/** What the state machine grants beyond the time of a step: a cold start is not a timeout. */
export const COLD_START_SECONDS = 10;
/**
 * Requests wait up to 25 s for a switch (`switch.maxPauseMs`), and those of a rollback that switches back, too. What comes before
 * and after it takes up to a step more, and a rollback looks at both sides. Preflight has each of up to 2,000 tasks hold for a
 * moment. A hook is called between two looks, the last time when no further look would begin; `complete` calls those before and after it. A dry run of a hold counts for up to 25 s. A recovery rolls back twice and waits between for stragglers. It must end before its message shows again
 * (`RECOVERY_PAUSE_SECONDS`).
 */
const OTHER_SECONDS: Partial<Record<Step, number>> = {
  preflight: LOOKING_STEP_SECONDS,
  switch: 60,
  rollback: 90,
  recover: 170,
  holdDryRun: 50,
  hook: LOOKING_STEP_SECONDS,
  complete: STEP_SECONDS + 2 * MAX_HOOK_SECONDS,
  doctor: 50,
  ...{ shift: LOOKING_STEP_SECONDS, bake: LOOKING_STEP_SECONDS, approve: LOOKING_STEP_SECONDS },
  ...{ drain: LOOKING_STEP_SECONDS, verify: LOOKING_STEP_SECONDS },
};
/** How long one invocation of a rollback looks again and again. */
export const ROLLBACK_LOOKING_SECONDS = 20;
/** After its time Lambda has ended a step for sure. */
const MARGIN_SECONDS = 5;

/**
 * Whether one invocation of a step may look again and again for minutes. Its own time and that of its function are then the longest, and
 * the state machine grants what `grantTask` says: a process that hangs is found behind the wait that it was to watch, and not after 15 minutes.
 */
export function isLookingStep(step: Step): boolean {
  return findStepSeconds(step) === LOOKING_STEP_SECONDS;
}

/**
 * What the state machine grants the next step, for the state of the execution.
 *
 * @param waitSeconds how long the step is to look
 */
export function grantTask(waitSeconds: number): number {
  const looking = Math.min(MAX_LOOKING_SECONDS, Math.max(MIN_LOOKING_SECONDS, waitSeconds));
  return looking + STEP_SECONDS + COLD_START_SECONDS;
}

/** How long one invocation looks of what it was granted. */
export function findLookingSeconds({ taskSeconds = grantTask(0) }: { readonly taskSeconds?: number }): number {
  return taskSeconds - STEP_SECONDS - COLD_START_SECONDS;
}

export function findStepSeconds(step: Step): number {
  return OTHER_SECONDS[step] ?? STEP_SECONDS;
}

/**
 * After so long no step of an execution that was stopped can be at work any more, and move traffic to the target: stopping an
 * execution does not stop its Lambda function. A step that looks again and again reads the lock with each look, which a recovery has
 * taken from it by then; a look that could not read it is the last one. The one before it may still be at work.
 */
export const STRAGGLER_SECONDS = Math.max(2 * STEP_SECONDS, findStepSeconds('switch')) + MARGIN_SECONDS;
