import { HookResult, PendingHook, afterHook, endHooks, listPending } from '../../core/cutover/hooks';
import { CutoverRun } from '../../core/cutover/run';
import { LOOK_SECONDS } from '../../core/plan/plan';
import type { Ports } from '../contract/ports';
import { callHook } from '../hooks/call-hook';
import { writeLooks } from '../shared/looks';
import { judged } from '../shared/observe';
import { Act, createHandler, withLock } from '../shared/step';

/** A call that is under way. */
interface Calling {
  readonly pending: PendingHook;
  readonly ended: Promise<void>;
  result?: HookResult;
}

/**
 * Calls the next hook between two steps. Once the weights have moved both sides are judged meanwhile, and a verdict against one waits
 * for no hook: what the hook says then is not heard. A step that is repeated makes the same call, with the same key.
 */
export const hook: Act<CutoverRun, CutoverRun> = async (given, ports, nowMs) => {
  const stop = new AbortController();
  let calling: Calling | undefined;
  const act: Act<CutoverRun, CutoverRun> = (run, _, atMs) => {
    const [pending] = listPending(run, run.hooking?.points ?? []);
    if (!pending) return Promise.resolve(endHooks(run));
    calling ??= begin(run, pending, ports, stop.signal);
    const { result } = calling;
    if (result) return Promise.resolve(afterHook(run, calling.pending, result, atMs));
    return Promise.resolve({ ...run, verdict: 'wait', waitSeconds: 1 });
  };
  const look = given.stage ? judged(act, { isConfirmed: true, resume: 'hook' }) : withLock(act);
  try {
    let run = await look(given, ports, nowMs);
    while (run.verdict === 'wait' && calling) {
      await Promise.race([calling.ended, ports.pause(LOOK_SECONDS * 1000)]);
      run = await look(run, ports, ports.now());
    }
    return await writeLooks(run, ports);
  } finally {
    stop.abort();
  }
};

function begin(run: CutoverRun, pending: PendingHook, ports: Ports, signal: AbortSignal): Calling {
  const calling: { -readonly [Name in keyof Calling]: Calling[Name] } = { pending, ended: Promise.resolve() };
  calling.ended = callHook(run, pending, ports, { signal }).then((result) => {
    calling.result = result;
  });
  return calling;
}

export const handler = createHandler(hook);
