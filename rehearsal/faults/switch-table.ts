import type { Outcome } from '../../core/cutover/run';
import type { Side } from '../../core/traffic/weights';
import type { EndpointFault, FaultOptions, FaultScope } from '../aws/endpoint/faults';
import { sendSignal } from '../processes/signal';
import type { ExecutionDescription } from '../state-machine/model';
import { findFunctionArn, findServiceArn, listProxies, requestAbort, sendEndless, type Breakables } from './breakables';

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

interface PartSpec extends Omit<Call, 'behind'> {
  /** In words. */
  readonly when: string;
  readonly behind?: string;
}

/** In their order: the call of the function that each is known by. */
export const SWITCH_PARTS = {
  claim: { when: 'as the switch claims its epoch', ...PUT, pathEndsWith: '/switch/regime.json' },
  enlist: { when: 'as the tasks are enlisted', ...PUT, pathEndsWith: '/switch/regime.json', nth: 2 },
  // Beside the first call to hold; the requests in flight end meanwhile.
  hold: { when: 'beside the first call to hold', service: ELB, action: 'DescribeTargetHealth' },
  // When all hold: it follows.
  hook: { when: 'in the hook', service: ELB, action: 'DescribeTargetHealth' },
  decide: { when: 'as the decision is written', ...PUT, pathIncludes: '/switch/decision/', behind: 'hold' },
  decided: {
    when: 'behind the decision, before its response',
    ...PUT,
    pathIncludes: '/switch/decision/',
    behind: 'hold',
    afterActing: true,
  },
  // Each task has been released.
  settle: { when: 'when each task has been released', ...PUT, pathEndsWith: '/switch/regime.json', nth: 3 },
  weights: { when: 'as the weights are set', service: ELB, action: 'ModifyRule' },
  'read-back': { when: 'as they are read back', service: ELB, action: 'DescribeRules', behind: 'weights' },
} as const satisfies Record<string, PartSpec>;
export type SwitchPart = keyof typeof SWITCH_PARTS;

