import type { PackedScanner } from '../contract/handover';
import { encodeFrame } from '../moves/adapters/encode-frame';

/**
 * Where a scan stops: before a Close or Pong frame begins, or before either of them, which respond to frames of our own; as
 * soon as no message is under way, or as soon as no frame is.
 */
export type Stop = 'never' | 'beforeClose' | 'beforePong' | 'beforeReply' | 'atMessageBoundary' | 'atFrameBoundary';

const CONTINUATION = 0x0;
const CLOSE = 0x8;
export const PING = 0x9;
const PONG = 0xa;
const OPCODE = 0x0f;
const FIN = 0x80;
const MASKED = 0x80;
/** Of the second byte: the length, or how many bytes it has behind it. */
const LENGTH = 0x7f;
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;
/**
 * A 64-bit length from here on, one with its highest bit set among them, which RFC 6455 section 5.2 forbids, counts as
 * this: no number behind it is exact, no connection lives to its end, and the endpoint that gets it fails it anyway.
 */
const MAX_EXACT = 2 ** 53;

/** Follows one direction of a tunnel: where it can be stopped, and whether it said that it ends. */
export interface Scanner {
  /** Nothing is under way: neither a frame nor a message in fragments. */
  readonly atMessageBoundary: boolean;
  readonly atFrameBoundary: boolean;
  /** A Close frame went by, whole. */
  readonly sawClose: boolean;
  /** Follows `bytes` up to `end`, or to the place where it is to stop. Returns the count of followed bytes. */
  scan(bytes: Buffer, stop?: Stop, end?: number): number;
  /** Follows what goes nowhere. */
  scanDropped(bytes: Buffer): void;
}

/** Of a protocol that is not known here: any place is as good as another, and nothing says its end but the end itself. */
export const UNFRAMED: Scanner = {
  atMessageBoundary: true,
  atFrameBoundary: true,
  sawClose: false,
  scan: (bytes, stop = 'never', end = bytes.length) => (stop === 'never' || stop === 'beforeClose' ? end : 0),
  scanDropped: () => undefined,
};

/** A header that is split between two reads. */
interface SplitHeader {
  /** Bytes read of it. */
  seen: number;
  /** Its first byte. */
  first: number;
  /** Its whole length, where its length field ends, and that field so far. */
  needed: number;
  lengthEnd: number;
  length: number;
}

/**
 * Follows the frames of one direction of a WebSocket without keeping or changing them (RFC 6455 section 5.2): where
 * frames and whole messages end, and whether a Close frame went by. Headers are read in place and payloads skipped, so
 * that it costs some nanoseconds a frame and allocates nothing.
 */
export class FrameScanner implements Scanner {
  /** The first byte of the frame that is under way. */
  private first = FIN | CONTINUATION;
  /** Bytes of its payload that are still to come. */
  private left = 0;
  private split: SplitHeader | undefined = undefined;
  private isInMessage = false;
  sawClose = false;

  /** Goes on where another one was. */
  unpack({ first, left, split, isInMessage, sawClose }: PackedScanner): void {
    this.first = first;
    this.left = left;
    this.split = split === null ? undefined : { ...split };
    this.isInMessage = isInMessage;
    this.sawClose = sawClose;
  }

  pack(): PackedScanner {
    const { first, left, split, isInMessage, sawClose } = this;
    return { first, left, split: split === undefined ? null : { ...split }, isInMessage, sawClose };
  }

  get atMessageBoundary(): boolean {
    return this.atFrameBoundary && !this.isInMessage;
  }

  get atFrameBoundary(): boolean {
    return this.left === 0 && this.split === undefined;
  }

  scan(bytes: Buffer, stop: Stop = 'never', end = bytes.length): number {
    let at = this.split === undefined ? 0 : this.readSplitHeader(this.split, bytes, 0, end);
    while (at < end) {
      if (this.left > 0) {
        at = this.skipPayload(at, end);
        continue;
      }
      if (stop !== 'never' && this.stopsHere(bytes[at]!, stop)) return at;
      at = this.readHeader(bytes, at, end);
    }
    return end;
  }

  scanDropped(bytes: Buffer): void {
    this.scan(bytes);
  }

  private stopsHere(firstByte: number, stop: Stop): boolean {
    if (stop === 'atFrameBoundary') return true;
    if (stop === 'atMessageBoundary') return !this.isInMessage;
    const opcode = firstByte & OPCODE;
    return (opcode === PONG && stop !== 'beforeClose') || (opcode === CLOSE && stop !== 'beforePong');
  }

  private skipPayload(at: number, end: number): number {
    const there = end - at;
    if (this.left > there) {
      this.left -= there;
      return end;
    }
    const next = at + this.left;
    this.left = 0;
    this.endFrame();
    return next;
  }

