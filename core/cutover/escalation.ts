import { ApprovalProgress, GateName, findGate, formatGateName, pendingGate } from '../approval/approval';
import { MAX_ESCALATIONS } from '../plan/plan';
import type { CutoverRun, Escalation, Verdict } from './run';
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

/**
 * What a person is to be asked where the run is now, and is not asked yet.
 *
 * @throws Error where the run comes before no gate
 */
export function findGateName({ plan, asked = {}, approved = [], escalation, stage }: CutoverRun): GateName {
  const gate = escalation ? 'judge' : pendingGate(plan, approved, stage ? stage.index + 1 : 0);
  if (!gate) throw new Error("'approve' must come before a gate of the plan, got none");
  return formatGateName(gate, (asked[gate] ?? 0) + 1);
}

/** The states in which a cutover asks a person. */
const ASKING: readonly string[] = ['Approve', 'ApproveLastStage', 'Ask'];

/**
 * What a state asks a person, by the run that it was given: from its beginning, while the run says so only when the first look of that state
 * has ended.
 *
 * @returns undefined where it asks nothing
 */
export function findAskedGate(state: string, run: CutoverRun): GateName | undefined {
  return ASKING.includes(state) ? (run.approval?.gate ?? findGateName(run)) : undefined;
}

/** The run that has asked it. */
export function countAsked(run: CutoverRun, { gate: name }: ApprovalProgress): CutoverRun {
  const gate = findGate(name);
  return { ...run, asked: { ...run.asked, [gate]: (run.asked?.[gate] ?? 0) + 1 } };
}

/**
 * A person said that it may go on: what the judge held against the side until now counts no more. What the person took is time of
 * nothing that the cutover waited for: a bake has its whole time again, and so has a hook that says not yet.
 */
export function resume(run: CutoverRun, { isFailing, resume: verdict }: Escalation, nowMs: number): CutoverRun {
  const { hooking } = run;
  const resumed: CutoverRun = {
    ...bakeFromNow(run, verdict, nowMs),
    ...(hooking?.waiting && { hooking: { ...hooking, waiting: { ...hooking.waiting, sinceMs: nowMs } } }),
    escalation: undefined,
    unsavedSinceMs: undefined,
    unverifiedSinceMs: undefined,
    verdict,
  };
  if (!isFailing || !run.watch) return resumed;
  return { ...keepLook(resumed, { kind: 'restart', at: nowMs }), watch: restart(run.watch, nowMs) };
}

/** The run whose verdict leads to a bake that has its whole time from now on. */
export function bakeFromNow(run: CutoverRun, verdict: Verdict, nowMs: number): CutoverRun {
  const { stage } = run;
  return verdict === 'confirmed' && stage ? { ...run, stage: { ...stage, bakesAgainAtMs: nowMs } } : run;
}
