import type { DrainOrder, LedgerReport, UndrainOrder } from '../../core/proxy/admin-api';
import type { HoldOrder, ReleaseOrder, RetargetOrder } from '../../core/proxy/hold';
import type { ConnectionPage, ConnectionQuery, WorkerPage, WorkerQuery } from '../../core/proxy/connection-list';
import type { WindowOrder, WindowReport } from '../../core/proxy/window';
import type { ComparedPair } from '../../core/compare/difference-tally';
import type { FinalRecord } from '../telemetry/final-record';
import type { HandoverAddress, ShareOrder } from '../handover/messages';
import type { ProxyConfig } from '../config/config';
import type { KnownEpochs, LiveCounts } from '../control/proxy';

/** An order that each worker follows by itself. */
export type Order =
  /** `agoMs`: when it was ordered first; absent: now. */
  | { readonly kind: 'drain'; readonly order: DrainOrder; readonly agoMs?: number }
  | { readonly kind: 'undrain'; readonly order: UndrainOrder }
  | { readonly kind: 'hold'; readonly order: HoldOrder }
  | { readonly kind: 'release'; readonly order: ReleaseOrder }
  | { readonly kind: 'retarget'; readonly order: RetargetOrder };

export type RpcRequest =
  | { readonly kind: 'report' }
  | { readonly kind: 'window'; readonly order: WindowOrder }
  | { readonly kind: 'metrics' }
  | { readonly kind: 'connections'; readonly query: WorkerQuery }
  /** Of a generation, with those before it. */
  | { readonly kind: 'list'; readonly query: ConnectionQuery }
  /** To a worker: it gives a share of what it accepts to a canary. */
  | { readonly kind: 'share'; readonly order: ShareOrder }
  /** To a worker: it takes connections of a canary. */
  | { readonly kind: 'receive' }
  | Order;

/** What a worker responds: to an order why it cannot be followed, undefined when it was. */
export interface Responses {
  readonly report: LedgerReport;
  readonly window: WindowReport;
  readonly metrics: object[];
  readonly connections: WorkerPage;
  readonly list: ConnectionPage;
  readonly share: undefined;
  readonly receive: readonly HandoverAddress[];
  readonly drain: string | undefined;
  readonly undrain: string | undefined;
  readonly hold: string | undefined;
  readonly release: string | undefined;
  readonly retarget: string | undefined;
}

export type ResponseTo<Q extends RpcRequest> = Responses[Q['kind']];

/** From the primary to a worker. */
export type ToWorker =
  /** The response to `ready`. `inForce` is what the group was ordered before: it is followed before the port is opened. */
  | {
      readonly type: 'start';
      readonly config: ProxyConfig;
      readonly running: readonly Order[];
      readonly known: KnownEpochs;
      readonly ticketKeys: Uint8Array;
      /** It proves itself first, and waits for its `open`. */
      readonly isStaged: boolean;
      /** In which it has to, from now. */
      readonly proveWithinMs: number;
      /** It takes connections of the generation before as soon as it listens. A staged one always does. */
      readonly takes: boolean;
    }
  /** The response to `proven`; what is ordered then is in force before the port is opened. */
  | { readonly type: 'open'; readonly running: readonly Order[]; readonly known: KnownEpochs }
  /** The same, without the port: it serves what the generation before gives it. */
  | { readonly type: 'canary'; readonly running: readonly Order[]; readonly known: KnownEpochs }
  | { readonly type: 'ask'; readonly id: number; readonly prompt: RpcRequest }
  /** Connections of all other workers, about a second old. */
  | ({ readonly type: 'others' } & LiveCounts)
  /** Another generation accepts: the connections of this one end as in a drain, and with them the worker. */
  | { readonly type: 'retire'; readonly handover: readonly HandoverAddress[] }
  /** Where they can go now: a process of the other generation may have taken the place of one that was there. */
  | { readonly type: 'handover'; readonly handover: readonly HandoverAddress[] }
  | { readonly type: 'shutDown' };

export type RpcResponse =
  | { readonly type: 'response'; readonly id: number; readonly value: Responses[keyof Responses] }
  | { readonly type: 'fault'; readonly id: number; readonly message: string };

/** From a worker to the primary. */
export type FromWorker =
  /** It has loaded, and waits for `start`. */
  | { readonly type: 'ready' }
  /** A staged worker works. */
  | { readonly type: 'proven' }
  /** `handover`: where it takes connections of the generation before, if it does. */
  | { readonly type: 'listening'; readonly handover: HandoverAddress | undefined }
  /** It serves what the generation before gives it. */
  | { readonly type: 'canary'; readonly handover: HandoverAddress }
  /** It did not start, and ends. */
  | { readonly type: 'failed'; readonly problem: ListenProblem }
  | RpcResponse
  /** It has ended in order, and leaves this. */
  | { readonly type: 'finalRecord'; readonly words: FinalRecord }
  /** Sent every second without being asked. */
  | { readonly type: 'notified'; readonly report: LedgerReport }
  /** What its mirror has compared. */
  | { readonly type: 'compared'; readonly pairs: readonly ComparedPair[] };

/** What is left of an error on its way to another process. */
export interface ListenProblem {
  readonly message: string;
  readonly code?: string;
  readonly port?: number;
  readonly address?: string;
}

/** Says to a process that it is a worker, and which. */
export const WORKER_VARIABLE = 'DRAINSHIFT_WORKER_NUMBER';

/** The file descriptor at which a worker finds the data port: behind its standard ones and the channel to the primary. */
export const PORT_FD = 4;
