import type { MoveRejection } from '../../../core/moves/moves';
import type { ConnectionKind } from '../../../core/proxy/connections';
import type { Peer } from './transport';

/**
 * Connections that pass from one process of this host to another one while they are open. One that is taken out of a process is read
 * no more, and waits in the kernel; it goes on in the other process, or in the same one again.
 */

/**
 * Why a connection stays in its process. For a while: `request` a request is under way; `pending` one end has not taken all that was
 * written, a record of TLS has not come whole, or the sockets of its pump are being made; `moving` its upstream is being replaced, or an order is about to
 * move or to close it. For good: `closing` it ends anyway; `http2`;
 * `tls` and `upstreamTls` the state of TLS cannot go, and its bytes are not pumped; `stream` its response has no form that another process could go on with; `login` its upstream connection
 * is logged in for it; `unknown` it has no native handle, or a proxy does not say what another one needs.
 */
export const STAY_REASONS = [
  'request',
  'pending',
  'moving',
  'closing',
  'http2',
  'tls',
  'upstreamTls',
  'stream',
  'login',
  'unknown',
] as const;
export type StayReason = (typeof STAY_REASONS)[number];

/** Of a TCP connection, as one process has it. */
export interface ConnectionHandle {
  /** Of this process's copy. */
  close(closed?: () => void): void;
}

/** Of a transport, beside its handle. */
export interface PackedEnd {
  readonly hasReadEnd: boolean;
  readonly isShutDown: boolean;
  /** Absent where the kernel says who it is. */
  readonly peer?: Peer | undefined;
  /** Of TLS: which of the bytes are its state, with its keys. See `encodeState`. */
  readonly tls?: number | undefined;
  /** Of one whose bytes another process passes on: its handle leads there. */
  readonly pumped?: PackedFrames | undefined;
}

/** Where a `FramedTransport` is. */
export interface PackedFrames {
  readonly isTls: boolean;
  /** Latin1. */
  readonly header: string;
  readonly left: number;
  /** Which of the bytes were read of its frames, and not used. */
  readonly unread: number;
}

/** An HTTP/1.1 connection between two requests, or within the head of one, which is the first of its bytes. */
export interface PackedHttp1 {
  readonly type: 'http1';
  /** Of the client. */
  readonly ends: readonly [PackedEnd];
  /** For so long it waits for the client. */
  readonly waitedMs: number;
  /** No request has come on it: the client may still begin with HTTP/2 (RFC 9113 section 3.3). */
  readonly isFirst: boolean;
}

/** What the ledger knows. */
export interface PackedEntry {
  readonly kind: ConnectionKind;
  readonly path: string;
  readonly clientAddress: string;
  readonly ageMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly isCarried: boolean;
  /** What it has yet to follow: see `DataPlaneOptions.pendingOrder`. */
  readonly order?: object | undefined;
}

/** A header of a frame that is not whole: see `FrameScanner`. */
export interface PackedHeader {
  readonly seen: number;
  readonly first: number;
  readonly needed: number;
  readonly lengthEnd: number;
  readonly length: number;
}

/** Where a `FrameScanner` is. */
export interface PackedScanner {
  readonly first: number;
  readonly left: number;
  readonly split: PackedHeader | null;
  readonly isInMessage: boolean;
  readonly sawClose: boolean;
}

/** Where one direction of a tunnel is, but for what it keeps behind a hold. */
export interface PackedRelay {
  /** Absent of what is opaque. */
  readonly scanner?: PackedScanner;
  /** Without what it keeps, which is read again. */
  readonly taken: number;
  readonly hasEnded: boolean;
}

/** What a connection keeps so that its handshake can be said again: see `Resume`. */
export interface PackedResume {
  readonly handshake: string;
  readonly agreed: string;
  readonly token: string;
  readonly isResumable: boolean;
  /** Of a protocol with an adapter: which of the bytes are what is known of its messages. See `MoveTap.pack`. */
  readonly tap?: number | undefined;
}

/** A WebSocket, or what another protocol made of its connection. Its first bytes: what was kept of the client, and of the upstream. */
export interface PackedUpgrade {
  readonly type: 'upgrade';
  /** Of the client and of the upstream, as all that comes in twos. */
  readonly ends: readonly [PackedEnd, PackedEnd];
  readonly entry: PackedEntry;
  readonly relays: readonly [PackedRelay, PackedRelay];
  readonly idleMs: number;
  readonly isOpaque: boolean;
  /** What a move to another backend rests on, or why there can be none. */
  readonly resume: PackedResume | MoveRejection;
  /** Where its messages are recorded: which of the bytes say how far that is. See `MessageRecording.pack`. */
  readonly messages?: number | undefined;
  /** See `Forward.record`. */
  readonly forward: object;
}

/** The head of a request of HTTP/1.1, without the host of an absolute target: that is in its fields. */
export interface PackedHead {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: '1.0' | '1.1';
  /** Field lines, CR LF behind each. */
  readonly fields: string;
}

