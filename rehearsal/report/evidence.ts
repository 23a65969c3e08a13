import { NO_CONNECTIONS } from '../../core/proxy/connections';
import { findFailure } from '../../core/cutover/run';
import { Evidence } from '../../core/cutover/evidence';
import { Side, Weights } from '../../core/traffic/weights';
import { EVIDENCE_SCHEMA } from '../../core/validation/shapes';
import type { ApplicationView } from '../cloud/application-view';
import type { OwnClientsTally } from '../load-balancer/counting/own-clients';
import type { RecoveryEvidence } from '../cloud/recovery';
import { errorMessage } from '../functions/error-message';
import type { Redeployed } from '../redeploy/redeployed';
import type { ExecutionDescription } from '../state-machine/model';
import type { TrafficTally } from '../traffic/counting/tally';
import type { RecordingResult } from '../traffic/counting/recording-result';
import type { WeightChange } from '../cloud/weight-history';
import type { CaptureSeen } from './capture-seen';
import type { SwitchSeen } from './switch-seen';
import type { Sample } from '../progress/samples';
import { Verdict, reachVerdict } from './verdict';

/** The evidence of a rehearsal: the cutover's own, with what the clients saw. */
export interface RehearsalEvidence extends Evidence {
  readonly traffic: TrafficTally;
  /** What the load balancer saw of clients of yours; absent where they cannot be told from the rehearsal's. */
  readonly ownClients?: OwnClientsTally;
  /** What clients and backends saw of the switches; absent of a plan that does not switch, and with backends of yours. */
  readonly switchSeen?: SwitchSeen;
  /** What the proxies of the source recorded; absent where they record nothing. */
  readonly captureSeen?: CaptureSeen;
  /** What became of the recording that clients sent; absent of other traffic. */
  readonly recordingSeen?: RecordingResult;
  /** In words; computed from `traffic`, `ownClients`, `switchSeen`, `captureSeen` and `recordingSeen` alone. */
  readonly verdict: Omit<Verdict, 'outcome'>;
  /** Read from the endpoint after the last step. */
  readonly finalWeights?: Weights;
  readonly rollback?: Evidence['rollback'] & {
    /** The first wrong response that a client got. */
    readonly firstBadResponseAt?: string;
    /** Until the verdict, and until the weights had read back. */
    readonly secondsToVerdict?: number;
    readonly secondsFromFirstBadResponse?: number;
  };
  readonly rehearsal: {
    readonly app: string;
    /** To run it again, seed included. */
    readonly command: string;
    /** Of this package. */
    readonly version: string;
    readonly seed: number;
    readonly speed: number;
    /** How much traffic, as a multiple of the usual. */
    readonly traffic: number;
    /** Of the whole run: with its start-up, and until the last response was checked. */
    readonly seconds: number;
    /** What was broken on purpose: `target-errors@shift`. */
    readonly fault?: string;
    /** Since the start of the cutover; absent when it never came to the phase of the fault. */
    readonly faultBeganSeconds?: number;
    /** The weights at the start of the execution, then every change, as the load balancer itself was told. */
    readonly weights: readonly WeightChange[];
    /** A request of one client, as the application of each side saw it. Only where it is the demo's. */
    readonly applicationSees?: Readonly<Record<Side, ApplicationView>>;
    /** Absent for an execution that succeeded. */
    readonly recovery?: RecoveryEvidence;
    readonly redeploy?: RedeployEvidence;
    readonly adoption?: AdoptionEvidence;
  };
}

/** How the requests of an existing listener came to the proxies, before the cutover. */
export interface AdoptionEvidence {
  /** Of 100 requests, step by step. */
  readonly percentages: readonly number[];
  readonly sent: number;
  readonly failed: number;
  readonly isLossless: boolean;
  /** The first five. */
  readonly failures: readonly string[];
}

/** A redeploy in the middle of the first bake. */
export interface RedeployEvidence extends Redeployed {
  readonly app: string;
  /** Read from the endpoint right before and right after; absent when the cutover itself shifted in between. */
  readonly weightsBefore?: Weights;
  readonly weightsAfter?: Weights;
}

