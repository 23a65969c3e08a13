import type { Limits } from '../../contract/data-plane';
import type { Transport } from '../../contract/transport';
import { USUAL_HEAD_BYTES } from './response-reader';
import { HeadBuffer } from './head-buffer';
import { LastText } from './last-text';
import { Source, endOfHead } from '../../fields/field-lines';
import { BARE_LF, Rejection, TOO_LARGE_FIELDS, TOO_LONG_LINE } from '../../fields/http-error';
import { RequestFields, readRequestFields } from '../../fields/request-fields';
import { Http1Head, readRequestHead } from './request-head';

/** What an HTTP/2 client with prior knowledge says first (RFC 9113 section 3.4). */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\n';
/** RFC 9112 section 2.2: empty lines before a request are ignored, some. */
const MAX_EMPTY_LINES = 8;
/** Up to here, and longer than the preface, a beginning is read again from its start with what comes next. */
const SHORT_BYTES = 32;

/** For so long a head may come as slowly as it likes. */
const GRACE_MS = 5_000;

/** A whole head in a text: where it begins, where its first line ends, and where it does. */
interface Whole {
  readonly text: string;
  readonly start: number;
  readonly lineEnd: number;
  readonly end: number;
  /** The bytes of the text, where they are at hand. */
  readonly source: Source | undefined;
}

/** Finds the request heads in what one client sends. */
export class RequestReader {
  /** Behind the head that was read last. */
  end = 0;
  private readonly started = new HeadBuffer();
  private emptyLines = 0;
  /** No request came before: HTTP/2 may still begin. */
  isFirst = true;
  /** The field lines of the last head, and what they say: the next one often has the same. */
  private readonly lastText = new LastText();
  private lastFields: RequestFields | undefined;

  constructor(
    private readonly limits: Limits,
    private readonly transport: Transport,
  ) {}

  /** Whether a head that began so long ago comes more slowly than it must. */
  isTooSlow(waitedMs: number): boolean {
    return waitedMs > GRACE_MS && this.startedBytes * 1000 < this.limits.headBytesPerSecond * waitedMs;
  }

  /** Of a head that is not whole. */
  get startedBytes(): number {
    return this.started.length;
  }

  get hasStarted(): boolean {
    return this.started.length > 0;
  }

  /** What was read of a head that is not whole. */
  get taken(): Buffer {
    return Buffer.from(this.started.text, 'latin1');
  }

  /** Reads `bytes` from one place to another; `end` is where it came to. */
  read(bytes: Buffer, from: number, to: number): Http1Head | Rejection | 'incomplete' | 'http2' {
    for (let at = from; ; at += USUAL_HEAD_BYTES) {
      const usual = Math.min(to, at + USUAL_HEAD_BYTES);
      const found =
        this.started.length < SHORT_BYTES ? this.readText(bytes, at, usual) : this.readMore(bytes, at, usual);
      if (found !== 'incomplete' || usual === to) return found;
    }
  }

  /** Reads what is a whole head nearly always, and a beginning that says too little to know even what it is. */
  private readText(bytes: Buffer, from: number, to: number): Http1Head | Rejection | 'incomplete' | 'http2' {
    const before = this.started.length;
    const piece = bytes.toString('latin1', from, to);
    const text = before === 0 ? piece : this.started.text + piece;
    if (this.isFirst && text.startsWith('PRI')) {
      if (text.startsWith(PREFACE)) return 'http2';
      if (PREFACE.startsWith(text)) return this.wait(text);
    }
    const start = this.skipEmptyLines(text);
    if (this.emptyLines > MAX_EMPTY_LINES) return new Rejection(400, 'Too many empty lines before a request');
    if (start === text.length) return this.wait('');
    const lineEnd = text.indexOf('\r\n', start);
    const repeatedEnd = this.repeatedEnd(text, lineEnd);
    const end = repeatedEnd < 0 ? likelyEnd(text, start) : repeatedEnd;
    if (end === -2) return BARE_LF;
    if (end === -1) {
      this.wait(text.slice(start));
      return this.tooMuch() ?? 'incomplete';
    }
    this.end = from + end - before;
    const source = before === 0 ? { bytes, offset: from } : undefined;
    const found = this.readHead({ text, start, lineEnd, end, source }, repeatedEnd >= 0);
    // The end was found without a look at each line.
    return found instanceof Rejection && endOfHead(text, start) === -2 ? BARE_LF : found;
  }

  /** Where the head ends if its fields are those of the last one; -1 if not. */
  private repeatedEnd(text: string, lineEnd: number): number {
    if (lineEnd < 0 || !this.lastText.isAt(text, lineEnd + 2)) return -1;
    return lineEnd + 2 + this.lastText.length;
  }

  /** Reads on in a head that has begun. */
  private readMore(bytes: Buffer, from: number, to: number): Http1Head | Rejection | 'incomplete' {
    const { started } = this;
    const before = started.length;
    const end = started.add(bytes, from, to);
    if (end === -2) return BARE_LF;
    if (end === -1) return this.tooMuch() ?? 'incomplete';
    this.end = from + end - before;
    return this.readHead(
      { text: started.slice(end), start: 0, lineEnd: started.lineEnd, end, source: undefined },
      false,
    );
  }

  /** `isRepeated`: its fields are those of the last one. */
  private readHead({ text, start, lineEnd, end, source }: Whole, isRepeated: boolean): Http1Head | Rejection {
    this.started.clear();
    this.emptyLines = 0;
    this.isFirst = false;
    if (!isRepeated || this.lastFields === undefined) {
      const fields = readRequestFields(text, this.limits, lineEnd + 2, end, source);
      // A longer line than is allowed is told first, as it was sent first.
      if (fields instanceof Rejection) return lineEnd - start > this.limits.requestLineBytes ? TOO_LONG_LINE : fields;
      this.lastFields = fields;
      this.lastText.keep(text.slice(lineEnd + 2, end));
    }
    return readRequestHead(text, start, lineEnd, this.lastFields, this.limits, this.transport);
  }

  /** Forgets what only a next request would use. */
  forget(): void {
    this.lastText.forget();
    this.lastFields = undefined;
  }

  private wait(text: string): 'incomplete' {
    this.started.begin(text);
    return 'incomplete';
  }

  private skipEmptyLines(text: string): number {
    let start = 0;
    while (text.startsWith('\r\n', start)) {
      start += 2;
      this.emptyLines += 1;
    }
    return start;
  }

  private tooMuch(): Rejection | undefined {
    const { length, lineEnd } = this.started;
    if ((lineEnd < 0 ? length : lineEnd) > this.limits.requestLineBytes) return TOO_LONG_LINE;
    return lineEnd >= 0 && length - lineEnd > this.limits.fieldBytes ? TOO_LARGE_FIELDS : undefined;
  }
}

/**
 * As `endOfHead` for a head whose lines end as they should, which the scan of its fields finds out. One whose end is still to
 * come is looked at line by line.
 */
function likelyEnd(text: string, from: number): number {
  const at = text.indexOf('\r\n\r\n', from);
  return at < 0 ? endOfHead(text, from) : at + 4;
}
