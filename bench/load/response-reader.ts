export interface ResponseHead {
  readonly status: number;
  /** Lower-case names; of repeated fields the last. */
  readonly fields: ReadonlyMap<string, string>;
}

export interface ResponseEvents {
  head?(head: ResponseHead): void;
  data?(bytes: Buffer): void;
  /** The whole response was there. */
  end(head: ResponseHead): void;
}

const HEAD_END = '\r\n\r\n';

/**
 * Reads the responses of one HTTP/1.1 connection to GET and POST requests. A test's own eyes: it shares no code with a proxy.
 */
export class ResponseReader {
  readonly #events: ResponseEvents;
  #rest: Buffer = Buffer.alloc(0);
  #head: ResponseHead | undefined;
  /** Bytes of the body, or of the chunk, that are still to come; `Infinity`: until the connection ends. */
  #toCome = 0;
  #isChunked = false;

  constructor(events: ResponseEvents) {
    this.#events = events;
  }

  /** Whether a response has begun and is not over. */
  get isInside(): boolean {
    return this.#head !== undefined || this.#rest.length > 0;
  }

  /** @throws Error for bytes that are no response. */
  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length > 0 && this.#step());
  }

  /** The peer ended the connection. @returns whether that was between two responses, or the right end of one */
  finish(): boolean {
    if (this.#head !== undefined && this.#toCome === Number.POSITIVE_INFINITY) this.#over();
    return !this.isInside;
  }

  /** @returns whether there may be more to read in the bytes at hand */
  #step(): boolean {
    if (this.#head === undefined) return this.#readHead();
    if (this.#toCome > 0) return this.#readBody();
    return this.#isChunked ? this.#readChunkSize() : this.#over();
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf(HEAD_END);
    if (end < 0) return false;
    const [line = '', ...fields] = this.#rest.toString('latin1', 0, end).split('\r\n');
    this.#rest = this.#rest.subarray(end + HEAD_END.length);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1]);
    if (Number.isNaN(status)) throw new Error(`'status line' must be HTTP/1.1's, got ${JSON.stringify(line)}`);
    if (status < 200 && status !== 101) return true;
    this.#begin({ status, fields: new Map(fields.map(nameAndValue)) });
    return true;
  }

  #begin(head: ResponseHead): void {
    const length = head.fields.get('content-length');
    this.#head = head;
    this.#isChunked = head.fields.get('transfer-encoding') === 'chunked';
    const isEmpty = head.status === 204 || head.status === 304 || this.#isChunked;
    this.#toCome = isEmpty ? 0 : length === undefined ? Number.POSITIVE_INFINITY : Number(length);
    this.#events.head?.(head);
    if (!this.#isChunked && this.#toCome === 0) this.#over();
  }

  #readBody(): boolean {
    const part = this.#rest.subarray(0, Math.min(this.#rest.length, this.#toCome));
    this.#rest = this.#rest.subarray(part.length);
    this.#toCome -= part.length;
    this.#events.data?.(part);
    if (this.#toCome === 0 && !this.#isChunked) this.#over();
    return true;
  }

  #readChunkSize(): boolean {
    // The CRLF behind a chunk's data is an empty line before the next size.
    const start = this.#rest.length >= 2 && this.#rest[0] === 13 ? 2 : 0;
    const end = this.#rest.indexOf('\r\n', start);
    if (end < 0) return false;
    const size = Number.parseInt(this.#rest.toString('latin1', start, end), 16);
    if (Number.isNaN(size))
      throw new Error(`'chunk size' must be hexadecimal, got ${this.#rest.toString('latin1', start, end)}`);
    if (size > 0) {
      this.#rest = this.#rest.subarray(end + 2);
      this.#toCome = size;
      return true;
    }
    return this.#readTrailers(end);
  }

  #readTrailers(from: number): boolean {
    const end = this.#rest.indexOf(HEAD_END, from);
    if (end < 0) return false;
    this.#rest = this.#rest.subarray(end + HEAD_END.length);
    return this.#over();
  }

  #over(): boolean {
    const head = this.#head!;
    this.#head = undefined;
    this.#toCome = 0;
    this.#isChunked = false;
    this.#events.end(head);
    return true;
  }
}

function nameAndValue(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
