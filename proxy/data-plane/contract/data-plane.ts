import type { Server } from 'node:net';
import type { FastPath } from '../../../core/proxy/admin-api';
import type { ConnectionKind, Ending } from '../../../core/proxy/connections';
import type { Moves } from '../../../core/moves/moves';
import type { MoveAdapter } from '../moves/adapters/adapter';
import type { LimitSettings, Timeouts } from '../../../core/proxy/settings/setting-names';

import type { Departure, Handing } from './handover';
import type { Ledger, LedgerEntry } from './ledger';
import type { TicketKeyRing } from './ticket-keys';
import type { Deviation } from './deviations';
import type { Upstream } from './upstream';

export type { FastPath, Timeouts, Upstream };

/**
 * The narrow waist of the data plane. The proxy and the rehearsal's load balancer both sit above it and say only where a
 * request goes and what to respond when it cannot; an engine below it owns every socket. HTTP/1.1 is spoken
 * straight on sockets, HTTP/2 on `node:http2`.
 */
export interface DataPlane {
  /**
   * Accepts connections at an address of its own, or from a listening server whose handle another process shares.
   *
   * @returns the address in use, with the real port where 0 was asked for
   */
  listen(at: { host: string; port: number } | { shared: SharedListener }): Promise<{ host: string; port: number }>;
  /**
   * While draining: `Connection: close` (HTTP/1.1) or GOAWAY (HTTP/2) with each response; see `refuseUpgrades` of the
   * options.
   */
  setDraining(draining: boolean): void;
  /**
   * While holding, WebSocket clients are not read beyond the frame that is under way, so that the upstream hears nothing
   * new. HTTP requests are held by the route; see `Decision`.
   */
  setHolding(holding: boolean): void;
  /** For connections that pass to another process of this host, or come from one. */
  readonly handing: Handing;
  /** While true, a connection stays open after its response in a drain, too: it has somewhere to go on. */
  setHandingOver(isHandingOver: boolean): void;
  /** Connections that another process has, and whose bytes pass here: see `isPumping`. */
  readonly pumped: number;
  /** Asks the processes that serve them for the orderly end of so many. @returns how many were not asked yet */
  askPumpedToLeave(count: number): number;
  /**
   * Offers each connection that is accepted from now on to `give`, before anything of it is read. What that returns false for is served
   * here. Undefined ends it.
   *
   * @returns false where it cannot be: this Node.js does not say what it accepts
   */
  share(give: ((departure: Departure) => boolean) | undefined): boolean;
  /** Serves what other processes accept, without listening itself. */
  openUnlistened(): Promise<void>;
  /** Stops accepting; live connections go on. */
  stopAccepting(): Promise<void>;
  /**
   * Serves what connects to a port of the loopback interface as it would serve any client, before or while it listens: for a
   * process that tries itself.
   */
  openTrial(): Promise<Trial>;
  /** Connections of clients, idle ones too, and those that are turned away; not those that another process serves. */
  readonly clients: number;
  /** The descriptor of the socket that it listens at, for another process to listen at; undefined where it is not known. */
  readonly descriptor: number | undefined;
  /** Destroys whatever is left and frees every socket. */
  close(): Promise<void>;
  /** Whether connections without TLS are used on their native handles; `off` and `untried` cost speed, and nothing else. */
  readonly fastPath: FastPath;
  /** What the connections of clients hold, and may hold, in bytes; and how many were closed for it. */
  readonly memory: { readonly heldBytes: number; readonly budgetBytes: number; readonly shed: number };
}

export interface Trial {
  readonly port: number;
  close(): void;
}

/** A listening server of another process, or the descriptor of one. */
export type SharedListener = Server | { readonly fd: number };

export interface PlaneTls {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** The keys of session tickets, which every process has that is to resume a session. @default - its own */
  readonly ticketKeys?: TicketKeyRing;
  /** Whether its connections go over to other processes of this host, and come from them: see `Handing`. @default false */
  readonly isHandedOver?: boolean;
}

