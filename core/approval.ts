import { Problems } from './problems';

/** Where a cutover may wait for a person: before anything moves, and before the stage that ends on the target alone. */
export type ApprovalGate = 'firstShift' | 'lastStage';

/** Of a plan: whether a person must agree, and how long the cutover waits for it. */
export interface Approval {
  readonly beforeFirstShift: boolean;
  readonly beforeLastStage: boolean;
  readonly timeoutSeconds: number;
}

/** What a person wrote into the store. */
export interface ApprovalWord {
  readonly decision: 'approve' | 'reject';
  /** A name; nobody checks it. Who may write is a matter of rights. */
  readonly by: string;
  /** ISO 8601, as the person gave it. */
  readonly at?: string;
}

/** What stands in the store, and since when. */
export interface WrittenWord {
  /** Undefined when it is longer than `MOST_WORD_BYTES`. */
  readonly text: string | undefined;
  readonly writtenAtMs: number;
}

/** The approval that a cutover waits for. */
export interface ApprovalProgress {
  readonly gate: ApprovalGate;
  readonly askedAtMs: number;
  /** What was wrong with what was written, when it was told to the operators last. */
  readonly problem?: string;
}

export type ApprovalVerdict = 'wait' | 'approved' | 'rejected' | 'overdue';

/** A wait of many hours is looked at less often, so that it has at the most about this many looks. */
const MOST_LOOKS = 500;
const WEEK = 604_800;
/** Clocks differ a little, and a step that is repeated asks again. */
const CLOCK_MARGIN_MS = 60_000;
/** Anybody with the right to answer writes it, and what they write travels on through every step. */
export const MOST_WORD_BYTES = 4096;
const MOST_NAME = 200;

export function readApproval(value: unknown, problems: Problems): Approval {
  const raw = problems.object('approval', value, ['beforeFirstShift', 'beforeLastStage', 'timeoutSeconds']);
  return {
    beforeFirstShift: problems.boolean('approval.beforeFirstShift', raw.beforeFirstShift, false),
    beforeLastStage: problems.boolean('approval.beforeLastStage', raw.beforeLastStage, false),
    timeoutSeconds: problems.integer('approval.timeoutSeconds', raw.timeoutSeconds, {
      min: 1,
      max: WEEK,
      default: 3600,
    }),
  };
}

/** The gates of a plan with this many stages. With a single stage both gates are the same one. */
export function gatesOf(approval: Approval, stageCount: number): ApprovalGate[] {
  const isLastOwn = approval.beforeLastStage && stageCount > 1;
  const isFirst = approval.beforeFirstShift || (approval.beforeLastStage && !isLastOwn);
  return [...(isFirst ? (['firstShift'] as const) : []), ...(isLastOwn ? (['lastStage'] as const) : [])];
}

/** The gate before the stage of this index that nobody has opened yet. */
export function pendingGate(
  { approval, stages }: { readonly approval: Approval; readonly stages: readonly unknown[] },
  approved: readonly ApprovalGate[],
  stageIndex: number,
): ApprovalGate | undefined {
  const gate = stageIndex === 0 ? 'firstShift' : stageIndex === stages.length - 1 ? 'lastStage' : undefined;
  if (gate === undefined || approved.includes(gate)) return undefined;
  return gatesOf(approval, stages.length).includes(gate) ? gate : undefined;
}

/** Between two looks for an approval. */
export function approvalPollSeconds({ timeoutSeconds }: Approval, pollSeconds: number): number {
  return Math.max(pollSeconds, Math.ceil(timeoutSeconds / MOST_LOOKS));
}

/** How often all gates of a plan are looked at, at the most. */
export function approvalLooks(approval: Approval, stageCount: number, pollSeconds: number): number {
  const looks = Math.ceil(approval.timeoutSeconds / approvalPollSeconds(approval, pollSeconds)) + 1;
  return gatesOf(approval, stageCount).length * looks;
}

/** The object of the store in which a person answers. An execution's name has no slash, so no two answers meet. */
export function approvalKey(execution: string, gate: ApprovalGate): string {
  return `approval/${execution}/${gate === 'firstShift' ? 'first-shift' : 'last-stage'}.json`;
}

/**
 * @param asked the gate, and when the execution asked: an older object answers another execution of the same name, or
 *   nobody's question
 * @returns the word, or in one line why it is none: what cannot be read is never taken for a yes or a no
 */
export function answerOf(
  { text, writtenAtMs }: WrittenWord,
  { askedAtMs }: Pick<ApprovalProgress, 'askedAtMs'>,
  approval: Approval,
): ApprovalWord | string {
  const untilMs = deadlineMs(askedAtMs, approval);
  if (writtenAtMs + CLOCK_MARGIN_MS < askedAtMs || writtenAtMs > untilMs) {
    return `the answer must be written from ${iso(askedAtMs)} to ${iso(untilMs)}, got one of ${iso(writtenAtMs)}`;
  }
  return readWord(text);
}

/** Until when an answer counts. */
export function deadlineMs(askedAtMs: number, { timeoutSeconds }: Approval): number {
  return askedAtMs + timeoutSeconds * 1000;
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function readWord(text: string | undefined): ApprovalWord | string {
  if (text === undefined || text.length > MOST_WORD_BYTES) {
    return `the answer must be at most ${MOST_WORD_BYTES} bytes long, got more`;
  }
  const raw = parsed(text);
  const { decision, by, at } = raw;
  if (decision !== 'approve' && decision !== 'reject') {
    return `'decision' must be "approve" or "reject", got ${(JSON.stringify(decision) ?? text).slice(0, 100)}`;
  }
  return {
    decision,
    by: typeof by === 'string' ? by.slice(0, MOST_NAME) : 'somebody',
    ...(typeof at === 'string' && { at: at.slice(0, MOST_NAME) }),
  };
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
  word: ApprovalWord | string | undefined,
  { askedAtMs }: Pick<ApprovalProgress, 'askedAtMs'>,
  approval: Approval,
  nowMs: number,
): ApprovalVerdict {
  if (typeof word === 'object') return word.decision === 'approve' ? 'approved' : 'rejected';
  return nowMs >= deadlineMs(askedAtMs, approval) ? 'overdue' : 'wait';
}
