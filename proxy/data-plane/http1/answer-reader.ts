import type { Limits } from '../data-plane';
import type { AnswerHead } from '../halves';
import { Http1AnswerHead, readAnswerHead } from './answer-head';
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
  /** A head that has begun. */
  private pending = '';
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
    this.pending = '';
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
    const before = this.pending.length;
    const usual = Math.min(to, from + USUAL_HEAD_BYTES);
    let text = this.pending + bytes.toString('latin1', from, usual);
    let end = this.hasLastHead(text) ? this.lastText.length : endOfHead(text, before);
    if (end === -1 && usual < to) {
      text = this.pending + bytes.toString('latin1', from, to);
      end = endOfHead(text, before);
    }
    if (end === -1 && text.length <= this.limits.fieldBytes + MAX_STATUS_LINE_BYTES) {
      this.pending = text;
      return to;
    }
    if (end < 0) return -1;
    this.pending = '';
    const head = this.headOf(text.slice(0, end));
    if (head === undefined || !this.take(head, sink)) return -1;
    return from + end - before;
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

  private take(head: Http1AnswerHead, sink: AnswerSink): boolean {
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
