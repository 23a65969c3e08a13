import type { UpstreamHead, UpstreamRequest } from '../contract/upstreams';
import type { PlaneContext } from '../shared/context';
import { formatCause } from '../contract/connect-failure';
import type { FailureCause, UpstreamFailure } from '../contract/data-plane';
import type { Deviation } from '../contract/deviations';
import type { PackedUpstream } from '../contract/handover';
import type { ResponseHead, FieldBlock, Seen, UpstreamEvents, UpstreamStream } from '../contract/streams';
import { upgradeLines } from '../exchange/upgrade';
import { NO_USER, Transport, TransportUser } from '../contract/transport';
import type { Http1ResponseHead } from './message/response-head';
import { ResponseReader, ResponseSink } from './message/response-reader';
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

/**
 * `opening`: not connected yet, with or without the request that it is made for. `exchange`: a request is on it. `idle`: it is
 * kept for the next one. `gone`: closed, given up or given away.
 */
export type UpstreamState = 'opening' | 'exchange' | 'idle' | 'gone';

/** The body of the request that is on it: how it is framed, and that no more of it is sent. */
export type UploadFraming = 'length' | 'chunked' | 'over';

/** The response of the request that is on it. */
export type ResponseState = 'awaited' | 'begun' | 'whole';

/** One connection to an upstream, and the request that is on it. */
export class Http1Upstream implements UpstreamStream, TransportUser, ResponseSink {
  /** When it became idle, at the earliest; of `performance.now()`. */
  idleSinceMs = 0;
  /** How long the upstream said that it keeps an idle connection. */
  keptMs: number | undefined;
  /** Where it is connected to; undefined before. */
  address: string | undefined;
  /** From then on it serves no further request; of the ticker's clock. */
  expiresMs = Infinity;
  /** Gives up an attempt to connect. */
  cancelConnecting: (() => void) | undefined;
  /** A client has logged in on it, or was asked to: it is never shared. */
  isBound = false;
  /** Whose it is then. */
  owner: object | undefined;
  private state: UpstreamState = 'opening';
  private transport: Transport | undefined;
  /** Who hears of the request; there is one in `exchange`, and in `opening` from `begin` on. */
  private events: UpstreamEvents | undefined;
  /** It served another request before this one. */
  private isReused = false;
  /** Written, and not yet given to the transport. */
  private out = '';
  /** Something of the request has left. */
  private hasSent = false;
  private upload: UploadFraming = 'over';
  private responseState: ResponseState = 'awaited';
  private readonly response: ResponseReader;
  /** What came behind a 101. */
  private detached = NO_BYTES;

  constructor(
    private readonly context: PlaneContext,
    private readonly keeper: Keeper,
  ) {
    this.response = new ResponseReader(context.limits, this);
  }

  /** Puts a request on it. The connection may still be opening. */
  begin({ head, url, fields }: UpstreamRequest, events: UpstreamEvents): void {
    if (this.state === 'idle') this.state = 'exchange';
    this.events = events;
    this.isReused = this.state === 'exchange';
    this.hasSent = false;
    this.responseState = 'awaited';
    this.upload = head.bodyLength === 0 ? 'over' : head.bodyLength === -1 ? 'chunked' : 'length';
    this.response.begin(head.method);
    if (isBoundLogin(head.field('authorization'))) this.bind(events);
    this.out = `${head.method} ${url} HTTP/1.1\r\n${fields}${connectionLines(head)}\r\n`;
  }

  /** The connection is open; `isReused` when it served another request before. */
  opened(transport: Transport, isReused: boolean): void {
    this.cancelConnecting = undefined;
    // Its request was given up meanwhile.
    if (this.state === 'gone') return transport.destroy();
    this.state = 'exchange';
    this.isReused = isReused;
    this.transport = transport;
    transport.user = this;
    this.flush();
    if (!transport.isBackedUp) this.events?.upstreamDrained();
  }

