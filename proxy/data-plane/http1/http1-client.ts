import type { PlaneContext } from '../shared/context';
import type { Response } from '../contract/data-plane';
import type { ResponseHead, DownstreamStream, FieldBlock } from '../contract/streams';
import { Exchange } from '../exchange/exchange';
import { CONNECTION_BYTES, EXCHANGE_BYTES, Holder, TLS_BYTES } from '../shared/memory-budget';
import type { Ticking } from '../shared/ticker';
import { NOBODY, Transport, TransportUser } from '../contract/transport';
import { Ahead } from './message/read-ahead';
import { ResponseWriter } from './response-writer';
import { BodyReader } from './message/body-reader';
import type { BodySink } from './message/chunked';
import { Rejection } from '../fields/http-error';
import type { Http1Head } from './message/request-head';
import { RequestReader } from './message/request-reader';

/** A connection that is idle for this long costs no memory for what its next request may have in common with the last. */
const FORGET_MS = 1_000;
/** What a client may send ahead of its responses. */
const AHEAD_BYTES = 64 * 1024;
/** For how long a client may go on to send after its last response, and how long be silent, before the connection is cut. */
const LINGER_MS = { max: 30_000, silent: 2_000 };

/** Whom a connection belongs to. */
export interface ClientHome {
  /** It is gone, or belongs to another reader. Called once. */
  left(client: Http1Client): void;
  /** It speaks HTTP/2, with these bytes first. */
  isHttp2(transport: Transport, bytes: Buffer): void;
}

/** One HTTP/1.x connection of a client: its requests one after the other, each in an exchange of its own. */
export class Http1Client implements DownstreamStream, TransportUser, BodySink, Ticking, Holder {
  private readonly requests: RequestReader;
  private readonly upload: BodyReader;
  private readonly responseWriter: ResponseWriter;
  private exchange: Exchange | undefined;
  private head: Http1Head | undefined;
  /** Read, and its turn has not come: the next requests, or a body that is held. */
  private readonly ahead = new Ahead();
  private isUploadPaused = false;
  /** The response has left whole. */
  private hasResponded = false;
  /** Within `serve`, which goes on by itself when an exchange ends. */
  private isServing = false;
  /** Within `goOnWithAhead`, likewise. */
  private isGoingOn = false;
  /** Since when the last response is out, and what still comes is dropped. */
  private lingersSinceMs: number | undefined;
  /** Since when the connection is in the state that it is in. */
  private sinceMs: number;
  private isRejected = false;
  private isGone = false;

  constructor(
    private readonly context: PlaneContext,
    private readonly home: ClientHome,
    private readonly transport: Transport,
  ) {
    this.requests = new RequestReader(context.limits, transport);
    this.upload = new BodyReader(context.limits);
    this.responseWriter = new ResponseWriter(transport);
    this.sinceMs = context.ticker.nowMs;
    transport.user = this;
    context.ticker.add(this);
  }

  destroy(): void {
    // A response without a length and without chunks ends with its connection: cut, it must not look like a whole one.
    if (this.exchange && !this.exchange.isOver) this.transport.reset();
    else this.transport.destroy();
  }

  tick(nowMs: number): void {
    const { timeouts } = this.context;
    const waitedMs = nowMs - this.sinceMs;
    if (this.lingersSinceMs !== undefined) {
      if (waitedMs > LINGER_MS.silent || nowMs - this.lingersSinceMs > LINGER_MS.max) this.transport.destroy();
    } else if (this.exchange && !this.exchange.isOver) {
      this.exchange.tick(nowMs);
    } else if (this.exchange) {
      // The rest of a body that is not wanted any more.
      if (waitedMs > timeouts.bodyIdleMs) this.transport.destroy();
    } else if (this.isRejected) {
      // Its response is still on the way.
      if (waitedMs > timeouts.bodyIdleMs) this.transport.destroy();
    } else if (this.requests.hasStarted) {
      if (waitedMs > timeouts.headMs || this.requests.isTooSlow(waitedMs))
        this.reject(new Rejection(408, 'The request head did not come in time'));
    } else if (waitedMs > timeouts.clientIdleMs) {
      this.transport.destroy();
    } else if (waitedMs > FORGET_MS) {
      this.requests.forget();
    }
  }

