import type { HostsPort } from './host-ports';
import type { KeyStoresPort } from './store-ports';
import type { Announcement, AnnouncementPlaces } from '../../core/cutover/announcement';
import type { GateName, WrittenWord } from '../../core/approval/approval';
import type { AlarmReading, CheckedAlarms } from '../../core/judge/alarm-check';
import type { Diagnosis } from '../../core/cutover/readiness';
import type { ScalingState } from '../../core/cutover/scaling';
import type { DrainOrder, UndrainOrder } from '../../core/proxy/admin-api';
import type { CutoverRun } from '../../core/cutover/run';
import type { Evidence } from '../../core/cutover/evidence';
import type { Forward, GroupArns } from '../../core/traffic/forward';
import type { LockHolder } from '../../core/traffic/lock';
import type { RuleMark } from '../../core/cutover/verified-mark';
import type { RuleReading } from '../../core/traffic/listener-rules';
import type { SmokeRequest } from '../../core/plan/plan';
import type { SmokeResponse, SmokeSample } from '../../core/plan/smoke';
import type { ReplayOrderDocument, ReplayStatus } from '../../core/replay/replay-status';
import type { LookRecord } from '../../core/judge/look-record';
import type { TaskReading } from '../../core/judge/tally';
import type { WindowOrder } from '../../core/proxy/window';
import type { SwitchStorePort, SwitchTask } from './switch-ports';
import type { Statement } from '../../core/approval/statement';
import type { Side, Weights } from '../../core/traffic/weights';

/** What a step may do to the outside world. `adapters/` has the one implementation, on AWS. */
export interface Ports {
  readonly loadBalancer: LoadBalancerPort;
  readonly proxies: ProxiesPort;
  readonly services: ServicesPort;
  readonly smoke: SmokePort;
  readonly store: StorePort;
  readonly switches: SwitchStorePort;
  readonly functions: FunctionsPort;
  readonly stores: KeyStoresPort;
  readonly hosts: HostsPort;
  readonly replays: ReplaysPort;
  readonly urls: UrlsPort;
  readonly identity: IdentityPort;
  readonly alarms: AlarmsPort;
  readonly notifier: NotifierPort;
  readonly metrics: MetricsPort;
  /** Milliseconds since the epoch, for what a step must date after it waited for a response. */
  now(): number;
  pause(milliseconds: number): Promise<void>;
}

/** The functions of a user that a plan names. */
export interface FunctionsPort {
  /**
   * @returns what it returned; as a text where that is no JSON
   * @throws Error with its own error, when it may not be called, or when it has not responded in time
   */
  invoke(functionArn: string, event: object, timeoutMs: number): Promise<unknown>;
  /**
   * Whether it could be called now; it is not.
   *
   * @throws Error when it is not there, or may not be called
   */
  check(functionArn: string): Promise<void>;
}

/** The replays that a plan names. They run elsewhere, and share the bucket of the cutover. */
export interface ReplaysPort {
  /**
   * @returns undefined where it has written none
   * @throws Error when it cannot be read, or is of another version
   */
  status(name: string): Promise<ReplayStatus | undefined>;
  /** The latest order is the one that is followed. */
  order(name: string, order: ReplayOrderDocument): Promise<void>;
}

/** The URLs of a user that a plan names. */
export interface UrlsPort {
  /**
   * One request, whose redirects are not followed.
   *
   * @throws Error of the connection, or when its response has not ended in time
   */
  send(url: string, order: UrlOrder): Promise<UrlResponse>;
}

export interface UrlOrder {
  readonly method: 'POST' | 'OPTIONS';
  /** JSON. @default - no body */
  readonly body?: string;
  /** Its `Idempotency-Key`. */
  readonly key?: string;
  readonly timeoutMs: number;
}

export interface UrlResponse {
  readonly status: number;
  /** Its `Retry-After`. */
  readonly retryAfter?: string;
  /** The beginning of it. */
  readonly body: string;
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
  /** The addresses of all that is registered for a side, in whatever state. */
  registeredTargets(side: Side): Promise<string[]>;
  /** Writes at the weighted rule itself what became of a cutover: for when the store cannot be told. */
  mark(mark: RuleMark, value: string): Promise<void>;
  /** Each mark of the last cutover that had to write it. */
  marks(): Promise<Partial<Record<RuleMark, string>>>;
}

/** The ECS services of both sides. */
export interface ServicesPort {
  /** What deployment of a side is in progress; undefined without one. */
  deployment(side: Side): Promise<string | undefined>;
  /** What of a side's autoscaling is suspended; undefined where it has none. */
  scaling(side: Side): Promise<ScalingState | undefined>;
  /** Sets what is suspended. Doing it twice is doing it once. */
  suspend(side: Side, state: ScalingState): Promise<void>;
  /** Raises the desired count of a side to this, where it is lower. */
  scaleOut(side: Side, desiredCount: number): Promise<void>;
}