  /** It is not, and will not be. */
  connectFailed(failure: UpstreamFailure, cause?: FailureCause): void {
    this.cancelConnecting = undefined;
    this.fail(failure, 'nothing', cause);
  }

  send(bytes: Buffer): void {
    if (this.upload === 'over' || this.state === 'gone') return;
    const isChunked = this.upload === 'chunked';
    const before = isChunked ? this.out + chunkHead(bytes.length) : this.out;
    const after = isChunked ? '\r\n' : '';
    if (bytes.length <= TEXT_BYTES || this.transport === undefined) {
      this.out = before + bytes.toString('latin1', 0, bytes.length) + after;
      return;
    }
    this.out = after;
    this.transport.writeBytes(bytes, before);
    if (!this.transport.hasFailed) this.hasSent = true;
  }

  finish(trailers: FieldBlock): void {
    if (this.upload === 'chunked') this.out += `${LAST_CHUNK}${trailers}\r\n`;
    this.upload = 'over';
  }

  flush(): void {
    const { out, transport } = this;
    if (out === '' || transport === undefined) return;
    this.out = '';
    transport.write(out);
    // What a dead connection refused at once has gone nowhere.
    if (!transport.hasFailed) this.hasSent = true;
  }

  get isBackedUp(): boolean {
    return this.transport === undefined || this.transport.isBackedUp;
  }

  pauseResponse(): void {
    this.transport?.pause();
  }

  resumeResponse(): void {
    this.transport?.resume();
  }

  destroy(): void {
    this.events = undefined;
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.out = '';
    this.cancelConnecting?.();
    this.transport?.destroy();
    this.keeper.lost(this);
  }

  detach(): { transport: Transport; head: Buffer } | undefined {
    const { transport } = this;
    if (transport === undefined || this.state === 'gone') return undefined;
    this.events = undefined;
    this.state = 'gone';
    transport.user = NO_USER;
    this.keeper.lost(this);
    return { transport, head: this.detached };
  }

  /** Its connection, where all of a request has left and the body of its response is coming. */
  get responding(): Transport | undefined {
    if (this.state !== 'exchange' || this.upload !== 'over' || this.out !== '') return undefined;
    return this.response.head === undefined || this.response.isOver ? undefined : this.transport;
  }

  /** Takes it out of this process; it must be `responding`, and is of no use afterwards. */
  pack(): PackedUpstream {
    const { keptMs, address, isBound, transport } = this;
    const expiresInMs = this.expiresMs === Infinity ? undefined : this.expiresMs - this.context.ticker.nowMs;
    const response = this.response.pack()!;
    this.events = undefined;
    this.state = 'gone';
    transport!.user = NO_USER;
    this.keeper.lost(this);
    return { response, keptMs, address, isBound, expiresInMs };
  }

  /** Goes on where another one was. */
  unpack(packed: PackedUpstream, transport: Transport, events: UpstreamEvents): void {
    const { response, keptMs, address, isBound, expiresInMs } = packed;
    this.state = 'exchange';
    this.events = events;
    this.hasSent = true;
    this.responseState = 'begun';
    this.response.unpack(response);
    this.keptMs = keptMs;
    this.address = address;
    if (expiresInMs !== undefined) this.expiresMs = this.context.ticker.nowMs + expiresInMs;
    if (isBound) this.bind(events);
    this.transport = transport;
    transport.user = this;
  }

  onData(bytes: Buffer, length: number): void {
    try {
      switch (this.state) {
        case 'exchange':
          return this.read(bytes, length, this.events!);
        case 'idle':
          // Bytes that were not asked for: their sender could respond to the next request with them.
          return this.destroy();
        case 'opening':
        case 'gone':
          return;
      }
    } catch (error) {
      this.context.faulted(error);
      this.fail('reset', 'maybe');
    }
  }

  /** Leaves an open connection to another one. */
  giveTransport(): Transport {
    this.state = 'gone';
    return this.transport!;
  }

  onDrain(): void {
    this.withLock(() => this.events?.upstreamDrained());
  }

