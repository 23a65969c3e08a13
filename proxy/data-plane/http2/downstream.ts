import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Response } from '../contract/data-plane';
import type { ResponseHead, ClientEvents, DownstreamStream, FieldBlock } from '../contract/streams';
import { isRejectedTrailer, isTrailer } from '../fields/trailers';
import { Http2Fields, addBlock, buildFieldBlock, emptyFields } from './fields';
import { grpcResponse, grpcEnd } from '../streams/grpc';
import type { Http2Head } from './request-head';

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_CANCEL } = constants;

/** What ends a response whose end is not yet known when it begins. */
const NO_TRAILERS: Http2Fields = emptyFields();

/**
 * Of the response. `begun`: its head is said. `ended`: the exchange has given all of it, and hears that it was sent.
 * `unsent`: the exchange has given it, but the client had closed the stream before its head; the exchange hears that its
 * client is gone. `reset`: the exchange gave up, and hears of nothing more. `gone`: the stream is closed.
 */
export type DownstreamState = 'awaited' | 'begun' | 'ended' | 'unsent' | 'reset' | 'gone';

/** The client's stream of an exchange over one HTTP/2 stream. */
export class Http2Client implements DownstreamStream {
  private events: ClientEvents | undefined;
  /** What comes after the last byte. */
  private trailers = NO_TRAILERS;
  private state: DownstreamState = 'awaited';
  private isUploadOver: boolean;
  private uploadTrailers: FieldBlock = '';
  /** Runs from our close of the stream until the client has it. */
  private stall: NodeJS.Timeout | undefined;

  /**
   * `stream` has a listener of its errors; what ends it early is told by its 'close', too. `stallMs`: how long a client may
   * leave the end of its response unread. `stuck` is called when its connection takes nothing for so long.
   */
  constructor(
    private readonly stream: ServerHttp2Stream,
    private readonly head: Http2Head,
    private readonly stallMs: number,
    private readonly stuck: () => void,
  ) {
    this.isUploadOver = stream.endAfterHeaders;
    stream.on('wantTrailers', () => this.sendTrailers());
    stream.once('close', () => this.gone());
  }

  /** From here on the exchange hears of its client. */
  listen(events: ClientEvents): void {
    this.events = events;
    const { stream } = this;
    stream.on('drain', () => (this.isGiving ? events.clientDrained() : undefined));
    if (this.isUploadOver) return;
    stream.on('trailers', (_fields, _flags, raw: string[] | undefined) => this.takeTrailers(raw ?? []));
    stream.on('data', (bytes: Buffer) => this.uploadReceived(bytes));
    stream.once('end', () => this.uploadEnded());
  }

  inform(status: number, fields: FieldBlock): void {
    if (this.state !== 'awaited' || !this.isOpen) return;
    const informed: Http2Fields = emptyFields();
    // A 100 has nothing to say but itself.
    if (status !== 100) addBlock(informed, fields);
    this.say(() => this.stream.additionalHeaders({ ...informed, ':status': status }));
  }

  begin(head: ResponseHead): void {
    const fields = addBlock(emptyFields(), head.fields);
    if (head.statedLength !== undefined) fields['content-length'] = String(head.statedLength);
    // RFC 9110 section 15: a client takes what is no status for a 5xx, and node:http2 cannot say it.
    this.sendHead(head.status > 599 ? 500 : head.status, fields, head.bodyLength === 0);
  }

  write(bytes: Buffer): void {
    if (!this.isOpen) return;
    // Borrowed, and node:http2 may keep them until the client's window opens.
    this.stream.write(Buffer.from(bytes));
  }

  end(trailers: FieldBlock): void {
    this.whole();
    if (trailers !== '') this.trailers = addBlock(emptyFields(), trailers);
    this.finish();
  }

  /** node:http2 sends what one turn of the event loop wrote together. */
  flush(): void {
    return;
  }

  respond(response: Response): void {
    if (this.head.isGrpc) return this.endAsGrpc(grpcResponse(response));
    const body = Buffer.from(response.body ?? '');
    const fields = emptyFields();
    for (const [name, value] of Object.entries(response.headers ?? {})) fields[name.toLowerCase()] = value;
    delete fields.connection;
    if (body.length > 0) fields['content-type'] ??= 'text/plain; charset=utf-8';
    if (!isBodiless(response.status)) fields['content-length'] = String(body.length);
    const hasBody = body.length > 0 && !isBodiless(response.status) && this.head.method !== 'HEAD';
    this.sendHead(response.status, fields, !hasBody);
    this.whole();
    if (hasBody && this.isOpen) this.stream.write(body);
    this.finish();
  }

  /**
   * Ends a call with a status, which its client can act on, in place of a reset. Between two messages only, if the
   * response has begun. The exchange has ended for this stream, as after `end`.
   */
  endGrpc(status: number, message: string): void {
    if (this.state === 'awaited')
      return this.endAsGrpc({ 'content-type': 'application/grpc', ...grpcEnd(status, message) });
    this.whole();
    this.trailers = Object.assign(emptyFields(), grpcEnd(status, message));
    this.finish();
  }

  get isBackedUp(): boolean {
    // Once the response is whole, any rest of it is the client's to take.
    return this.isOpen && (this.stream.writableNeedDrain || (!this.isGiving && this.stream.writableLength > 0));
  }

