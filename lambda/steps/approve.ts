import {
  Response,
  ApprovalGate,
  ApprovalProgress,
  ApprovalVerdict,
  MAX_HURRIED_LOOKS,
  WrittenWord,
  readResponse,
  approvalVerdict,
  deadlineMs,
  describeResponder,
  findGate,
  proven,
  buildStatement,
} from '../../core/approval/approval';
import { callHooksFirst } from '../../core/cutover/hooks';
import { countAsked, findGateName, resume } from '../../core/cutover/escalation';
import { CutoverRun, Escalation, note, rollBack } from '../../core/cutover/run';
import type { ErrorCode } from '../../core/errors/errors';
import { Plan, gatePollSeconds, escalationPollSeconds } from '../../core/plan/plan';
import { readStatement } from '../../core/approval/statement';
import { announce } from '../shared/announce';
import { createLookingHandler } from '../shared/looks';
import { Look, STORE_MS, isOfSideThatIsLeft, judged } from '../shared/observe';
import type { Ports } from '../contract/ports';
import { settle, settleWithin } from '../contract/settle';
import { Act, withLock } from '../shared/step';

/**
 * One look for the approval of a person; the first look asks for it. What a person wrote that cannot be read counts as
 * nothing, and they are notified of it.
 */
export async function approve(given: CutoverRun, ports: Ports, nowMs: number): Promise<CutoverRun> {
  const asked = given.approval ?? { gate: findGateName(given), askedAtMs: nowMs };
  const run = given.approval ? given : countAsked(given, asked);
  const found = await settleWithin(STORE_MS, 'reading the approval', () =>
    Promise.all([ports.store.rejection(run.execution, asked.gate), ports.store.approval(run.execution, asked.gate)]),
  );
  // A store that is unreachable may hold an approval: no one is notified that there was none.
  if ('problem' in found) return waitForStore(run, asked, found.problem, ports, nowMs);
  const word = await findResponse(found.value, (written) => responseFrom(written, run, asked, ports, nowMs));
  const verdict = approvalVerdict(word, asked, run.plan.approval, nowMs);
  if (verdict === 'wait') return waitOn(run, asked, typeof word === 'string' ? word : undefined, ports);
  const { gate } = asked;
  const responded: CutoverRun = { ...run, approval: undefined };
  const noted = note(responded, nowMs, 'Approve', { gate, verdict, ...(typeof word === 'object' && { ...word }) });
  if (!run.escalation) return endGate(noted, findGate(gate), verdict, word);
  return endEscalation(noted, run.escalation, verdict, word, nowMs);
}

/** A rejection counts whatever else was written: two persons may respond at once, and the other one must not see it vanish. */
async function findResponse(
  [rejection, approval]: readonly (WrittenWord | undefined)[],
  read: (written: WrittenWord) => Promise<Response | string>,
): Promise<Response | string | undefined> {
  const rejected = rejection && (await read(rejection));
  if (typeof rejected === 'object' && rejected.decision === 'reject') return rejected;
  if (approval) return read(approval);
  return typeof rejected === 'string' ? rejected : undefined;
}

function endGate(
  run: CutoverRun,
  gate: ApprovalGate,
  verdict: Exclude<ApprovalVerdict, 'wait'>,
  word: Response | string | undefined,
): CutoverRun {
  if (verdict === 'approved') return { ...run, approved: [...(run.approved ?? []), gate], verdict };
  if (verdict === 'overdue') {
    const got = typeof word === 'string' ? word : 'no response';
    const message = `'${gate}' must be approved within ${run.plan.approval.timeoutSeconds} s, got ${got}`;
    return rollBack(run, 'ApprovalOverdue', message);
  }
  const by = typeof word === 'object' ? describeResponder(word) : 'an unknown signer';
  return rollBack(run, 'ApprovalRejected', `'${gate}' must be approved, got a rejection by ${by}`);
}

