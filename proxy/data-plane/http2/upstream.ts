import {
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import { formatCause } from '../contract/connect-failure';
import type { UpstreamHead, UpstreamRequest } from '../contract/upstreams';
import type { FailureCause, UpstreamFailure } from '../contract/data-plane';
import type { ResponseHead, FieldBlock, Seen, UpstreamEvents, UpstreamStream } from '../contract/streams';
import { MAX_INTERIM_RESPONSES } from '../http1/message/response-reader';
import { isTrailer } from '../fields/trailers';
import { Http2Fields, addBlock, buildFieldBlock, emptyFields, isEndToEnd, statedLength } from './fields';

const { NGHTTP2_CANCEL, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

/** What a stream asks of the session that its stream is on. */
export interface StreamHome {
  /** The stream has ended, or was never there. */
  left(stream: Http2UpstreamStream): void;
  /** The stream is closed; nothing more comes of it. */
  onClose(streamId: number): void;
  /** What the upstream saw of a stream that broke before its response; `streamId` undefined: it has not left. */
  seen(streamId: number | undefined, bytesBefore: number): Seen;
  readonly bytesReceived: number;
  /** The upstream gave all of its streams up with an error. */
  readonly isBroken: boolean;
}

/**
 * `connecting`: it has no stream yet. `awaiting`: the upstream owes the head of its response. `responding`: the head has been
 * passed on. `over`: the exchange hears of nothing more.
 */
export type UpstreamStreamState = 'connecting' | 'awaiting' | 'responding' | 'over';

/** The upstream's stream of an exchange over one HTTP/2 stream. */
export class Http2UpstreamStream implements UpstreamStream {
  private state: UpstreamStreamState = 'connecting';
  /** There is one from `awaiting` on. */
  private stream: ClientHttp2Stream | undefined;
  /** What was sent before the connection was there. */
  private waiting: Buffer[] = [];
  /** Data that node:http2 told of before the head that it came with: the head is told in the next tick. */
  private readonly early: Buffer[] = [];
  /** The upload is whole. */
  private isFinished = false;
  private isPaused = false;
  private trailers: FieldBlock = '';
  private responseTrailers: FieldBlock = '';
  private bytesBefore = 0;
  private interimCount = 0;
  private readonly hasBody: boolean;
  /** The upstream itself said that the response has ended. */
  private isWhole = false;
  private error: NodeJS.ErrnoException | undefined;
  /** What came was no HTTP/2. */
  private isGarbled = false;

  private readonly head: UpstreamHead;

  constructor(
    private readonly request: Omit<UpstreamRequest, 'choice'>,
    private readonly events: UpstreamEvents,
    private readonly home: StreamHome | undefined,
  ) {
    const { head } = request;
    this.head = head;
    this.hasBody = head.bodyLength !== 0;
  }

  /** Begins the stream, with all that was sent meanwhile. */
  start(session: ClientHttp2Session, scheme: string): void {
    this.bytesBefore = this.home?.bytesReceived ?? 0;
    try {
      this.stream = session.request(this.requestFields(scheme), {
        endStream: !this.hasBody,
        waitForTrailers: this.hasBody,
      });
    } catch {
      // The exchange may not have this stream yet.
      return void setImmediate(() => this.fail('reset', 'nothing'));
    }
    this.state = 'awaiting';
    this.follow(this.stream);
    if (this.isPaused) this.stream.pause();
    for (const bytes of this.waiting.splice(0)) this.stream.write(bytes);
    if (this.isFinished) this.endStream();
  }

  /** As `start`, for a stream that had to wait for its connection. */
  startLate(session: ClientHttp2Session, scheme: string): void {
    // One that was started before it may have ended this one.
    if (this.state !== 'connecting') return;
    this.start(session, scheme);
    if (!this.isBackedUp && !this.isFinished) this.events.upstreamDrained();
  }

  /** Nothing more is heard of the upstream; the exchange is told once. */
  fail(failure: UpstreamFailure, seen: Seen, cause?: FailureCause): void {
    if (this.state === 'over') return;
    this.leave();
    this.stream?.close(NGHTTP2_CANCEL);
    this.events.upstreamFailed(failure, seen, cause);
  }

  get streamId(): number | undefined {
    return this.stream?.id;
  }

  /** What the upstream sent on this stream is malformed. */
  breakOff(code: number): void {
    this.stream?.close(code);
    // The rest has no reader, which would keep the stream open.
    this.stream?.resume();
    this.fail('malformed', 'maybe');
  }

  /** The upstream owes the head of its response. */
  get isWaiting(): boolean {
    return this.state === 'connecting' || this.state === 'awaiting';
  }

  send(bytes: Buffer): void {
    if (this.state === 'over' || this.isFinished) return;
    // Borrowed, and node:http2 may keep them until the upstream's window opens.
    const kept = Buffer.from(bytes);
    if (this.stream) this.stream.write(kept);
    else this.waiting.push(kept);
  }

  finish(trailers: FieldBlock): void {
    if (this.state === 'over' || this.isFinished) return;
    this.isFinished = true;
    this.trailers = trailers;
    if (this.stream) this.endStream();
  }

  /** node:http2 sends what one turn of the event loop wrote together. */
  flush(): void {
    return;
  }

  get isBackedUp(): boolean {
    if (this.state === 'over') return false;
    return this.stream?.writableNeedDrain ?? true;
  }

  pauseResponse(): void {
    this.isPaused = true;
    if (this.state !== 'over') this.stream?.pause();
  }

  resumeResponse(): void {
    this.isPaused = false;
    this.stream?.resume();
  }

  destroy(): void {
    if (this.state === 'over') return;
    this.leave();
    this.stream?.close(NGHTTP2_CANCEL);
    // A paused stream would keep what it has, and never be over.
    this.stream?.resume();
  }

  detach(): undefined {
    return undefined;
  }

  private requestFields(scheme: string): Http2Fields {
    const fields = addBlock(emptyFields(), this.request.fields);
    const { host, ...others } = fields;
    const request: Http2Fields = Object.assign(emptyFields(), {
      ':method': this.head.method,
      ':scheme': scheme,
      ':authority': String(host ?? this.head.field('host') ?? ''),
      ':path': this.request.url,
    });
    Object.assign(request, others);
    if (this.head.bodyLength > 0) request['content-length'] = String(this.head.bodyLength);
    if (this.head.takesTrailers) request.te = 'trailers';
    return request;
  }

  private follow(stream: ClientHttp2Stream): void {
    watchEnd(stream, () => (this.isWhole = true));
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.isGarbled ||= error.code === 'ERR_HTTP2_ERROR';
      this.error ??= error;
    });
    stream.on('wantTrailers', () => this.sendTrailers(stream));
    stream.on('headers', (fields, _flags, raw: string[] | undefined) => {
      this.interimCount += 1;
      if (this.interimCount > MAX_INTERIM_RESPONSES) this.breakOff(NGHTTP2_PROTOCOL_ERROR);
      else this.inform(fields, raw);
    });
    stream.on('response', (fields, flags, raw: string[] | undefined) => this.begin(fields, flags, raw));
    stream.on('trailers', (_fields, _flags, raw: string[] | undefined) => {
      this.responseTrailers = buildFieldBlock(raw ?? [], isTrailer);
    });
    stream.on('drain', () => (this.state === 'over' || this.isFinished ? undefined : this.events.upstreamDrained()));
    stream.on('data', (bytes: Buffer) => this.receive(bytes));
    stream.once('end', () => this.responseEnded(stream));
    stream.once('close', () => this.closed(stream));
  }

  private inform(fields: IncomingHttpHeaders & IncomingHttpStatusHeader, raw: readonly string[] | undefined): void {
    const status = Number(fields[':status']);
    if (!this.isWaiting || !(status >= 100 && status < 200)) return;
    this.events.informed({ status, httpVersion: '2', fields: buildFieldBlock(raw ?? [], isEndToEnd) });
  }

  private begin(
    fields: IncomingHttpHeaders & IncomingHttpStatusHeader,
    flags: number,
    raw: readonly string[] | undefined,
  ): void {
    if (!this.isWaiting) return;
    const head = this.responseHead(fields, raw ?? [], (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    if (!head) {
      this.stream?.close(NGHTTP2_PROTOCOL_ERROR);
      return this.fail('malformed', 'maybe');
    }
    this.state = 'responding';
    this.events.responseStarted(head);
    this.flushResponse();
    for (const bytes of this.early.splice(0)) this.receive(bytes);
  }

  private responseHead(
    fields: IncomingHttpHeaders & IncomingHttpStatusHeader,
    raw: readonly string[],
    isEnd: boolean,
  ): ResponseHead | undefined {
    const status = Number(fields[':status']);
    const stated = statedLength(fields['content-length']);
    if (!(status >= 200 && status <= 999) || stated === 'malformed') return undefined;
    const isBodiless = isEnd || this.head.method === 'HEAD' || status === 204 || status === 304;
    const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = fields;
    return {
      status,
      httpVersion: '2',
      reason: '',
      fields: buildFieldBlock(raw, isEndToEnd),
      // A length of 0 may still be followed by trailers: the end is told by the stream.
      bodyLength: isBodiless ? 0 : stated === undefined || stated === 0 ? -1 : stated,
      statedLength: status === 204 ? undefined : stated,
      lacksDate: fields.date === undefined,
      isEventStream: /^text\/event-stream\s*(;|$)/i.test(type),
      isEncoded: encoding.toLowerCase() !== 'identity',
    };
  }

  private receive(bytes: Buffer): void {
    switch (this.state) {
      case 'connecting':
      case 'awaiting':
        return void this.early.push(bytes);
      case 'responding':
        this.events.responseReceived(bytes);
        return this.flushResponse();
      case 'over':
        return;
    }
  }

  /** The exchange may have ended in the call before. */
  private flushResponse(): void {
    if (this.state === 'responding') this.events.responseFlushed();
  }

  private responseEnded(stream: ClientHttp2Stream): void {
    // A reset is no end of a response, whatever node:http2 makes of it; its 'close' tells.
    if (this.state !== 'responding' || !this.isWhole) return;
    this.leave();
    this.events.responseEnded(this.responseTrailers);
    this.events.responseFlushed();
    // RFC 9113 section 8.1: with the whole response here, the rest of the request has no reader.
    if (!stream.closed && !this.isFinished && this.hasBody) stream.close(NGHTTP2_CANCEL);
  }

  private closed(stream: ClientHttp2Stream): void {
    if (stream.id !== undefined) this.home?.onClose(stream.id);
    if (this.state === 'over') return;
    const cause = formatCause(this.error) ?? { why: `the stream was closed with code ${stream.rstCode}` };
    if (stream.rstCode === NGHTTP2_REFUSED_STREAM && !this.home?.isBroken) return this.fail('reset', 'nothing', cause);
    const seen = this.state === 'responding' ? 'maybe' : (this.home?.seen(stream.id, this.bytesBefore) ?? 'nothing');
    const isMalformed = this.isGarbled || stream.rstCode === NGHTTP2_PROTOCOL_ERROR;
    this.fail(isMalformed ? 'malformed' : 'reset', seen, cause);
  }

  private endStream(): void {
    if (this.hasBody) this.stream?.end();
  }

  private sendTrailers(stream: ClientHttp2Stream): void {
    if (stream.closed || stream.destroyed) return;
    try {
      stream.sendTrailers(addBlock(emptyFields(), this.trailers));
    } catch {
      stream.close(NGHTTP2_CANCEL);
    }
  }

  private leave(): void {
    this.state = 'over';
    this.waiting = [];
    this.home?.left(this);
  }
}

/**
 * Tells the end that an upstream said from the one that node:http2 makes of a reset without an error: it ends the readable
 * side for both, but for a reset only when the stream is closed.
 */
function watchEnd(stream: ClientHttp2Stream, ended: () => void): void {
  const push = stream.push.bind(stream);
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null && !stream.closed) ended();
    return push(chunk, encoding);
  };
}
