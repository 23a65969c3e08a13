import { constants, inflateRawSync } from 'node:zlib';
import type { Message } from './adapter';
import { Frame, HeaderReader, PackedFrame, applyMask, packFrame, unpackFrame } from './frame-header';

/** What stands in a direction of a WebSocket: a message, or a control frame with its opcode (RFC 6455 section 5.5). */
export type Piece =
  | ({ readonly kind: 'message' } & Message)
  | { readonly kind: 'control'; readonly opcode: number; readonly payload: Buffer };

/** Why a direction cannot be read any further. */
export type Unreadable = 'tooLarge' | 'malformed';

export interface MessageReaderOptions {
  /** The longest message, before and after it is inflated. */
  readonly maxBytes: number;
  /** Whether permessage-deflate without context takeover was agreed for this direction (RFC 7692 section 7.1.1). */
  readonly isDeflated: boolean;
}

const FIN = 0x80;
const RSV1 = 0x40;
const RSV2_AND_RSV3 = 0x30;
const OPCODE = 0x0f;
const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;
const FIRST_CONTROL = 0x8;
const MAX_CONTROL_BYTES = 125;
/** What a sender leaves off each message that it deflates. @see RFC 7692 section 7.2.2 */
const DEFLATE_TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const NOTHING = Buffer.alloc(0);

/** Where a reader is, as JSON has it; bytes are base64. */
export interface PackedReader {
  readonly header: string;
  readonly frame: PackedFrame | null;
  readonly payload: string;
  readonly messageFirst: number | null;
  readonly fragments: string;
}

/** Bytes of a frame or a message that are not all there. One store that grows: they may come one by one. */
class Parts {
  private store = NOTHING;
  bytes = 0;

  add(part: Buffer): void {
    const needed = this.bytes + part.length;
    if (needed > this.store.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.store.length));
      this.store.copy(grown, 0, 0, this.bytes);
      this.store = grown;
    }
    part.copy(this.store, this.bytes);
    this.bytes = needed;
  }

  get text(): string {
    return this.store.toString('base64', 0, this.bytes);
  }

  /** All of them, and nothing is kept. */
  takeAll(): Buffer {
    const all = this.store.subarray(0, this.bytes);
    this.clear();
    return all;
  }

  clear(): void {
    this.store = NOTHING;
    this.bytes = 0;
  }
}

/**
 * Reads the messages of one direction of a WebSocket whose ends have checked them: it rejects what it cannot read, and not all that an
 * end has to reject. It keeps a message's bytes until the message is whole, and no more than `maxBytes` of them.
 */
export class MessageReader {
  /** Why nothing is read any more. */
  failure: Unreadable | undefined = undefined;
  private readonly headers = new HeaderReader();
  private frame: Frame | undefined = undefined;
  private readonly payload = new Parts();
  /** The first byte of the message whose fragments are being read. */
  private messageFirst: number | undefined = undefined;
  private readonly fragments = new Parts();
  private piece: Piece | undefined = undefined;

  constructor(private readonly options: MessageReaderOptions) {}

  /** Goes on where one of another process was. */
  unpack({ header, frame, payload, messageFirst, fragments }: PackedReader): this {
    this.headers.unpack(header);
    this.frame = unpackFrame(frame);
    this.payload.add(Buffer.from(payload, 'base64'));
    this.messageFirst = messageFirst ?? undefined;
    this.fragments.add(Buffer.from(fragments, 'base64'));
    return this;
  }

  /** Where it is, between two calls of `read` whose piece was taken. */
  pack(): PackedReader {
    const { frame } = this;
    return {
      header: this.headers.pack(),
      frame: packFrame(frame),
      payload: this.payload.text,
      messageFirst: this.messageFirst ?? null,
      fragments: this.fragments.text,
    };
  }

  /** Neither a frame nor a message in fragments is under way. */
  get isAtBoundary(): boolean {
    return this.frame === undefined && this.headers.isAtStart && this.messageFirst === undefined;
  }