/** Without an approval the cutover rolls back, with what the judge had to say. */
function endEscalation(
  run: CutoverRun,
  escalation: Escalation,
  verdict: ApprovalVerdict,
  word: Response | string | undefined,
  nowMs: number,
): CutoverRun {
  if (verdict === 'approved') return callHooksFirst(resume(run, escalation, nowMs));
  const { code, message } = escalation.failure;
  const by = typeof word === 'object' ? describeResponder(word) : 'an unknown signer';
  const end =
    verdict === 'rejected' ? `rejected by ${by}` : `not approved within ${run.plan.approval.timeoutSeconds} s`;
  return rollBack(
    { ...run, escalation: undefined },
    code as ErrorCode,
    `${message}; a person was asked, and it was ${end}`,
  );
}

/** The approval, with its signer as STS reports; or why it does not count. */
async function responseFrom(
  written: WrittenWord,
  run: CutoverRun,
  asked: ApprovalProgress,
  { identity, notifier }: Ports,
  nowMs: number,
): Promise<Response | string> {
  const { execution, plan } = run;
  const word = readResponse(written, asked, plan.approval);
  if (typeof word === 'string') return word;
  const rules = { ...plan.approval, account: identity.account };
  if (word.statement === undefined) return proven(word, undefined, rules);
  const says = buildStatement({ decision: word.decision, gate: asked.gate, execution }, notifier.places.storeBucket);
  const statement = readStatement(word.statement, { says, host: identity.host, region: identity.region }, nowMs);
  if (typeof statement === 'string') return proven(word, { problem: statement }, rules);
  const caller = await settle(() => identity.findSigner(statement));
  return proven(word, 'value' in caller ? { arn: caller.value } : caller, rules);
}

/** When the time for an approval has ended, with a margin, and the store is unreachable, there is none to read. */
const MAX_UNREAD_MS = 3_600_000;

async function waitForStore(
  run: CutoverRun,
  asked: ApprovalProgress,
  problem: string,
  ports: Ports,
  nowMs: number,
): Promise<CutoverRun> {
  if (nowMs < deadlineMs(asked.askedAtMs, run.plan.approval) + MAX_UNREAD_MS)
    return waitOn(run, asked, undefined, ports);
  return rollBack(run, 'ApprovalOverdue', `the approval at '${asked.gate}' must be readable, got ${problem}`);
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
    waitSeconds: findPollSeconds(run.plan, findGate(asked.gate)),
  };
  const isNews = run.approval === undefined || approval.problem !== asked.problem;
  if (isNews) await announce('waitingForApproval', waiting, ports);
  return waiting;
}

function findPollSeconds(plan: Plan, gate: ApprovalGate): number {
  return gate === 'judge' ? escalationPollSeconds(plan) : gatePollSeconds(plan, gate);
}

/** While a person thinks, the side that gets the traffic serves: both sides go on being judged. */
const watched: Act<CutoverRun, CutoverRun> = judged(
  async (run, ports, nowMs, look) => hurried(await approve(run, ports, nowMs), look),
  { isConfirmed: true, resume: 'approve' },
);

/** Where that side was not seen, the next look does not wait as long as a person may. */
function hurried(run: CutoverRun, { blind }: Look): CutoverRun {
  const { approval, plan, verdict, waitSeconds } = run;
  const hurriedLooks = approval?.hurriedLooks ?? 0;
  const isSeen = blind.every((what) => what === 'store' || isOfSideThatIsLeft(what, plan));
  if (verdict !== 'wait' || !approval || isSeen || hurriedLooks >= MAX_HURRIED_LOOKS) return run;
  if (waitSeconds <= plan.pollSeconds) return run;
  return { ...run, approval: { ...approval, hurriedLooks: hurriedLooks + 1 }, waitSeconds: plan.pollSeconds };
}

/** Before the first shift there is nothing to watch: preflight checks everything again once the approval arrives. */
export const approveWatched: Act<CutoverRun, CutoverRun> = (run, ports, nowMs) =>
  (run.stage ? watched : withLock(approve))(run, ports, nowMs);

export const handler = createLookingHandler(approveWatched);
