import type { Deviation } from '../../contract/deviations';
import type { PackedChunks } from '../../contract/handover';
import type { FieldBlock } from '../../contract/streams';
import { HeadBuffer } from './head-buffer';
import { ExtensionState, isWholeExtension, nextInExtension } from './chunk-extension';
import { FieldLimits } from '../../fields/field-lines';
import { readLooseTrailers, readTrailers } from '../../fields/trailers';

/** What is found of a body, in this order. */
export interface BodySink {
  bodyReceived(bytes: Buffer): void;
  bodyEnded(trailers: FieldBlock): void;
}

/** Chunk extensions say nothing, and cost: each may have so much, and all of them so much more than the data before them. */
const MAX_EXTENSION_BYTES = 4_096;
/** What holds every size that is a safe integer, and some zeros; of an upstream more of these. */
const MAX_DIGITS = 16;
const MAX_LOOSE_DIGITS = 256;

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
  /** Of the extension there are only spaces so far. */
  private isPadding = false;
  private extensionBytes = 0;
  private dataBytes = 0;
  private trailers: HeadBuffer | undefined;

  /** Why what came is no chunked body. */
  problem = 'a malformed chunk';

  /**
   * @param deviates told of what is not as it should be, and could not be read in another way. Absent: that is rejected.
   */
  constructor(
    private readonly limits: FieldLimits,
    private readonly deviates?: (what: Deviation) => void,
  ) {}

  get isDone(): boolean {
    return this.state === 'done';
  }

  /** Where it is, for another process. */
  pack(): PackedChunks {
    const { state, size, digits, extension, extensionLength, isPadding, extensionBytes, dataBytes } = this;
    const trailers = this.trailers?.text ?? '';
    return { state, size, digits, extension, extensionLength, isPadding, extensionBytes, dataBytes, trailers };
  }

  /** Goes on where another one was. */
  unpack(packed: PackedChunks): void {
    this.state = packed.state as State;
    this.size = packed.size;
    this.digits = packed.digits;
    this.extension = packed.extension as ExtensionState;
    this.extensionLength = packed.extensionLength;
    this.isPadding = packed.isPadding;
    this.extensionBytes = packed.extensionBytes;
    this.dataBytes = packed.dataBytes;
    if (packed.trailers === '') return;
    this.trailers = this.createTrailers();
    this.trailers.add(Buffer.from(packed.trailers, 'latin1'), 0, packed.trailers.length);
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
        return this.endSize(byte === LF);
      case 'dataCr':
        if (byte === LF) return this.allows('bareLineFeed') && this.endData(true);
        this.state = 'dataLf';
        return byte === CR;
      case 'dataLf':
        return this.endData(byte === LF);
      case 'data':
      case 'trailers':
      case 'done':
        return false;
    }
  }

  private endSize(isEnd: boolean): boolean {
    this.state = this.size === 0 ? 'trailers' : 'data';
    return isEnd;
  }

  private endData(isEnd: boolean): boolean {
    this.state = 'size';
    this.digits = 0;
    return isEnd;
  }

  private stepSize(byte: number): boolean {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.size = this.size * 16 + digit;
      this.digits += 1;
      if (this.digits > MAX_DIGITS && !(this.digits <= MAX_LOOSE_DIGITS && this.allows('chunkSize'))) return false;
      return Number.isSafeInteger(this.size);
    }
    if (this.digits === 0) return false;
    if (byte === CR) {
      this.state = 'sizeLf';
      return true;
    }
    if (byte === LF) return this.allows('bareLineFeed') && this.endSize(true);
    this.state = 'extension';
    this.extension = 'before';
    this.extensionLength = 0;
    this.isPadding = true;
    return this.stepExtension(byte);
  }

  /**
   * Extensions are read over, and go no further. What is none is rejected from a client: another reader could take it for a
   * line's end.
   */
  private stepExtension(byte: number): boolean {
    if (byte === CR || byte === LF) return this.endExtension(byte);
    if (byte !== 32 && byte !== 9) this.isPadding = false;
    this.extensionLength += 1;
    this.extensionBytes += 1;
    const max = this.deviates === undefined ? MAX_EXTENSION_BYTES : this.limits.fieldBytes;
    if (this.extensionLength > max || this.extensionBytes > max + this.dataBytes) return false;
    const next = isControl(byte) ? undefined : nextInExtension(this.extension, byte);
    if (next !== undefined) this.extension = next;
    // Before the first semicolon it is no extension, and perhaps a size that another reader reads otherwise.
    return next !== undefined || (this.extension !== 'before' && this.allows('chunkExtension'));
  }

  private endExtension(byte: number): boolean {
    if (byte === LF) this.endSize(true);
    else this.state = 'sizeLf';
    const isWhole = isWholeExtension(this.extension) || this.allows(this.isPadding ? 'chunkSize' : 'chunkExtension');
    return isWhole && (byte === CR || this.allows('bareLineFeed'));
  }

  private allows(what: Deviation): boolean {
    this.deviates?.(what);
    return this.deviates !== undefined;
  }

  private takeTrailers(bytes: Buffer, at: number, to: number, sink: BodySink): number {
    if (this.trailers === undefined) {
      // Nearly always there are none, and all of that in one read.
      if (bytes[at] === CR && at + 1 < to && bytes[at + 1] === LF) return this.end('', 2, sink);
      this.trailers = this.createTrailers();
    }
    const { trailers } = this;
    const before = trailers.length;
    const end = trailers.add(bytes, at, to);
    const isTooLong = trailers.length > this.limits.fieldBytes;
    if (end === -1 && !isTooLong) return to - at;
    const lines = end < 0 || isTooLong ? undefined : this.readTrailers(trailers.slice(end));
    if (lines !== undefined) return this.end(lines, end - before, sink);
    this.problem = 'malformed trailers';
    // The body is whole. Where the next response would begin is not known, and no request for it comes here.
    return this.allows('trailers') ? this.end('', to - at, sink) : -1;
  }

  private createTrailers(): HeadBuffer {
    return new HeadBuffer(this.deviates === undefined ? 'strict' : 'loose');
  }

  private readTrailers(text: string): FieldBlock | undefined {
    return this.deviates === undefined
      ? readTrailers(text, this.limits)
      : readLooseTrailers(text, this.limits, this.deviates);
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
