import type { Outcome } from '../../core/cutover/run';
import type { Side } from '../../core/traffic/weights';
import { PHASES_OF_HOOKS, type Phase } from './phases';

/** Which losses are the fault's own; any other is one of drainshift. */
export const LOSSES = {
  none: 'none',
  untilLeft: 'requests and connections of the target, until the traffic has left it',
  moment: 'requests and connections of those proxies, until the load balancer has left them',
  throughout: 'requests and connections of the side that fails, for as long as it fails',
  connections: 'connections of the source that were open; no request',
} as const;
export type Losses = keyof typeof LOSSES;

/** How a cutover with the fault must end. The weights follow from it: those of the end, of the start, or as they were. */
export interface Ending {
  /** More than one where it depends on what the fault meets. `failed`: neither, and a person is asked. */
  readonly outcomes: readonly Outcome[];
  /** At most so many seconds from the fault to weights that read back. */
  readonly restoredWithin?: number;
  /** The weights, where they follow from nothing else: as in `50/50`. */
  readonly weights?: string;
}

export interface Fault {
  /** In one sentence. */
  readonly does: string;
  /** Where it can begin; without a phase it is the first of them. */
  readonly phases: readonly Phase[];
  readonly losses: Losses;
  readonly ends: Ending;
  /** Where it ends otherwise. */
  readonly endsAt?: Partial<Readonly<Record<Phase, Ending & { readonly losses?: Losses }>>>;
  /** It ends after so long. @default - at the end of the cutover */
  readonly seconds?: number;
  /** The sides whose backend it breaks. @default - none */
  readonly sides?: readonly Side[];
  /** The side of which it needs a second proxy. @default - none */
  readonly secondProxy?: Side;
  /** What it needs: an alarm that the cutover watches, a plan whose rollback has steps, or a source that records in a bucket. @default - nothing */
  readonly needs?: 'alarm' | 'rollbackPace' | 'capture';
  /** Whether it makes the cutover roll back by itself. @default - no: an abort does, for the phases of a rollback */
  readonly rollsBack?: boolean;
}

const BACK: Ending = { outcomes: ['rolled-back'] };
const BACK_SOON: Ending = { outcomes: ['rolled-back'], restoredWithin: 10 };
const DONE: Ending = { outcomes: ['completed'] };
const EITHER: Ending = { outcomes: ['completed', 'rolled-back'] };
const ASKS: Ending = { outcomes: ['failed'] };
const NOT_STARTED: Ending = { outcomes: ['refused', 'rolled-back'] };

const JUDGED: readonly Phase[] = ['confirm', 'bake', 'last-bake', 'drain', 'verify'];
const STEPS: readonly Phase[] = [
  ...(['lock', 'preflight', 'shift', 'confirm', 'bake', 'last-shift', 'last-bake', 'drain', 'verify'] as const),
  ...(['complete', 'rollback', 'record'] as const),
];
const WITH_HOOKS: readonly Phase[] = [...STEPS, ...PHASES_OF_HOOKS];
const IN_A_ROLLBACK = { rollback: BACK, record: BACK } as const;
const SHIFTS: readonly Phase[] = ['shift', 'last-shift'];
const TARGET = { sides: ['target'] } as const;
const SOURCE = { sides: ['source'] } as const;
const BOTH = { sides: ['source', 'target'] } as const;
/** With weight the source is a side that must serve; without any it may be gone. */
const DEAD_SOURCE = {
  losses: 'throughout',
  ends: ASKS,
  endsAt: { 'last-bake': { ...DONE, losses: 'connections' }, drain: { ...DONE, losses: 'connections' } },
} as const;