  get heldBytes(): number {
    const { transport, requests, ahead, exchange } = this;
    // A head that has begun is kept as text and, while it is read, once more.
    const taken = 2 * requests.startedBytes + ahead.bytes + (exchange === undefined ? 0 : EXCHANGE_BYTES);
    const waiting = transport.hasPending ? transport.pendingBytes : 0;
    return CONNECTION_BYTES + (transport.isTls ? TLS_BYTES : 0) + taken + waiting;
  }

  shed(): void {
    this.transport.reset();
  }

  // The transport.

  onData(bytes: Buffer, length: number): void {
    try {
      if (this.lingersSinceMs !== undefined) this.linger();
      // Behind a rejection no byte is known to be a request.
      else if (this.isRejected) return;
      else if (this.exchange === undefined) this.serve(bytes, length);
      else this.continueUpload(bytes.subarray(0, length));
    } catch (error) {
      this.fault(error);
    }
  }

  onDrain(): void {
    try {
      this.exchange?.clientDrained();
      this.flush();
    } catch (error) {
      this.fault(error);
    }
  }

  onError(): void {
    this.gone();
    this.transport.destroy();
  }

  onEnd(): void {
    // A client that closes its half has left, as far as a proxy can tell, unless its response is already on the way.
    if (this.responseWriter.isEnded && !this.hasResponded) {
      this.responseWriter.isLast = true;
      return;
    }
    this.onError();
  }

  onClose(): void {
    if (this.isGone) return;
    this.leave();
    this.gone();
  }

  // The stream of an exchange.

  inform(status: number, fields: FieldBlock): void {
    if (this.head!.httpVersion === '1.0') return;
    this.responseWriter.inform(status, fields);
  }

  begin(response: ResponseHead): void {
    this.responseWriter.begin(response, this.head!, !this.upload.isOver, this.context.isDraining);
  }

  write(bytes: Buffer): void {
    this.responseWriter.write(bytes);
  }

  end(trailers: FieldBlock): void {
    this.responseWriter.end(trailers);
  }

  flush(): void {
    this.responseWriter.flush();
    if (!this.responseWriter.isEnded || this.hasResponded || this.transport.hasPending || this.transport.hasFailed)
      return;
    this.hasResponded = true;
    this.exchange?.responseSent();
    this.endExchange();
  }

  respond(response: Response): void {
    this.responseWriter.respond(response, this.head, !this.upload.isOver, this.context.isDraining);
    this.flush();
  }

  get isBackedUp(): boolean {
    return this.transport.isBackedUp;
  }

  get pendingBytes(): number {
    return this.transport.pendingBytes;
  }

  pauseUpload(): void {
    this.isUploadPaused = true;
    this.transport.pause();
  }

  holdUpload(): void {
    this.isUploadPaused = true;
  }

  resumeUpload(): void {
    this.isUploadPaused = false;
    this.transport.resume();
    if (!this.isServing && !this.upload.isOver) this.goOnWithAhead();
  }

  reset(): void {
    this.transport.reset();
  }

  detach(): { transport: Transport; head: Buffer } {
    this.leave();
    this.transport.user = NOBODY;
    if (this.transport.isPaused) this.transport.resume();
    return { transport: this.transport, head: this.ahead.takeAll() };
  }

  bodyReceived(bytes: Buffer): void {
    this.exchange?.uploadReceived(bytes);
  }

  bodyEnded(trailers: FieldBlock): void {
    this.exchange?.uploadEnded(trailers);
  }

  // From request to request.

  /** Serves what the first `length` bytes hold, request after request, as far as the turn of each has come. */
  private serve(bytes: Buffer, length: number, isOwn = false): void {
    this.isServing = true;
    let at = 0;
    while (
      at < length &&
      this.exchange === undefined &&
      this.lingersSinceMs === undefined &&
      !this.isGone &&
      !this.isRejected
    ) {
      at = this.serveNext(bytes, at, length);
    }
    this.isServing = false;
    if (at < length) this.continueUpload(bytes.subarray(at, length), isOwn);
    this.exchange?.uploadFlushed();
  }

  private serveNext(bytes: Buffer, from: number, to: number): number {
    if (!this.requests.hasStarted) this.sinceMs = this.context.ticker.nowMs;
    const found = this.requests.read(bytes, from, to);
    if (found === 'incomplete') return to;
    if (found === 'http2') {
      this.leave();
      this.home.isHttp2(this.transport, Buffer.concat([this.requests.taken, bytes.subarray(from, to)]));
      return to;
    }
    if (found instanceof Rejection) {
      this.reject(found);
      return to;
    }
    this.begins(found);
    return this.requests.end;
  }

