import { afterWriting, goesOn, mustWriteLooks } from '../../core/cutover/looks';
import { STEP_SECONDS, findLookingSeconds, grantTask } from '../../core/cutover/step-limits';
import type { CutoverRun } from '../../core/cutover/run';
import { isSuspicious } from '../../core/judge/figures';
import { isFinal } from '../../core/errors/errors';
import { LOOK_SECONDS, MAX_LOOKING_SECONDS, QUIET_LOOK_SECONDS } from '../../core/plan/looking';
import type { Ports } from '../contract/ports';
import { settleWithin } from '../contract/settle';
import { timeLeftMs } from '../contract/time-left';
import { STORE_MS } from './observe';
import { Act, createHandler } from './step';

/** After one that saw errors of the side that gets the traffic: what they mean is known with the next. */
const HURRIED_PAUSE_MS = 500;
/** A step that waits as briefly goes on for so long with these. */
const HURRIED_SECONDS = 20;
/** As long as a store that is away may hide whose the lock is. */
const MAX_WITHOUT_LOCK_MS = 20_000;
/** Behind them the next invocation is soon. */
const WITHOUT_LOCK_PAUSE_SECONDS = 15;
/** Records of looks that are written down together: the state has room for some more. */
const MAX_UNWRITTEN = 20;
/** A look that took long is not followed by the next one at once: it would take its services' time. */
const PACE = 2;
/** What a look may take, and what is left for the response of the step. */
const LOOK_MS = (STEP_SECONDS - 2) * 1000;

/**
 * A step that looks again and again, and returns at once when a look has a verdict. A state machine that waits between two looks writes
 * nine events for each, so that its history has room for one in some fifteen seconds: a side that fails must be left sooner.
 *
 * It looks for as long as the step would have the state machine wait, so that nothing is unwatched until the next invocation. What an
 * invocation was not granted, because it began with a shorter wait, the next one is. A look that saw what may be a fault is followed by the next one soon, and in the same invocation. So is one that could not read
 * something: two that are minutes apart do not say that it was away between them. No look begins that the time of the function would
 * cut short, and after a while none behind one that could not read the lock: it may be another's by now.
 *
 * @param underWay what the step has begun itself: it looks until that has ended, and before the first shift, too
 */
export function lookOften(
  act: Act<CutoverRun, CutoverRun>,
  underWay?: () => Promise<void> | undefined,
): Act<CutoverRun, CutoverRun> {
  return async (first, ports, nowMs) => {
    const quietSeconds = underWay ? LOOK_SECONDS : QUIET_LOOK_SECONDS;
    let look = await lookOnce(act, first, { ports, quietSeconds }, nowMs);
    while (look.run.verdict === 'wait' && mayLookAgain(look, ports.now() - nowMs)) {
      const own = underWay?.();
      if (!own && ports.now() + look.pauseMs >= findEndMs(look, first, nowMs)) break;
      await Promise.race([ports.pause(look.pauseMs), ...(own ? [own] : [])]);
      const kept = look.run.looks?.records.length ?? 0;
      const given = kept < MAX_UNWRITTEN ? look.run : await writeLooks(look.run, ports);
      const next = await lookAgain(act, { ...look, run: given }, { ports, quietSeconds });
      look = { ...next, dueMs: Math.min(look.dueMs, next.dueMs) };
    }
    const run = await writeLooks(look.run, ports);
    return handOn(first, run, ports.now() - nowMs);
  };
}

/** What the state machine does behind an invocation, and what it grants the next one. An old definition grants what it always did. */
function handOn(first: CutoverRun, run: CutoverRun, lookedMs: number): CutoverRun {
  const isWait = run.verdict === 'wait';
  const granted =
    first.taskSeconds === undefined ? run : { ...run, taskSeconds: grantTask(isWait ? run.waitSeconds : 0) };
  if (!isWait) return granted;
  const looking = findLookingSeconds(first);
  const isGrantedMore = granted.taskSeconds !== undefined && looking < Math.min(run.waitSeconds, MAX_LOOKING_SECONDS);
  const rest = isGrantedMore ? 1 : Math.max(1, run.waitSeconds - Math.floor(lookedMs / 1000));
  return { ...granted, waitSeconds: isWithoutLock(run, lookedMs) ? Math.min(rest, WITHOUT_LOCK_PAUSE_SECONDS) : rest };
}

