import type { CutoverRun } from '../../core/cutover/run';
import type { StatePreparation } from '../../core/state/preparation';
import { HookCall, readHookResponse } from '../../core/switch/hook';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import type { Prepared } from './prepared';

interface Asked {
  readonly run: CutoverRun;
  readonly functionArn: string;
  readonly preparation: StatePreparation;
  readonly waitMs: number;
}

/**
 * A function is called again and again until it says that it has copied all that can be copied early: `{"ok": true, "epoch": 7,
 * "done": false, "bytes": 123, "keys": 4}`.
 */
export async function prepareByFunction(
  { run, functionArn, preparation, waitMs }: Asked,
  ports: Ports,
): Promise<Prepared> {
  const { from, to } = preparation;
  const started = preparation.starts > 0 ? preparation : { ...preparation, starts: 1 };
  const stored = await settle(() => ports.switches.readRegime());
  if ('problem' in stored) return { kind: 'copying', preparation: started };
  const { epoch } = stored.value.regime;
  const call: HookCall = { part: 'prepare', side: to, epoch, from, to, execution: run.execution };
  const called = await settle(() => ports.functions.invoke(functionArn, call, waitMs));
  if ('problem' in called) return { kind: 'failed', preparation: started, why: called.problem };
  const read = readHookResponse(call, called.value);
  if ('problem' in read) return { kind: 'failed', preparation: started, why: read.problem };
  const { done, bytes, keys } = called.value as { done?: unknown; bytes?: unknown; keys?: unknown };
  const isReady = done !== false;
  const next: StatePreparation = {
    ...started,
    isReady,
    tookMs: Math.max(0, ports.now() - Date.parse(preparation.startedAt)),
    ...(isCount(bytes) && { bytes }),
    ...(isCount(keys) && { keys }),
  };
  return { kind: isReady ? 'ready' : 'copying', preparation: next };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