export interface DataPlaneOptions {
  readonly ledger: Ledger;
  /** Called once per request, with its head only. It must not throw; if it does, the client gets a 500. */
  readonly route: (request: RequestHead) => Decision;
  /** What to respond when the upstream failed before its response began. Later failures reset the client's stream. */
  readonly failureResponse: (failure: UpstreamFailure, request: RequestHead) => Response;
  /** PEM. Absent: plain HTTP/1.1. Present: HTTP/1.1 and HTTP/2 by ALPN. */
  readonly tls?: PlaneTls;
  /**
   * Whether each connection begins with a PROXY header, which says who its client is. One without is cut.
   * @default false
   */
  readonly expectsProxyHeader?: boolean;
  /** Told of a request that was rejected for what it is, with this status, before anybody asked the route. */
  readonly refused?: (rejection: RejectedRequest) => void;
  /** Told of each way in which an upstream's response is not as it should be, and is passed on all the same. */
  readonly deviated?: (what: Deviation, upstream: Upstream) => void;
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  /**
   * Told of an error of our own, thrown by a function given here, too: it has cost one exchange its response.
   * @default - a warning of the process
   */
  readonly faulted?: (error: unknown) => void;
  /**
   * What the record of a forward in another process is here; `opened` was called there. It throws where it is none.
   * @default - no upgraded connection comes from another process
   */
  readonly resumeForward?: (record: object) => Forward;
  /**
   * Goes on with what `MessageRecording.pack` has said in another process; undefined where messages are not recorded here.
   * @default - none is
   */
  readonly resumeMessages?: (packed: Buffer) => MessageRecording | undefined;
  /**
   * Whether an order is about to move a connection to another upstream, or to close it: it stays in this process for that.
   * @default - none is
   */
  readonly isAwaited?: (entry: LedgerEntry) => boolean;
  /**
   * An order that a connection has yet to follow when it leaves for another process, as JSON has it.
   * @default - none has
   */
  readonly pendingOrder?: (entry: LedgerEntry) => object | undefined;
  /**
   * Whether the bytes of a connection whose TLS cannot go to another process are passed on to it from here, for as long as it is open.
   * @default - none: it ends here
   */
  readonly isPumping?: () => boolean;
  /** Told of each connection that goes on here after it was between two processes, with that order. */
  readonly arrived?: (entry: LedgerEntry, order: object | undefined) => void;
  /**
   * Whether a request is sent again when a kept-alive upstream connection turned out to be stale. A proxy does; an
   * Application Load Balancer responds with 502.
   * @default true
   */
  readonly repeatsStale?: boolean;
  /**
   * Whether a client of HTTP/1.1 that waits for `100 Continue` gets it at once. A proxy lets the upstream say so; an
   * Application Load Balancer does not ask it.
   * @default false
   */
  readonly continuesAtOnce?: boolean;
  /**
   * What a request gets that is rejected for what it is, before anybody asked the route.
   * @default - its status and the reason in words
   */
  readonly rejectionResponse?: (rejection: RejectedRequest) => Response;
  /**
   * How names are looked up.
   * @default - as every program of this machine does, and again within the time to live that the DNS says
   */
  readonly lookup?: Lookup;
  /** Told of what an operator should know, in words and figures. It must not throw. */
  readonly noticed?: (notice: Notice) => void;
  /**
   * Which connections can be moved to another upstream while their client stays.
   * @default - none
   */
  readonly moves?: MoveSettings;
}

export interface MoveSettings {
  readonly mode: Moves;
  /** For each part of a move: to the end of a message, to the end of the old upstream, to the response of the new one. */
  readonly timeoutMs: number;
  /** What the handshake of a connection that is never moved has: paths, names of fields, `name=value`; in lower case, `*` for anything. */
  readonly never: readonly string[];
  /** Whether `permessage-deflate` is offered to upstreams without context takeover only. */
  readonly dropsContextTakeover: boolean;
  /**
   * Protocols whose set-up has to be said again; the first that recognizes a connection follows it.
   * @default - none
   */
  readonly adapters?: readonly MoveAdapter[];
}