/** Before the first shift nothing is on the target: a look that could not read the store is one that was not made. */
async function lookAgain(act: Act<CutoverRun, CutoverRun>, before: Looked, looking: Looking): Promise<Looked> {
  try {
    return await lookOnce(act, before.run, looking, looking.ports.now());
  } catch (error) {
    if (before.run.stage || isFinal(error)) throw error;
    return before;
  }
}

/** A handler of such a step. It ends in the time that the state machine grants it, which is less than that of its function. */
export function createLookingHandler(
  act: Act<CutoverRun, CutoverRun>,
): ReturnType<typeof createHandler<CutoverRun, CutoverRun>> {
  return createGrantedHandler(lookOften(act));
}

export function createGrantedHandler(
  act: Act<CutoverRun, CutoverRun>,
): ReturnType<typeof createHandler<CutoverRun, CutoverRun>> {
  return createHandler(act, (run) => findLookingSeconds(run) + STEP_SECONDS);
}

interface Looking {
  readonly ports: Ports;
  /** Between two looks before the first shift. */
  readonly quietSeconds: number;
}

interface Looked {
  readonly run: CutoverRun;
  /** Until the next one. */
  readonly pauseMs: number;
  /** Whether the next one is in the same invocation, however rarely the step looks. */
  readonly isHurried: boolean;
  /** What this one, or one before it, waits for is then at the earliest. */
  readonly dueMs: number;
}

function mayLookAgain({ run, pauseMs }: Looked, lookedMs: number): boolean {
  if (timeLeftMs() <= pauseMs + LOOK_MS) return false;
  return !isWithoutLock(run, lookedMs);
}

function isWithoutLock({ watch }: CutoverRun, lookedMs: number): boolean {
  return watch?.blindSinceMs.store !== undefined && lookedMs >= MAX_WITHOUT_LOCK_MS;
}

/** A step that waits for a time says each time what is left of that, and any other one the same as before. */
function findEndMs({ run, isHurried, dueMs }: Looked, first: CutoverRun, beganMs: number): number {
  const seconds = Math.min(Math.max(run.waitSeconds, (dueMs - beganMs) / 1000), findLookingSeconds(first));
  return beganMs + (isHurried ? Math.max(seconds, HURRIED_SECONDS) : seconds) * 1000;
}

async function lookOnce(
  act: Act<CutoverRun, CutoverRun>,
  given: CutoverRun,
  { ports, quietSeconds }: Looking,
  nowMs: number,
): Promise<Looked> {
  const run = await act(given, ports, nowMs);
  const tookMs = ports.now() - nowMs;
  const { watch } = run;
  const isSuspected = watch !== undefined && isSuspicious(watch, run.plan);
  const isBlind = watch !== undefined && Object.keys(watch.blindSinceMs).length > 0;
  const every = run.stage ? LOOK_SECONDS : quietSeconds;
  const pauseMs = Math.max(every * 1000, PACE * tookMs) - tookMs;
  return {
    run,
    isHurried: isSuspected || isBlind,
    dueMs: nowMs + run.waitSeconds * 1000,
    pauseMs: isSuspected ? Math.min(pauseMs, Math.max(HURRIED_PAUSE_MS, tookMs)) : pauseMs,
  };
}

/** What the store has beyond the state is looked for, and never waited for: without it the evidence has what the state has seen. */
const COUNT_MS = 10_000;

/** How many objects of the store are of the evidence. None is read: a cutover of a day has thousands of them. */
export async function countObjects(run: CutoverRun, { store }: Pick<Ports, 'store'>): Promise<number> {
  const { looks, execution } = run;
  if (!looks) return 0;
  const { written } = looks;
  const found = await settleWithin(COUNT_MS, 'counting the polls', async () => {
    const next = await store.looks(execution, written + 1);
    return next && goesOn(run, next) ? store.countLooks(execution, written + 1) : written;
  });
  return 'value' in found ? found.value : written;
}

/** The state has no room for them. A store that is away costs nothing but these figures. */
export async function writeLooks(run: CutoverRun, { store }: Ports): Promise<CutoverRun> {
  const { looks, execution } = run;
  if (!looks || !mustWriteLooks(run)) return run;
  const write = () => store.putLooks(execution, looks.written + 1, looks.records);
  const written = await settleWithin(STORE_MS, 'writing the polls', write);
  return 'value' in written ? afterWriting(run) : run;
}
