import { oneLine } from '../text/one-line';
import type { ObjectField } from '../validation/fields';
import { STATEMENT_SECONDS } from './statement';

/**
 * Where a cutover may wait for a person: before anything moves, before the stage that ends on the target alone, before any other, and
 * where its judge asks.
 */
export type ApprovalGate = 'firstShift' | 'lastStage' | 'judge' | `stage${number}`;

/**
 * What a person is asked: the gate, with a number from the second time that it asks there: `judge-2`. Its key and its statement have it,
 * so that a word for one question is none for another.
 */
export type GateName = ApprovalGate | `${ApprovalGate}-${number}`;

/** The form of a question, in words: `stage2` is before the second stage. */
export const GATE_RULE =
  'firstShift, lastStage, judge, or a stage as stage2; with a number where it asks again, as judge-2';

export function isGateName(text: string): text is GateName {
  return /^(firstShift|lastStage|judge|stage([2-9]|[1-4][0-9]))(-([2-9]|[1-9][0-9]))?$/.test(text);
}

/** @param number from 1 */
export function formatGateName(gate: ApprovalGate, number: number): GateName {
  return number === 1 ? gate : `${gate}-${number}`;
}

/** Where it asks. */
export function findGate(name: GateName): ApprovalGate {
  return name.split('-')[0] as ApprovalGate;
}

/** Of a plan: whether a person must agree, and how long the cutover waits for it. */
export interface Approval {
  readonly beforeFirstShift: boolean;
  readonly beforeLastStage: boolean;
  /** By their number, from 1. */
  readonly beforeStages: readonly number[];
  readonly timeoutSeconds: number;
  /** Whether a yes counts only with a statement that STS confirms. A no always counts. */
  readonly requireIdentity: boolean;
}

/** What a person may decide. */
export type Decision = 'approve' | 'reject';

/** What a person wrote into the store. All of it is their word. */
export interface ApprovalWord {
  readonly decision: Decision;
  /** Who they say they are, in one line. */
  readonly claims?: string;
  /** When, as they say, in one line. */
  readonly at?: string;
  /** What is to prove who they are, as they wrote it. */
  readonly statement?: unknown;
}

/** Who approved, as the record has it. */
export interface Responder {
  /** The ARN of the principal, or `unknown`. */
  readonly by: string;
  /** `sts`: STS itself has named who signed this very approval. */
  readonly byProof: 'sts' | 'none';
  /** Why the statement that was there proves nothing. */
  readonly statementProblem?: string;
}

/** An approval that counts. */
export type Response = Omit<ApprovalWord, 'statement'> & Responder;

/** What stands in the store, and since when. */
export interface WrittenWord {
  /** Undefined when it is longer than `MOST_WORD_BYTES`. */
  readonly text: string | undefined;
  readonly writtenAtMs: number;
}

/** The approval that a cutover waits for. */
export interface ApprovalProgress {
  readonly gate: GateName;
  readonly askedAtMs: number;
  /** How often it was looked at again at once, because something of the target could not be read. */
  readonly hurriedLooks?: number;
  /** What was wrong with what was written, when the operators were last notified of it. */
  readonly problem?: string;
}

export type ApprovalVerdict = 'wait' | 'approved' | 'rejected' | 'overdue';

/** A wait of many hours is looked at less often, so that it has at the most about this many looks. */
const MAX_LOOKS = 500;
/** A look that could not see the target is followed by a quick one, this often in all: each takes a part of the history. */
export const MAX_HURRIED_LOOKS = 50;
/** A statement that was signed just after a look still counts at the next one. */
const MAX_POLL_SECONDS = (STATEMENT_SECONDS * 2) / 3;
const WEEK = 604_800;
/** Clocks differ a little, and a step that is repeated asks again. */
const CLOCK_MARGIN_MS = 60_000;
export const DEFAULT_TIMEOUT_SECONDS = 3600;

/** Any principal with the right to approve writes it. The session token of a statement has some thousand bytes. */
export const MAX_WORD_BYTES = 16_384;
const MAX_NAME = 200;

