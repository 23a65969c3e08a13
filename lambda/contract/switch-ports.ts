import type { LedgerReport } from '../../core/proxy/admin-api';
import type { HoldOrder, ReleaseOrder, RetargetOrder } from '../../core/proxy/hold';
import type { BackendCallOrder, BackendCallReport } from '../../core/proxy/backend-call';
import type { TransferOrder, TransferReport } from '../../core/proxy/state-transfer';
import type { ProbeOrder, ProbeReport } from '../../core/proxy/probe';
import type { Decision } from '../../core/switch/decision';
import type { Regime } from '../../core/switch/regime';
import type { Side, Weights } from '../../core/traffic/weights';

/** What a switch may do to the outside world. `adapters/` has the one implementation, on AWS. */
export interface SwitchPorts {
  readonly store: SwitchStorePort;
  /** Every proxy task of both sides that ECS lists, also those that have stopped; with a connection of its own to each. */
  listTasks(): Promise<SwitchTask[]>;
  readonly traffic: SwitchTrafficPort;
  /** Milliseconds since the epoch. */
  now(): number;
  pause(milliseconds: number): Promise<void>;
}

/** The load balancer: of the tasks of a side it is a witness beside ECS. */
export interface SwitchTrafficPort {
  /** The addresses that are registered in the target groups of these sides, in whatever state. */
  targets(sides: readonly Side[]): Promise<readonly string[]>;
  /** Those in force; undefined where the rule does not forward to the two sides alone. */
  weights(): Promise<Weights | undefined>;
}

export interface SwitchStorePort {
  /** `FIRST_REGIME` without an ETag where there was no switch yet. */
  readRegime(): Promise<StoredRegime>;
  /**
   * @param etag of the regime that it takes the place of; undefined where there was none
   * @returns undefined when another one was written meanwhile
   */
  writeRegime(regime: Regime, etag: string | undefined): Promise<StoredRegime | undefined>;
  readDecision(epoch: number): Promise<Decision | undefined>;
  /** Writes a decision unless there is one. @returns the one that holds */
  decide(epoch: number, decision: Decision): Promise<Decision>;
}

export interface StoredRegime {
  readonly regime: Regime;
  readonly etag: string | undefined;
}

export interface SwitchTask {
  /** Unique among both sides. */
  readonly id: string;
  readonly home: Side;
  /** As the load balancer knows it, too. Absent where ECS does not say it. */
  readonly address?: string;
  /** Absent of a task that has stopped. */
  readonly session?: TaskSession;
  /** Of a task that has stopped, where ECS says it. */
  readonly stoppedAtMs?: number;
}

/** Calls of one task's admin API on one connection. Each throws when the task does not respond in time, or rejects it. */
export interface TaskSession {
  report(): Promise<LedgerReport>;
  /** For the process that is there now. @returns what it reports after it */
  hold(order: HoldOrder): Promise<LedgerReport>;
  release(order: ReleaseOrder): Promise<LedgerReport>;
  retarget(order: RetargetOrder): Promise<LedgerReport>;
  /** Of the backend alone: on a connection of its own, as `callBackend`. */
  probe(order: ProbeOrder): Promise<ProbeReport>;
  /** On a connection of its own: it may take long, and no lease waits for it. */
  callBackend(order: BackendCallOrder): Promise<BackendCallReport>;
  /** On a connection of its own. */
  transferState(order: TransferOrder): Promise<TransferReport>;
  close(): void;
}
