import type { PlaneContext } from '../shared/context';
import type { Response } from '../contract/data-plane';
import type { PackedHead, PackedHttp1, PackedWriter } from '../contract/handover';
import type { ClientExchange, ResponseHead, DownstreamStream, FieldBlock } from '../contract/streams';
import { CONNECTION_BYTES, Holder, NEW_CONNECTION_BYTES, TLS_BYTES } from '../shared/memory-budget';
import type { Ticking } from '../shared/ticker';
import { NO_USER, Transport, TransportUser } from '../contract/transport';
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

/**
 * `idle`: between two requests. `head`: of a request, not all has come. `exchange`: a request is served. `discard`: its
 * response has left, and the rest of its body has no reader. `reject`: what came is no request, and the response that says so
 * is on its way. `linger`: the last response has left, and what still comes is dropped. `gone`: closed, or given to another
 * reader.
 */
export type ClientState = 'idle' | 'head' | 'exchange' | 'discard' | 'reject' | 'linger' | 'gone';

/** One HTTP/1.x connection of a client: its requests one after the other, each in an exchange of its own. */
export class Http1Client implements DownstreamStream, TransportUser, BodySink, Ticking, Holder {
  private readonly requests: RequestReader;
  private readonly upload: BodyReader;
  private readonly responseWriter: ResponseWriter;
  private state: ClientState = 'idle';
  /** There is one in `exchange`. */
  private exchange: ClientExchange | undefined;
  /** Of the request in `exchange`. */
  private head: Http1Head | undefined;
  /** Read, and its turn has not come: the next requests, or a body that is held. */
  private readonly ahead = new Ahead();
  private isUploadPaused = false;
  /** Within a loop that goes on by itself when an exchange ends: thousands of requests may be there. */
  private isServing = false;
  /** It was asked to end in order: what begins to stream later ends, too. */
  private isLeaving = false;
  /** When the last response had left. */
  private lingersSinceMs = 0;
  /** Since when it waits for the client in the state that it is in. */
  private sinceMs: number;

  constructor(
    private readonly context: PlaneContext,
    private readonly home: ClientHome,
    readonly transport: Transport,
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
    if (this.state === 'exchange') this.transport.reset();
    else this.transport.destroy();
  }

  /**
   * Ends the connection in order, where another process pumps it: at once, or behind the response that is under way. A request of which
   * some has come gets its response; that is the last one.
   */
  endInOrder(): void {
    this.isLeaving = true;
    switch (this.state) {
      case 'idle':
        if (!this.isServing && this.ahead.bytes === 0) this.close();
        return;
      case 'exchange':
        this.responseWriter.isLast = true;
        return this.exchange!.closeStream();
      case 'discard':
        this.responseWriter.isLast = true;
        return this.endDiscard();
      case 'head':
      case 'reject':
      case 'linger':
      case 'gone':
        return;
    }
  }

  tick(nowMs: number): void {
    const { timeouts } = this.context;
    const waitedMs = nowMs - this.sinceMs;
    switch (this.state) {
      case 'idle':
        if (waitedMs > timeouts.clientIdleMs) this.transport.destroy();
        else if (waitedMs > FORGET_MS) this.requests.forget();
        return;
      case 'head':
        if (waitedMs > timeouts.headMs || this.requests.isTooSlow(waitedMs))
          this.reject(new Rejection(408, 'The request head did not come in time'));
        return;
      case 'exchange':
        return this.tickExchange(nowMs);
      case 'discard':
      case 'reject':
        if (waitedMs > timeouts.bodyIdleMs) this.transport.destroy();
        return;
      case 'linger':
        if (waitedMs > LINGER_MS.silent || nowMs - this.lingersSinceMs > LINGER_MS.max) this.transport.destroy();
        return;
      case 'gone':
        return;
    }
  }

  private tickExchange(nowMs: number): void {
    if (this.isLeaving) this.exchange!.closeStream();
    this.exchange?.tick(nowMs);
  }

  /** Undefined where it can be taken out of this process: it waits for a request, or the rest of a head. */
  get obstacle(): 'request' | 'closing' | undefined {
    switch (this.state) {
      case 'idle':
      case 'head':
        return this.isServing || this.ahead.bytes > 0 ? 'request' : undefined;
      case 'exchange':
      case 'discard':
        return 'request';
      case 'reject':
      case 'linger':
      case 'gone':
        return 'closing';
    }
  }

  /**
   * Takes it out of this process: it is of no use afterwards.
   *
   * @returns what it has read of a head, for how long it has waited, and whether no request has come yet
   */
  pack(): { readonly head: Buffer; readonly waitedMs: number; readonly isFirst: boolean } {
    const { taken: head, isFirst } = this.requests;
    const waitedMs = Math.max(0, this.context.ticker.nowMs - this.sinceMs);
    this.leave();
    this.transport.user = NO_USER;
    return { head, waitedMs, isFirst };
  }

