import { setTimeout as pause } from 'node:timers/promises';
import { machineTime } from './machine-time';

const LOOK_MS = 50;

interface Waiting {
  /** Counted in the time that this machine had (`machineTime`). @default Infinity */
  readonly withinMs?: number;
  readonly signal: AbortSignal;
  /** Name, rule and value of what did not come in time. */
  readonly problem?: () => string;
  /** A figure that grows while it comes nearer: the time then counts from its last growth. */
  readonly progress?: () => number;
}

/**
 * Waits for a condition.
 *
 * @throws Error with the problem after `withinMs` without progress; the signal's reason at once
 */
export async function until(condition: () => boolean, waiting: Waiting): Promise<void> {
  const { withinMs = Infinity, signal, problem, progress = () => 0 } = waiting;
  machineTime.start();
  let [sinceMs, reached] = [machineTime.nowMs, progress()];
  while (!condition()) {
    signal.throwIfAborted();
    if (machineTime.nowMs - sinceMs > withinMs)
      throw new Error(problem?.() ?? 'the condition must hold in time, got none');
    await pause(LOOK_MS);
    const now = progress();
    if (now > reached) sinceMs = machineTime.nowMs;
    reached = Math.max(reached, now);
  }
}

/** Goes on after `ms`, or with the signal's own reason at once. */
export async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}

/**
 * What is started; when the signal comes first, its reason, once the late thing was stopped or has had its time.
 *
 * @param graceMs how long it may take to come up and be stopped
 */
export async function startedUnless<T extends { stop(): Promise<void> }>(
  starting: Promise<T>,
  signal: AbortSignal,
  graceMs: number,
): Promise<T> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const started = await Promise.race([starting, aborted]);
  if (started) return started;
  const stopped = starting.then((late) => late.stop()).catch(() => undefined);
  await Promise.race([stopped, pause(graceMs, undefined, { ref: false })]);
  throw signal.reason;
}
