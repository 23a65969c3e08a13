import type { HookPoint, HookRecords, HookWait } from './hook-records';
import type { SuspendedScaling } from './scaling';
import type { CheckedAlarms } from '../judge/alarm-check';
import { ApprovalGate, ApprovalProgress } from '../approval/approval';
import { KindCounts } from '../proxy/connections';
import { ErrorCode } from '../errors/errors';
import { Forward } from '../traffic/forward';
import { OtherRules } from '../traffic/listener-rules';
import { printable } from '../text/one-line';
import { Plan } from '../plan/plan';
import { grantTask } from './step-limits';
import type { Sessions } from '../judge/sessions';
import type { ShareOdds } from '../judge/share-odds';
import { SideState } from '../judge/side-state';
import type { KindEndings } from '../judge/kind-tally';
import type { MoveTally } from '../judge/move-tally';
import { SideCounts } from '../judge/tally';
import { Watch } from '../judge/watch';
import type { LookRecord } from '../judge/look-record';
import type { StatePreparation } from '../state/preparation';
import type { SwitchRecord } from '../switch/switch-record';
import { Side, Weights } from '../traffic/weights';

/**
 * The state of one cutover: what the state machine hands from step to step. It stays far under the 256 KiB that Step
 * Functions allows, because polls replace their figures instead of adding to them.
 */
export interface CutoverRun {
  readonly execution: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly plan: Plan;
  /** As the definition of the state machine says. Without it no alarm can be read, which is never taken for none. */
  readonly alarms?: CheckedAlarms;
  /** How it was before the first shift, read by the preflight that no approval came after: from here on something may move. */
  readonly initial?: InitialReading;
  /** The action that the weighted rule must read back as. */
  readonly intended?: Forward;
  readonly stage?: StageProgress;
  readonly stages: readonly StageRecord[];
  /** What was seen of both sides since the first shift. */
  readonly watch?: Watch;
  /** What the judge was given, as far as it is not in the store. */
  readonly looks?: KeptLooks;
  /** Waited for now. */
  readonly approval?: ApprovalProgress;
  /** How often a person was asked, by gate. */
  readonly asked?: Readonly<Partial<Record<ApprovalGate, number>>>;
  /** The gates that a person has opened. */
  readonly approved?: readonly ApprovalGate[];
  /** The wait for a window of the plan: until when (ISO 8601), how many polls it and all waits before had, how often and when one is due. */
  readonly window?: WindowProgress;
  /** Clients that a cookie keeps on the side that is left, while the plan waits for them. */
  readonly returning?: Returning;
  /** The action without the side that is left, which had kept its clients: when it was set, and what was before. */
  readonly left?: { readonly before: Forward; readonly atMs: number; readonly hasReadBack?: boolean };
  /** What the judge asks a person now, and how often it has asked: a question that takes another's place is none more. */
  readonly escalation?: Escalation | undefined;
  readonly escalations?: number;
  /** Of the side that is left at the verdict of the last stage: what its tasks lose from then on is of the drain. */
  readonly judgedCounts?: Pick<SideCounts, 'lost' | 'unknown'> & { readonly kinds?: KindEndings };
  readonly drain?: DrainProgress;
  /** The copy of the application's state before a hold, of a plan whose switch takes it along. */
  readonly preparation?: StatePreparation | undefined;
  /** The attempts to switch, of a plan that does: the last ones, and those of the rollback. */
  readonly switches?: readonly SwitchRecord[];
  /**
   * Verify has passed (`false`: it had, and its cutover rolled back all the same): from here on the target is the safe side, and a failure to record, notify or unlock moves no weights.
   */
  readonly isVerified?: boolean;
  /** Since when the state could not be written down. */
  readonly unsavedSinceMs?: number | undefined;
  /** Since when `Verify` finds something that may pass by itself. */
  readonly unverifiedSinceMs?: number | undefined;
  /** Rules of others that changed meanwhile and cannot catch requests of ours: noted, and no reason to stop. By ARN. */
  readonly otherRulesChanged?: readonly string[];
  /** Autoscaling that a switch has suspended, and that is still to be resumed. */
  readonly suspended?: readonly SuspendedScaling[];
  /** What is called before the run goes on, and what came of the calls before. */
  readonly hooking?: HookProgress | undefined;
  readonly hooks?: HookRecords;
  readonly timeline: readonly TimelineEntry[];
  readonly failure?: Failure;
  readonly rollback?: RollbackRecord;
  /** When both sides were judged to the end that it rolls back. */
  readonly rollBackAtMs?: number;
  /** The side that got the traffic, where it served nothing then. */
  readonly deadSide?: Side;
  /** What the Choice state after a step reads. */
  readonly verdict: Verdict;
  /** How long the Wait state before the next look lasts. */
  readonly waitSeconds: number;
  /** What the state machine grants the next step that looks again and again; absent of an execution that an older version began. */
  readonly taskSeconds?: number;
  /** Set by Catch when a step threw. */
  readonly error?: { readonly Error: string; readonly Cause: string };
}

