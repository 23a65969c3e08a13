import type { Response, FailureCause, RequestHead, UpstreamFailure } from './data-plane';
import type { Deviation } from './deviations';
import type { Transport } from './transport';

/**
 * The two streams of an exchange. `Exchange` stands between them and knows neither HTTP/1.1 nor HTTP/2:
 *
 *     client ⇄ DownstreamStream ⇄ Exchange ⇄ UpstreamStream ⇄ upstream
 *
 * Bytes of bodies are borrowed: valid during the call that brings them. All calls are synchronous, and none throws.
 */

/**
 * Field lines as HTTP/1.1 writes them: `name: value` CR LF each, '' for none. They are end to end: checked, and without
 * framing (`content-length`, `transfer-encoding`), hop-by-hop fields and those that `Connection` names.
 */
export type FieldBlock = string;

/** Fields that are set in place of those that were received; undefined removes. Lower-case names. */
export type ReplacedFields = Readonly<Record<string, string | string[] | undefined>>;

/** A body's length in bytes; -1 unknown until it ends, 0 none. */
export type BodyLength = number;

/** A request head as the engine sees it. */
export interface EngineHead extends RequestHead {
  /** The client will not send its body before a 100. */
  readonly expectsContinue: boolean;
  readonly bodyLength: BodyLength;
  /** `te: trailers` was sent. */
  readonly takesTrailers: boolean;
  /** gRPC by its content type: it goes to the upstream in HTTP/2. */
  readonly isGrpc: boolean;
  /** The protocol that `isUpgrade` is about, as the upstream is asked for it. HTTP/1.1 only. */
  readonly upgrade?: string | undefined;
  /** The end-to-end fields, with `replaced` in place. */
  block(replaced: ReplacedFields | undefined): FieldBlock;
}

export interface ResponseHead {
  readonly status: number;
  /** In which the upstream sent it. */
  readonly httpVersion: RequestHead['httpVersion'];
  /** Empty from HTTP/2. */
  readonly reason: string;
  readonly fields: FieldBlock;
  /** 0 also for a HEAD, 204 or 304, which have none whatever their fields say. */
  readonly bodyLength: BodyLength;
  /** What `Content-Length` is to say; undefined where it is to be absent. Differs from `bodyLength` for HEAD and 304. */
  readonly statedLength: number | undefined;
  /** It has no `Date`. */
  readonly lacksDate?: boolean;
  readonly isEventStream: boolean;
  /** `content-encoding` is set: its bytes say nothing about events. */
  readonly isEncoded: boolean;
}

/** Of an interim response. */
export type InterimHead = Pick<ResponseHead, 'status' | 'httpVersion' | 'fields'>;

/** What an exchange needs of the client that it responds to. After `end` or `reset` no call follows. */
export interface DownstreamStream {
  /** Passes an interim response on, where the client's protocol can say it. */
  inform(status: number, fields: FieldBlock): void;
  begin(head: ResponseHead): void;
  write(bytes: Buffer): void;
  end(trailers: FieldBlock): void;
  /** What was written leaves now; the pieces of one read of the upstream leave together. */
  flush(): void;
  /** A response by the proxy itself, whole. Nothing has begun. */
  respond(response: Response): void;
  /** What was written has not all left. `exchange.clientDrained` is called when it has. */
  readonly isBackedUp: boolean;
  /** Bytes of it: that they become fewer shows a client that reads, however slowly. */
  readonly pendingBytes: number;
  pauseUpload(): void;
  /** As `pauseUpload`, but for long: where only reading shows that a client leaves, a bounded part is read on and kept. */
  holdUpload(): void;
  resumeUpload(): void;
  /** Breaks the response so that it cannot be taken for a whole one. */
  reset(): void;
  /** The connection's bytes from here on, for a protocol switch; `head` came behind the request. HTTP/1.1 only. */
  detach(): { transport: Transport; head: Buffer } | undefined;
  /** Ends a gRPC call with a status, its response begun or not, between two messages. HTTP/2 only. */
  endGrpc?(status: number, message: string): void;
}

/**
 * What an exchange needs of its upstream. After `destroy`, or when the response and the upload are both over, no call
 * follows.
 */
export interface UpstreamStream {
  send(bytes: Buffer): void;
  /** The upload is whole. */
  finish(trailers: FieldBlock): void;
  flush(): void;
  /** The upstream has not taken all that was sent. `exchange.upstreamDrained` is called when it has. */
  readonly isBackedUp: boolean;
  pauseResponse(): void;
  resumeResponse(): void;
  /** Gives the exchange up; the connection is closed (HTTP/1.1) or the stream cancelled (HTTP/2). */
  destroy(): void;
  detach(): { transport: Transport; head: Buffer } | undefined;
}

/** What a downstream stream reports to its exchange. */
export interface ClientEvents {
  uploadReceived(bytes: Buffer): void;
  uploadEnded(trailers: FieldBlock): void;
  /** The pieces of one read are all told. */
  uploadFlushed(): void;
  clientDrained(): void;
  /** The response, ended before, has left for the client whole. */
  responseSent(): void;
  /** The client is gone, or cancelled this request. */
  clientGone(): void;
  /** What it sends cannot be trusted or read any more: its request is given up with this response if none has begun. */
  uploadBroken(response: Response): void;
}

/** An exchange, as the client's connection drives it. */
export interface ClientExchange extends ClientEvents {
  /** Asks the route, and does what it says. It may respond in the call already. */
  run(): void;
  /** Looks for what is late. */
  tick(nowMs: number): void;
  /** Ends a stream of events in order. Any other response goes on to its end. */
  closeStream(): void;
  /** An error of our own: it costs this client its response. */
  fault(error: unknown): void;
}

/**
 * What a failed upstream had seen of the request: certainly nothing; unlikely anything, because its kept connection was
 * already given up; or maybe all of it.
 */
export type Seen = 'nothing' | 'unlikely' | 'maybe';

/** What an upstream stream reports to its exchange. */
export interface UpstreamEvents {
  /** Stands for the client's connection where all its requests are one client's. */
  readonly owner?: object | undefined;
  informed(head: InterimHead): void;
  /** A 101; `fields` with `upgrade` and `sec-websocket-accept` still in them, and nothing of `Connection`. */
  switched(head: ResponseHead): void;
  /** The response is not as it should be, and could not be read in another way. Once for each. */
  deviated(what: Deviation): void;
  responseStarted(head: ResponseHead): void;
  responseReceived(bytes: Buffer): void;
  responseEnded(trailers: FieldBlock): void;
  /** The pieces of one read are all told. */
  responseFlushed(): void;
  upstreamDrained(): void;
  upstreamFailed(failure: UpstreamFailure, seen: Seen, cause?: FailureCause): void;
}