/** How a client's response goes on. */
export interface PackedWriter {
  readonly isLast: boolean;
  readonly isChunked: boolean;
}

/** Where a `ChunkedDecoder` is. */
export interface PackedChunks {
  readonly state: string;
  readonly size: number;
  readonly digits: number;
  readonly extension: string;
  readonly extensionLength: number;
  readonly isPadding: boolean;
  readonly extensionBytes: number;
  readonly dataBytes: number;
  /** What has come of them. */
  readonly trailers: string;
}

/** Where a `BodyReader` is. */
export interface PackedBody {
  readonly endsBy: 'length' | 'chunked' | 'close';
  readonly left: number;
  readonly chunks?: PackedChunks | undefined;
}

/** Where a `ResponseReader` is, in the body of a response. */
export interface PackedResponse {
  readonly method: string;
  readonly status: number;
  readonly keepsAlive: boolean;
  readonly body: PackedBody;
}

/** An upstream connection with a response on it. */
export interface PackedUpstream {
  readonly response: PackedResponse;
  readonly keptMs?: number | undefined;
  readonly address?: string | undefined;
  /** Absent: never. */
  readonly expiresInMs?: number | undefined;
  readonly isBound: boolean;
}

/** Where an `EventScanner` is. Ids are latin1. */
export interface PackedEventScanner {
  readonly isLineEmpty: boolean;
  readonly isEventEmpty: boolean;
  readonly wasCr: boolean;
  readonly field: number;
  readonly started: string;
  readonly nextId?: string | undefined;
  readonly hasId: boolean;
  readonly hasData: boolean;
  readonly atBoundary: boolean;
  readonly id?: string | undefined;
  readonly sameIds: number;
  readonly hadEventWithoutId: boolean;
  readonly lastHadId: boolean;
}

/** Where a `CatchUp` is, but for what it holds of an event. */
export interface PackedCatchUp {
  readonly lastId: string;
  readonly left: number;
  readonly scanner: PackedEventScanner;
}

/** Where an `EventStream` is. */
export interface PackedEvents {
  readonly isOpaque: boolean;
  readonly clientId?: string | undefined;
  readonly scanner: PackedEventScanner;
  readonly catchUp?: PackedCatchUp | undefined;
}

/** What an event stream keeps so that its request can be sent again: see `EventStreamMove`. */
export interface PackedStreamMove {
  readonly token?: string | undefined;
  /** Null: without that field. */
  readonly replaced: Readonly<Record<string, string | string[] | null>> | null;
}

/** Where an exchange is, in the middle of its response. */
export interface PackedExchange {
  readonly status: number;
  /** For so long the upstream has sent nothing. */
  readonly silentMs: number;
  /** Absent where no one follows its events. */
  readonly events?: PackedEvents | undefined;
  readonly move?: PackedStreamMove | undefined;
}

/** An event stream in the middle of its response. Its bytes: what the client has sent ahead, and what is held of an event. */
export interface PackedStream {
  readonly type: 'stream';
  /** Of the client and of the upstream. */
  readonly ends: readonly [PackedEnd, PackedEnd];
  readonly entry: PackedEntry;
  readonly head: PackedHead;
  readonly writer: PackedWriter;
  readonly exchange: PackedExchange;
  readonly upstream: PackedUpstream;
  /** See `Forward.record`. */
  readonly forward: object;
}

/** One that was accepted, and of which nothing was read: not even a TLS handshake, or a PROXY header. */
export interface PackedAccepted {
  readonly type: 'accepted';
  /** Of no transport yet. */
  readonly ends: readonly [];
}

/** As JSON has it. */
export type PackedData = PackedHttp1 | PackedUpgrade | PackedStream | PackedAccepted;

export interface Packed {
  readonly data: PackedData;
  readonly bytes: readonly Buffer[];
  /** Of the client's connection, and of the upstream's. */
  readonly handles: readonly ConnectionHandle[];
}

/** A connection that was taken out of this process. It is still the owner, until it releases it. */
export interface Departure extends Packed {
  /** It goes on here. */
  keep(): void;
  /** Another process has it: the copies of this one are closed, of which its ends see nothing. */
  release(): void;
}

/** A connection of another process, in the ledger already. It is not read before that process has released it. */
export interface Arrival {
  begin(): void;
  /** The other process keeps it. */
  drop(): void;
}

/** What a data plane has that other processes can go on with. */
export interface Handing {
  /** Resolves when it is known which connections can go, and come. */
  ready(): Promise<void>;
  /**
   * Takes connections out, each as it is asked for. Those that stay are counted in `stays` by why; what is asked for again is
   * looked at again.
   */
  departures(stays: Record<StayReason, number>): Iterable<Departure>;
  /** @throws Error of what is none that this data plane knows; its handles are the caller's */
  arrive(packed: Packed): Arrival;
  /** Some stayed at the last look because the sockets of their pumps are being made. */
  readonly isPreparing: boolean;
}
