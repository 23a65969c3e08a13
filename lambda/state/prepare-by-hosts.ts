import type { CutoverRun } from '../../core/cutover/run';
import type { CheckpointPlan, StatePlan } from '../../core/plan/state-plan';
import { CheckpointResponse, readCheckpointResponse } from '../../core/state/checkpoint';
import { StatePreparation, formatCopyId } from '../../core/state/preparation';
import type { Ports } from '../contract/ports';
import { settle } from '../contract/settle';
import { buildOrder, callHost, followCommand } from './hosts';
import type { Prepared } from './prepared';

interface Asked {
  readonly run: CutoverRun;
  readonly plan: StatePlan & { readonly checkpoint: CheckpointPlan };
  readonly preparation: StatePreparation;
  readonly limitMs: number;
  readonly waitMs: number;
}

/** Of a host that is only asked. */
const CHECK_MS = 8_000;

/**
 * Both hosts are checked. Then the memory is dumped while the application serves, where the kernel finds what is written to after it;
 * elsewhere nothing can be copied early. The next call follows the command.
 */
export async function prepareByHosts(asked: Asked, ports: Ports): Promise<Prepared> {
  const { run, preparation, plan, limitMs } = asked;
  if (preparation.cursor !== undefined) return follow(asked, preparation.cursor, ports);
  const started = { ...preparation, starts: preparation.starts + 1 };
  const failed = (why: string): Prepared => ({ kind: 'failed', preparation: started, why });
  const copy = formatCopyId(run.execution, started);
  const sides = [preparation.from, preparation.to];
  const stored = await settle(() => ports.switches.readRegime());
  if ('problem' in stored) return { kind: 'copying', preparation };
  // That of the attempt that follows: a host that has followed a later one would reject it.
  const epoch = stored.value.regime.epoch + 1;
  const checks = await Promise.all(
    sides.map((side) => callHost(plan.checkpoint, { side, action: 'check', copy, epoch }, CHECK_MS, ports)),
  );
  for (const [at, check] of checks.entries()) {
    if ('problem' in check) return failed(`the host of the ${sides[at]}: ${check.problem}`);
  }
  const problem = findExcess(plan.maxBytes, checks);
  if (problem !== undefined) return failed(problem);
  const call = { side: preparation.from, action: 'prepare', copy, epoch: 0 } as const;
  const order = buildOrder(plan.checkpoint, call, ports.now() + limitMs);
  const sent = await settle(() => ports.hosts.send(order, CHECK_MS));
  if ('problem' in sent) return failed(sent.problem);
  return follow({ ...asked, preparation: { ...started, cursor: sent.value } }, sent.value, ports);
}

/** The images of one host must have room on the other. */
function findExcess(maxBytes: number, checks: readonly CheckpointResponse[]): string | undefined {
  const [from, to] = checks.map((check) => ('problem' in check ? {} : check));
  const { bytes = 0 } = from ?? {};
  if (bytes > maxBytes) return `at most ${maxBytes} bytes may be copied, got ${bytes} of the application's memory`;
  const { free = Infinity } = to ?? {};
  return free > bytes ? undefined : `the other host must have room for ${bytes} bytes, got ${free}`;
}

async function follow({ plan, preparation, waitMs }: Asked, id: string, ports: Ports): Promise<Prepared> {
  const order = { instanceId: plan.checkpoint[preparation.from].instanceId };
  const ended = await settle(() => followCommand(order, id, ports.now() + waitMs, ports));
  if ('problem' in ended) return { kind: 'failed', preparation, why: ended.problem };
  if (ended.value === undefined) return { kind: 'copying', preparation };
  const response = readCheckpointResponse({ action: 'prepare' }, ended.value);
  if ('problem' in response) return { kind: 'failed', preparation, why: response.problem };
  const tookMs = Math.max(0, ports.now() - Date.parse(preparation.startedAt));
  return { kind: 'ready', preparation: { ...preparation, isReady: true, bytes: response.bytes ?? 0, tookMs } };
}