/** What is known of a name. */
export interface Looked {
  /** One or more, none twice. */
  readonly addresses: readonly string[];
  /** How long the DNS says that it holds; undefined where it is unknown, as for a name in /etc/hosts. */
  readonly ttlMs: number | undefined;
}

export type Lookup = (host: string) => Promise<Looked>;

/** Something about the plane itself, not about one request. */
export interface Notice {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly figures: Readonly<Record<string, unknown>>;
}

export interface RejectedRequest {
  readonly status: number;
  /** Of the client. */
  readonly address: string;
  /** Why, in words. */
  readonly why: string;
}

/** What a plane takes, and how much of it: what the settings of the proxy say, and what its machine and its host do. */
export interface Limits extends LimitSettings {
  /** Files that the process may have open. Connections that do not fit are not made: see `shareFiles`. */
  readonly openFiles: number;
  /** Tokens of `Upgrade`, in lower case, that are switched to besides `websocket`. What follows is passed on unread. */
  readonly upgradeProtocols: readonly string[];
}

export interface RequestHead {
  /** The value of one field by its lower-case name, lines joined with a comma; cheaper than `headers`. */
  field(name: string): string | undefined;
  readonly method: string;
  /** Origin form: path and query. */
  readonly url: string;
  readonly httpVersion: '1.0' | '1.1' | '2';
  /** Lower-case names; HTTP/2's `:authority` is given as `host`. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly client: { readonly address: string; readonly port: number };
  readonly isTls: boolean;
  /** Whether it asks for a WebSocket, or another protocol that is switched to here. */
  readonly isUpgrade: boolean;
}

