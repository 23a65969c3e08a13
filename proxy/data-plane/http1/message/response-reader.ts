import type { Limits } from '../../contract/data-plane';
import type { Deviation } from '../../contract/deviations';
import type { PackedResponse } from '../../contract/handover';
import type { ResponseHead } from '../../contract/streams';
import { Http1ResponseHead, createPastHead, readResponseHead } from './response-head';
import { HeadBuffer } from './head-buffer';
import { BodyReader } from './body-reader';
import { BodySink, ChunkedDecoder } from './chunked';
import { LastText } from './last-text';
import { Source, endOfHead } from '../../fields/field-lines';

export interface ResponseSink extends BodySink {
  /** Told once for each response and deviation. */
  deviates(what: Deviation): void;
  interim(head: ResponseHead): void;
  headRead(head: Http1ResponseHead): void;
}

/** A head is rarely longer; of a larger read only this much is looked at first. */
export const USUAL_HEAD_BYTES = 4_096;
const MAX_STATUS_LINE_BYTES = 8_192;
/** Of one response; HTTP/2 has the same limit. */
export const MAX_INTERIM_RESPONSES = 32;

/** For a look at a body that is passed to no reader. */
const NO_SINK: BodySink = { bodyReceived: () => undefined, bodyEnded: () => undefined };
const ALLOW = () => undefined;

/** Follows the responses of one upstream connection. */
export class ResponseReader {
  /** The head of the final response, or of a 101, once it is read. */
  head: Http1ResponseHead | undefined;
  /** Why what came is no response. */
  problem = 'a head over the limits';
  private readonly body: BodyReader;
  private method = '';
  private readonly started = new HeadBuffer('looseHead');
  /** What the response has of them so far. */
  private deviations: Deviation[] = [];
  private interimCount = 0;
  /** The last head, as it came and as it was read: the next one is often the same. */
  private readonly lastText = new LastText();
  private lastMethod = '';
  private lastHead: Http1ResponseHead | string = '';

  constructor(
    private readonly limits: Limits,
    private readonly sink: ResponseSink,
  ) {
    this.body = new BodyReader(limits, (what) => this.deviates(what));
  }

  begin(method: string): void {
    this.method = method;
    this.head = undefined;
    this.started.clear();
    this.interimCount = 0;
    if (this.deviations.length > 0) this.deviations = [];
  }

  /** Where it is, for another process; undefined where it is not in the middle of a body. */
  pack(): PackedResponse | undefined {
    const { head, method, keepsAlive } = this;
    if (head === undefined || this.isOver) return undefined;
    return { method, status: head.status, keepsAlive, body: this.body.pack() };
  }

  /** Goes on where another one was. */
  unpack({ method, status, keepsAlive, body }: PackedResponse): void {
    this.begin(method);
    this.head = createPastHead(status, keepsAlive);
    this.body.unpack(body);
  }

  /** The response is whole. After a 101 no HTTP follows, and so it ends with its head. */
  get isOver(): boolean {
    return this.head !== undefined && (this.body.isOver || this.head.status === 101);
  }

  /** Of a response that has ended: the connection takes another request. */
  get keepsAlive(): boolean {
    return this.head !== undefined && this.head.keepsAlive && this.deviations.length === 0;
  }

  /** Follows `bytes` up to `end`. Returns the place behind the response's last byte; -1 when they are malformed. */
  read(bytes: Buffer, end: number): number {
    let at = 0;
    while (this.head === undefined) {
      at = this.readHead(bytes, at, end);
      if (at < 0 || at === end) break;
    }
    if (at < 0 || this.head === undefined || this.isOver) return at;
    return at === end && at > 0 ? at : this.readBody(bytes, at, end);
  }

  /** The connection has ended. Returns whether the response is whole with that. */
  close(): boolean {
    return this.head !== undefined && this.body.close();
  }

  private readBody(bytes: Buffer, from: number, to: number): number {
    const at = this.body.read(bytes, from, to, this.sink);
    if (at < 0) this.problem = this.body.problem ?? this.problem;
    return at;
  }

  private readHead(bytes: Buffer, from: number, to: number): number {
    if (this.started.length > 0 || isLineEnd(bytes[from]!)) return this.readMore(bytes, from, to);
    const text = bytes.toString('latin1', from, Math.min(to, from + USUAL_HEAD_BYTES));
    if (this.lastMethod === this.method && this.lastText.isAt(text, 0))
      return this.take(this.lastHead, bytes, from + this.lastText.length, to);
    const end = endOfHead(text, 0);
    if (end < 0) return this.readMore(bytes, from, to);
    const head = this.parseHead(text.slice(0, end), { bytes, offset: from });
    return this.take(head, bytes, from + end, to);
  }

  /** Reads a head that comes in several reads, is longer than usual, or whose lines do not end as they should. */
  private readMore(bytes: Buffer, from: number, to: number): number {
    const { started } = this;
    const before = started.length;
    // No more of one read than a head may have: what is behind it may be a body.
    const max = Math.min(to, from + this.limits.fieldBytes + MAX_STATUS_LINE_BYTES);
    const end = started.add(bytes, from, max);
    if (end === -1 && started.length <= this.limits.fieldBytes + MAX_STATUS_LINE_BYTES) return to;
    if (end < 0) return this.isMalformed('a head over the limits');
    const text = started.slice(end);
    started.clear();
    return this.take(this.parseHead(text), bytes, from + end - before, to);
  }

  private parseHead(text: string, source?: Source): Http1ResponseHead | string {
    this.lastHead = readResponseHead(text, this.method, this.limits, source);
    this.lastText.keep(text);
    this.lastMethod = this.method;
    return this.lastHead;
  }

  /** Takes a head, behind which `bytes` go on from `at` to `to`. Returns as `read` does. */
  private take(head: Http1ResponseHead | string, bytes: Buffer, at: number, to: number): number {
    if (typeof head === 'string') return this.isMalformed(head);
    for (const what of head.deviations) this.deviates(what);
    if (head.status < 200 && head.status !== 101) {
      this.interimCount += 1;
      this.sink.interim(head);
      return this.interimCount <= MAX_INTERIM_RESPONSES ? at : this.isMalformed('too many interim responses');
    }
    // Nothing of the response has gone on yet: with a first chunk that is none it can still become another one.
    if (head.isChunked && !this.isChunked(bytes, at, to)) return -1;
    this.head = head;
    if (head.isChunked) this.body.begin('chunked', 0);
    else if (head.bodyLength < 0) this.body.begin('close', 0);
    else this.body.begin('length', head.bodyLength);
    this.sink.headRead(head);
    return at;
  }

  private isChunked(bytes: Buffer, from: number, to: number): boolean {
    const decoder = new ChunkedDecoder(this.limits, ALLOW);
    if (decoder.decode(bytes, from, to, NO_SINK) >= 0) return true;
    this.problem = decoder.problem;
    return false;
  }

  private isMalformed(why: string): -1 {
    this.problem = why;
    return -1;
  }

  private deviates(what: Deviation): void {
    if (this.deviations.includes(what)) return;
    this.deviations.push(what);
    this.sink.deviates(what);
  }
}

function isLineEnd(byte: number): boolean {
  return byte === 13 || byte === 10;
}
