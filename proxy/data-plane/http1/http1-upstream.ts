import type { PlaneContext, UpstreamRequest } from '../shared/context';
import { causeOf } from '../contract/connect-failure';
import type { FailureCause, UpstreamFailure } from '../contract/data-plane';
import type { Deviation } from '../contract/deviations';
import type { AnswerHead, EngineHead, FieldBlock, Seen, UpstreamEvents, UpstreamHalf } from '../contract/streams';
import { upgradeLines } from '../exchange/upgrade';
import { NOBODY, Wire, WireUser } from '../contract/transport';
import type { Http1AnswerHead } from './message/response-head';
import { AnswerReader, AnswerSink } from './message/response-reader';
import { isBoundLogin } from './message/bound-logins';
import { LAST_CHUNK, chunkHead } from './message/chunked';

/** Who keeps connections between requests. */
export interface Keeper {
  /** It has ended an exchange in order, and takes another. */
  release(connection: Http1Upstream): void;
  /** It is of no use any more. Called once. */
  lost(connection: Http1Upstream): void;
}

/** Up to this a piece of a body travels as text with what is before and behind it: one write instead of two. */
export const TEXT_BYTES = 8_192;
const NO_BYTES = Buffer.alloc(0);

/** One connection to an upstream, and the request that is on it. */
export class Http1Upstream implements UpstreamHalf, WireUser, AnswerSink {
  /** When it became idle; of the ticker's clock. */
  idleSinceMs = 0;
  /** How long the upstream said that it keeps an idle connection. */
  keptMs: number | undefined;
  /** Where it is connected to; undefined before. */
  address: string | undefined;
  /** From then on it serves no further request; of the ticker's clock. */
  expiresMs = Infinity;
  /** Gives up an attempt to connect. */
  cancelConnecting: (() => void) | undefined;
  /** Somebody has logged in on it, or was asked to: it is never shared. */
  isBound = false;
  /** Whose it is then. */
  owner: object | undefined;
  private wire: Wire | undefined;
  /** Undefined between exchanges. */
  private events: UpstreamEvents | undefined;
  private isReused = false;
  /** Written, and not yet given to the wire. */
  private out = '';
  private hasSent = false;
  private hasReceived = false;
  private isChunkedUpload = false;
  private isUploadOver = true;
  private readonly answer: AnswerReader;
  private isAnswerOver = false;
  /** What came behind a 101. */
  private detached = NO_BYTES;
  private isLost = false;

  constructor(
    private readonly context: PlaneContext,
    private readonly keeper: Keeper,
  ) {
    this.answer = new AnswerReader(context.limits, this);
  }

  /** Puts a request on it. The connection may still be opening. */
  begin({ head, url, fields }: UpstreamRequest, events: UpstreamEvents): void {
    this.events = events;
    this.isReused = this.wire !== undefined;
    this.hasSent = false;
    this.hasReceived = false;
    this.isChunkedUpload = head.bodyLength === -1;
    this.isUploadOver = head.bodyLength === 0;
    this.isAnswerOver = false;
    this.answer.begin(head.method);
    if (isBoundLogin(head.field('authorization'))) this.bind(events);
    this.out = `${head.method} ${url} HTTP/1.1\r\n${fields}${connectionLines(head)}\r\n`;
  }

  /** The connection is open; `isReused` when it served another request before. */
  opened(wire: Wire, isReused: boolean): void {
    this.cancelConnecting = undefined;
    this.isReused = isReused;
    this.wire = wire;
    wire.user = this;
    if (this.events === undefined) return this.lose();
    this.flush();
    if (!wire.isBackedUp) this.events?.upstreamDrained();
  }

  /** It is not, and will not be. */
  connectFailed(failure: UpstreamFailure, cause?: FailureCause): void {
    this.cancelConnecting = undefined;
    this.fail(failure, 'nothing', cause);
  }

  send(bytes: Buffer): void {
    if (this.isUploadOver || this.isLost) return;
    const before = this.isChunkedUpload ? this.out + chunkHead(bytes.length) : this.out;
    const after = this.isChunkedUpload ? '\r\n' : '';
    if (bytes.length <= TEXT_BYTES || this.wire === undefined) {
      this.out = before + bytes.toString('latin1', 0, bytes.length) + after;
      return;
    }
    this.out = after;
    this.wire.writeBytes(bytes, before);
    if (!this.wire.hasFailed) this.hasSent = true;
  }

  finish(trailers: FieldBlock): void {
    if (this.isUploadOver) return;
    if (this.isChunkedUpload) this.out += `${LAST_CHUNK}${trailers}\r\n`;
    this.isUploadOver = true;
  }

  flush(): void {
    const { out, wire } = this;
    if (out === '' || wire === undefined) return;
    this.out = '';
    wire.write(out);
    // What a dead connection refused at once has gone nowhere.
    if (!wire.hasFailed) this.hasSent = true;
  }

  get isBackedUp(): boolean {
    return this.wire === undefined || this.wire.isBackedUp;
  }

  pauseAnswer(): void {
    this.wire?.pause();
  }

