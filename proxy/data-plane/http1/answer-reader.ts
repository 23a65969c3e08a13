import type { Limits } from '../data-plane';
import type { AnswerHead } from '../halves';
import { Http1AnswerHead, readAnswerHead } from './answer-head';
import { BegunHead } from './begun-head';
import { BodyReader } from './body-reader';
import type { BodySink } from './chunked';
import { endOfHead } from './field-lines';

export interface AnswerSink extends BodySink {
  interim(head: AnswerHead): void;
  headRead(head: Http1AnswerHead): void;
}

/** A head is rarely longer; of a larger read only this much is looked at first. */
export const USUAL_HEAD_BYTES = 4_096;
const MAX_STATUS_LINE_BYTES = 8_192;
const MAX_INTERIM_ANSWERS = 32;

/** Follows the answers of one upstream connection. */
export class AnswerReader {
  /** The head of the final answer, or of a 101, once it is read. */
  head: Http1AnswerHead | undefined;
  private readonly body: BodyReader;
  private method = '';
  private readonly begun = new BegunHead();
  private interimCount = 0;
  /** The last head, as it came and as it was read: the next one is often the same. */
  private lastText = '';
  private lastMethod = '';
  private lastHead: Http1AnswerHead | undefined;

  constructor(private readonly limits: Limits) {
    this.body = new BodyReader(limits);
  }

  begin(method: string): void {
    this.method = method;
    this.head = undefined;
    this.begun.clear();
    this.interimCount = 0;
  }

  /** The answer is whole. After a 101 no HTTP follows, and so it is over with its head. */
  get isOver(): boolean {
    return this.head !== undefined && (this.body.isOver || this.head.status === 101);
  }

  /** Follows `bytes` up to `end`. Returns the place behind the answer's last byte; -1 when they are malformed. */
  read(bytes: Buffer, end: number, sink: AnswerSink): number {
    let at = 0;
    while (this.head === undefined) {
      at = this.readHead(bytes, at, end, sink);
      if (at < 0 || at === end) break;
    }
    if (at < 0 || this.head === undefined || this.isOver) return at;
    return at === end && at > 0 ? at : this.body.read(bytes, at, end, sink);
  }

  /** The connection has ended. Returns whether the answer is whole with that. */
  close(): boolean {
    return this.head !== undefined && this.body.close();
  }

  private readHead(bytes: Buffer, from: number, to: number, sink: AnswerSink): number {
    if (this.begun.length > 0) return this.readMore(bytes, from, to, sink);
    const text = bytes.toString('latin1', from, Math.min(to, from + USUAL_HEAD_BYTES));
    const end = this.hasLastHead(text) ? this.lastText.length : endOfHead(text, 0);
    if (end === -2) return -1;
    if (end >= 0) return this.take(text.slice(0, end), sink) ? from + end : -1;
    this.begun.begin(text);
    return this.readMore(bytes, from + text.length, to, sink);
  }

  /** Reads on in a head that has begun. */
  private readMore(bytes: Buffer, from: number, to: number, sink: AnswerSink): number {
    const { begun } = this;
    const before = begun.length;
    // No more of one read than a head may have: what is behind it may be a body.
    const most = Math.min(to, from + this.limits.fieldBytes + MAX_STATUS_LINE_BYTES);
    const end = begun.add(bytes, from, most);
    if (end === -1 && begun.length <= this.limits.fieldBytes + MAX_STATUS_LINE_BYTES) return to;
    if (end < 0) return -1;
    const text = begun.slice(end);
    begun.clear();
    return this.take(text, sink) ? from + end - before : -1;
  }

  private headOf(text: string): Http1AnswerHead | undefined {
    if (text !== this.lastText || this.method !== this.lastMethod) {
      this.lastHead = readAnswerHead(text, text.length, this.method, this.limits);
      this.lastText = text;
      this.lastMethod = this.method;
    }
    return this.lastHead;
  }

  private hasLastHead(text: string): boolean {
    return this.lastText !== '' && text.slice(0, this.lastText.length) === this.lastText;
  }

  private take(text: string, sink: AnswerSink): boolean {
    const head = this.headOf(text);
    if (head === undefined) return false;
    if (head.status < 200 && head.status !== 101) {
      this.interimCount += 1;
      sink.interim(head);
      return this.interimCount <= MAX_INTERIM_ANSWERS;
    }
    this.head = head;
    if (head.isChunked) this.body.begin('chunked', 0);
    else if (head.bodyLength < 0) this.body.begin('close', 0);
    else this.body.begin('length', head.bodyLength);
    sink.headRead(head);
    return true;
  }
}
