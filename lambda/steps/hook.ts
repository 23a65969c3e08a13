import {
  HookResult,
  PendingHook,
  afterHook,
  delayHook,
  endHooks,
  findWait,
  listPending,
  waitForHook,
} from '../../core/cutover/hooks';
import { CutoverRun } from '../../core/cutover/run';
import { STEP_SECONDS } from '../../core/cutover/step-limits';
import type { Ports } from '../contract/ports';
import { timeLeftMs } from '../contract/time-left';
import { callHook } from '../hooks/call-hook';
import { createGrantedHandler, lookOften } from '../shared/looks';
import { judged } from '../shared/observe';
import { Act, withLock } from '../shared/step';

/** A call that is under way. */
interface Calling {
  readonly pending: PendingHook;
  readonly ended: Promise<void>;
  result?: HookResult;
}

/**
 * Calls the next hook between two steps, and again where it has said not yet. Once the weights have moved both sides are judged
 * meanwhile, and a verdict against one waits for no hook: what the hook says then is not heard. A step that is repeated makes the same
 * call, with the same key.
 */
export const hook: Act<CutoverRun, CutoverRun> = async (given, ports, nowMs) => {
  const stop = new AbortController();
  let calling: Calling | undefined;
  const act: Act<CutoverRun, CutoverRun> = (run, _, atMs) => {
    const [pending] = listPending(run, run.hooking?.points ?? []);
    if (!pending) return Promise.resolve(endHooks(run, atMs));
    const isDue = (findWait(run, pending.hook.name)?.nextAtMs ?? 0) <= atMs;
    if (!calling && isDue && (atMs === nowMs || hasTimeFor(pending))) calling = begin(run, pending, ports, stop.signal);
    if (!calling?.result) return Promise.resolve(waitForHook(run));
    const { result } = calling;
    calling = undefined;
    return Promise.resolve(afterHook(run, pending, result, atMs));
  };
  const look = given.stage ? judged(act, { isConfirmed: true, resume: 'hook' }) : withLock(act);
  try {
    const run = await lookOften(look, () => calling?.ended)(given, ports, nowMs);
    return delayHook(run, ports.now());
  } finally {
    stop.abort();
  }
};

/** Otherwise the next invocation calls it, first of all. */
function hasTimeFor({ hook: { timeoutSeconds } }: PendingHook): boolean {
  return timeLeftMs() > (timeoutSeconds + STEP_SECONDS) * 1000;
}

function begin(run: CutoverRun, pending: PendingHook, ports: Ports, signal: AbortSignal): Calling {
  const calling: { -readonly [Name in keyof Calling]: Calling[Name] } = { pending, ended: Promise.resolve() };
  calling.ended = callHook(run, pending, ports, { signal }).then((result) => {
    calling.result = result;
  });
  return calling;
}

export const handler = createGrantedHandler(hook);