const SIDES_THAT_FAIL = {
  'target-dead': { does: 'The target stops.', phases: JUDGED, losses: 'untilLeft', ends: BACK_SOON, ...TARGET },
  'target-hung': {
    does: 'The target accepts connections and does not respond any more.',
    phases: JUDGED,
    losses: 'untilLeft',
    ends: { ...BACK, restoredWithin: 16 },
    ...TARGET,
  },
  'target-slow': {
    does: 'Each response of the target takes a second longer.',
    phases: ['shift', 'bake', 'last-bake'],
    losses: 'none',
    ends: BACK,
    ...TARGET,
  },
  'target-errors': {
    does: 'The target responds to 3 of 10 requests with 500.',
    phases: ['shift', ...JUDGED],
    losses: 'untilLeft',
    ends: BACK,
    endsAt: { verify: EITHER },
    ...TARGET,
  },
  'target-errors-1': {
    does: 'The target responds to 1 of 100 requests with 500: too few to be found for sure in a short cutover.',
    phases: ['shift', 'bake'],
    losses: 'throughout',
    ends: EITHER,
    ...TARGET,
  },
  'target-errors-5': {
    does: 'The target responds to 5 of 100 requests with 500.',
    phases: ['shift', 'bake'],
    losses: 'throughout',
    ends: EITHER,
    ...TARGET,
  },
  'target-errors-100': {
    does: 'The target responds to each request with 500.',
    phases: ['shift', ...JUDGED],
    losses: 'untilLeft',
    ends: BACK_SOON,
    ...TARGET,
  },
  'source-dead': {
    does: 'The source stops.',
    phases: ['shift', 'bake', 'last-bake', 'drain'],
    ...DEAD_SOURCE,
    ...SOURCE,
  },
  'source-hung': {
    does: 'The source accepts connections and does not respond any more.',
    phases: ['bake', 'last-bake', 'drain'],
    ...DEAD_SOURCE,
    ...SOURCE,
  },
  'source-slow': {
    does: 'Each response of the source takes a second longer.',
    phases: ['shift', 'bake', 'drain'],
    losses: 'none',
    ends: DONE,
    ...SOURCE,
  },
  'source-errors-100': {
    does: 'The source responds to each request with 500.',
    phases: ['bake', 'last-bake', 'drain'],
    losses: 'throughout',
    ends: ASKS,
    endsAt: { 'last-bake': DONE, drain: DONE },
    ...SOURCE,
  },
  'both-dead': {
    does: 'Both sides stop: there is nothing to roll back to.',
    phases: ['bake', 'drain'],
    losses: 'throughout',
    ends: ASKS,
    ...BOTH,
  },
  'both-errors-100': {
    does: 'Both sides respond to each request with 500: there is nothing to roll back to.',
    phases: ['bake', 'last-bake'],
    losses: 'throughout',
    ends: ASKS,
    ...BOTH,
  },
  'both-errors-5': {
    does: 'Both sides respond to 5 of 100 requests with 500: the fault is behind both.',
    phases: ['bake'],
    losses: 'throughout',
    ends: EITHER,
    ...BOTH,
  },
  'source-dead-and-abort': {
    does: 'The source stops, and an operator aborts.',
    phases: ['last-bake', 'drain'],
    losses: 'connections',
    ends: ASKS,
    ...SOURCE,
  },
  'source-cold-and-abort': {
    does: 'An operator aborts, and the source fails at the first step of the rollback.',
    phases: ['last-bake'],
    losses: 'throughout',
    ends: { ...ASKS, weights: '50/50' },
    needs: 'rollbackPace',
    ...SOURCE,
  },
  'source-without-tasks-and-abort': {
    does: 'All proxies of the source are scaled in, and an operator aborts.',
    phases: ['last-bake'],
    losses: 'connections',
    ends: ASKS,
  },
} as const satisfies Record<string, Fault>;

const PROXIES = {
  'proxy-crash-loop': {
    does: "Each of the target's proxies is killed soon after it has started; its service starts another.",
    phases: ['shift', 'confirm', 'bake', 'last-bake'],
    losses: 'untilLeft',
    ends: BACK,
  },
  'target-proxies-killed': {
    does: 'All proxies of the target are killed once.',
    phases: ['bake', 'last-bake', 'drain'],
    losses: 'untilLeft',
    ends: BACK_SOON,
  },
  'target-proxy-killed': {
    does: 'One of two proxies of the target is killed.',
    phases: ['confirm', 'bake', 'last-bake', 'drain'],
    losses: 'moment',
    ends: EITHER,
    secondProxy: 'target',
  },
  'target-proxy-hung': {
    does: 'One of two proxies of the target hangs.',
    phases: ['bake', 'last-bake', 'drain'],
    losses: 'moment',
    ends: EITHER,
    secondProxy: 'target',
  },
  'target-proxy-hung-and-target-dead': {
    does: 'One of two proxies of the target hangs, and the target stops.',
    phases: ['bake', 'drain'],
    losses: 'untilLeft',
    ends: BACK_SOON,
    secondProxy: 'target',
    ...TARGET,
  },
  'source-proxies-killed': {
    does: 'All proxies of the source are killed once.',
    phases: ['bake', 'drain'],
    losses: 'moment',
    ends: EITHER,
    endsAt: { drain: DONE },
  },
  'source-proxy-killed': {
    does: 'One of two proxies of the source is killed.',
    phases: ['bake', 'drain'],
    losses: 'moment',
    ends: DONE,
    secondProxy: 'source',
  },
  'source-proxy-hung': {
    does: 'One of two proxies of the source hangs.',
    phases: ['bake', 'drain'],
    losses: 'moment',
    ends: EITHER,
    endsAt: { drain: DONE },
    secondProxy: 'source',
  },
  'source-proxy-hung-in-scale-in': {
    does: 'One of two proxies of the source is scaled in, and hangs until ECS kills it.',
    phases: ['drain'],
    losses: 'moment',
    ends: DONE,
    seconds: 5,
    secondProxy: 'source',
  },
} as const satisfies Record<string, Fault>;

