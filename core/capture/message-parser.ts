import {
  Framing,
  HttpMessage,
  LF,
  findHeader,
  parseRequestLine,
  parseStatusLine,
  readChunkSize,
  text,
} from './http-message';

type State = 'head' | 'body' | 'chunkSize' | 'chunkData' | 'chunkEnd' | 'trailers' | 'untilClose' | 'skip';

/** What one direction of a connection has in it. */
export interface MessageParserOptions {
  /** Of a response: the method of its request, asked as soon as its head is there. Absent for requests. */
  readonly findMethod?: () => string | undefined;
  /** A larger message gets a problem, and its bytes are not kept. */
  readonly maxBytes: number;
  /** Called for each message, and for what is none. */
  readonly onMessage: (message: HttpMessage) => void;
}

const MAX_HEAD_BYTES = 1_048_576;
const EMPTY = new Uint8Array(0);

interface Head {
  readonly startLine: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly framing: Framing;
  readonly bytes: number;
}

/**
 * Reads messages of HTTP/1.1 from bytes in pieces of any length. It accepts what a recorded server has accepted: lines may end
 * with LF alone. Interim responses are skipped.
 *
 * @see RFC 9112
 */
export class MessageParser {
  private state: State = 'head';
  private parts: Uint8Array[] = [];
  private size = 0;
  private isTooLarge = false;
  /** The start of a line whose end is not there yet. */
  private line = '';
  private lines: string[] = [];
  private head: Head | undefined;
  /** Bytes of the body or of a chunk that are still to come. */
  private rest = 0;
  private firstByteMs = 0;
  private lastByteMs = 0;

  constructor(private readonly options: MessageParserOptions) {}

  /** Bytes that it holds. */
  get heldBytes(): number {
    return this.isTooLarge ? 0 : this.size;
  }

  /** Whether it is within a message. */
  get isWithin(): boolean {
    return this.size > 0 || this.line !== '';
  }

  /** Of the message that it is within, as soon as its head is there. */
  get startLine(): string | undefined {
    return this.head?.startLine ?? this.lines[0];
  }

  push(data: Uint8Array, timeMs: number): void {
    let at = 0;
    while (at < data.length) {
      if (this.state === 'skip') return;
      if (!this.isWithin) this.firstByteMs = timeMs;
      this.lastByteMs = timeMs;
      at = this.step(data, at);
    }
  }

  private step(data: Uint8Array, at: number): number {
    if (this.state === 'untilClose') return this.keep(data, at, data.length);
    if (this.state === 'body' || this.state === 'chunkData') {
      const end = this.keep(data, at, Math.min(data.length, at + this.rest));
      this.rest -= end - at;
      if (this.rest > 0) return end;
      if (this.state === 'body') this.finish();
      else this.state = 'chunkEnd';
      return end;
    }
    const found = data.indexOf(LF, at);
    const end = this.keep(data, at, found < 0 ? data.length : found + 1);
    this.line += text(data.subarray(at, end));
    if (this.line.length > MAX_HEAD_BYTES) this.fail(`a line has more than ${MAX_HEAD_BYTES} bytes`);
    else if (found >= 0) this.readLine(this.line.replace(/\r?\n$/, ''));
    return end;
  }

  private keep(data: Uint8Array, from: number, to: number): number {
    this.size += to - from;
    if (this.size > this.options.maxBytes && !this.isTooLarge) {
      this.isTooLarge = true;
      // Its head says what it was.
      this.parts = [Buffer.concat(this.parts).subarray(0, this.head?.bytes ?? 0)];
    }
    if (!this.isTooLarge) this.parts.push(data.subarray(from, to));
    return to;
  }

  private readLine(line: string): void {
    this.line = '';
    if (this.state === 'head') this.readHeadLine(line);
    else if (this.state === 'chunkSize') {
      const size = readChunkSize(line);
      if (size === undefined) return this.fail(`a chunk must start with its size in hexadecimal, got ${quote(line)}`);
      this.rest = size;
      this.state = size === 0 ? 'trailers' : 'chunkData';
    } else if (this.state === 'chunkEnd') {
      if (line !== '') return this.fail(`a chunk must end with CRLF, got ${quote(line)}`);
      this.state = 'chunkSize';
    } else if (line === '') this.finish();
  }

  private readHeadLine(line: string): void {
    if (line !== '') {
      this.lines.push(line);
      if (this.size > MAX_HEAD_BYTES) this.fail(`a head has more than ${MAX_HEAD_BYTES} bytes`);
      return;
    }
    // RFC 9112 section 2.2: empty lines before a message count for nothing.
    if (this.lines.length === 0) return this.reset();
    try {
      const head = readHead(this.lines, this.size, this.options.findMethod);
      this.head = head;
      this.follow(head.framing);
    } catch (error) {
      this.fail((error as Error).message);
    }
  }