export interface Response {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * What becomes of a request. A held one is parked, its head read and its body left in the socket, until `resume` is called
 * with its decision; the returned function is called instead when its client goes away.
 */
export type Decision =
  | { readonly response: Response }
  | { readonly forward: Forward }
  | { readonly hold: (resume: (decision: Decision) => void) => () => void };

export interface Forward {
  readonly upstream: Upstream;
  /** Set on the request to the upstream, replacing what the client sent; `undefined` removes. Hop-by-hop fields are the engine's. */
  readonly requestHeaders?: Readonly<Record<string, string | string[] | undefined>>;
  /** Path and query for the upstream. @default - the client's own */
  readonly url?: string;
  /**
   * Added to the response, next to the upstream's own fields of that name (`set-cookie`). Called once when the head is there.
   */
  readonly responseHeaders?: (status: number) => Readonly<Record<string, string | string[]>>;
  /** The name in the `Via` of every response that is passed on, interim ones, too (RFC 9110 section 7.6.3). @default - no `Via` */
  readonly via?: string | undefined;
  /**
   * Cuts the exchange: `reset` before the response began, a broken stream afterwards, a hard close of an upgraded connection.
   */
  readonly signal?: AbortSignal;
  /** Begins to write the exchange down. @default - it is not recorded */
  readonly startRecording?: (head: RecordedRequest) => Recording | undefined;
  /** Called when an upgraded connection or event stream began, long before it ends. For any other response never. */
  readonly opened?: (status: number, kind: ConnectionKind) => void;
  /**
   * What another process needs to go on with an upgraded connection or event stream, as JSON has it: see
   * `DataPlaneOptions.resumeForward`. Absent: it stays in this one. @param upstream where it is connected to now
   */
  readonly record?: (upstream: Upstream) => object;
  /** Called exactly once when the exchange has ended, whatever happened. Not here, where it has gone to another process. For an upgrade: when the tunnel has ended. */
  readonly settled?: (outcome: Outcome) => void;
}

/** A request head as it is recorded: what the engine knows besides. */
export interface RecordedRequest extends RequestHead {
  /** In bytes; -1 unknown, 0 none. */
  readonly bodyLength: number;
  readonly isGrpc: boolean;
  /** The protocol that it asks for, in lower case. */
  readonly upgrade?: string | undefined;
  /** Its end-to-end fields as lines, `name: value` CR LF each, with `replaced` in place. */
  block(replaced: Readonly<Record<string, string | string[] | undefined>> | undefined): string;
}

/** The head of a response as it is recorded. */
export interface RecordedResponse {
  readonly status: number;
  readonly reason: string;
  readonly fields: string;
  readonly bodyLength: number;
  readonly statedLength: number | undefined;
  readonly isEventStream: boolean;
}

/**
 * What is written down of one exchange. Bytes are borrowed: it copies what it keeps. Its calls come in the order in which they stand here,
 * and `ended` comes in any case, last and once.
 */
export interface Recording {
  /** Its request changes something: it is kept here, and forwarded when it is durable. Any other one is recorded beside. */
  readonly isAwaited: boolean;
  /** @returns false where an awaited one is too long to be kept: it goes on without a whole record */
  requestReceived(bytes: Buffer): boolean;
  /** @param trailers as lines of fields */
  requestEnded(trailers: string): void;
  /** Calls once, later: with what the client gets where the request must not be forwarded. Of an awaited one. */
  commit(done: (rejection: Response | undefined) => void): void;
  /** What was kept of the body of an awaited one; it keeps it no longer. */
  takeBody(): readonly Buffer[];
  responseStarted(head: RecordedResponse): void;
  responseReceived(bytes: Buffer): void;
  responseEnded(trailers: string): void;
  /** The proxy responds itself: the upstream did not. */
  responded(status: number): void;
  /**
   * It is a WebSocket from here on. Behind `responseStarted`, before `ended`.
   *
   * @param fields those of its 101
   * @returns what follows its messages; undefined where they are not recorded
   */
  followMessages?(fields: string): MessageRecording | undefined;
  ended(): void;
}

/** Follows the bytes of a WebSocket, which are borrowed. It never throws, and nothing waits for it. */
export interface MessageRecording {
  fromClient(bytes: Buffer): void;
  fromUpstream(bytes: Buffer): void;
  /** What it keeps of messages that are not whole. */
  readonly heldBytes: number;
  /** What `DataPlaneOptions.resumeMessages` of another process needs to go on with it. */
  pack(): Buffer;
  /** Another process goes on with it. */
  leave(): void;
  ended(): void;
}

export interface Outcome {
  /** The status that the client got; undefined when it went away before one. */
  readonly status: number | undefined;
  readonly kind: ConnectionKind;
  /** As it counted out. `forced` without a failure: the client went away, or a drain or the signal cut it. */
  readonly ending: Ending;
  /** Of an upgraded connection: whose end went first; absent when it was cut here, or closed by a drain. */
  readonly leftFirst?: 'client' | 'upstream';
  /** Of a WebSocket: a Close frame has passed, so that its end does not count as a loss. */
  readonly sawClose?: boolean;
  readonly failure?: UpstreamFailure;
  /** Why it failed, as far as it is known; for logs, and never for the client. */
  readonly cause?: FailureCause;
  /** Body bytes from and to the client; of an upgraded connection everything after the handshake. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/**
 * How an upstream failed. `connectTimeout` and `idleTimeout` read as 504 at an ALB, `full` as 503, all others as 502.
 * `full`: no connection was free in time, for want of the configured number or of what this machine has.
 */
export const UPSTREAM_FAILURES = [
  'connectRefused',
  'connectTimeout',
  'connectFailed',
  'nameNotFound',
  'certificateRejected',
  'tlsFailed',
  'reset',
  'malformed',
  'idleTimeout',
  'full',
] as const;
export type UpstreamFailure = (typeof UPSTREAM_FAILURES)[number];

/** Why an upstream failed. It may hold addresses and names of the inside: it is for those who run the proxy. */
export interface FailureCause {
  /** Of the system, of OpenSSL or of Node.js: `EMFILE`, `SELF_SIGNED_CERT_IN_CHAIN`. */
  readonly code?: string;
  /** In words. */
  readonly why: string;
  /** The address that was tried, where there was one. */
  readonly address?: string;
}
