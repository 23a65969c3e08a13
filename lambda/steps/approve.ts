import {
  ApprovalProgress,
  ApprovalWord,
  answerOf,
  approvalPollSeconds,
  approvalVerdict,
  pendingGate,
} from '../../core/approval';
import { breakerTrips } from '../../core/bake';
import { CutoverRun, note, retreat } from '../../core/cutover';
import { breakerRetreat } from '../../core/stage';
import { announce } from '../announce';
import { observe } from '../observe';
import type { Ports } from '../ports';
import { Act, guarded, handlerOf, undisturbed, vetoed } from '../step';

/**
 * One look for the approval of a person; the first look asks for it. What a person wrote that cannot be read counts as
 * nothing, and they are told so.
 */
export async function approve(run: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const gate = pendingGate(run.plan, run.approved ?? [], run.stage ? run.stage.index + 1 : 0);
  if (!gate) throw new Error("'approve' must come before a gate of the plan, got none");
  const asked: ApprovalProgress = run.approval ?? { gate, askedAtMs: nowMs };
  const word = await wordOf(run, asked, ports);
  const verdict = approvalVerdict(word, asked, run.plan.approval, nowMs);
  if (verdict === 'wait') return waitOn(run, asked, typeof word === 'string' ? word : undefined, ports);
  const answered: CutoverRun = { ...run, approval: undefined };
  const noted = note(answered, nowMs, 'Approve', { gate, verdict, ...(typeof word === 'object' && { ...word }) });
  if (verdict === 'approved') return { ...noted, approved: [...(run.approved ?? []), gate], verdict };
  if (verdict === 'overdue') {
    const got = typeof word === 'string' ? word : 'no answer';
    const message = `'${gate}' must be approved within ${run.plan.approval.timeoutSeconds} s, got ${got}`;
    return retreat(noted, 'ApprovalOverdue', message);
  }
  const by = typeof word === 'object' ? word.by : 'somebody';
  return retreat(noted, 'ApprovalRejected', `'${gate}' must be approved, got a rejection by '${by}'`);
}

async function wordOf(
  run: CutoverRun,
  asked: ApprovalProgress,
  { store }: Ports,
): Promise<ApprovalWord | string | undefined> {
  const found = await store.approval(run.execution, asked.gate);
  return found && answerOf(found, asked, run.plan.approval);
}

async function waitOn(
  run: CutoverRun,
  asked: ApprovalProgress,
  problem: string | undefined,
  ports: Ports,
): Promise<CutoverRun> {
  const approval = { ...asked, ...(problem !== undefined && { problem }) };
  const waiting: CutoverRun = {
    ...run,
    approval,
    verdict: 'wait',
    waitSeconds: approvalPollSeconds(run.plan.approval, run.plan.pollSeconds),
  };
  const isNews = run.approval === undefined || approval.problem !== asked.problem;
  if (isNews) await announce('waitingForApproval', waiting, ports);
  return waiting;
}

/** While a person thinks, the target serves: it goes on being watched. */
const watched: Act<CutoverRun, CutoverRun> = undisturbed(
  vetoed(async (run, ports, nowMs) => {
    const look = run.stage && (await observe(run, run.stage, ports));
    if (look && 'back' in look) return look.back;
    if (look && breakerTrips(look.observed.target, run.plan.breaker)) return breakerRetreat(run, look.observed);
    return approve(run, ports, nowMs);
  }),
);

/** Before the first shift there is nothing to watch: preflight looks at everything again once the answer is there. */
export const approveWatched: Act<CutoverRun, CutoverRun> = (run, ports, nowMs) =>
  (run.stage ? watched : approve)(run, ports, nowMs);

export const handler = handlerOf(guarded(approveWatched));
