/** What the scripts of `bench:restart` are asked, and what they say. */

/** Milliseconds. */
export interface Times {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface SocketsOrder {
  /** A proxy has one, or one for each of its processes. */
  readonly ports: readonly number[];
  readonly isTls: boolean;
  readonly connections: number;
  /** Messages of each connection in a second. */
  readonly perSecond: number;
}

/** Since the start; what belongs to a window says so. */
export interface SocketsReport {
  readonly open: number;
  /** Connections that did not stay open, and those of them that got a Close frame before. */
  readonly closed: number;
  readonly closeFrames: number;
  readonly sent: number;
  readonly received: number;
  /** Sent on a connection that is open, and not back yet. */
  readonly waiting: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  /** Bytes that are no message of this connection. */
  readonly foreign: number;
  /** From the moment at which a message was due until it was back: of those that were due in the window. */
  readonly stall: Times;
  /** Of the window: milliseconds since its begin, and the connections that were open then. */
  readonly timeline: readonly (readonly [number, number])[];
}

export interface RequestsOrder {
  readonly ports: readonly number[];
  readonly isTls: boolean;
  readonly perSecond: number;
}

export interface RequestsReport {
  readonly sent: number;
  readonly responded: number;
  readonly errors: number;
  /** The first few, in words. */
  readonly problems: readonly string[];
  /** From the moment at which a request was due: of those that were due in the window. */
  readonly latency: Times;
}

/** `begin` and `end`: of the window. `report` is answered with one line. `stop`: nothing more is sent. */
export type Order = 'begin' | 'end' | 'report' | 'stop';

export interface BackendLine {
  readonly port: number;
}