  /** It may have responded before it took no more; what the client still sends goes nowhere. */
  onError(): void {
    this.withLock(() => this.events?.upstreamDrained());
  }

  onEnd(): void {
    this.withLock(() => this.end());
  }

  onClose(error: Error | undefined): void {
    this.withLock(() => this.fail('reset', this.seen, formatCause(error) ?? this.endCause));
  }

  private end(): void {
    if (!this.response.close()) return this.fail('reset', this.seen, this.endCause);
    const { events } = this;
    if (this.responseState !== 'whole') events?.responseEnded('');
    this.destroy();
    events?.responseFlushed();
  }

  /** What goes wrong here costs this connection, and no other anything. */
  private withLock(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.context.faulted(error);
      this.destroy();
    }
  }

  interim(head: ResponseHead): void {
    this.events?.informed(head);
  }

  deviates(what: Deviation): void {
    this.events?.deviated(what);
  }

  headRead(head: Http1ResponseHead): void {
    this.keptMs = head.keptMs ?? this.keptMs;
    if (head.bindsLogin && this.events !== undefined) this.bind(this.events);
    if (head.status === 101) return;
    this.events?.responseStarted(head);
    if (this.response.isOver) this.bodyEnded('');
  }

  bodyReceived(bytes: Buffer): void {
    this.events?.responseReceived(bytes);
  }

  bodyEnded(trailers: FieldBlock): void {
    this.responseState = 'whole';
    this.events?.responseEnded(trailers);
  }

  private get seen(): Seen {
    if (!this.hasSent) return 'nothing';
    return this.isReused && this.responseState === 'awaited' ? 'unlikely' : 'maybe';
  }

  private read(bytes: Buffer, length: number, events: UpstreamEvents): void {
    this.responseState = 'begun';
    const to = this.response.read(bytes, length);
    // An event may have ended the exchange.
    if (this.state !== 'exchange') return;
    if (to < 0) return this.fail('malformed', 'maybe', { why: this.response.problem });
    if (!this.response.isOver) return events.responseFlushed();
    if (this.response.head!.status === 101) {
      this.detached = Buffer.from(bytes.subarray(to, length));
      return events.switched(this.response.head!);
    }
    this.endExchange(events, to === length);
  }

  /** The response is whole. The connection is free before the client hears of it, since it may ask again at once. */
  private endExchange(events: UpstreamEvents, isAtEnd: boolean): void {
    const { transport } = this;
    const isSent = this.upload === 'over' && this.out === '' && transport?.isBackedUp === false;
    const isReusable = isAtEnd && isSent && this.response.keepsAlive;
    this.events = undefined;
    if (transport?.isPaused) transport.resume();
    if (isReusable) this.release();
    else this.destroy();
    events.responseFlushed();
  }

  private release(): void {
    this.state = 'idle';
    this.keeper.release(this);
  }

  private bind({ owner }: UpstreamEvents): void {
    this.isBound = true;
    this.owner = owner;
  }

  private get endCause(): FailureCause {
    const when = this.responseState === 'awaited' ? 'before its response' : 'before its response was whole';
    return { why: `it closed the connection ${when}` };
  }

  private fail(failure: UpstreamFailure, seen: Seen, cause?: FailureCause): void {
    const { events, address } = this;
    this.destroy();
    events?.upstreamFailed(failure, seen, cause && { ...cause, ...(address !== undefined && { address }) });
  }
}

/** The lines of this hop: how the body ends, and what is asked of the connection. */
function connectionLines(head: UpstreamHead): string {
  let lines = '';
  if (head.bodyLength === -1) lines = 'Transfer-Encoding: chunked\r\n';
  else if (head.bodyLength > 0 || head.field('content-length') !== undefined)
    lines = `Content-Length: ${head.bodyLength}\r\n`;
  if (head.upgrade !== undefined) return lines + upgradeLines(head.upgrade);
  return head.takesTrailers ? `${lines}TE: trailers\r\nConnection: TE\r\n` : lines;
}
