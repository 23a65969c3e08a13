import { Side } from '../../../core/traffic/weights';
import type { EntryTally } from './entries';

/** Right responses, by what the client used; `expectedErrors` are right, too, but say little of the application. */
export interface RightResponses {
  readonly reads: number;
  readonly uploads: number;
  readonly sessions: number;
  /** That have one writer alone; none are sent where the plan does not switch. */
  readonly writes: number;
  readonly expectedErrors: number;
}

/** Requests that were sent to get a good response, whatever came: what was always wrong was tried all the same. */
export type TriedRequests = Omit<RightResponses, 'expectedErrors'>;

export interface HttpTally {
  /** Users that were asked for. */
  readonly clients: number;
  /** Requests begun, each counted once however often it was sent. */
  readonly sent: number;
  readonly ok: number;
  readonly right: RightResponses;
  readonly tried: TriedRequests;
  /** Every request that did not get its right response. */
  readonly failed: number;
  /** Sent again as a correct client may: never processed, or idempotent on a reused connection that was just closed. */
  readonly retried: number;
  /** Due, and not sent before the traffic ended, because those before them had no response yet. */
  readonly unsent: number;
  /** Of the latencies since the last mark, each from when its request was due; none is left out. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The longest of them. */
  readonly longestStallMs: number;
}

export interface WebSocketTally {
  /** Clients that were asked for; each opens one connection after the other. */
  readonly clients: number;
  readonly opened: number;
  /** First sends; a message that is sent again on another connection is not counted again. */
  readonly sent: number;
  /** Messages that got a response. */
  readonly received: number;
  /** Without a response, or forgotten by the server. */
  readonly lost: number;
  /** With two responses, or counted twice by the server. */
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Handshakes rejected with 503 and Retry-After, which were tried again. */
  readonly refused: number;
  /** Ended by a Close frame that says that all is well (1000, 1001, 1012 or no code), from either side. */
  readonly closedCleanly: number;
  /** Those of them that the other end has closed. */
  readonly closedByServer: number;
  /** Ended in any other way, handshakes that failed, and clients that had no connection at the end. */
  readonly dropped: number;
  /** The longest that any client was without a connection, from one's end to the next one's opening. */
  readonly longestGapMs: number;
  /** The longest from when a message was due until its response came, since the last mark. */
  readonly longestStallMs: number;
}

export interface ServerSentEventsTally {
  /** Clients that were asked for; each reads one stream after the other. */
  readonly clients: number;
  readonly opened: number;
  readonly events: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly refused: number;
  /** Ended between two events, by the end of the stream or, after its last event, by the client. */
  readonly endedCleanly: number;
  /** Those of them that the other end has ended. */
  readonly endedByServer: number;
  /** Ended in any other way, requests that failed, and clients that had no stream at the end. */
  readonly dropped: number;
  /** The longest that any client waited for an event, over all of its streams. */
  readonly longestGapMs: number;
}

/** Questions by POST whose response is a stream of events, as language models do. */
export interface StreamingTally {
  /** Clients that were asked for; each asks one question after the other. */
  readonly clients: number;
  readonly asked: number;
  /** Responses with all of their parts and their own last event. */
  readonly whole: number;
  /** Responses whose client was told that they are not whole. */
  readonly cut: number;
  /** Responses that ended in order before their own last event: a part that looks like the whole. */
  readonly truncated: number;
  /** Another status, or parts that are not those of this response. */
  readonly wrong: number;
  readonly refused: number;
  readonly events: number;
  /** The longest between two parts of one response. */
  readonly longestGapMs: number;
}

/** What this machine could carry of the traffic. */
export interface MachineTally {
  /** The least share (0–1) of the full rate that the traffic was reduced to; 1 when it was never. */
  readonly minShare: number;
  /** Requests and messages that were due and, by this, not sent: not tried, and in no figure of latency. */
  readonly notTried: number;
  /** In which the machine was short of processor time; no limit counts it. */
  readonly standstillMs: number;
}

/** What the traffic saw. */
export interface TrafficTally {
  readonly http: HttpTally;
  readonly websocket: WebSocketTally;
  readonly serverSentEvents: ServerSentEventsTally;
  readonly streaming: StreamingTally;
  readonly machine: MachineTally;
  /** Of a scenario, each of its entries; what is counted here is in the figures above, too. */
  readonly entries?: readonly EntryTally[];
  /** The first 20 that differ, one line each: time of the first, generator, what was expected, what came, how often. */
  readonly failures: readonly string[];
  /** ISO 8601; of the first failure of any kind. */
  readonly firstBadResponseAt?: string;
}

/** The tally so far, each 250 ms. Counters never go back but for `websocket.lost`, when a message turns out to be late. */
export interface TrafficSnapshot extends TrafficTally {
  /** ISO 8601. */
  readonly at: string;
  /** HTTP responses by the side that made them, since the start. */
  readonly responsesBySide: Readonly<Record<Side, number>>;
  readonly live: { readonly websocket: number; readonly serverSentEvents: number };
  /** Of the full rate, now (0–1). */
  readonly share: number;
}

/** That no fault was counted is not enough: the books must balance, and there must be something in them. */
const CONDITIONS: Readonly<Record<string, (tally: TrafficTally) => boolean>> = {
  nothingFailed: ({ failures }) => failures.length === 0,
  requestsWereSent: ({ http }) => http.clients === 0 || http.sent > 0,
  everyRequestIsRight: ({ http }) => http.failed === 0 && http.sent === http.ok,
  webSocketsWereOpened: ({ websocket }) => websocket.clients === 0 || websocket.opened > 0,
  everyMessageIsRespondedToOnce: ({ websocket: { sent, received, lost, duplicated, outOfOrder } }) =>
    lost === 0 && duplicated === 0 && outOfOrder === 0 && sent === received,
  everyWebSocketIsClosed: ({ websocket }) => websocket.dropped === 0 && websocket.opened === websocket.closedCleanly,
  // A stream of a scenario may be one that has nothing to say for a while.
  streamsWereOpened: ({ serverSentEvents: { clients, opened, events }, entries }) =>
    clients === 0 || (entries ? opened : events) > 0,
  everyEventCameOnce: ({ serverSentEvents: { lost, duplicated } }) => lost === 0 && duplicated === 0,
  everyStreamHasEnded: ({ serverSentEvents: { opened, endedCleanly, dropped } }) =>
    dropped === 0 && opened === endedCleanly,
  streamingRequestsWereSent: ({ streaming }) => streaming.clients === 0 || streaming.whole > 0,
  everyStreamingResponseIsWhole: ({ streaming: { asked, whole, cut, truncated, wrong } }) =>
    cut === 0 && truncated === 0 && wrong === 0 && asked === whole,
};

/** Whether every response was right and every connection ended as it should. Where nothing was asked for, nothing is lost. */
export function nothingLost(tally: TrafficTally): boolean {
  return brokenConditions(tally).length === 0;
}

/** The conditions that do not hold, each by its name. */
export function brokenConditions(tally: TrafficTally): string[] {
  return Object.entries(CONDITIONS)
    .filter(([, holds]) => !holds(tally))
    .map(([name]) => name);
}

/** Everything that went wrong, in one number, for a picture over time. */
export function listFaults({ http, websocket, serverSentEvents, streaming }: TrafficTally): number {
  const sockets = websocket.lost + websocket.duplicated + websocket.outOfOrder + websocket.dropped;
  const events = serverSentEvents.lost + serverSentEvents.duplicated + serverSentEvents.dropped;
  return http.failed + sockets + events + streaming.cut + streaming.truncated + streaming.wrong;
}