/** Of connections that move to the target while their clients stay. */
const MOVES = {
  'target-rejects-moves': {
    does: 'The target rejects every WebSocket that is moved to it: its client gets Close 1012.',
    phases: ['last-bake', 'drain'],
    losses: 'none',
    ends: DONE,
    ...TARGET,
  },
  'target-dies-in-moves': {
    does: 'The target takes three seconds to accept each WebSocket that is moved to it, and stops in the middle of that.',
    phases: ['drain'],
    losses: 'untilLeft',
    ends: BACK_SOON,
    ...TARGET,
  },
  'source-proxy-killed-in-moves': {
    does: 'The target takes three seconds to accept each WebSocket that is moved to it, and one of two proxies of the source is killed meanwhile.',
    phases: ['drain'],
    losses: 'moment',
    ends: DONE,
    secondProxy: 'source',
    ...TARGET,
  },
} as const satisfies Record<string, Fault>;

const FUNCTIONS = {
  'function-dies': {
    does: 'The function of the step dies when it has done everything, before it has responded.',
    phases: WITH_HOOKS,
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
  },
  'function-dies-in-its-call': {
    does: 'The function of the step dies behind the call that is its effect: ModifyRule, or what it writes.',
    phases: ['lock', 'shift', 'last-shift', 'drain', 'verify', 'complete', 'rollback', 'record'],
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
  },
  'function-hangs': {
    does: 'The function of the step hangs until its time has passed.',
    phases: WITH_HOOKS,
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
  },
} as const satisfies Record<string, Fault>;

const A_HOOK_FAILS = {
  phases: PHASES_OF_HOOKS,
  losses: 'none',
  ends: BACK,
  endsAt: { 'first-hook': { outcomes: ['refused'] } },
  ...BOTH,
} as const;

const HOOKS = {
  'hook-says-no': { does: 'The hook of the plan says no.', ...A_HOOK_FAILS },
  'hook-does-not-respond': { does: 'The hook of the plan does not respond.', ...A_HOOK_FAILS },
  'hook-responds-otherwise': { does: 'The hook of the plan responds with a page.', ...A_HOOK_FAILS },
  'hook-says-not-yet': { does: 'The hook of the plan says not yet, for ever.', ...A_HOOK_FAILS },
  'hook-says-not-yet-and-target-dead': {
    does: 'The hook of the plan says not yet, and the target stops.',
    phases: ['hook'],
    losses: 'untilLeft',
    ends: BACK_SOON,
    ...BOTH,
  },
} as const satisfies Record<string, Fault>;