  private begins(head: Http1Head): void {
    // Reset before it was asked who it is: its request must not go on without a name, and no client would read the response.
    if (this.transport.peer.address === '') return this.transport.destroy();
    this.head = head;
    this.hasResponded = false;
    this.responseWriter.reset();
    if (head.bodyLength === -1) this.upload.begin('chunked', 0);
    else this.upload.begin('length', head.bodyLength);
    this.exchange = new Exchange(this.context, this, head);
    this.exchange.run();
  }

  /** More of the request that is under way, and perhaps what comes after it. `isOwn`: it was kept here before. */
  private continueUpload(bytes: Buffer, isOwn = false): void {
    if (this.lingersSinceMs !== undefined) return this.linger();
    if (this.upload.isOver || this.isUploadPaused) return this.keepAhead(bytes, isOwn);
    this.sinceMs = this.context.ticker.nowMs;
    const at = this.upload.read(bytes, 0, bytes.length, this);
    if (at < 0) return this.breakUpload();
    this.exchange?.uploadFlushed();
    if (at < bytes.length) this.keepAhead(bytes.subarray(at), isOwn);
    if (this.upload.isOver) this.endExchange();
  }

  private breakUpload(): void {
    this.upload.begin('length', 0);
    this.responseWriter.isLast = true;
    this.exchange?.uploadBroken(new Rejection(400, 'The chunked body is malformed').response);
  }

  private keepAhead(bytes: Buffer, isOwn: boolean): void {
    if (isOwn) this.ahead.putBack(bytes);
    else this.ahead.add(bytes);
    if (this.ahead.bytes > AHEAD_BYTES) this.transport.pause();
  }

  /** Serves what was kept, piece after piece, until the next one has to wait for its turn again. */
  private goOnWithAhead(): void {
    // An end of an exchange in here must not go on by itself: thousands of requests may be there.
    if (this.isGoingOn) return;
    this.isGoingOn = true;
    const isWanted = () => this.exchange === undefined || !(this.upload.isOver || this.isUploadPaused);
    while (isWanted() && !this.isGone && !this.isRejected) {
      const piece = this.ahead.take();
      if (piece === undefined) break;
      if (this.exchange === undefined) this.serve(piece, piece.length, true);
      else this.continueUpload(piece, true);
    }
    this.isGoingOn = false;
    if (!this.isGone && !this.isUploadPaused && this.transport.isPaused && this.ahead.bytes <= AHEAD_BYTES)
      this.transport.resume();
  }

  /** When request and response are both over the next one's turn has come. */
  private endExchange(): void {
    if (!this.hasResponded || this.lingersSinceMs !== undefined || this.isGone) return;
    if (this.responseWriter.isLast) return this.close();
    if (!this.upload.isOver) return;
    this.exchange = undefined;
    this.head = undefined;
    this.sinceMs = this.context.ticker.nowMs;
    if (!this.isServing && this.ahead.bytes > 0) this.goOnWithAhead();
  }

  private reject(rejection: Rejection): void {
    this.isRejected = true;
    this.sinceMs = this.context.ticker.nowMs;
    this.head = undefined;
    this.hasResponded = false;
    this.responseWriter.reset();
    const notified = { status: rejection.status, address: this.transport.peer.address, why: rejection.why };
    const { refused, rejectionResponse } = this.context.options;
    refused?.(notified);
    this.respond(rejectionResponse ? rejection.as(rejectionResponse(notified)) : rejection.response);
  }

  /** Ends the connection in order: a close over unread bytes would be a reset, and take the response with it. */
  private close(): void {
    this.exchange = undefined;
    this.sinceMs = this.context.ticker.nowMs;
    this.lingersSinceMs = this.sinceMs;
    this.transport.end();
    if (this.transport.isPaused) this.transport.resume();
  }

  private linger(): void {
    this.sinceMs = this.context.ticker.nowMs;
  }

  private gone(): void {
    try {
      this.exchange?.clientGone();
    } catch (error) {
      this.context.faulted(error);
    }
  }

  private leave(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.context.ticker.remove(this);
    this.home.left(this);
  }

  private fault(error: unknown): void {
    if (this.exchange && !this.exchange.isOver) return this.exchange.fault(error);
    this.context.faulted(error);
    this.transport.destroy();
  }
}
