import { setTimeout as pause } from 'node:timers/promises';

/**
 * Waits for a condition.
 *
 * @param complaint name, rule and value of what did not come in time
 * @throws Error with the complaint after `withinMs`; the signal's reason at once
 */
export async function until(
  condition: () => boolean,
  { withinMs = Infinity, signal, problem }: { withinMs?: number; signal: AbortSignal; problem?: () => string },
): Promise<void> {
  const startedMs = Date.now();
  while (!condition()) {
    signal.throwIfAborted();
    if (Date.now() - startedMs > withinMs) throw new Error(problem?.() ?? 'the condition must hold in time, got none');
    await pause(50);
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
