import { Side } from '../../core/weights';

export interface HttpTally {
  /** Requests begun, each counted once however often it was sent. */
  readonly sent: number;
  readonly ok: number;
  /** Every request that did not get its right answer. */
  readonly failed: number;
  /** Sent again as a correct client may: never processed, or idempotent on a reused connection that was just closed. */
  readonly retried: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface WebSocketTally {
  readonly opened: number;
  /** First sends; a message that is sent again on another connection is not counted again. */
  readonly sent: number;
  /** Messages that were answered. */
  readonly received: number;
  /** Never answered, or forgotten by the server. */
  readonly lost: number;
  /** Answered twice, or counted twice by the server. */
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Handshakes answered with 503 and Retry-After, which were tried again. */
  readonly refused: number;
  /** Ended by a Close frame that says that all is well (1000, 1001, 1012 or no code), whoever sent it first. */
  readonly closedCleanly: number;
  /** Ended in any other way, and handshakes that failed. */
  readonly dropped: number;
}

export interface ServerSentEventsTally {
  readonly opened: number;
  readonly events: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly refused: number;
  readonly endedCleanly: number;
  /** Ended without an end of stream, and requests that failed. */
  readonly dropped: number;
}

/** What the traffic saw. All zero but `sent`, `ok`, … means that nothing was lost. */
export interface TrafficTally {
  readonly http: HttpTally;
  readonly websocket: WebSocketTally;
  readonly serverSentEvents: ServerSentEventsTally;
  /** The first 20, one line each: time, generator, what was expected, what came. */
  readonly failures: readonly string[];
  /** ISO 8601; of the first failure of any kind. */
  readonly firstBadAnswerAt?: string;
}

/** The tally so far, each 250 ms. Counters never go back but for `websocket.lost`, when a message turns out to be late. */
export interface TrafficSnapshot extends TrafficTally {
  /** ISO 8601. */
  readonly at: string;
  /** HTTP answers by the side that made them, since the start. */
  readonly answersBySide: Readonly<Record<Side, number>>;
  readonly live: { readonly websocket: number; readonly serverSentEvents: number };
}

/** Whether every answer was right and every connection ended as it should. */
export function nothingLost({ http, websocket, serverSentEvents, failures }: TrafficTally): boolean {
  const wrong =
    http.failed + websocket.lost + websocket.duplicated + websocket.outOfOrder + websocket.dropped + failures.length;
  return wrong + serverSentEvents.lost + serverSentEvents.duplicated + serverSentEvents.dropped === 0;
}
