// Where in a switch something breaks, and what.
import type { Chance } from '../soak/account/chance';

/** In their order. Each is a call that the coordinator is about to make; `decided` is the decision whose response is not there yet. */
export const PARTS = ['claim', 'enlist', 'hold', 'drain', 'decide', 'decided', 'release', 'settle', 'weights'] as const;
export type Part = (typeof PARTS)[number] | 'hook';

/** What breaks. `freeze` lasts 10 s. */
export const FAULTS = {
  'coordinator-killed': 'kill -9 of the coordinator; another call of the same execution follows',
  'coordinator-frozen':
    'SIGSTOP of the coordinator, so that leases expire; another call goes on beside it, and then it wakes up',
  'task-killed': 'kill -9 of a task; another one starts in its place',
  'task-frozen': 'SIGSTOP of a task, which then wakes up',
  'response-lost': 'the call acts, and its response is lost',
  'store-503': 'the store responds with 503 for 3 s',
  'store-hangs': 'the store does not respond for 3 s',
  'store-conflict': 'the next two conditional writes meet a race (409)',
  'task-started': 'a new task starts',
  'request-endless': 'a request does not end for 3 s',
  'backend-killed': 'kill -9 of the backend that is switched to; it starts again after 3 s',
  'operator-aborts': 'an operator asks it to stop',
} as const;
export type FaultName = keyof typeof FAULTS;

/** The hook of a switch, where it has one. */
export const HOOKS = { 'hook-fails': 'the hook throws', 'hook-hangs': 'the hook does not end' } as const;
export type HookName = keyof typeof HOOKS;

export interface Row {
  readonly fault: FaultName | HookName | 'none';
  readonly part: Part;
  /** Of the calls of its part, the one that meets it. */
  readonly nth: number;
}

export const PLAIN: Row = { fault: 'none', part: 'claim', nth: 1 };

export function listRows(): Row[] {
  const faults = Object.keys(FAULTS) as FaultName[];
  const hooks = Object.keys(HOOKS) as HookName[];
  return [
    ...faults.flatMap((fault) => PARTS.map((part): Row => ({ fault, part, nth: 1 }))),
    ...hooks.map((fault): Row => ({ fault, part: 'hook', nth: 1 })),
  ];
}

/** What the issue names for the long run: a kill, a freeze, a lost response. */
const DRAWN: readonly FaultName[] = [
  'coordinator-killed',
  'coordinator-frozen',
  'task-killed',
  'task-frozen',
  'response-lost',
];

export function drawRow(chance: Chance): Row {
  const part = chance.of(PARTS);
  const hasMore = part === 'hold' || part === 'release' || part === 'drain';
  return { fault: chance.of(DRAWN), part, nth: hasMore ? chance.between(1, 2) : 1 };
}

export function formatRow({ fault, part, nth }: Row): string {
  return fault === 'none' ? 'none' : `${fault}@${part}${nth > 1 ? `#${nth}` : ''}`;
}