export interface WindowProgress {
  readonly opensAt: string;
  readonly looks: number;
  readonly paceSeconds: number;
  readonly dueMs?: number;
}

export type Verdict =
  | 'go'
  | 'switch'
  | 'wait'
  | 'ask'
  | 'hook'
  | 'approve'
  | 'approved'
  | 'confirmed'
  | 'nextStage'
  | 'drain'
  | 'drained'
  | 'verified'
  | 'rollBack'
  | 'restored';

/** What the judge was given at the last polls, for the evidence. It leaves the state for the store from time to time. */
export interface KeptLooks {
  readonly records: readonly LookRecord[];
  /** Objects in the store that hold those before. */
  readonly written: number;
  /** Records that neither the store nor the state could keep. */
  readonly lost: number;
  /** All of them, in the store, in the state and lost. Absent of an execution that an older version began: then it is unknown. */
  readonly kept?: number;
}

/** What the judge asks a person instead of rolling back by itself. */
export interface Escalation {
  /** What the cutover rolls back with, unless a person says that it may go on. */
  readonly failure: Failure;
  /** Whether the figures speak against the side that gets the traffic, or say too little. */
  readonly isFailing: boolean;
  /** Where it goes on with an approval: the verdict that leads there. */
  readonly resume: Verdict;
}

/** The hooks that are called before the run goes on. */
export interface HookProgress {
  readonly points: readonly HookPoint[];
  /** The verdict that leads to what follows them. */
  readonly resume: Verdict;
  /** The one of them that has said not yet. */
  readonly waiting?: HookWait | undefined;
}

export interface InitialReading {
  readonly stickiness: Forward['stickiness'];
  readonly others: OtherRules;
  /** The digest of our own rule's priority and conditions: when it catches what. */
  readonly ownDigest: string;
  /** Of the side that is left; absent when the load balancer did not say. */
  readonly healthyTargets?: number;
}

export interface StageProgress {
  readonly index: number;
  readonly shiftedAtMs: number;
  readonly confirmedAtMs?: number;
  /** From when its bake has its whole time: the hooks before it have passed, or a person said that it may go on. Absent before. */
  readonly bakesAgainAtMs?: number;
}

export interface StageRecord {
  readonly weights: Weights;
  readonly confirmed: boolean;
  /** Requests that arrived on each side from the shift to the verdict, without the cutover's own. */
  readonly observed: Readonly<Record<Side, number>>;
  /** Requests that failed. */
  readonly errors: Readonly<Record<Side, number>>;
  /** Connections that died with their proxy task. */
  readonly lost: Readonly<Record<Side, number>>;
  /** Proxy tasks that ended without ECS having asked them to. */
  readonly tasksLost: Readonly<Record<Side, number>>;
  /** The same requests by whether a cookie had bound their client to the side, the cutover's own included; absent where no proxy says it. */
  readonly sessions?: Sessions;
  readonly verdict: 'promote' | 'rollBack' | 'inconclusive';
  /** What the judge made of it. */
  readonly judge?: StageJudged;
  /** From the shift to its read-back. */
  readonly confirmSeconds?: number;
  readonly seconds: number;
}