export interface ProxiesPort {
  /**
   * Every task of a side that ECS lists, also those that it is stopping (their connections live on for minutes) and those
   * that have stopped. A task that does not respond in time has no report.
   *
   * @param after by id, another `after` than that of the window
   * @throws CutoverError `AwsUnavailable` when ECS does not list them
   */
  tasks(side: Side, window?: WindowOrder, after?: Readonly<Record<string, number>>): Promise<TaskReading[]>;
  /** The addresses of the tasks that are to stay. */
  addresses(side: Side): Promise<string[]>;
  /**
   * For a switch: every task of both sides that ECS lists and that may have a process, with a connection of its own to each,
   * and those that have stopped.
   *
   * @throws CutoverError `AwsUnavailable` when ECS does not list them
   */
  open(): Promise<SwitchTask[]>;
  drain(address: string, order: DrainOrder): Promise<void>;
  undrain(address: string, order: UndrainOrder): Promise<void>;
}

export interface SmokePort {
  /** The name that clients use. */
  readonly host: string;
  /**
   * Reads who must vouch for the certificate of the smoke requests, where that is not left to the public authorities.
   *
   * @throws Error when it cannot be read, or is none
   */
  checkTrust(): Promise<void>;
  /**
   * Asks a side through its own listener, or each of its healthy targets itself (where the cutover config says so): up to
   * three times,
   * half a second apart, until a response has the expected status. A side that fails one request of many still serves.
   *
   * @param sample says which of the targets, where they are asked themselves
   */
  probe(side: Side, request: SmokeRequest, sample: SmokeSample): Promise<Probe>;
}

/** With the last response. */
export interface Probe extends SmokeResponse {
  /** The attempts that were started, and have ended: the proxies of the side may have counted each. */
  readonly attempts: number;
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
  /**
   * The run that holds the lock.
   *
   * @throws CutoverError `LockDamaged`
   */
  holder(): Promise<HeldLock | undefined>;
  /** Frees the lock if this execution holds it. */
  release(execution: string): Promise<void>;
  abortRequested(execution: string): Promise<boolean>;
  /** What a person has written to this question. */
  approval(execution: string, gate: GateName): Promise<WrittenWord | undefined>;
  /** The same where a rejection stands that no approval may take the place of. */
  rejection(execution: string, gate: GateName): Promise<WrittenWord | undefined>;
  /** What the judge was given at some polls, as the object of this number. */
  putLooks(execution: string, number: number, records: readonly LookRecord[]): Promise<void>;
  /** What one of these objects has; undefined where there is none. */
  looks(execution: string, number: number): Promise<readonly LookRecord[] | undefined>;
  /**
   * The number of the last of these objects. None of them is read.
   *
   * @param known one that is there
   */
  countLooks(execution: string, known: number): Promise<number>;
  /** Written once: a later word does not replace an earlier one, unless that one was `failed`. */
  putEvidence(evidence: Evidence): Promise<void>;
  hasEvidence(execution: string): Promise<boolean>;
  /** Whether it is noted that operators were notified of the damaged lock that an execution left. */
  wasNotified(execution: string): Promise<boolean>;
  noteNotified(execution: string): Promise<void>;
}

/** STS, as the one who knows who signed a statement. */
export interface IdentityPort {
  /** Of the STS of this region: the one that a statement must be signed for, and that is asked. */
  readonly host: string;
  readonly region: string;
  /** Of the cutover. */
  readonly account: string;
  /**
   * @returns the ARN of the principal that signed it
   * @throws Error when STS does not confirm it; CutoverError `AwsUnavailable` when STS does not respond
   */
  findSigner(statement: Statement): Promise<string>;
}

/** `hasExpired` by the clock of the store; only a deployment's and a person's lock ever does. */
export type HeldLock = CutoverRun & LockHolder & { readonly hasExpired: boolean };

export interface AlarmsPort {
  /**
   * Those of these that exist.
   *
   * @throws Error where a run does not know its alarms
   */
  read(checked: CheckedAlarms | undefined): Promise<AlarmReading[]>;
}

export interface NotifierPort {
  readonly places: AnnouncementPlaces;
  /** Never rejects, and never takes long: no cutover waits for its messages. */
  tell(announcement: Announcement): Promise<void>;
}

export interface MetricsPort {
  /** The weights in force. */
  weights(weights: Weights, nowMs: number): void;
  /** Whether a cutover would be rejected, with the reasons in the same line of the log. */
  readiness(diagnosis: Diagnosis, nowMs: number): void;
}