  /** What it keeps of a message that is not whole. */
  get heldBytes(): number {
    return this.payload.bytes + this.fragments.bytes;
  }

  /**
   * Reads on from `at` until a piece is whole, or to the end. Returns where it stopped; `take` then has the piece. After a failure it
   * reads nothing.
   */
  read(bytes: Buffer, at: number): number {
    let next = at;
    while (this.failure === undefined && this.piece === undefined && next < bytes.length) {
      next = this.frame === undefined ? this.readHeader(bytes, next) : this.readPayload(this.frame, bytes, next);
    }
    return this.failure === undefined ? next : bytes.length;
  }

  /** The piece that became whole. Its payload may be borrowed of the bytes that were read. */
  take(): Piece | undefined {
    const { piece } = this;
    this.piece = undefined;
    return piece;
  }

  private readHeader(bytes: Buffer, at: number): number {
    const { frame, next } = this.headers.read(bytes, at);
    if (frame) this.begin(frame);
    return next;
  }

  private begin(frame: Frame): void {
    const fault = this.findFault(frame);
    if (fault !== undefined) return this.fail(fault);
    this.frame = frame;
    if (frame.length === 0) this.endFrame(frame, NOTHING);
  }

  private findFault({ first, length }: Frame): Unreadable | undefined {
    const opcode = first & OPCODE;
    if ((first & RSV2_AND_RSV3) !== 0) return 'malformed';
    if (opcode >= FIRST_CONTROL) return length <= MAX_CONTROL_BYTES && (first & FIN) !== 0 ? undefined : 'malformed';
    const isFirst = opcode === TEXT || opcode === BINARY;
    if (isFirst ? this.messageFirst !== undefined : opcode !== CONTINUATION || this.messageFirst === undefined) {
      return 'malformed';
    }
    if ((first & RSV1) !== 0 && (!isFirst || !this.options.isDeflated)) return 'malformed';
    return this.fragments.bytes + length > this.options.maxBytes ? 'tooLarge' : undefined;
  }

  private readPayload(frame: Frame, bytes: Buffer, at: number): number {
    const left = frame.length - this.payload.bytes;
    const end = Math.min(at + left, bytes.length);
    const part = bytes.subarray(at, end);
    if (end - at === left && this.payload.bytes === 0) this.endFrame(frame, part);
    else {
      this.payload.add(part);
      if (end - at === left) this.endFrame(frame, this.payload.takeAll());
    }
    return end;
  }

  private endFrame({ first, mask }: Frame, raw: Buffer): void {
    this.frame = undefined;
    const payload = mask === undefined ? raw : applyMask(raw, mask);
    const opcode = first & OPCODE;
    if (opcode >= FIRST_CONTROL) {
      this.piece = { kind: 'control', opcode, payload };
      return;
    }
    const messageFirst = this.messageFirst ?? first;
    if ((first & FIN) !== 0) return this.endMessage(messageFirst, payload);
    this.messageFirst = messageFirst;
    this.fragments.add(payload);
  }

  private endMessage(first: number, last: Buffer): void {
    const isInFragments = this.messageFirst !== undefined;
    this.messageFirst = undefined;
    if (isInFragments) this.fragments.add(last);
    const whole = isInFragments ? this.fragments.takeAll() : last;
    const payload = (first & RSV1) === 0 ? whole : this.inflate(whole);
    if (payload !== undefined) this.piece = { kind: 'message', isText: (first & OPCODE) === TEXT, payload };
  }

  private inflate(payload: Buffer): Buffer | undefined {
    try {
      return inflateRawSync(Buffer.concat([payload, DEFLATE_TAIL]), {
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: this.options.maxBytes,
      });
    } catch (error) {
      this.fail((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'tooLarge' : 'malformed');
      return undefined;
    }
  }

  private fail(why: Unreadable): void {
    this.failure = why;
    this.headers.clear();
    this.frame = undefined;
    this.messageFirst = undefined;
    this.payload.clear();
    this.fragments.clear();
  }
}