/** The wait for clients that a cookie keeps on the side that is left, which has no weight any more. */
export interface Returning {
  readonly sinceMs: number;
  /** When a request of one of them was last seen, or could not be ruled out. */
  readonly lastMs: number;
  /** Their requests in this time. */
  readonly requests: number;
}

/** For people. */
export interface StageJudged {
  /** The odds that the side that gets the traffic is worse: at 100 it rolls back. */
  readonly odds: number;
  /** What adds most to them. */
  readonly parts: readonly string[];
  /** Whether what arrived proves the weights. */
  readonly arrivals: string;
  /** What a promotion still lacked. */
  readonly missing?: string;
}

export interface DrainProgress {
  readonly startedAtMs: number;
  readonly limitMs: number;
  /** Connections of the side that is left that were live when the drain began, and at the last look. */
  readonly atStart: KindCounts;
  readonly active: KindCounts;
  /** Tasks of that side that did not respond at the last look: what they hold is unknown, and never zero. */
  readonly unknownTasks: number;
  /** Requests of clients that a cookie had bound to that side, since the look before. */
  readonly returning?: number;
  /** The counts of that side when the drain began, without what its tasks lost since the last verdict. */
  readonly before: SideCounts;
  /** Connections that were gone with their tasks when the drain began: they are in `ended`, and not in `atStart`. */
  readonly goneBefore?: number;
  readonly ended: DrainEndings;
  /** The same by kind; absent where a state of an older version has none. */
  readonly kinds?: DrainKinds | undefined;
  /** Those that have moved and that its tasks still carried at the last look; absent where no task says so. */
  readonly carried?: KindCounts;
  /** What moves came to since the drain began; absent where it is not counted. */
  readonly moves?: DrainMoves | undefined;
}

export interface DrainMoves {
  readonly before: MoveTally;
  readonly seen: MoveTally;
}

export interface DrainKinds {
  readonly before: KindEndings;
  readonly goneBefore: KindCounts;
  readonly ended: KindEndings;
}

export interface DrainEndings {
  readonly moved: number;
  readonly closed: number;
  /** Cut by the drain, because they were over their time. */
  readonly forced: number;
  /** Died with their task. */
  readonly lost: number;
  /** Ended behind the last look at their task, which ended in order: how they ended is unknown. */
  readonly unknown: number;
}

export interface RollbackRecord {
  /** When the verdict was reached that led to it, ISO 8601 as all of these; absent where a step threw. */
  readonly decidedAt?: string;
  readonly startedAt: string;
  /** When the weights had read back, and the side that has them responded. */
  readonly restoredAt?: string;
  /** Whether this rollback has set the weights; they may have been the initial ones all along. */
  readonly hasSet?: boolean;
  /** What arrives since then, while and after it is compared with the weights. */
  readonly arrivals?: ArrivalsBack | undefined;
  /** What that says of the weights, once it is done. */
  readonly arrived?: string | undefined;
  /** Whether the weights have read back as set: who changes them from then on does so by hand. */
  readonly hasReadBack?: boolean;
  /** When the side that was left, which has its weight back, was first seen not to serve. It may have served in between. */
  readonly strandedAt?: string;
  /** What the pace of the plan did, where there is one. */
  readonly pace?: PaceRecord;
  /** Why the last look could not read or set the weights. */
  readonly notMoved?: string;
  /**
   * What operators were notified of last: that the weights stay, that the side that was left has its own back and does not serve, or that
   * they cannot be set.
   */
  readonly notifiedOf?: 'staying' | 'stranded' | 'notMoved';
  /** Set once the proxies were told to move back what a drain had moved. */
  readonly recalled?: RecallRecord;
  /** What could not be done, or read, on the way: one line each. */
  readonly notDone?: readonly string[];
  /** Set while the side that was left must not be given its weight back, or has it and does not serve: what each side was at the last look. */
  readonly sides?: Readonly<Record<Side, SideState>>;
}

