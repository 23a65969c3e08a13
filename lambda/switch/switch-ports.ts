import { CutoverRun, note } from '../../core/cutover/run';
import { findWeights } from '../../core/traffic/forward';
import { oneLine } from '../../core/text/one-line';
import type { SwitchRecord } from '../../core/switch/switch-record';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import type { Ports } from '../contract/ports';
import type { SwitchPorts } from '../contract/switch-ports';
import { statePath } from '../../core/state/http-contract';
import { StatePreparation, formatCopyId } from '../../core/state/preparation';
import { findStateHook } from '../../core/plan/state-plan';
import type { HookCallRecord } from '../../core/switch/hook';
import { NO_CARRIER } from '../state/carrier';
import { HttpCarrier, PreparedCopy } from '../state/http-carrier';
import { SwitchHook, openHook } from './switch-hook';

/** Of the attempts that the state of a cutover keeps. */
const MAX_RECORDS = 20;

export function switchPorts({ switches, proxies, loadBalancer, now, pause }: Ports): SwitchPorts {
  const { ruleArn, groupArns } = loadBalancer;
  const traffic: SwitchPorts['traffic'] = {
    targets: async (sides) => (await Promise.all(sides.map((side) => loadBalancer.registeredTargets(side)))).flat(),
    weights: async () => {
      const forward = (await loadBalancer.rules()).find(({ arn }) => arn === ruleArn)?.forward;
      return forward && findWeights(forward, groupArns);
    },
  };
  return { store: switches, listTasks: () => proxies.open(), traffic, now, pause };
}

/** The hook of a plan, as `switchOver` takes it. */
export function findHook(
  plan: SwitchPlan | undefined,
  { functions, smoke: { host }, pause }: Ports,
  copied?: Copied,
): { readonly hook?: SwitchHook; readonly prepared?: HookCallRecord } {
  const means = { functions, host, pause };
  if (plan?.hook) return { hook: openHook(plan.hook, means) };
  if (!plan?.state) return {};
  const { http } = plan.state;
  const hook = findStateHook(plan.state);
  if (copied === 'nothing') return { hook: openHook(hook, means) };
  const discardPath = http && { discardPath: statePath(http.path, 'import') };
  const carrier = http && { carrier: copied ? new HttpCarrier({ ...plan.state, http }, copied, host) : NO_CARRIER };
  return {
    hook: openHook(hook, means, { ...discardPath, ...carrier }),
    ...(copied && { prepared: copied.record }),
  };
}

/** What was copied before the hold; `nothing`: nothing goes along, and nothing is left behind. */
type Copied = 'nothing' | (PreparedCopy & { readonly record: HookCallRecord });

export function findCopied(execution: string, preparation: StatePreparation | undefined): Copied | undefined {
  if (!preparation?.isReady) return undefined;
  const { to, bytes, keys, resumed, tookMs, cursor } = preparation;
  const record = {
    ...({ part: 'prepare', side: to, tookMs, bytes } as const),
    ...(keys !== undefined && { keys }),
    ...(resumed > 0 && { resumed }),
  };
  return { id: formatCopyId(execution, preparation), record, ...(cursor !== undefined && { cursor }) };
}

/** A reason may name many tasks, and the state of a cutover keeps every attempt. */
const MAX_WHY = 500;

/** Bytes of all traces in the state of a cutover, which Step Functions bounds. Those of the latest attempts stay. */
const MAX_TRACE_BYTES = 40_000;

function boundTraces(records: readonly SwitchRecord[]): SwitchRecord[] {
  let left = MAX_TRACE_BYTES;
  return records
    .toReversed()
    .map(({ trace, ...record }) => {
      left -= trace ? JSON.stringify(trace).length : 0;
      return left >= 0 && trace ? { ...record, trace } : record;
    })
    .toReversed();
}

/** The record stays in `switches`; its timeline says when it was, and what came of it. */
export function noteSwitch(run: CutoverRun, record: SwitchRecord, nowMs: number): CutoverRun {
  const short = record.why === undefined ? record : { ...record, why: oneLine(record.why, MAX_WHY) };
  const switches = boundTraces([...(run.switches ?? []), short].slice(-MAX_RECORDS));
  const { epoch, to, outcome, by } = short;
  return note({ ...run, switches }, nowMs, 'Switch', { epoch, to, outcome, by });
}
