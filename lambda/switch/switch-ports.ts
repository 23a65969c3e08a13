import { CutoverRun, note } from '../../core/cutover/run';
import { findWeights } from '../../core/traffic/forward';
import { oneLine } from '../../core/text/one-line';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { findDirection } from '../../core/plan/direction';
import type { Plan } from '../../core/plan/plan';
import type { SwitchPlan } from '../../core/plan/switch-plan';
import type { Side } from '../../core/traffic/weights';
import { settleWithin } from '../contract/settle';
import { timeLeftMs } from '../contract/time-left';
import type { Ports } from '../contract/ports';
import type { SwitchPorts } from '../contract/switch-ports';
import { statePath } from '../../core/state/http-contract';
import { StatePreparation, formatCopyId } from '../../core/state/preparation';
import { StatePlan, ValkeyPlan, findStateHook } from '../../core/plan/state-plan';
import type { HookCallRecord } from '../../core/switch/hook';
import { NO_CARRIER } from '../state/carrier';
import { HttpCarrier, PreparedCopy } from '../state/http-carrier';
import { CheckpointHook } from './checkpoint-hook';
import { findReplay } from '../../core/plan/replay-plan';
import { ReplayHook } from './replay-hook';
import { ReplicaHook } from './replica-hook';
import { StoreHook, StoreHookMeans } from './store-hook';
import { SwitchHook, Way, openHook } from './switch-hook';

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

interface FoundHook {
  readonly hook?: SwitchHook;
  readonly prepared?: HookCallRecord;
}

/** The hook of a plan for a switch to this side, as `switchOver` takes it. */
export function findHook(plan: SwitchPlan | undefined, to: Side, ports: Ports, copied?: Copied): FoundHook {
  const { functions, replays, smoke, now, pause } = ports;
  const means = { functions, host: smoke.host, pause };
  const replay = plan?.replay && findReplay(plan.replay, to);
  if (replay !== undefined) return { hook: new ReplayHook(plan!.replay!, replay, { ...means, replays, now }) };
  if (plan?.hook) return { hook: openHook(plan.hook, means) };
  return plan?.state ? openStateHook(plan, plan.state, ports, copied) : {};
}

function openStateHook(
  plan: SwitchPlan,
  state: StatePlan,
  { functions, stores, hosts, smoke: { host }, now, pause }: Ports,
  copied: Copied | undefined,
): FoundHook {
  const means = { functions, host, pause };
  const { http, valkey, checkpoint } = state;
  const record = copied && copied !== 'nothing' ? { prepared: copied.record } : {};
  if (valkey) {
    return { hook: openStoreHook(plan, { ...state, valkey }, { stores, now, pause }, copied !== 'nothing'), ...record };
  }
  if (checkpoint) {
    return { hook: new CheckpointHook({ ...state, checkpoint }, { hosts, host, now, pause }, copied), ...record };
  }
  const hook = findStateHook(state);
  if (copied === 'nothing') return { hook: openHook(hook, means) };
  const discardPath = http && { discardPath: statePath(http.path, 'import') };
  const carrier = http && { carrier: copied ? new HttpCarrier({ ...state, http }, copied, host) : NO_CARRIER };
  return {
    hook: openHook(hook, means, { ...discardPath, ...carrier }),
    ...(copied && { prepared: copied.record }),
  };
}

function openStoreHook(
  { maxPauseMs, pointOfNoReturn }: SwitchPlan,
  state: StatePlan & { readonly valkey: ValkeyPlan },
  means: StoreHookMeans,
  carries: boolean,
): SwitchHook {
  if (state.valkey.method === 'copy') return new StoreHook(state, maxPauseMs, means, carries);
  return new ReplicaHook(state, maxPauseMs, means, { carries, mayLose: pointOfNoReturn === 'acceptLoss' });
}

/** For what comes between it and the hold: the tasks are listed and asked. */
const BEFORE_HOLD_MS = 10_000;
/** For the decision, and what follows it. */
const BEHIND_HOLD_MS = 5_000;
const MAX_BEGIN_MS = 40_000;

/** @returns why requests must not be held */
export async function beginHook(
  hook: SwitchHook | undefined,
  way: Way,
  { maxPauseMs }: SwitchPlan,
): Promise<string | undefined> {
  if (!hook?.begin) return undefined;
  const neededMs = BEFORE_HOLD_MS + maxPauseMs + hook.thawMs + BEHIND_HOLD_MS;
  const limitMs = Math.max(1, Math.min(MAX_BEGIN_MS, timeLeftMs() - neededMs));
  const started = await settleWithin(limitMs + 500, 'the comparison before the hold', () => hook.begin!(way, limitMs));
  return 'problem' in started ? started.problem : undefined;
}

/** Whatever comes of an attempt, nothing of its hook goes on. */
export async function endingHook<T>(hook: SwitchHook | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    if (hook?.close) await settleWithin(1_000, 'the end of the hook', () => hook.close!());
  }
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

/** What an undecided switch that another call had begun took along, as far as the plan says it: a switch back that may lose writes takes nothing. */
export function findCopyLeft(to: Side, plan: Plan): Copied | undefined {
  const { state, pointOfNoReturn } = plan.switch ?? {};
  // Processes that went on must be stopped again.
  const isBackWithout = to === findDirection(plan).from && pointOfNoReturn === 'acceptLoss';
  return isBackWithout && state?.checkpoint ? 'nothing' : undefined;
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