  /** Reads the header that begins at `at`. Returns where its payload begins, or `end` when it is not all there. */
  private readHeader(bytes: Buffer, at: number, end: number): number {
    if (at + 1 === end) return this.splitHeader(bytes, at, end);
    const second = bytes[at + 1]!;
    let length = second & LENGTH;
    // The mask's four bytes, where there is one.
    let payload = at + 2 + ((second & MASKED) >> 5);
    if (length >= IN_TWO_BYTES) payload += length === IN_TWO_BYTES ? 2 : 8;
    if (payload > end) return this.splitHeader(bytes, at, end);
    if (length === IN_TWO_BYTES) length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    else if (length === IN_EIGHT_BYTES) length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
    this.beginPayload(bytes[at]!, length);
    return payload;
  }

  private splitHeader(bytes: Buffer, at: number, end: number): number {
    this.split = { seen: 1, first: bytes[at]!, needed: 2, lengthEnd: 2, length: 0 };
    return this.readSplitHeader(this.split, bytes, at + 1, end);
  }

  private readSplitHeader(split: SplitHeader, bytes: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at += 1) {
      takeHeaderByte(split, bytes[at]!);
      if (split.seen < split.needed) continue;
      this.split = undefined;
      this.beginPayload(split.first, split.length);
      return at + 1;
    }
    return end;
  }

  private beginPayload(first: number, length: number): void {
    this.first = first;
    this.left = length > MAX_EXACT ? MAX_EXACT : length;
    if (length === 0) this.endFrame();
  }

  private endFrame(): void {
    const opcode = this.first & OPCODE;
    // Control frames may stand between the fragments of a message and end none (RFC 6455 section 5.4).
    if (opcode < CLOSE) this.isInMessage = (this.first & FIN) === 0;
    else if (opcode === CLOSE) this.sawClose = true;
  }
}

/** Takes the second byte of a header, or a later one. */
function takeHeaderByte(split: SplitHeader, byte: number): void {
  const place = split.seen;
  split.seen += 1;
  if (place === 1) {
    const short = byte & LENGTH;
    split.lengthEnd = 2 + (short === IN_TWO_BYTES ? 2 : short === IN_EIGHT_BYTES ? 8 : 0);
    split.needed = split.lengthEnd + ((byte & MASKED) >> 5);
    split.length = short < IN_TWO_BYTES ? short : 0;
  } else if (place < split.lengthEnd) split.length = split.length * 256 + byte;
}

/** Tells of all that has gone on, and not of what waits behind a stop or is dropped. */
export class TappedScanner extends FrameScanner {
  constructor(private readonly tell: (bytes: Buffer) => void) {
    super();
  }

  override scan(bytes: Buffer, stop: Stop = 'never', end = bytes.length): number {
    const followed = super.scan(bytes, stop, end);
    if (followed > 0) this.tell(bytes.subarray(0, followed));
    return followed;
  }

  override scanDropped(bytes: Buffer): void {
    super.scan(bytes);
  }
}

export interface ControlFrame {
  readonly isPong: boolean;
  readonly payload: Buffer;
  /** Of the frame. */
  readonly length: number;
}

/** Reads the control frame at the start of these bytes (RFC 6455 section 5.5). @returns undefined while it is not whole */
export function readControl(bytes: Buffer): ControlFrame | undefined {
  if (bytes.length < 2) return undefined;
  const isMasked = (bytes[1]! & MASKED) !== 0;
  const start = isMasked ? 6 : 2;
  const length = start + (bytes[1]! & LENGTH);
  if (bytes.length < length) return undefined;
  const payload = Buffer.from(bytes.subarray(start, length));
  if (isMasked) for (let at = 0; at < payload.length; at += 1) payload[at]! ^= bytes[2 + (at % 4)]!;
  return { isPong: (bytes[0]! & OPCODE) === PONG, payload, length };
}

/** What a Close frame at the start of these bytes says. */
export type CloseRead = 'incomplete' | { readonly code: number | undefined };

/** Reads a Close frame of an upstream, whole or not yet (RFC 6455 section 5.5.1). */
export function readClose(bytes: Buffer): CloseRead {
  const frame = readControl(bytes);
  if (frame === undefined) return 'incomplete';
  return { code: frame.payload.length < 2 ? undefined : frame.payload.readUInt16BE(0) };
}

/** A Close frame; what a client sends must be masked. @see RFC 6455 sections 5.3 and 5.5.1 */
export function closeFrame(code: number, reason: string, isMasked: boolean): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return encodeFrame(CLOSE, payload, isMasked);
}