/** Whether a fault was asked for that the cutover never came to. */
export function wasNeverTried({ fault, faultBeganSeconds }: RehearsalEvidence['rehearsal']): boolean {
  return fault !== undefined && faultBeganSeconds === undefined;
}

export function keptWeights({ weightsBefore, weightsAfter }: RedeployEvidence): boolean {
  return JSON.stringify(weightsBefore) === JSON.stringify(weightsAfter);
}

export function rehearsalEvidence(
  evidence: Evidence,
  seen: {
    traffic: TrafficTally;
    ownClients?: OwnClientsTally | undefined;
    switchSeen?: SwitchSeen | undefined;
    captureSeen?: CaptureSeen | undefined;
    recordingSeen?: RecordingResult | undefined;
    finalWeights: Weights | undefined;
    rehearsal: RehearsalEvidence['rehearsal'];
  },
): RehearsalEvidence {
  const { finalWeights, rehearsal, ...clients } = seen;
  const { traffic, ownClients, switchSeen, captureSeen, recordingSeen } = clients;
  const { lost, notTried, slower } = reachVerdict({ ...evidence, ...clients });
  return {
    ...evidence,
    traffic,
    ...(ownClients && { ownClients }),
    ...(switchSeen && { switchSeen }),
    ...(captureSeen && { captureSeen }),
    ...(recordingSeen && { recordingSeen }),
    verdict: { lost, notTried, slower },
    ...(finalWeights && { finalWeights }),
    ...(evidence.rollback && { rollback: rollbackSeen(evidence.rollback, traffic.firstBadResponseAt) }),
    rehearsal,
  };
}

function rollbackSeen(
  rollback: NonNullable<Evidence['rollback']>,
  firstBadResponseAt: string | undefined,
): RehearsalEvidence['rollback'] {
  const { restoredAt, decidedAt } = rollback;
  if (firstBadResponseAt === undefined || restoredAt === undefined) return rollback;
  const after = (at: string) => (Date.parse(at) - Date.parse(firstBadResponseAt)) / 1000;
  // A response that never came is dated by its timeout, which may be after the rollback: that is no time to restore.
  if (after(restoredAt) < 0) return { ...rollback, firstBadResponseAt };
  const toVerdict = decidedAt === undefined ? undefined : after(decidedAt);
  return {
    ...rollback,
    firstBadResponseAt,
    ...(toVerdict !== undefined && toVerdict >= 0 && { secondsToVerdict: toVerdict }),
    secondsFromFirstBadResponse: after(restoredAt),
  };
}

/** What is known when the cutover itself left no evidence: it never got its lock, or its last step died. */
export function withoutEvidence(execution: ExecutionDescription, plan: Evidence['plan']): Evidence {
  const stoppedAt = execution.stoppedAt ?? new Date();
  return {
    schema: EVIDENCE_SCHEMA,
    // Before its first shift nothing was moved.
    outcome: execution.entered.some(({ state }) => state === 'Shift') ? 'failed' : 'refused',
    execution: execution.name,
    startedAt: execution.startedAt.toISOString(),
    durationSeconds: (stoppedAt.getTime() - execution.startedAt.getTime()) / 1000,
    plan,
    stages: [],
    drain: {
      source: NO_CONNECTIONS,
      atStart: NO_CONNECTIONS,
      unknownTasks: 0,
      completed: 0,
      lost: 0,
      unknown: 0,
      moved: 0,
      closed: 0,
      forced: 0,
    },
    failure: findFailure({ error: { Error: formatName(execution), Cause: howItEnded(execution) } }),
    timeline: execution.entered.map(({ state, at }) => ({ at: at.toISOString(), state, detail: {} })),
  };
}

/** An empty error is none. */
function formatName({ error = '' }: ExecutionDescription): string {
  return error === '' ? 'Unexpected' : error;
}

/** StopExecution may come without an error and without a cause. */
function howItEnded({ status, cause = '' }: ExecutionDescription): string {
  return `the execution ended as ${status} and left no evidence${cause === '' ? '' : `: ${errorMessage(cause)}`}`;
}

/** What a report is made of. */
export interface Report {
  readonly evidence: RehearsalEvidence;
  readonly samples: readonly Sample[];
}