export interface RecallRecord {
  /** Connections that they still carried at the last look; absent before it. */
  readonly left?: KindCounts;
  /** Tasks that did not respond then: what they carry is unknown. */
  readonly unknownTasks?: number;
}

/** How a rollback gave the traffic back. All times are ISO 8601. */
export interface PaceRecord {
  /** Each change of the weights: the percentage of new clients that the side that was left had from then on. */
  readonly steps: readonly { readonly percent: number; readonly at: string }[];
  /** What was seen of its healthy targets before the first one. */
  readonly capacity?: PaceCapacity;
  /** When the side was last seen to fail: the time of the step counts from then. */
  readonly failedAt?: string;
  /** Why it got the rest at once. */
  readonly atOnce?: string;
}

export interface PaceCapacity {
  readonly needed: number;
  /** At the last look; absent when the load balancer did not say. */
  readonly healthy?: number;
  readonly since: string;
  /** Of waiting. */
  readonly seconds: number;
  /** What the desired count of the ECS service was raised to. */
  readonly scaledOutTo?: number;
  /** It went on with fewer. */
  readonly isLacking?: true;
}

/** What arrives after a rollback has set the weights, compared with these. It travels in the state. */
export interface ArrivalsBack {
  readonly setAtMs: number;
  /** How often they were set for it. */
  readonly timesSet: number;
  /** The last second that was counted. */
  readonly until: number;
  readonly share: ShareOdds;
  /** Whether any new client was seen, and each proxy that takes requests had said how many. */
  readonly isKnown: boolean;
}

export interface Failure {
  readonly code: ErrorCode | 'Unexpected';
  readonly message: string;
}

export interface TimelineEntry {
  /** ISO 8601. */
  readonly at: string;
  readonly state: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export function begin(execution: string, startedAt: string, plan: Plan): CutoverRun {
  const { pollSeconds: waitSeconds } = plan;
  return {
    execution,
    startedAt,
    plan,
    stages: [],
    timeline: [],
    verdict: 'go',
    waitSeconds,
    taskSeconds: grantTask(0),
  };
}

export function note(run: CutoverRun, nowMs: number, state: string, detail: TimelineEntry['detail']): CutoverRun {
  const at = new Date(nowMs).toISOString();
  return { ...run, timeline: [...run.timeline, { at, state, detail }] };
}

/** A decision to roll back: not an exception, because the record of the stage must travel on. */
export function rollBack(run: CutoverRun, code: ErrorCode, message: string): CutoverRun {
  return { ...run, verdict: 'rollBack', failure: { code, message } };
}

export type Outcome = 'completed' | 'rolled-back' | 'refused' | 'failed';

/** `refused`: nothing was moved. `failed`: something was, and it could not be put back. */
export function findOutcome(run: CutoverRun): Outcome {
  // Also the autoscaling of a side: the lock stays until a person has looked.
  if (run.suspended && run.suspended.length > 0) return 'failed';
  if (run.isVerified) return 'completed';
  if (run.rollback?.restoredAt !== undefined) return 'rolled-back';
  // From preflight on a step may have moved something, also one that was cut short before it could say so.
  return run.initial === undefined ? 'refused' : 'failed';
}

/** Why a run ended badly: its own decision, or what Catch left of an exception; without what a terminal would obey. */
export function findFailure(run: Pick<CutoverRun, 'failure' | 'error'>): Failure | undefined {
  if (run.failure) return { ...run.failure, message: printable(run.failure.message) };
  if (!run.error) return undefined;
  return { code: run.error.Error as Failure['code'], message: printable(formatMessage(run.error.Cause)) };
}

/** Lambda reports an exception as JSON in `Cause`; Step Functions' own errors are plain text. */
function formatMessage(cause: string): string {
  try {
    const parsed = JSON.parse(cause) as { errorMessage?: string };
    return parsed.errorMessage ?? cause;
  } catch {
    return cause;
  }
}
