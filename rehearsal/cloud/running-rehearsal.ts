import type { Plan } from '../../core/plan/plan';
import type { Scenario } from '../../core/scenario/scenario';
import type { Backends } from '../backend/backends';
import type { TrafficRates } from '../traffic/options';
import type { RecordingOptions } from '../traffic/recording/recording-clients';
import type { LocalCloud } from './local-cloud';

/** A fault that begins at its phase of the cutover. */
export interface PlannedFault {
  /** As it is asked for: `target-errors@shift`. */
  readonly name: string;
  /** By the wall clock; undefined until then. */
  readonly beganMs: number | undefined;
  /** What stops the clients, once there are some. */
  stopTraffic: () => void;
  /** Ends it, at the latest when the cutover has ended. */
  finish(): void;
}

/** Who approves what a cutover asks a person. */
export interface Approvals {
  /** The person at the terminal; if not, the rehearsal does. */
  areAsked: boolean;
}

/** A running rehearsal: the local cloud, its backends, its traffic. */
export interface RunningRehearsal {
  readonly cloud: LocalCloud;
  readonly backends: Backends;
  readonly plan: Plan;
  readonly rates: TrafficRates;
  /** What its clients do. @default - the usual traffic */
  readonly scenario?: Scenario;
  /** What its clients send, in place of a scenario. @default - none */
  readonly recording?: Omit<RecordingOptions, 'sourceUrl'>;
  /** Where the source records, in place of the store of the template. @default - there */
  readonly captureStore?: string | undefined;
  /** Its clients can speak HTTP/2 alone. */
  readonly isHttp2Only: boolean;
  readonly approvals: Approvals;
  /** What is broken on purpose. @default - nothing */
  readonly fault?: PlannedFault;
  /** When it began to be stood up. */
  readonly startedMs: number;
  /** Fires when something of it is broken for good; its reason says what. */
  readonly broken: AbortSignal;
  /** Ends everything that was started, in the order that loses nothing. Asking twice is asking once. */
  stop(): Promise<void>;
}