  /** Goes on where another one was. */
  unpack(head: Buffer, { waitedMs, isFirst }: Pick<PackedHttp1, 'waitedMs' | 'isFirst'>): void {
    this.requests.isFirst = isFirst;
    if (head.length > 0) this.onData(head, head.length);
    this.sinceMs = this.context.ticker.nowMs - waitedMs;
    if (this.state === 'idle' || this.state === 'head') this.transport.resume();
  }

  /** What is under way, where nothing but that can keep it in this process. */
  get responding(): ClientExchange | undefined {
    const isFree = !this.isServing && this.upload.isOver && !this.isUploadPaused;
    return this.state === 'exchange' && isFree && this.responseWriter.pack() !== undefined ? this.exchange : undefined;
  }

  /** Takes it out of this process; it must be `responding`, and is of no use afterwards. */
  packResponding(): { readonly head: PackedHead; readonly writer: PackedWriter; readonly ahead: Buffer } {
    const packed = { head: this.head!.pack(), writer: this.responseWriter.pack()!, ahead: this.ahead.takeAll() };
    this.exchange = undefined;
    this.leave();
    this.transport.user = NO_USER;
    return packed;
  }

  /** Goes on where another one was, in the middle of a response. @param ahead what the client has sent behind its request */
  unpackResponding(exchange: ClientExchange, head: Http1Head, writer: PackedWriter, ahead: Buffer): void {
    this.requests.isFirst = false;
    this.state = 'exchange';
    this.exchange = exchange;
    this.head = head;
    this.responseWriter.unpack(writer);
    if (ahead.length > 0) this.ahead.add(ahead);
    if (this.ahead.bytes <= AHEAD_BYTES) this.transport.resume();
  }

  get heldBytes(): number {
    const { transport, requests, ahead, exchange } = this;
    // A head that has begun is kept as text and, while it is read, once more.
    const taken = 2 * requests.startedBytes + ahead.bytes;
    const waiting = transport.hasPending ? transport.pendingBytes : 0;
    const base = exchange !== undefined || requests.isFirst ? NEW_CONNECTION_BYTES : CONNECTION_BYTES;
    return base + (transport.isTls ? TLS_BYTES : 0) + taken + waiting;
  }

  shed(): void {
    this.transport.reset();
  }

  // The transport.

