import type { HookPoint } from '../../core/cutover/hook-records';
import { HookResult, PendingHook, listPending, recordHook } from '../../core/cutover/hooks';
import type { CutoverRun } from '../../core/cutover/run';
import type { HookTime } from '../../core/plan/phase-hooks';
import type { Ports } from '../contract/ports';
import { timeLeftMs } from '../contract/time-left';
import { callHook } from './call-hook';

/** What a step has left for everything else, when it waits for a hook. */
const LEAVE_MS = 8_000;

interface Calling {
  readonly pending: PendingHook;
  readonly ended: Promise<void>;
  result?: HookResult;
}

/**
 * Calls all hooks of a time at once and waits for them, within their limits and the time of the step: they stop nothing, whatever comes
 * of them.
 */
export async function callHooksAt(when: HookTime, run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  return settleAll(run, begin(when, run, ports, { spentMs: 0, signal: new AbortController().signal }), ports);
}

/**
 * A rollback, or one look of it. The hooks before it begin with it, and nothing waits for them until the weights are back: a look that is
 * followed by another one leaves them to it, which calls them again with the same key, for what is left of their time.
 */
export async function withRollbackHooks(
  given: CutoverRun,
  ports: Ports,
  nowMs: number,
  goBack: () => Promise<CutoverRun>,
): Promise<CutoverRun> {
  const spentMs = given.rollback ? nowMs - Date.parse(given.rollback.startedAt) : 0;
  const stop = new AbortController();
  const calling = begin('beforeRollback', given, ports, { spentMs, signal: stop.signal });
  let run: CutoverRun | undefined;
  try {
    run = await goBack();
  } finally {
    if (run?.verdict !== 'restored') stop.abort();
  }
  if (run.verdict !== 'restored') return recordEnded(run, calling, ports);
  return callHooksAt('afterRollback', await settleAll(run, calling, ports), ports);
}

function begin(
  when: HookTime,
  run: CutoverRun,
  ports: Ports,
  { spentMs, signal }: { readonly spentMs: number; readonly signal: AbortSignal },
): Calling[] {
  const point: HookPoint = { when, attempt: 1 };
  return listPending(run, [point]).map((pending) => {
    const ownMs = pending.hook.timeoutSeconds * 1000 - spentMs;
    const limitMs = Math.min(ownMs, timeLeftMs() - LEAVE_MS);
    const calling: { -readonly [Name in keyof Calling]: Calling[Name] } = { pending, ended: Promise.resolve() };
    if (limitMs <= 0) {
      calling.result = { problem: `no response within ${pending.hook.timeoutSeconds} s`, seconds: 0 };
      return calling;
    }
    calling.ended = callHook(run, pending, ports, { signal, limitMs }).then((result) => {
      calling.result = result;
    });
    return calling;
  });
}

async function settleAll(run: CutoverRun, calling: readonly Calling[], ports: Ports): Promise<CutoverRun> {
  await Promise.all(calling.map(({ ended }) => ended));
  return recordEnded(run, calling, ports);
}

function recordEnded(run: CutoverRun, calling: readonly Calling[], { now }: Ports): CutoverRun {
  return calling.reduce(
    (recorded, { pending, result }) => (result ? recordHook(recorded, pending, result, now()) : recorded),
    run,
  );
}