const CALLS = {
  'calls-throttled': {
    does: 'The next 20 calls to AWS are throttled.',
    phases: STEPS,
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
  },
  'responses-lost': {
    does: 'The next 3 calls to AWS act, and their responses are lost.',
    phases: STEPS,
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
  },
  'calls-slow': {
    does: 'Each call to AWS takes a second longer, for 8 s.',
    phases: ['preflight', 'shift', 'bake', 'last-bake', 'drain', 'rollback'],
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
    seconds: 8,
  },
  'store-away': {
    does: 'S3 responds with 503 for 8 s.',
    phases: ['shift', 'bake', 'drain', 'verify', 'complete', 'rollback', 'record'],
    losses: 'none',
    ends: DONE,
    endsAt: { ...IN_A_ROLLBACK, shift: EITHER },
    seconds: 8,
  },
  'store-hangs': {
    does: 'S3 does not respond for 8 s.',
    phases: ['bake', 'drain', 'verify', 'complete', 'rollback'],
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
    seconds: 8,
  },
  'store-conflict': {
    does: 'The next 3 writes into S3 meet another one (409).',
    phases: ['lock', 'confirm', 'last-bake', 'complete'],
    losses: 'none',
    ends: DONE,
  },
  'ecs-away': {
    does: 'ECS responds with 503 for 8 s.',
    phases: ['bake', 'last-bake', 'drain', 'verify', 'rollback'],
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
    seconds: 8,
  },
  'ecs-hangs': {
    does: 'ECS does not respond for 8 s.',
    phases: ['bake', 'drain', 'verify', 'rollback'],
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
    seconds: 8,
  },
  'secrets-away': {
    does: 'Secrets Manager responds with 503 for 8 s.',
    phases: ['bake', 'drain', 'rollback'],
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
    seconds: 8,
  },
  'alarms-away': {
    does: 'CloudWatch responds with 503 for 8 s.',
    phases: ['bake', 'drain', 'verify', 'rollback'],
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
    seconds: 8,
  },
  'store-away-and-target-dead': {
    does: 'S3 responds with 503 for 20 s, and the target stops.',
    phases: ['bake', 'drain'],
    losses: 'untilLeft',
    ends: BACK_SOON,
    seconds: 20,
    ...TARGET,
  },
  'store-hangs-and-target-dead': {
    does: 'S3 does not respond for 20 s, and the target stops.',
    phases: ['bake', 'drain'],
    losses: 'untilLeft',
    ends: BACK_SOON,
    seconds: 20,
    ...TARGET,
  },
  'ecs-away-and-target-dead': {
    does: 'ECS responds with 503 for 20 s, and the target stops.',
    phases: ['bake', 'drain'],
    losses: 'untilLeft',
    ends: BACK_SOON,
    seconds: 20,
    ...TARGET,
  },
  'ecs-hangs-and-target-dead': {
    does: 'ECS does not respond for 20 s, and the target stops.',
    phases: ['bake'],
    losses: 'untilLeft',
    // It is asked at every poll, and waited for longer than the store.
    ends: { ...BACK, restoredWithin: 14 },
    seconds: 20,
    ...TARGET,
  },
  'secrets-hang-and-target-dead': {
    does: 'Secrets Manager does not respond for 20 s, and the target stops.',
    phases: ['bake'],
    losses: 'untilLeft',
    ends: { ...BACK, restoredWithin: 14 },
    seconds: 20,
    ...TARGET,
  },
  'alarms-hang-and-target-dead': {
    does: 'CloudWatch does not respond for 20 s, and the target stops.',
    phases: ['bake'],
    losses: 'untilLeft',
    ends: { ...BACK, restoredWithin: 14 },
    seconds: 20,
    ...TARGET,
  },
} as const satisfies Record<string, Fault>;

const WEIGHTS = {
  'weights-late': {
    does: 'ModifyRule responds, its weights read back, and requests follow 3 s later.',
    phases: SHIFTS,
    losses: 'none',
    ends: DONE,
  },
  'weights-read-late': {
    does: 'ModifyRule responds, requests follow, and DescribeRules shows the weights before for 3 s.',
    phases: [...SHIFTS, 'rollback'],
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
  },
  'weights-ignored': {
    does: 'ModifyRule responds, and once does nothing.',
    phases: [...SHIFTS, 'rollback'],
    losses: 'none',
    ends: BACK,
  },
  'weights-not-in-force': {
    does: 'ModifyRule responds, its weights read back, and requests go on by those before.',
    phases: [...SHIFTS, 'rollback'],
    losses: 'none',
    ends: BACK,
  },
  'weights-in-part': {
    does: 'ModifyRule responds, its weights read back, and half of the load balancer goes on by those before.',
    phases: [...SHIFTS, 'rollback'],
    losses: 'none',
    ends: BACK,
  },
  'weights-by-hand': {
    does: 'A person sets other weights.',
    phases: ['bake', 'last-bake', 'drain'],
    losses: 'none',
    ends: BACK,
  },
  'priority-by-hand': {
    does: 'A person changes the priority of the weighted rule.',
    phases: ['bake', 'drain'],
    losses: 'none',
    ends: BACK,
  },
  'rule-of-lower-priority': {
    does: 'A person adds a rule that cannot catch our requests.',
    phases: ['bake', 'drain'],
    losses: 'none',
    ends: DONE,
  },
  'rule-that-catches-our-requests': {
    does: 'A person adds a rule that catches our requests.',
    phases: ['bake', 'drain'],
    losses: 'none',
    ends: BACK,
  },
} as const satisfies Record<string, Fault>;

