import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Ending } from '../../core/connections';
import type { Guard } from '../ledger';
import type { Fields } from './fields';

/** An upgrade that the upstream accepted, for whoever speaks its protocol. */
export interface Accepted {
  readonly answer: IncomingMessage;
  readonly fields: Fields;
  readonly upstream: Socket;
  readonly upstreamHead: Buffer;
  readonly guard: Guard;
  /** Ends the exchange: the upgraded connection is over. */
  readonly over: (how: Ending) => void;
  /** Told of an error of our own, after which the connection is cut. */
  readonly faulted: (error: unknown) => void;
}

/** A connection that speaks another protocol now. */
export interface Upgraded {
  /** Ends it at once and hard. */
  cut(): void;
}

/** How a protocol switch is asked for; see `websocket.ts`. */
export interface UpgradeRequest {
  readonly fields: Fields;
  /** Returns undefined when the upstream's 101 is not what was asked for. */
  readonly accept: (accepted: Accepted) => Upgraded | undefined;
}