export interface SwitchFault {
  readonly name: string;
  /** In one sentence. */
  readonly does: string;
  readonly parts: readonly SwitchPart[];
  /** What the call of the part gets. @default - its response, when `act` has been called */
  readonly response?: { readonly fault: EndpointFault; readonly options: FaultOptions };
  readonly act?: (parts: Breakables, execution: ExecutionDescription) => void;
  /** The sides whose backend it breaks. @default - none */
  readonly sides?: readonly Side[];
  /** The path of the backend that freezes it. @default - the switch has no hook */
  readonly freeze?: string;
  /** The path under which the state of the backends goes along. @default - they share it */
  readonly state?: string;
  /** For how long clients may see errors that are the fault's own; 0: none at all. */
  readonly harmsMs: number;
  readonly ends: readonly Extract<Outcome, 'completed' | 'rolled-back'>[];
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

const firstSource = ({ cloud }: Breakables) => listProxies(cloud, 'source')[0]?.pid;
const findFunctionPid = ({ cloud }: Breakables) => cloud.functions.findPid(findFunctionArn(cloud, 'Switch'));

export const SWITCH_FAULTS: readonly SwitchFault[] = [
  { name: 'none', does: 'Nothing breaks.', parts: ['claim'], harmsMs: 0, ends: DONE },
  {
    name: 'function-killed',
    does: 'The function that makes the switch is killed.',
    parts: ALL,
    act: (row) => sendSignal(findFunctionPid(row), 'SIGKILL'),
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'function-frozen',
    does: 'The function that makes the switch stands still for 4 s.',
    parts: ALL,
    act: (row) => freeze(findFunctionPid(row), FREEZE_MS),
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'response-lost',
    does: 'The call acts, and its response is lost.',
    parts: ALL,
    response: { fault: { kind: 'reset' }, options: { times: 1, afterActing: true } },
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'call-503',
    does: 'The call gets 503 four times.',
    parts: ALL,
    response: { fault: { kind: 'status', status: 503 }, options: { times: 4 } },
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'call-hangs',
    does: 'The call gets no response.',
    parts: ALL,
    response: { fault: { kind: 'hang' }, options: { times: 1 } },
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'conflict',
    does: 'The call meets another write twice (409).',
    parts: IN_S3,
    response: { fault: { kind: 'status', status: 409 }, options: { times: 2 } },
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'store-away',
    does: 'S3 responds with 503 for 3 s.',
    parts: ALL,
    act: ({ cloud }) => {
      setTimeout(cloud.faults.set({ service: 's3', ...OPERATOR }, { kind: 'status', status: 503 }), AWAY_MS);
    },
    harmsMs: 0,
    ends: EITHER,
  },
  {
    name: 'task-killed',
    does: 'A proxy of the source is killed.',
    parts: ALL,
    act: (row) => sendSignal(firstSource(row), 'SIGKILL'),
    harmsMs: UNHEALTHY_MS,
    ends: DONE,
  },
  {
    name: 'task-frozen',
    does: 'A proxy of the source stands still for 4 s.',
    parts: ALL,
    act: (row) => freeze(firstSource(row), FREEZE_MS),
    harmsMs: UNHEALTHY_MS,
    ends: DONE,
  },
  {
    name: 'target-killed',
    does: 'The target stops.',
    parts: ALL,
    act: ({ sides }) => sides.target?.kill(),
    sides: ['target'],
    harmsMs: Infinity,
    ends: ['rolled-back'],
  },
  {
    name: 'task-started',
    does: 'A new proxy of the source starts.',
    parts: ALL,
    act: ({ cloud }) => cloud.tasks.setDesiredCount(findServiceArn(cloud, 'source'), 3),
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'request-endless',
    does: 'An upload does not end for 7 s.',
    parts: ['claim', 'enlist', 'hold'],
    act: ({ cloud }) => sendEndless(cloud, AWAY_MS + FREEZE_MS),
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'operator-aborts',
    does: 'An operator aborts the cutover.',
    parts: ALL,
    act: ({ cloud }, execution) => requestAbort(cloud, execution),
    harmsMs: 0,
    ends: EITHER,
  },
  // Whatever becomes of the hook, the side that serves is thawed: a frozen one would reject the writes that follow.
  { name: 'hook-passes', does: 'The hook passes.', parts: HOOK, freeze: '/hook/freeze', harmsMs: 0, ends: DONE },
  {
    name: 'hook-fails',
    does: 'The hook responds with 500.',
    parts: HOOK,
    freeze: '/hook/fails',
    harmsMs: 0,
    ends: ['rolled-back'],
  },
  {
    name: 'hook-hangs',
    does: 'The hook does not respond.',
    parts: HOOK,
    freeze: '/hook/hangs',
    harmsMs: 0,
    ends: ['rolled-back'],
  },
  {
    name: 'hook-garbage',
    does: 'The hook responds with a page.',
    parts: HOOK,
    freeze: '/hook/garbage',
    harmsMs: 0,
    ends: ['rolled-back'],
  },
  {
    name: 'function-killed-in-the-hook',
    does: 'The function that makes the switch is killed while the hook is under way.',
    parts: HOOK,
    freeze: '/hook/slow',
    act: (row) => void setTimeout(() => sendSignal(findFunctionPid(row), 'SIGKILL'), HOOK_MS),
    harmsMs: THAW_MS,
    ends: DONE,
  },
  {
    name: 'function-frozen-in-the-hook',
    does: 'The function that makes the switch stands still for 4 s while the hook is under way.',
    parts: HOOK,
    freeze: '/hook/slow',
    act: (row) => void setTimeout(() => freeze(findFunctionPid(row), FREEZE_MS), HOOK_MS),
    harmsMs: THAW_MS,
    ends: DONE,
  },
  {
    name: 'task-frozen-in-the-hook',
    does: 'A proxy of the source stands still for 4 s while the hook is under way.',
    parts: HOOK,
    freeze: '/hook/slow',
    act: (row) => void setTimeout(() => freeze(firstSource(row), FREEZE_MS), HOOK_MS),
    harmsMs: UNHEALTHY_MS,
    ends: DONE,
  },
  {
    name: 'state-passes',
    does: 'The state goes along.',
    parts: HOOK,
    state: '/internal/state',
    harmsMs: 0,
    ends: DONE,
  },
  {
    name: 'state-planted',
    does: 'The target changes a key of the state that it was given.',
    parts: HOOK,
    state: '/hook/planted-state',
    harmsMs: 0,
    ends: ['rolled-back'],
  },
  {
    name: 'function-killed-in-the-transfer',
    does: 'The function that makes the switch is killed while the state goes along.',
    parts: HOOK,
    state: '/hook/slow-state',
    act: (row) => void setTimeout(() => sendSignal(findFunctionPid(row), 'SIGKILL'), HOOK_MS),
    harmsMs: THAW_MS,
    ends: DONE,
  },
  {
    name: 'target-killed-in-the-transfer',
    does: 'The target stops while the state goes along.',
    parts: HOOK,
    state: '/hook/slow-state',
    act: ({ sides }) => void setTimeout(() => sides.target?.kill(), HOOK_MS),
    sides: ['target'],
    harmsMs: 0,
    ends: ['rolled-back'],
  },
];

export interface AskedSwitchFault {
  readonly name: string;
  readonly part: SwitchPart;
}

/** @throws Error for a name that is none */
export function findSwitchFault(name: string): SwitchFault {
  const found = SWITCH_FAULTS.find((each) => each.name === name);
  if (found) return found;
  throw new Error(`a fault of a switch must be one of the table, got '${name}'`);
}

/** What `rehearse` can begin: those of a hook are asked for by the plan, which names the hook. */
export const REHEARSED_SWITCH_FAULTS = SWITCH_FAULTS.filter(
  ({ freeze: hook, state, name }) => hook === undefined && state === undefined && name !== 'none',
);
