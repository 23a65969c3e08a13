// What the processes of `bench:move` say to each other: orders and reports as JSON lines, session by session between two backends.
import type { PackedSequence, SequenceFaults } from './sequence';

/** Kinds of messages on a WebSocket, the first byte of each; its number is behind it. */
export const MESSAGE = { ofClient: 'm', acknowledged: 'a', pushed: 'p' } as const;

export interface BackendOptions {
  readonly host: string;
  /** Unix sockets: sessions come by the first, and go to the second. */
  readonly sessionsFrom: string;
  readonly sessionsTo: string;
  readonly pushesPerSecond: number;
}

export interface BackendReport {
  /** WebSockets that are open. */
  readonly clients: number;
  readonly received: number;
  readonly pushed: number;
  /** Sessions that came from the other backend and were taken. */
  readonly resumed: number;
  /** Handshakes of a move whose session did not come in time. */
  readonly notFound: number;
  /** Of what clients sent. */
  readonly faults: SequenceFaults;
}

export interface ClientsOptions {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  /** Of all of them together. */
  readonly messagesPerSecond: number;
}

/** `begin` and `end` are of the messages; `round` asks for the waits since the last one. */
export type ClientsOrder = 'begin' | 'end' | 'round' | 'report';

export interface ClientsReport {
  readonly open: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly pushed: number;
  /** Pings and Pongs: no backend sends any, and those of a move must reach no client. */
  readonly strays: number;
  /** Connections that ended, by the code of the Close; 1006 without one. */
  readonly closed: Readonly<Record<string, number>>;
  /** Of acknowledgements and of what backends pushed. */
  readonly faults: SequenceFaults;
}

export interface RoundReport {
  /** Milliseconds: the longest time for which each client waited for one acknowledgement, whether it has come or not. */
  readonly waitsMs: readonly number[];
}

/** What goes to the other backend at the end of a connection. */
export interface Session {
  readonly token: string;
  readonly received: PackedSequence;
  /** Of the last message that was pushed. */
  readonly pushed: number;
  /** Received, and not acknowledged yet. */
  readonly unacknowledged: readonly number[];
}
