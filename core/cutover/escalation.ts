import { MAX_ESCALATIONS } from '../plan/plan';
import type { CutoverRun, Escalation } from './run';
import { keepLook } from './looks';
import { restart } from '../judge/replay';

/** Whether one more fits. A escalation that takes the place of another one is none more. */
export function mayAsk({ escalation, escalations = 0 }: CutoverRun): boolean {
  return escalation !== undefined || escalations < MAX_ESCALATIONS;
}

/** The weights stay until a person has responded. A escalation that takes another one's place resumes where that one did. */
export function ask(run: CutoverRun, escalation: Escalation): CutoverRun {
  const { escalation: before, escalations = 0 } = run;
  return {
    ...run,
    verdict: 'ask',
    approval: undefined,
    escalation: { ...escalation, resume: before?.resume ?? escalation.resume },
    escalations: before ? escalations : escalations + 1,
  };
}

/** A person said that it may go on: what the judge held against the side until now counts no more. */
export function resume(run: CutoverRun, { isFailing, resume: verdict }: Escalation, nowMs: number): CutoverRun {
  const resumed: CutoverRun = { ...run, escalation: undefined, verdict };
  if (!isFailing || !run.watch) return resumed;
  return { ...keepLook(resumed, { kind: 'restart', at: nowMs }), watch: restart(run.watch, nowMs) };
}