  onData(bytes: Buffer, length: number): void {
    try {
      this.take(bytes, length, false);
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
    switch (this.state) {
      case 'exchange':
      case 'reject':
        // A client that closes its half has left, as far as a proxy can tell, unless its response is already on the way.
        if (!this.responseWriter.isEnded) return this.onError();
        this.responseWriter.isLast = true;
        return;
      case 'idle':
      case 'head':
      case 'discard':
      case 'linger':
      case 'gone':
        return this.onError();
    }
  }

  onClose(): void {
    if (this.state === 'gone') return;
    this.leave();
    this.gone();
  }

  // The stream of an exchange.

  inform(status: number, fields: FieldBlock): void {
    if (this.head!.httpVersion === '1.0') return;
    this.responseWriter.inform(status, fields);
  }

  begin(response: ResponseHead): void {
    this.responseWriter.begin(response, this.head!, !this.upload.isOver, this.isClosing);
  }

  write(bytes: Buffer): void {
    this.responseWriter.write(bytes);
  }

  end(trailers: FieldBlock): void {
    this.responseWriter.end(trailers);
  }

  flush(): void {
    this.responseWriter.flush();
    if (!this.responseWriter.isEnded || this.transport.hasPending || this.transport.hasFailed) return;
    switch (this.state) {
      case 'exchange':
        return this.responseSent(this.exchange!);
      case 'reject':
        return this.close();
      case 'idle':
      case 'head':
      case 'discard':
      case 'linger':
      case 'gone':
        return;
    }
  }

  respond(response: Response): void {
    this.responseWriter.respond(response, this.head, !this.upload.isOver, this.isClosing);
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
    if (!this.upload.isOver) this.serveAhead();
  }

  reset(): void {
    this.transport.reset();
  }

  detach(): { transport: Transport; head: Buffer } {
    this.leave();
    this.transport.user = NO_USER;
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

  /** The first `length` of `bytes` came in, or were kept here before (`isOwn`). */
  private take(bytes: Buffer, length: number, isOwn: boolean): void {
    switch (this.state) {
      case 'idle':
      case 'head':
        return this.serve(bytes, length, isOwn);
      case 'exchange':
      case 'discard':
        return this.continueUpload(bytes.subarray(0, length), isOwn);
      case 'linger':
        this.sinceMs = this.context.ticker.nowMs;
        return;
      case 'reject':
        // Behind a rejection no byte is known to be a request.
        return;
      case 'gone':
        return;
    }
  }

  /** Serves what the first `length` bytes hold, request after request, as far as the turn of each has come. */
  private serve(bytes: Buffer, length: number, isOwn: boolean): void {
    const wasServing = this.isServing;
    this.isServing = true;
    let at = 0;
    while (at < length && (this.state === 'idle' || this.state === 'head')) at = this.serveNext(bytes, at, length);
    this.isServing = wasServing;
    if (at < length) this.take(bytes.subarray(at, length), length - at, isOwn);
    this.exchange?.uploadFlushed();
  }

  private serveNext(bytes: Buffer, from: number, to: number): number {
    if (this.state === 'idle') this.sinceMs = this.context.ticker.nowMs;
    const found = this.requests.read(bytes, from, to);
    if (found === 'incomplete') {
      this.state = this.requests.hasStarted ? 'head' : 'idle';
      return to;
    }
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
    this.state = 'exchange';
    this.head = head;
    this.responseWriter.reset();
    if (head.bodyLength === -1) this.upload.begin('chunked', 0);
    else this.upload.begin('length', head.bodyLength);
    this.exchange = this.context.createExchange(this, head);
    this.exchange.run();
  }

  /** More of the request that is under way, and perhaps what comes after it. */
  private continueUpload(bytes: Buffer, isOwn: boolean): void {
    if (this.upload.isOver || this.isUploadPaused) return this.keepAhead(bytes, isOwn);
    this.sinceMs = this.context.ticker.nowMs;
    const at = this.upload.read(bytes, 0, bytes.length, this);
    if (at < 0) return this.breakUpload();
    this.exchange?.uploadFlushed();
    if (at < bytes.length) this.keepAhead(bytes.subarray(at), isOwn);
    if (this.upload.isOver) this.endDiscard();
  }

  private breakUpload(): void {
    this.upload.begin('length', 0);
    this.responseWriter.isLast = true;
    // Once the response has left there is no one to tell.
    if (this.exchange === undefined) this.endDiscard();
    else this.exchange.uploadBroken(new Rejection(400, 'The chunked body is malformed').response);
  }

  private keepAhead(bytes: Buffer, isOwn: boolean): void {
    if (isOwn) this.ahead.putBack(bytes);
    else this.ahead.add(bytes);
    if (this.ahead.bytes > AHEAD_BYTES) this.transport.pause();
  }

  /** Serves what was kept, piece after piece, until the next one has to wait for its turn again. */
  private serveAhead(): void {
    if (this.isServing) return;
    this.isServing = true;
    while (this.takesAhead) {
      const piece = this.ahead.take();
      if (piece === undefined) break;
      this.take(piece, piece.length, true);
    }
    this.isServing = false;
    if (this.state !== 'gone' && !this.isUploadPaused && this.transport.isPaused && this.ahead.bytes <= AHEAD_BYTES)
      this.transport.resume();
  }

  /** The turn of what comes next has come. */
  private get takesAhead(): boolean {
    switch (this.state) {
      case 'idle':
      case 'head':
        return true;
      case 'exchange':
      case 'discard':
        return !this.upload.isOver && !this.isUploadPaused;
      case 'reject':
      case 'linger':
      case 'gone':
        return false;
    }
  }

  private get isClosing(): boolean {
    // A process lives for one that is pumped: its client is to connect anew.
    return (this.context.isDraining && !this.context.isHandingOver) || this.transport.isPumped === true;
  }

  private responseSent(exchange: ClientExchange): void {
    this.state = 'discard';
    this.exchange = undefined;
    exchange.responseSent();
    this.endDiscard();
  }

  /** When request and response are both over the next one's turn has come. */
  private endDiscard(): void {
    if (this.state !== 'discard') return;
    if (this.responseWriter.isLast) return this.close();
    if (!this.upload.isOver) return;
    this.state = 'idle';
    this.head = undefined;
    this.sinceMs = this.context.ticker.nowMs;
    if (this.ahead.bytes > 0) this.serveAhead();
  }

  private reject(rejection: Rejection): void {
    this.state = 'reject';
    this.sinceMs = this.context.ticker.nowMs;
    this.responseWriter.reset();
    const notified = { status: rejection.status, address: this.transport.peer.address, why: rejection.why };
    const { refused, rejectionResponse } = this.context.options;
    refused?.(notified);
    this.respond(rejectionResponse ? rejection.as(rejectionResponse(notified)) : rejection.response);
  }

  /** Ends the connection in order: a close over unread bytes would be a reset, and take the response with it. */
  private close(): void {
    const { sendsNoMore } = this;
    this.state = 'linger';
    this.head = undefined;
    this.ahead.clear();
    this.sinceMs = this.context.ticker.nowMs;
    this.lingersSinceMs = this.sinceMs;
    if (sendsNoMore) return this.transport.close();
    this.transport.end();
    if (this.transport.isPaused) this.transport.resume();
  }

  /**
   * The client has asked for the end, and sent nothing behind its request. A client that breaks its own word may lose the end of its
   * response, here as at other proxies; to wait for it costs each of the others two calls of the kernel and a read.
   */
  private get sendsNoMore(): boolean {
    const { head, ahead, isServing, transport } = this;
    return head?.isLast === true && ahead.bytes === 0 && !isServing && !transport.isPaused;
  }

  private gone(): void {
    try {
      this.exchange?.clientGone();
    } catch (error) {
      this.context.faulted(error);
    }
  }

  private leave(): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.context.ticker.remove(this);
    this.home.left(this);
  }

  private fault(error: unknown): void {
    if (this.exchange !== undefined) return this.exchange.fault(error);
    this.context.faulted(error);
    this.transport.destroy();
  }
}
