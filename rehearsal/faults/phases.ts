import type { StateVisit } from '../state-machine/model';

/** Where in a cutover a fault can begin: when its state machine enters this state. */
export const PHASES = {
  lock: { state: 'Lock', when: 'as the lock is taken' },
  preflight: { state: 'Preflight', when: 'in the preflight' },
  'first-hook': { state: 'FirstHook', when: 'at a hook before the first shift' },
  shift: { state: 'Shift', stage: 'first', when: 'as the first stage is shifted' },
  confirm: { state: 'Confirm', stage: 'first', when: 'as the first stage is confirmed' },
  bake: { state: 'Bake', stage: 'first', when: 'in the first bake' },
  hook: { state: 'Hook', when: 'at a hook behind the first shift' },
  'last-shift': { state: 'Shift', stage: 'last', when: 'as the last stage is shifted' },
  'last-bake': { state: 'Bake', stage: 'last', when: 'in the last bake, with all traffic on the target' },
  drain: { state: 'Drain', when: 'in the drain of the source' },
  verify: { state: 'Verify', when: 'in the last poll of both sides' },
  complete: { state: 'Complete', when: 'as the evidence is written and the lock freed' },
  rollback: { state: 'Rollback', when: 'in a rollback, which an abort in the first bake causes' },
  record: { state: 'Record', when: 'as the evidence of that rollback is written' },
} as const satisfies Record<string, PhaseSpec>;

export type Phase = keyof typeof PHASES;

interface PhaseSpec {
  readonly state: string;
  /** Of which stage; of a state that comes once it is absent. */
  readonly stage?: 'first' | 'last';
  readonly when: string;
}

/** They come only where the plan has hooks. */
export const PHASES_OF_HOOKS: readonly Phase[] = ['first-hook', 'hook'];

/** They come only where the cutover rolls back. */
export const PHASES_OF_A_ROLLBACK: readonly Phase[] = ['rollback', 'record'];

/** Whether the state that was entered last is the one of the phase. */
export function isReached(phase: Phase, entered: readonly StateVisit[], stages: number): boolean {
  const { state, stage }: PhaseSpec = PHASES[phase];
  if (entered.at(-1)?.state !== state) return false;
  const wanted = stage === 'last' ? stages : 1;
  return stage === undefined || countStages(entered) === wanted;
}

/** One that waits for its window, a hook or a person is entered again. */
function countStages(entered: readonly StateVisit[]): number {
  let [count, isMoving] = [0, false];
  for (const { state } of entered) {
    if (state === 'Confirm') isMoving = false;
    if (isMoving || (state !== 'Shift' && state !== 'Switch')) continue;
    [count, isMoving] = [count + 1, true];
  }
  return Math.max(1, count);
}