export const APPROVAL_FIELD = {
  kind: 'object',
  sentence: 'Where a person has to agree before the cutover goes on.',
  fields: {
    beforeFirstShift: {
      kind: 'boolean',
      default: false,
      sentence: 'Whether a person must approve before anything moves.',
    },
    beforeLastStage: {
      kind: 'boolean',
      default: false,
      sentence: 'Whether a person must approve before the last stage.',
    },
    beforeStages: {
      kind: 'integers',
      min: 1,
      max: 50,
      default: [] as readonly number[],
      sentence: 'Before which other stages a person must approve, from 1: `[2, 3]`.',
    },
    timeoutSeconds: {
      kind: 'seconds',
      min: 1,
      max: WEEK,
      default: DEFAULT_TIMEOUT_SECONDS,
      unit: 's',
      sentence: 'How long the cutover waits for an approval before it rolls back, or ends where nothing has moved.',
    },
    requireIdentity: {
      kind: 'boolean',
      default: true,
      sentence: 'Whether an approval counts only with an identity that STS confirms.',
    },
  },
} as const satisfies ObjectField;

/** The gate before the stage of this index. With a single stage the first one is the last one, too. */
export function gateBefore(index: number, stageCount: number): ApprovalGate {
  if (index === 0) return 'firstShift';
  return index === stageCount - 1 ? 'lastStage' : `stage${index + 1}`;
}

/** The index of the stage that comes after a gate. */
export function findStageBehind(gate: ApprovalGate, stageCount: number): number {
  if (gate === 'firstShift') return 0;
  return gate === 'lastStage' ? stageCount - 1 : Number(gate.slice('stage'.length)) - 1;
}

/** The gates of a plan with this many stages, in their order, each once. */
export function listGates(approval: Approval, stageCount: number): ApprovalGate[] {
  const { beforeFirstShift, beforeLastStage, beforeStages } = approval;
  const asks = (index: number) =>
    beforeStages.includes(index + 1) ||
    (beforeFirstShift && index === 0) ||
    (beforeLastStage && index === stageCount - 1);
  return Array.from({ length: stageCount }, (_, index) => index)
    .filter(asks)
    .map((index) => gateBefore(index, stageCount));
}

/** The gate before the stage of this index that is not approved yet. */
export function pendingGate(
  { approval, stages }: { readonly approval: Approval; readonly stages: readonly unknown[] },
  approved: readonly ApprovalGate[],
  stageIndex: number,
): ApprovalGate | undefined {
  const gate = gateBefore(stageIndex, stages.length);
  if (approved.includes(gate)) return undefined;
  return listGates(approval, stages.length).includes(gate) ? gate : undefined;
}

/** Between two looks for an approval, at the slowest. */
export function approvalPollSeconds({ timeoutSeconds }: Approval, pollSeconds: number): number {
  return Math.min(MAX_POLL_SECONDS, Math.max(pollSeconds, Math.ceil(timeoutSeconds / MAX_LOOKS)));
}

/** How often all gates of a plan are looked at, at the most. */
export function approvalLooks(approval: Approval, stageCount: number, pollSeconds: number): number {
  const looks = Math.ceil(approval.timeoutSeconds / approvalPollSeconds(approval, pollSeconds)) + 1;
  return listGates(approval, stageCount).length * looks;
}

/** The object of the store in which a person approves. An execution's name has no slash, so no two approvals meet. */
export function approvalKey(execution: string, gate: GateName): string {
  return `${buildKey(execution, gate)}.json`;
}

/** That of a rejection alone: no approval takes its place, however late it is written. */
export function rejectionKey(execution: string, gate: GateName): string {
  return `${buildKey(execution, gate)}.rejected.json`;
}

function buildKey(execution: string, gate: GateName): string {
  return `approval/${execution}/${gate.replace(/[A-Z]|(?<=[a-z])[0-9]+/g, (part) => `-${part.toLowerCase()}`)}`;
}