/** What is recorded there is not forwarded before: the clients get 503 for what changes something. */
const CAPTURE = {
  'capture-away': {
    does: 'The bucket in which the source records its traffic responds with 503 for 8 s.',
    phases: ['bake', 'drain'],
    losses: 'throughout',
    ends: EITHER,
    endsAt: { drain: DONE },
    seconds: 8,
    needs: 'capture',
  },
  'capture-hangs': {
    does: 'The bucket in which the source records its traffic does not respond for 8 s.',
    phases: ['bake'],
    losses: 'throughout',
    ends: EITHER,
    seconds: 8,
    needs: 'capture',
  },
  'capture-away-and-source-proxy-killed': {
    does: 'The bucket in which the source records its traffic responds with 503 for 8 s, and one of two proxies of the source is killed.',
    phases: ['bake'],
    losses: 'throughout',
    ends: EITHER,
    seconds: 8,
    secondProxy: 'source',
    needs: 'capture',
  },
} as const satisfies Record<string, Fault>;

const PEOPLE = {
  alarm: {
    does: 'The first alarm that the cutover watches is in ALARM.',
    phases: ['confirm', 'bake', 'last-bake', 'drain'],
    losses: 'none',
    ends: BACK_SOON,
    needs: 'alarm',
  },
  abort: {
    does: 'An operator aborts the cutover.',
    phases: ['preflight', 'shift', ...JUDGED, 'complete', ...PHASES_OF_HOOKS],
    losses: 'none',
    ends: BACK,
    endsAt: { preflight: NOT_STARTED, 'first-hook': NOT_STARTED, complete: DONE, verify: EITHER },
  },
  'second-cutover': {
    does: 'A second cutover is started: it is not started, and the first goes on.',
    phases: STEPS,
    losses: 'none',
    ends: DONE,
    endsAt: IN_A_ROLLBACK,
  },
  'no-traffic': {
    does: 'The clients stop.',
    phases: ['shift', 'bake', 'last-bake', 'drain'],
    losses: 'none',
    ends: BACK,
    // Enough requests may have come before it.
    endsAt: { bake: EITHER, 'last-bake': EITHER, drain: DONE },
  },
  stop: {
    does: 'The execution is stopped as in the console, which runs no Catch.',
    phases: ['bake', 'lock', 'preflight', 'shift', 'confirm', 'last-shift', 'last-bake', 'drain', 'verify', 'complete'],
    losses: 'none',
    ends: BACK,
    endsAt: { lock: NOT_STARTED, preflight: NOT_STARTED, verify: EITHER, complete: EITHER },
  },
  'stop-and-redrive': {
    does: 'The execution is stopped as in the console, and redriven a second later.',
    phases: ['bake', 'shift', 'last-bake', 'drain'],
    losses: 'none',
    ends: BACK,
  },
} as const satisfies Record<string, Fault>;

/** Every fault of a cutover: what it does, where it can begin, and how the cutover must end. */
export const FAULTS = {
  ...SIDES_THAT_FAIL,
  ...PROXIES,
  ...MOVES,
  ...FUNCTIONS,
  ...HOOKS,
  ...CALLS,
  ...CAPTURE,
  ...WEIGHTS,
  ...PEOPLE,
};
export type FaultName = keyof typeof FAULTS;

export interface AskedFault {
  readonly name: FaultName;
  readonly phase: Phase;
}

export function findFault(name: FaultName): Fault {
  return FAULTS[name];
}

export function findEnding({ name, phase }: AskedFault): Ending & { readonly losses: Losses } {
  const { ends, endsAt, losses } = findFault(name);
  return { losses, ...(endsAt?.[phase] ?? ends) };
}

export function listAsked(): AskedFault[] {
  const names = Object.keys(FAULTS) as FaultName[];
  return names.flatMap((name) => findFault(name).phases.map((phase): AskedFault => ({ name, phase })));
}
