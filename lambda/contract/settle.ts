import { CutoverError } from '../../core/errors/errors';
import { waitingFor, withinStep } from './time-left';

/** What a call gave, or why it gave nothing. */
export type Settled<T> = { readonly value: T } | { readonly problem: string };

/** Never rejects: what could not be read is a value of its own, and stops nothing else. */
export async function settle<T>(call: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * As `settle`, for a call that may hang: no step waits for it any longer than this or than the step lasts, and its result is
 * dropped.
 */
export async function settleWithin<T>(milliseconds: number, what: string, call: () => Promise<T>): Promise<Settled<T>> {
  let timer: NodeJS.Timeout | undefined;
  const limitMs = Math.round(withinStep(milliseconds));
  const late = new Promise<Settled<T>>((resolve) => {
    const problem = `${what} must end within ${limitMs / 1000} s, got no end`;
    timer = setTimeout(() => resolve({ problem }), limitMs);
  });
  try {
    return await Promise.race([settle(() => waitingFor(what, call)), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** For a step that cannot go on without it. */
export function unwrap<T>(settled: Settled<T>): T {
  if ('value' in settled) return settled.value;
  throw new CutoverError('AwsUnavailable', settled.problem);
}
