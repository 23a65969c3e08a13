import type { Announcement, AnnouncementPlaces } from '../core/announcement';
import type { ApprovalGate, WrittenWord } from '../core/approval';
import type { DrainOrder, LedgerReport } from '../core/admin';
import type { CutoverRun } from '../core/cutover';
import type { Evidence } from '../core/evidence';
import type { Forward, GroupArns, RuleReading } from '../core/forward';
import type { AlarmReading } from '../core/veto';
import type { Side, Weights } from '../core/weights';

/** What a step may do to the world. `adapters/` has the one implementation, on AWS. */
export interface Ports {
  readonly loadBalancer: LoadBalancerPort;
  readonly proxies: ProxiesPort;
  readonly smoke: SmokePort;
  readonly store: StorePort;
  readonly alarms: AlarmsPort;
  readonly notifier: NotifierPort;
  readonly metrics: MetricsPort;
  /** Milliseconds since the epoch, for what a step must date after it waited for an answer. */
  now(): number;
  pause(milliseconds: number): Promise<void>;
}

export interface LoadBalancerPort {
  readonly groupArns: GroupArns;
  readonly ruleArn: string;
  /** Every rule of the three listeners, default actions included. */
  rules(): Promise<RuleReading[]>;
  /**
   * @param untilMs milliseconds since the epoch; the call is not repeated after it, whatever became of the first attempt
   * @throws CutoverError `LockLost` after it
   */
  setForward(forward: Forward, untilMs?: number): Promise<void>;
  healthyTargets(side: Side): Promise<number>;
}

export interface ProxiesPort {
  /**
   * The ledger of every proxy task of a side, also of those that ECS is stopping: their connections live on for minutes.
   * None when the side has no task.
   *
   * @throws CutoverError `AdminUnreachable` when a task that is to stay does not answer
   */
  reports(side: Side): Promise<TaskReport[]>;
  /** The addresses of the tasks that are to stay. */
  addresses(side: Side): Promise<string[]>;
  drain(address: string, order: DrainOrder): Promise<void>;
  undrain(address: string): Promise<void>;
}

export interface TaskReport {
  /** The task's IP address. */
  readonly address: string;
  /** Whether ECS is stopping it: it ends its connections by itself and is not to be told anything. */
  readonly isLeaving: boolean;
  readonly report: LedgerReport;
}

export interface SmokePort {
  /** The status that a GET through the side's own listener got, or why there was none. */
  get(side: Side, path: string): Promise<number | string>;
}

export interface StorePort {
  /** @throws CutoverError `LockHeld`. Succeeds again for the execution that already holds it. */
  acquire(run: CutoverRun): Promise<void>;
  /**
   * Keeps the state from which a stopped execution can be put back.
   *
   * @throws CutoverError `LockLost` when the lock is gone, another's, or being put back by `recover`
   */
  save(run: CutoverRun): Promise<void>;
  /** The run that holds the lock. */
  holder(): Promise<CutoverRun | undefined>;
  /** Frees the lock if this execution holds it. */
  release(execution: string): Promise<void>;
  abortRequested(execution: string): Promise<boolean>;
  /** What a person has written at this gate. */
  approval(execution: string, gate: ApprovalGate): Promise<WrittenWord | undefined>;
  /** Written once: a later word does not replace an earlier one, unless that one was `failed`. */
  putEvidence(evidence: Evidence): Promise<void>;
  hasEvidence(execution: string): Promise<boolean>;
}

export interface AlarmsPort {
  /** The alarms that a cutover heeds. */
  readonly names: readonly string[];
  /** Those of them that exist. */
  read(): Promise<AlarmReading[]>;
}

export interface NotifierPort {
  readonly places: AnnouncementPlaces;
  /** Never rejects, and never takes long: no cutover waits for its messages. */
  tell(announcement: Announcement): Promise<void>;
}

export interface MetricsPort {
  /** The weights in force. */
  weights(weights: Weights, nowMs: number): void;
}