  get pendingBytes(): number {
    return this.stream.writableLength;
  }

  pauseUpload(): void {
    // An upload that has ended must be read to its end, or the stream never closes.
    if (!this.isUploadOver && this.isGiving) this.stream.pause();
  }

  /** A client that leaves says so beside its paused stream. */
  holdUpload(): void {
    this.pauseUpload();
  }

  resumeUpload(): void {
    if (!this.isUploadOver) this.stream.resume();
  }

  reset(): void {
    this.state = 'reset';
    this.close(NGHTTP2_INTERNAL_ERROR);
  }

  /** What the client sent on this stream is malformed. The exchange hears that its client is gone. */
  breakOff(code: number): void {
    this.isUploadOver = true;
    // The rest has no reader, which would keep the stream open.
    this.stream.resume();
    this.close(code);
  }

  detach(): undefined {
    return undefined;
  }

  /** The exchange has not given the whole response yet. */
  private get isGiving(): boolean {
    switch (this.state) {
      case 'awaited':
      case 'begun':
        return true;
      case 'ended':
      case 'unsent':
      case 'reset':
      case 'gone':
        return false;
    }
  }

  /** The exchange has given all of the response. */
  private whole(): void {
    if (this.isGiving) this.state = this.state === 'begun' ? 'ended' : 'unsent';
  }

  private get isOpen(): boolean {
    return !this.stream.closed && !this.stream.destroyed;
  }

  private sendHead(status: number, fields: Http2Fields, endStream: boolean): void {
    if (!this.isOpen || this.state !== 'awaited') return;
    this.state = 'begun';
    this.say(() => this.stream.respond({ ...fields, ':status': status }, { endStream, waitForTrailers: !endStream }));
  }

  /** Without a body: the head says it all. */
  private endAsGrpc(fields: Record<string, string>): void {
    this.sendHead(200, Object.assign(emptyFields(), fields), true);
    this.whole();
    this.finish();
  }

  /** What node:http2 cannot say the client is told by a reset, and the exchange by its end. */
  private say(speak: () => void): void {
    try {
      speak();
    } catch {
      this.close(NGHTTP2_INTERNAL_ERROR);
    }
  }

  /** Closes the stream. It ends when the client gets the notice, and on a connection that accepts nothing it never does. */
  private close(code: number): void {
    const { stream } = this;
    stream.close(code);
    if (this.stall !== undefined || stream.destroyed) return;
    this.stall = setTimeout(this.stuck, this.stallMs).unref();
    stream.once('close', () => clearTimeout(this.stall));
  }

  private finish(): void {
    const { stream } = this;
    if (!this.isOpen) return;
    // The paused rest of an upload would keep the stream open.
    if (!this.isUploadOver) stream.resume();
    // Also without a body: where the connection takes nothing, no end of a response leaves.
    stream.setTimeout(this.stallMs, () => this.close(NGHTTP2_CANCEL));
    if (stream.writableEnded) return this.endUpload();
    stream.end();
  }

  /** A response that began with a body ends with a field section of its own, an empty one is an empty frame. */
  private sendTrailers(): void {
    if (!this.isOpen) return;
    this.say(() => this.stream.sendTrailers(onlyTrailers(this.trailers)));
    this.endUpload();
  }

  /** RFC 9113 section 8.1: a client whose whole response is there may stop sending, and is told so without an error. */
  private endUpload(): void {
    if (this.isUploadOver) return;
    // What was written last is to go out first.
    setImmediate(() => {
      if (!this.stream.readableEnded && this.isOpen) this.close(NGHTTP2_NO_ERROR);
    });
  }

  /** `raw`: names and values in turn. */
  private takeTrailers(raw: readonly string[]): void {
    const forbidden = raw.find((name, index) => index % 2 === 0 && isRejectedTrailer(name));
    if (forbidden === undefined) this.uploadTrailers = buildFieldBlock(raw, isTrailer);
    else if (this.isGiving) {
      this.isUploadOver = true;
      this.events?.uploadBroken({ status: 400, body: `'${forbidden}' may not be a trailer\n` });
    }
  }

  private uploadReceived(bytes: Buffer): void {
    if (!this.isGiving || this.isUploadOver) return;
    this.events?.uploadReceived(bytes);
    this.events?.uploadFlushed();
  }

  private uploadEnded(): void {
    if (this.isUploadOver) return;
    this.isUploadOver = true;
    // A reset is no end of a body, whatever node:http2 makes of it.
    if (!this.isGiving || this.stream.rstCode !== NGHTTP2_NO_ERROR || this.stream.aborted) return;
    this.events?.uploadEnded(this.uploadTrailers);
    this.events?.uploadFlushed();
  }

  private gone(): void {
    const { state } = this;
    this.isUploadOver = true;
    this.state = 'gone';
    if (state === 'reset') return;
    if (state === 'ended' && this.stream.writableFinished) this.events?.responseSent();
    else this.events?.clientGone();
  }
}

function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function onlyTrailers(fields: Http2Fields): Http2Fields {
  const kept = emptyFields();
  for (const [name, value] of Object.entries(fields)) if (isTrailer(name)) kept[name] = value;
  return kept;
}