  resumeAnswer(): void {
    this.wire?.resume();
  }

  abandon(): void {
    this.events = undefined;
    this.lose();
  }

  detach(): { wire: Wire; head: Buffer } | undefined {
    const { wire } = this;
    if (wire === undefined || this.isLost) return undefined;
    this.events = undefined;
    this.isLost = true;
    wire.user = NOBODY;
    this.keeper.lost(this);
    return { wire, head: this.detached };
  }

  received(bytes: Buffer, length: number): void {
    try {
      // Bytes that nobody asked for: whoever sends them could answer the next request with them.
      if (this.events === undefined) this.lose();
      else this.read(bytes, length, this.events);
    } catch (error) {
      this.context.faulted(error);
      this.fail('reset', 'maybe');
    }
  }

  /** Leaves an open connection to another one. */
  giveWire(): Wire {
    this.isLost = true;
    return this.wire!;
  }

  drained(): void {
    this.guarded(() => this.events?.upstreamDrained());
  }

  /** It may have answered before it took no more; what the client still sends goes nowhere. */
  failed(): void {
    this.guarded(() => this.events?.upstreamDrained());
  }

  ended(): void {
    this.guarded(() => this.end());
  }

  closed(error: Error | undefined): void {
    this.guarded(() => this.fail('reset', this.seen, causeOf(error) ?? this.endCause));
  }

  private end(): void {
    if (!this.answer.close()) return this.fail('reset', this.seen, this.endCause);
    const { events } = this;
    if (!this.isAnswerOver) events?.answerEnded('');
    this.events = undefined;
    events?.answerFlushed();
    this.lose();
  }

  /** What goes wrong here costs this connection, and nobody else anything. */
  private guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.context.faulted(error);
      this.lose();
    }
  }

  interim(head: AnswerHead): void {
    this.events?.informed(head);
  }

  deviates(what: Deviation): void {
    this.events?.deviated(what);
  }

  headRead(head: Http1AnswerHead): void {
    this.keptMs = head.keptMs ?? this.keptMs;
    if (head.bindsLogin && this.events !== undefined) this.bind(this.events);
    if (head.status === 101) return;
    this.events?.answerBegan(head);
    if (this.answer.isOver) this.bodyEnded('');
  }

  bodyReceived(bytes: Buffer): void {
    this.events?.answerReceived(bytes);
  }

  bodyEnded(trailers: FieldBlock): void {
    this.isAnswerOver = true;
    this.events?.answerEnded(trailers);
  }

  private get seen(): Seen {
    if (!this.hasSent) return 'nothing';
    return this.isReused && !this.hasReceived ? 'unlikely' : 'maybe';
  }

  private read(bytes: Buffer, length: number, events: UpstreamEvents): void {
    this.hasReceived = true;
    const to = this.answer.read(bytes, length);
    // An event may have ended the exchange.
    if (this.events === undefined) return;
    if (to < 0) return this.fail('malformed', 'maybe', { why: this.answer.problem });
    if (!this.answer.isOver) return events.answerFlushed();
    if (this.answer.head!.status === 101) {
      this.detached = Buffer.from(bytes.subarray(to, length));
      return events.switched(this.answer.head!);
    }
    this.endExchange(events, to === length);
  }

  /** The answer is whole. The connection is free before the client hears of it, since it may ask again at once. */
  private endExchange(events: UpstreamEvents, isAtEnd: boolean): void {
    const { wire } = this;
    const isSent = this.isUploadOver && this.out === '' && wire?.isBackedUp === false;
    const isReusable = isAtEnd && isSent && this.answer.keepsAlive;
    this.events = undefined;
    if (wire?.isPaused) wire.resume();
    if (isReusable) this.keeper.release(this);
    else this.lose();
    events.answerFlushed();
  }

  private bind({ owner }: UpstreamEvents): void {
    this.isBound = true;
    this.owner = owner;
  }

  private get endCause(): FailureCause {
    const when = this.hasReceived ? 'before its response was whole' : 'before its response';
    return { why: `it closed the connection ${when}` };
  }

  private fail(failure: UpstreamFailure, seen: Seen, cause?: FailureCause): void {
    const { events, address } = this;
    this.events = undefined;
    this.lose();
    events?.upstreamFailed(failure, seen, cause && { ...cause, ...(address !== undefined && { address }) });
  }

  private lose(): void {
    if (this.isLost) return;
    this.isLost = true;
    this.out = '';
    this.cancelConnecting?.();
    this.wire?.destroy();
    this.keeper.lost(this);
  }
}

/** The lines of this hop: how the body ends, and what is asked of the connection. */
function connectionLines(head: EngineHead): string {
  let lines = '';
  if (head.bodyLength === -1) lines = 'Transfer-Encoding: chunked\r\n';
  else if (head.bodyLength > 0 || head.field('content-length') !== undefined)
    lines = `Content-Length: ${head.bodyLength}\r\n`;
  if (head.upgrade !== undefined) return lines + upgradeLines(head.upgrade);
  return head.takesTrailers ? `${lines}TE: trailers\r\nConnection: TE\r\n` : lines;
}
