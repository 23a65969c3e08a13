import { AsyncLocalStorage } from 'node:async_hooks';
import { STEP_SECONDS } from '../../core/cutover/step-limits';
import { CutoverError } from '../../core/errors/errors';

/** For the response of a step, and the end of what was aborted. */
const RESERVE_MS = 2_000;
/** The longest that notifying operators takes. */
export const NOTIFY_MS = 4_000;

/** As much of Lambda's context as a step reads. */
export interface TimeLimit {
  getRemainingTimeInMillis?(): number;
}

const steps = new AsyncLocalStorage<() => number>();
/** What a step waits for, for the message of one that does not end. An entry a call: two may wait for the same. */
const underWay = new Set<{ readonly what: string }>();

/** Of the step that this is called in, without a reserve; endless outside of one. */
export function timeLeftMs(): number {
  return steps.getStore()?.() ?? Number.POSITIVE_INFINITY;
}

/** The time that a call may take: its own, or what is left of the step. At least 1. */
export function withinStep(milliseconds: number): number {
  return Math.max(1, Math.min(milliseconds, timeLeftMs()));
}

/** Runs a step, or a part of one, that has so much time. */
export function withTimeLeft<T>(leftMs: () => number, work: () => Promise<T>): Promise<T> {
  return steps.run(leftMs, work);
}

/** Runs a part of a step that must leave so much of its time to what comes after it. */
export function leavingTime<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
  const leftMs = steps.getStore();
  return leftMs ? steps.run(() => leftMs() - milliseconds, work) : work();
}

/** Notes what a step waits for while it does: the rule that a message would name. */
export async function waitingFor<T>(what: string, call: () => Promise<T>): Promise<T> {
  const entry = { what };
  underWay.add(entry);
  try {
    return await call();
  } finally {
    underWay.delete(entry);
  }
}

/**
 * Ends a step before Lambda does, whose own timeout names nothing. What is still at work then begins no further call of AWS:
 * the process is frozen, and goes on when the function is called again.
 *
 * @throws CutoverError `AwsUnavailable`
 */
export async function endInTime<T>(limit: TimeLimit | undefined, step: () => Promise<T>): Promise<T> {
  // Where Lambda's context is not there.
  const milliseconds = (limit?.getRemainingTimeInMillis?.() ?? STEP_SECONDS * 1000) - RESERVE_MS;
  const endsMs = performance.now() + milliseconds;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(noEnd(milliseconds)), milliseconds);
  });
  try {
    return await Promise.race([withTimeLeft(() => endsMs - performance.now(), step), late]);
  } finally {
    clearTimeout(timer);
  }
}

function noEnd(milliseconds: number): CutoverError {
  const names = new Set([...underWay].map(({ what }) => what));
  const what = [...names].map((each) => `; ${each}`).join('');
  return new CutoverError('AwsUnavailable', `a step must end within ${milliseconds / 1000} s, got no end${what}`);
}