/** What an approver has to sign: this approval, of this question, of this execution, in this store, and nothing else. */
export function buildStatement(
  response: { readonly decision: Decision; readonly gate: GateName; readonly execution: string },
  storeBucket: string,
): string {
  // The value of a header is ASCII, and no part may look like two.
  return [response.decision, response.gate, storeBucket, response.execution].map(encodeURIComponent).join('/');
}

/**
 * @param asked the gate, and when the execution asked: an older object belongs to another execution of the same name, or
 *   to no question
 * @returns the word, or in one line why it is none: what cannot be read is never taken for a yes or a no
 */
export function readResponse(
  { text, writtenAtMs }: WrittenWord,
  { askedAtMs }: Pick<ApprovalProgress, 'askedAtMs'>,
  approval: Approval,
): ApprovalWord | string {
  const untilMs = deadlineMs(askedAtMs, approval);
  if (writtenAtMs + CLOCK_MARGIN_MS < askedAtMs || writtenAtMs > untilMs) {
    return `the approval must be written from ${iso(askedAtMs)} to ${iso(untilMs)}, got one of ${iso(writtenAtMs)}`;
  }
  return readWord(text);
}

/** Until when an approval counts. */
export function deadlineMs(askedAtMs: number, { timeoutSeconds }: Approval): number {
  return askedAtMs + timeoutSeconds * 1000;
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function readWord(text: string | undefined): ApprovalWord | string {
  if (text === undefined || text.length > MAX_WORD_BYTES) {
    return `the approval must be at most ${MAX_WORD_BYTES} bytes long, got more`;
  }
  const raw = parsed(text);
  const { decision, by, at, statement } = raw;
  if (decision !== 'approve' && decision !== 'reject') {
    return `'decision' must be "approve" or "reject", got ${oneLine(JSON.stringify(decision) ?? text, 100)}`;
  }
  return {
    decision,
    ...(typeof by === 'string' && { claims: oneLine(by, MAX_NAME) }),
    ...(typeof at === 'string' && { at: oneLine(at, MAX_NAME) }),
    ...(statement !== undefined && { statement }),
  };
}

/**
 * What became of the statement of a word.
 *
 * @param proof the ARN that STS named, or in one line why there is none; undefined when the word had no statement
 * @param account whose principals may approve: any principal of AWS can sign a call of STS
 * @returns the approval, or why a yes does not count. A no always counts: it rolls back, and needs no known signer
 */
export function proven(
  word: ApprovalWord,
  proof: { readonly arn: string } | { readonly problem: string } | undefined,
  { requireIdentity, account }: { readonly requireIdentity: boolean; readonly account: string },
): Response | string {
  const { statement, ...response } = word;
  const problem = proof && ('problem' in proof ? proof.problem : strangerProblem(proof.arn, account));
  if (proof && 'arn' in proof && problem === undefined) return { ...response, by: proof.arn, byProof: 'sts' };
  if (word.decision === 'approve') {
    if (problem !== undefined) return problem;
    if (requireIdentity && statement === undefined) {
      return "'statement' must be there, because the plan has 'approval.requireIdentity', got none: use 'drainshift approve'";
    }
  }
  return { ...response, by: 'unknown', byProof: 'none', ...(problem !== undefined && { statementProblem: problem }) };
}

function strangerProblem(arn: string, account: string): string | undefined {
  const theirs = arn.split(':')[4];
  return theirs === account
    ? undefined
    : `the statement must be signed by a principal of account ${account}, got ${arn}`;
}

/** For a message: who approved, and how it is known. */
export function describeResponder({ by, byProof, claims }: Response): string {
  if (byProof === 'sts') return `'${by}'`;
  return claims === undefined ? 'an unknown signer' : `an unknown signer, who claims to be '${claims}'`;
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

export function approvalVerdict(
  word: Pick<ApprovalWord, 'decision'> | string | undefined,
  { askedAtMs }: Pick<ApprovalProgress, 'askedAtMs'>,
  approval: Approval,
  nowMs: number,
): ApprovalVerdict {
  if (typeof word === 'object') return word.decision === 'approve' ? 'approved' : 'rejected';
  return nowMs >= deadlineMs(askedAtMs, approval) ? 'overdue' : 'wait';
}
