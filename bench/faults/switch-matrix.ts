// The part of the matrix that is of a switch: what is broken, at which part of its step.
import type { EndpointFault, FaultOptions, FaultScope } from '../../rehearsal/aws/endpoint/faults';
import { sendSignal } from '../../rehearsal/processes/signal';
import { findServiceArn, listProxies } from '../../rehearsal/faults/breakables';
import type { SwitchRowSetup } from './switch-setup';

export interface Call extends FaultScope {
  /** Of the calls of this kind that the step makes, the one that meets the fault. @default 1 */
  readonly nth?: number;
  /** Whether the call has acted when the fault begins. @default false */
  readonly afterActing?: boolean;
  /** Counted from this part on. @default - from the start of the step */
  readonly behind?: SwitchPart;
}

const ELB = 'elasticloadbalancing';
const PUT = { service: 's3', action: 'PutObject' };

/** In their order: the call of the function that each is known by. */
export const SWITCH_PARTS = {
  claim: { ...PUT, pathEndsWith: '/switch/regime.json' },
  enlist: { ...PUT, pathEndsWith: '/switch/regime.json', nth: 2 },
  // Beside the first call to hold; the requests in flight end meanwhile.
  hold: { service: ELB, action: 'DescribeTargetHealth' },
  // When all hold: it follows.
  hook: { service: ELB, action: 'DescribeTargetHealth' },
  decide: { ...PUT, pathIncludes: '/switch/decision/', behind: 'hold' },
  decided: { ...PUT, pathIncludes: '/switch/decision/', behind: 'hold', afterActing: true },
  // Each task has been released.
  settle: { ...PUT, pathEndsWith: '/switch/regime.json', nth: 3 },
  weights: { service: ELB, action: 'ModifyRule' },
  'read-back': { service: ELB, action: 'DescribeRules', behind: 'weights' },
} as const satisfies Record<string, Omit<Call, 'behind'> & { readonly behind?: string }>;
export type SwitchPart = keyof typeof SWITCH_PARTS;

export interface SwitchFault {
  readonly name: string;
  readonly parts: readonly SwitchPart[];
  /** What the call of the part gets. @default - its response, when `act` has been called */
  readonly response?: { readonly fault: EndpointFault; readonly options: FaultOptions };
  readonly act?: (row: SwitchRowSetup) => void;
  /** The path of the backend that freezes it. @default - the switch has no hook */
  readonly freeze?: string;
  /** For how long clients may see errors that are the fault's own; 0: none at all. */
  readonly harmsMs: number;
  readonly ends: readonly ('completed' | 'rolled-back')[];
}

const ALL = (Object.keys(SWITCH_PARTS) as SwitchPart[]).filter((part) => part !== 'hook');
const HOOK = ['hook'] as const;
const IN_S3 = ALL.filter((part) => SWITCH_PARTS[part].service === 's3');
const DONE = ['completed'] as const;
const EITHER = ['completed', 'rolled-back'] as const;
const OPERATOR = { spares: ['OPERATOR'] };
/** Longer than the leases, shorter than what a load balancer takes for unhealthy. */
const FREEZE_MS = 4_000;
const AWAY_MS = 3_000;
/** The tasks abort by themselves, and the next call of the step thaws the source: until then it rejects writes. */
const THAW_MS = 20_000;
/** Until the slow hook is under way. */
const HOOK_MS = 300;
/** Until the load balancer has noticed, and the task has a successor. */
const UNHEALTHY_MS = 20_000;

function freeze(pid: number | undefined, ms: number): void {
  sendSignal(pid, 'SIGSTOP');
  setTimeout(() => sendSignal(pid, 'SIGCONT'), ms);
}

const firstSource = (row: SwitchRowSetup) => listProxies(row.cloud, 'source')[0]?.pid;

export const SWITCH_FAULTS: readonly SwitchFault[] = [
  { name: 'none', parts: ['claim'], harmsMs: 0, ends: DONE },
  {
    name: 'function-killed',
    parts: ALL,
    act: (row) => sendSignal(row.findFunctionPid(), 'SIGKILL'),
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'function-frozen',
    parts: ALL,
    act: (row) => freeze(row.findFunctionPid(), FREEZE_MS),
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'response-lost',
    parts: ALL,
    response: { fault: { kind: 'reset' }, options: { times: 1, afterActing: true } },
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'call-503',
    parts: ALL,
    response: { fault: { kind: 'status', status: 503 }, options: { times: 4 } },
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'call-hangs',
    parts: ALL,
    response: { fault: { kind: 'hang' }, options: { times: 1 } },
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'conflict',
    parts: IN_S3,
    response: { fault: { kind: 'status', status: 409 }, options: { times: 2 } },
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'store-away',
    parts: ALL,
    act: ({ cloud }) => {
      setTimeout(cloud.faults.set({ service: 's3', ...OPERATOR }, { kind: 'status', status: 503 }), AWAY_MS);
    },
    harmsMs: 0,
    ends: EITHER,
  },
  {
    name: 'task-killed',
    parts: ALL,
    act: (row) => sendSignal(firstSource(row), 'SIGKILL'),
    harmsMs: UNHEALTHY_MS,
    ends: DONE,
  },
  {
    name: 'task-frozen',
    parts: ALL,
    act: (row) => freeze(firstSource(row), FREEZE_MS),
    harmsMs: UNHEALTHY_MS,
    ends: DONE,
  },
  {
    name: 'target-killed',
    parts: ALL,
    act: (row) => row.killTarget(),
    harmsMs: Infinity,
    ends: ['rolled-back'],
  },
  {
    name: 'task-started',
    parts: ALL,
    act: (row) => row.cloud.tasks.setDesiredCount(findServiceArn(row.cloud, 'source'), 3),
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'request-endless',
    parts: ['claim', 'enlist', 'hold'],
    act: (row) => row.sendEndless(AWAY_MS + FREEZE_MS),
    harmsMs: 0,
    ends: DONE,
  },
  { name: 'operator-aborts', parts: ALL, act: (row) => row.abort(), harmsMs: 0, ends: EITHER },
  // Whatever becomes of the hook, the side that serves is thawed: a frozen one would reject the writes that follow.
  { name: 'hook-passes', parts: HOOK, freeze: '/hook/freeze', harmsMs: 0, ends: DONE },
  { name: 'hook-fails', parts: HOOK, freeze: '/hook/fails', harmsMs: 0, ends: ['rolled-back'] },
  { name: 'hook-hangs', parts: HOOK, freeze: '/hook/hangs', harmsMs: 0, ends: ['rolled-back'] },
  { name: 'hook-garbage', parts: HOOK, freeze: '/hook/garbage', harmsMs: 0, ends: ['rolled-back'] },
  {
    name: 'function-killed-in-the-hook',
    parts: HOOK,
    freeze: '/hook/slow',
    act: (row) => void setTimeout(() => sendSignal(row.findFunctionPid(), 'SIGKILL'), HOOK_MS),
    harmsMs: THAW_MS,
    ends: DONE,
  },
  {
    name: 'function-frozen-in-the-hook',
    parts: HOOK,
    freeze: '/hook/slow',
    act: (row) => void setTimeout(() => freeze(row.findFunctionPid(), FREEZE_MS), HOOK_MS),
    harmsMs: THAW_MS,
    ends: DONE,
  },
  {
    name: 'task-frozen-in-the-hook',
    parts: HOOK,
    freeze: '/hook/slow',
    act: (row) => void setTimeout(() => freeze(firstSource(row), FREEZE_MS), HOOK_MS),
    harmsMs: UNHEALTHY_MS,
    ends: DONE,
  },
];