  private follow(framing: Framing): void {
    if (framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)) return this.finish();
    if (framing.kind === 'length') this.rest = framing.bytes;
    this.state = ({ length: 'body', chunked: 'chunkSize', untilClose: 'untilClose' } as const)[framing.kind];
  }

  /** The connection, or what was recorded of it, ends here. */
  end(): void {
    if (this.state === 'untilClose') this.finish();
    else if (this.isWithin && this.state !== 'skip') this.fail(this.describeRest());
    this.reset();
  }

  /** What follows what was no message is one again. */
  endSkipped(): void {
    if (this.state === 'skip') this.reset();
  }

  /** The message that it is within is none of those that count. */
  reset(): void {
    this.state = 'head';
    this.parts = [];
    this.size = 0;
    this.isTooLarge = false;
    this.line = '';
    this.lines = [];
    this.head = undefined;
    this.rest = 0;
  }

  private describeRest(): string {
    if (!this.head) return 'it ends within its head';
    if (this.head.framing.kind !== 'length') return 'it ends within its chunks';
    const { bytes } = this.head.framing;
    return `its body must have ${bytes} bytes, got ${bytes - this.rest}`;
  }

  private finish(): void {
    const isInterim = this.options.findMethod && /^HTTP\/[0-9.]+ 1(?!01)/.test(this.head!.startLine);
    const tooLarge = `it must have at most ${this.options.maxBytes} bytes, got ${this.size}`;
    const message = isInterim ? undefined : this.build(this.isTooLarge ? tooLarge : undefined);
    this.reset();
    if (message) this.options.onMessage(message);
  }

  /** What follows is skipped until {@link reset}: where the next message starts is unknown. */
  private fail(problem: string): void {
    const message = this.build(problem);
    this.reset();
    this.state = 'skip';
    this.options.onMessage(message);
  }

  private build(problem: string | undefined): HttpMessage {
    const {
      startLine = this.lines[0] ?? '',
      headers = [],
      framing = { kind: 'none' } as const,
      bytes = this.size,
    } = this.head ?? {};
    const raw = this.parts.length === 1 ? this.parts[0]! : this.parts.length === 0 ? EMPTY : Buffer.concat(this.parts);
    const { firstByteMs, lastByteMs } = this;
    return { raw, headBytes: bytes, startLine, headers, framing, firstByteMs, lastByteMs, ...(problem && { problem }) };
  }
}

/** @throws Error that says what is wrong with it */
function readHead(lines: readonly string[], bytes: number, findMethod?: () => string | undefined): Head {
  const [startLine = '', ...fields] = lines;
  const headers = readFields(fields);
  const framing = findMethod ? frameResponse(startLine, headers, findMethod()) : frameRequest(startLine, headers);
  return { startLine, headers, framing, bytes };
}

function readFields(lines: readonly string[]): (readonly [string, string])[] {
  const headers: [string, string][] = [];
  for (const line of lines) {
    const last = headers.at(-1);
    if (/^[ \t]/.test(line) && last) {
      last[1] = `${last[1]} ${line.trim()}`;
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 1) throw new Error(`a header must be 'Name: value', got ${quote(line)}`);
    headers.push([line.slice(0, colon).trimEnd(), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]);
  }
  return headers;
}

function frameRequest(startLine: string, headers: Head['headers']): Framing {
  if (!parseRequestLine(startLine))
    throw new Error(`it must start with 'METHOD TARGET HTTP/1.1', got ${quote(startLine)}`);
  return frameByHeaders(headers) ?? { kind: 'none' };
}

function frameResponse(startLine: string, headers: Head['headers'], method: string | undefined): Framing {
  const line = parseStatusLine(startLine);
  if (!line) throw new Error(`it must start with 'HTTP/1.1 STATUS', got ${quote(startLine)}`);
  const { status } = line;
  const isTunnel = method === 'CONNECT' && status >= 200 && status < 300;
  if (status < 200 || status === 204 || status === 304 || method === 'HEAD' || isTunnel) return { kind: 'none' };
  return frameByHeaders(headers) ?? { kind: 'untilClose' };
}

function frameByHeaders(headers: Head['headers']): Framing | undefined {
  const coding = headers.filter(([name]) => name.toLowerCase() === 'transfer-encoding').at(-1)?.[1];
  if (coding !== undefined) return { kind: /(^|,)\s*chunked\s*$/i.test(coding) ? 'chunked' : 'untilClose' };
  const length = findHeader({ headers }, 'content-length');
  if (length === undefined) return undefined;
  const bytes = Number(/^(\d{1,15})(?:\s*,\s*\1)*$/.exec(length)?.[1]);
  if (!Number.isInteger(bytes)) throw new Error(`'Content-Length' must be a number of bytes, got ${quote(length)}`);
  return { kind: 'length', bytes };
}

function quote(line: string): string {
  return JSON.stringify(line.length > 80 ? `${line.slice(0, 80)}…` : line);
}
