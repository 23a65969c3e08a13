import type { Side } from '../../core/traffic/weights';
import type { HostPort } from '../../core/validation/host-port';
import type { Reply } from '../admin/admin-server';
import type { ReceivedCall, UsedNonces } from '../admin/signature';
import type { IntegrationsRecord } from '../aws/integrations';
import type { OrdersInForce } from '../control/proxy';
import type { HandoverAddress } from '../handover/messages';
import type { FinalRecord } from '../telemetry/final-record';
import type { RpcRequest, RpcResponse } from '../workers/messages';

/** Says to a process that it is a later generation, and which. */
export const GENERATION_VARIABLE = 'DRAINSHIFT_GENERATION';

/** Where a generation finds what it inherits: behind its standard descriptors and the channel to the one before it. */
export const INHERITED_FDS = { data: 4, admin: 5, keeper: 6 } as const;

/** A port that the generation before has taken. */
export interface Socket {
  /** What its configuration said: a port 0 is another one each time. */
  readonly configured: HostPort;
  readonly at: HostPort;
}

/** What a new generation is told before it proves itself. */
export interface Inheritance {
  readonly data: Socket;
  readonly admin: Socket | undefined;
  readonly side: Side;
  readonly ticketKeys: Uint8Array | undefined;
  /** In which it has to prove itself, from now: a little before the elder gives it up, so that it can say why not. */
  readonly proveWithinMs: number;
}

/** What it is told when it has: from here on it is the proxy. */
export interface Takeover {
  readonly identity: string;
  readonly instance: string;
  readonly inForce: OrdersInForce;
  readonly nonces: UsedNonces;
  readonly integrations: IntegrationsRecord | undefined;
}

/** From a generation to the next one. */
export type ToSuccessor =
  | { readonly type: 'inheritance'; readonly inheritance: Inheritance }
  | { readonly type: 'takeOver'; readonly takeover: Takeover }
  /** It is a canary before that: it serves what the elder gives it, under these orders. */
  | { readonly type: 'canary'; readonly inForce: OrdersInForce }
  /** It gives its connections back to these, lets the others end, and ends. */
  | { readonly type: 'takeBack'; readonly handover: readonly HandoverAddress[] }
  /** The whole proxy ends. To one that serves: a signal for it came to the elder. */
  | { readonly type: 'shutDown' }
  /** A call to the admin API, on a connection that the elder still has. */
  | { readonly type: 'call'; readonly id: number; readonly call: ReceivedCall }
  | { readonly type: 'ask'; readonly id: number; readonly prompt: RpcRequest }
  | RpcResponse
  /** Its last connection has ended, and so does it. */
  | { readonly type: 'finalRecord'; readonly words: FinalRecord };

/** From a generation to the one before it. */
export type ToElder =
  /** It runs, and waits for its inheritance. */
  | { readonly type: 'loaded' }
  /** It does not start, and ends. */
  | { readonly type: 'failed'; readonly problem: string }
  /** It has proved itself, and waits for the takeover. */
  | { readonly type: 'ready' }
  /** It serves as a canary. */
  | { readonly type: 'canary'; readonly handover: readonly HandoverAddress[] }
  /** It was one, and its last connection has ended, and so does it. */
  | { readonly type: 'finalRecord'; readonly words: FinalRecord }
  /** It accepts connections and calls, and takes connections of the one before. */
  | { readonly type: 'serving'; readonly handover: readonly HandoverAddress[] }
  /** It serves, and takes them at these from now on: a worker has taken the place of another. */
  | { readonly type: 'handover'; readonly handover: readonly HandoverAddress[] }
  | { readonly type: 'reply'; readonly id: number; readonly reply: Reply }
  | { readonly type: 'ask'; readonly id: number; readonly prompt: RpcRequest }
  | RpcResponse
  /** The whole proxy is to end. */
  | { readonly type: 'shutDown' }
  /** It serves, and who signals the proxy knows of it. */
  | { readonly type: 'known' }
  /** It is a canary, and was told to end: it is to be taken back. */
  | { readonly type: 'stopped' };
