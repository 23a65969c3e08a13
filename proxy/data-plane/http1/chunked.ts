import type { FieldBlock } from '../halves';
import { BegunHead } from './begun-head';
import { ExtensionState, isWholeExtension, nextInExtension } from './chunk-extension';
import { FieldLimits } from './field-lines';
import { readTrailers } from './trailers';

/** What is found of a body, in this order. */
export interface BodySink {
  bodyReceived(bytes: Buffer): void;
  bodyEnded(trailers: FieldBlock): void;
}

/** Chunk extensions say nothing, and cost: each may have so much, and all of them so much more than the data before them. */
const MAX_EXTENSION_BYTES = 4_096;
const CR = 13;
const LF = 10;

type State = 'size' | 'extension' | 'sizeLf' | 'data' | 'dataCr' | 'dataLf' | 'trailers' | 'done';

/** Decodes the chunked coding (RFC 9112 section 7.1), and takes nothing for it that is not. */
export class ChunkedDecoder {
  private state: State = 'size';
  private size = 0;
  private digits = 0;
  private extension: ExtensionState = 'before';
  private extensionLength = 0;
  private extensionBytes = 0;
  private dataBytes = 0;
  private trailers: BegunHead | undefined;

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
    if (byte === CR) {
      this.state = 'sizeLf';
      return true;
    }
    this.state = 'extension';
    this.extension = 'before';
    this.extensionLength = 0;
    return this.stepExtension(byte);
  }

  /** Extensions are read over, and go no further. What is none is refused: another reader could take it for a line's end. */
  private stepExtension(byte: number): boolean {
    if (byte === CR) {
      this.state = 'sizeLf';
      return isWholeExtension(this.extension);
    }
    this.extensionLength += 1;
    this.extensionBytes += 1;
    if (this.extensionLength > MAX_EXTENSION_BYTES || this.extensionBytes > MAX_EXTENSION_BYTES + this.dataBytes) {
      return false;
    }
    if (isControl(byte)) return false;
    const next = nextInExtension(this.extension, byte);
    if (next !== undefined) this.extension = next;
    return next !== undefined;
  }

  private takeTrailers(bytes: Buffer, at: number, to: number, sink: BodySink): number {
    if (this.trailers === undefined) {
      // Nearly always there are none, and all of that in one read.
      if (bytes[at] === CR && at + 1 < to && bytes[at + 1] === LF) return this.end('', 2, sink);
      this.trailers = new BegunHead();
    }
    const { trailers } = this;
    const before = trailers.length;
    if (before === 1 && bytes[at] === LF && trailers.text === '\r') return this.end('', 1, sink);
    const end = trailers.add(bytes, at, to);
    if (end === -2 || trailers.length > this.limits.fieldBytes) return -1;
    if (end === -1) return to - at;
    const lines = readTrailers(trailers.slice(end), this.limits);
    return lines === undefined ? -1 : this.end(lines, end - before, sink);
  }

  private end(trailers: FieldBlock, taken: number, sink: BodySink): number {
    this.state = 'done';
    this.trailers = undefined;
    sink.bodyEnded(trailers);
    return taken;
  }
}

function isControl(byte: number): boolean {
  return (byte < 32 && byte !== 9) || byte === 127;
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
