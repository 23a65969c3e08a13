import type { FieldBlock } from '../halves';
import { FieldLimits, endOfHead } from './field-lines';
import { readTrailers } from './trailers';

/** What is found of a body, in this order. */
export interface BodySink {
  bodyReceived(bytes: Buffer): void;
  bodyEnded(trailers: FieldBlock): void;
}

/** Chunk extensions say nothing, and cost: each may have so much, and all of them so much more than the data before them. */
const MAX_EXTENSION_BYTES = 4_096;
/** RFC 9112 section 7.1.1. */
const EXTENSION =
  /^(?:[ \t]*;[ \t]*[\w!#$%&'*+\-.^`|~]+(?:[ \t]*=[ \t]*(?:[\w!#$%&'*+\-.^`|~]+|"(?:[^"\\]|\\.)*"))?)+$/;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

type State = 'size' | 'extension' | 'sizeLf' | 'data' | 'dataCr' | 'dataLf' | 'trailers' | 'done';

/** Decodes the chunked coding (RFC 9112 section 7.1), and takes nothing for it that is not. */
export class ChunkedDecoder {
  private state: State = 'size';
  private size = 0;
  private digits = 0;
  private extension = '';
  private extensionBytes = 0;
  private dataBytes = 0;
  private trailers = '';

  constructor(private readonly limits: FieldLimits) {}

  get isDone(): boolean {
    return this.state === 'done';
  }

  /** Follows `bytes` from one place to another, up to the end of the body. Returns the place behind it; -1 when they are malformed. */
  decode(bytes: Buffer, from: number, end: number, sink: BodySink): number {
    let at = from;
    while (at < end && this.state !== 'done') {
      if (this.state === 'data') {
        const taken = Math.min(this.size, end - at);
        sink.bodyReceived(bytes.subarray(at, at + taken));
        this.size -= taken;
        this.dataBytes += taken;
        at += taken;
        if (this.size === 0) this.state = 'dataCr';
      } else if (this.state === 'trailers') {
        const taken = this.takeTrailers(bytes, at, end, sink);
        if (taken < 0) return -1;
        at += taken;
      } else {
        if (!this.step(bytes[at]!)) return -1;
        at += 1;
      }
    }
    return at;
  }

  /** One byte of the framing. Returns whether it is one. */
  private step(byte: number): boolean {
    switch (this.state) {
      case 'size':
        return this.stepSize(byte);
      case 'extension':
        return this.stepExtension(byte);
      case 'sizeLf':
        this.state = this.size === 0 ? 'trailers' : 'data';
        return byte === LF;
      case 'dataCr':
        this.state = 'dataLf';
        return byte === CR;
      case 'dataLf':
        this.state = 'size';
        this.digits = 0;
        return byte === LF;
      case 'data':
      case 'trailers':
      case 'done':
        return false;
    }
  }

  private stepSize(byte: number): boolean {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.size = this.size * 16 + digit;
      this.digits += 1;
      return Number.isSafeInteger(this.size) && this.digits <= 16;
    }
    if (this.digits === 0) return false;
    if (byte === CR) this.state = 'sizeLf';
    else if (byte === SEMICOLON) this.state = 'extension';
    else return false;
    return byte === CR || this.stepExtension(byte);
  }

  /** Extensions are read over, and go no further. What is none is refused: another reader could take it for a line's end. */
  private stepExtension(byte: number): boolean {
    this.extensionBytes += 1;
    if (byte !== CR) {
      this.extension += String.fromCharCode(byte);
      if (this.extension.length > MAX_EXTENSION_BYTES) return false;
      return (
        this.extensionBytes <= MAX_EXTENSION_BYTES + this.dataBytes && (byte === 9 || (byte >= 32 && byte !== 127))
      );
    }
    const isOne = EXTENSION.test(this.extension);
    this.extension = '';
    this.state = 'sizeLf';
    return isOne;
  }

  private takeTrailers(bytes: Buffer, at: number, to: number, sink: BodySink): number {
    const before = this.trailers.length;
    this.trailers += bytes.toString('latin1', at, to);
    const end = this.trailers.startsWith('\r\n') ? 2 : endOfHead(this.trailers, before);
    if (end === -2 || (end === -1 && this.trailers.length > this.limits.fieldBytes)) return -1;
    if (end === -1) return to - at;
    const trailers = readTrailers(this.trailers.slice(0, end), this.limits);
    if (trailers === undefined) return -1;
    this.state = 'done';
    this.trailers = '';
    sink.bodyEnded(trailers);
    return end - before;
  }
}

/** -1 for anything else. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** One piece of a body as a chunk's head; CR LF follows its bytes. */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

export const LAST_CHUNK = '0\r\n';
