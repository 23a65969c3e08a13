import { constants, inflateRawSync } from 'node:zlib';
import {
  type Frame,
  HeaderReader,
  type PackedFrame,
  applyMask,
  packFrame,
  unpackFrame,
} from '../data-plane/moves/adapters/frame-header';

/** How the messages of one direction are compressed. @see RFC 7692 section 7.1.1 */
export type Compression =
  | 'none'
  /** permessage-deflate, each message for itself. */
  | 'each'
  /** permessage-deflate, with what came before as the dictionary. */
  | 'context'
  /** An extension that is not known here. */
  | 'unknown';

export interface FollowerOptions {
  /** Of a message, before and after it is inflated. */
  readonly maxBytes: number;
  readonly compression: Compression;
  /** Room for bytes that are kept; false where there is none. */
  hold(bytes: number): boolean;
  free(bytes: number): void;
  /** The same for a dictionary, which is kept for as long as its connection lives. */
  holdDictionary(bytes: number): boolean;
  freeDictionary(bytes: number): void;
}

/** A message, or a Close frame: its opcode and what it says. Without a payload it could not be kept or read. */
export type Take = (opcode: number, payload: Buffer | undefined) => void;

/** Where a follower is, as JSON has it; bytes are base64. */
export interface PackedFollower {
  readonly header: string;
  readonly frame: PackedFrame | null;
  readonly read: number;
  readonly first: number | null;
  readonly isPassed: boolean;
  readonly kept: string;
  readonly dictionary: string | null;
}

const FIN = 0x80;
const RSV1 = 0x40;
const RSV2_AND_RSV3 = 0x30;
const OPCODE = 0x0f;
const CONTINUATION = 0x0;
const FIRST_CONTROL = 0x8;
const CLOSE = 0x8;
/** RFC 7692 section 7.1.2: the longest window. */
const WINDOW_BYTES = 2 ** 15;
/** What a sender leaves off each message that it deflates. @see RFC 7692 section 7.2.2 */
const DEFLATE_TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const NOTHING = Buffer.alloc(0);
/** Another process gets no more of a message that is not whole. */
const MAX_PACKED_BYTES = 2 ** 18;

/**
 * Follows one direction of a WebSocket for a record. A message that is too long, for which there is no room, or that cannot be inflated
 * is passed over, and those behind it are read again. It keeps the bytes of one message, and of a dictionary.
 */
export class MessageFollower {
  private readonly headers = new HeaderReader();
  private frame: Frame | undefined = undefined;
  /** Of the payload of the frame. */
  private read = 0;
  /** The first byte of the message that is under way. */
  private first: number | undefined = undefined;
  private isPassed = false;
  private kept: Buffer[] = [];
  private keptBytes = 0;
  /** Undefined where it is not known, or of no use. */
  private dictionary: Buffer | undefined = undefined;

  constructor(private readonly options: FollowerOptions) {
    if (options.compression === 'context' && options.holdDictionary(WINDOW_BYTES)) this.dictionary = NOTHING;
  }

  get heldBytes(): number {
    return this.keptBytes + (this.dictionary === undefined ? 0 : WINDOW_BYTES);
  }

  follow(bytes: Buffer, take: Take): void {
    for (let at = 0; at < bytes.length;) {
      at =
        this.frame === undefined
          ? this.readHeader(bytes, at, take)
          : this.readPayload(this.frame, bytes.subarray(at), take) + at;
    }
  }

  /** Goes on where one of another process was. */
  unpack(packed: PackedFollower): this {
    this.headers.unpack(packed.header);
    this.frame = unpackFrame(packed.frame);
    this.read = packed.read;
    this.first = packed.first ?? undefined;
    this.isPassed = packed.isPassed;
    const kept = Buffer.from(packed.kept, 'base64');
    if (kept.length > 0) this.keep(kept);
    if (packed.dictionary === null) this.dropDictionary();
    else if (this.dictionary !== undefined) this.dictionary = Buffer.from(packed.dictionary, 'base64');
    return this;
  }

  pack(): PackedFollower {
    if (this.keptBytes > MAX_PACKED_BYTES) this.pass();
    const { frame, read, first = null, isPassed, kept, dictionary } = this;
    return {
      header: this.headers.pack(),
      frame: packFrame(frame),
      ...{ read, first, isPassed, kept: Buffer.concat(kept).toString('base64') },
      dictionary: dictionary?.toString('base64') ?? null,
    };
  }

  /** It follows no more: what it keeps is free. */
  end(): void {
    this.clear();
    this.dropDictionary();
    this.first = undefined;
  }

  private readHeader(bytes: Buffer, at: number, take: Take): number {
    const { frame, next } = this.headers.read(bytes, at);
    if (frame) this.begin(frame, take);
    return next;
  }

  private begin(frame: Frame, take: Take): void {
    const opcode = frame.first & OPCODE;
    this.frame = frame;
    this.read = 0;
    if (opcode === CLOSE || (opcode < FIRST_CONTROL && opcode !== CONTINUATION)) {
      this.clear();
      this.first = opcode === CLOSE ? undefined : frame.first;
    }
    if (frame.length === 0) this.endFrame(frame, take);
  }

  /** @returns how many of the bytes are of this frame */
  private readPayload(frame: Frame, bytes: Buffer, take: Take): number {
    const part = bytes.subarray(0, frame.length - this.read);
    if (this.isOfMessage(frame) || (frame.first & OPCODE) === CLOSE) this.keep(unmask(part, frame, this.read));
    this.read += part.length;
    if (this.read === frame.length) this.endFrame(frame, take);
    return part.length;
  }

  /** A Ping or Pong says nothing that is recorded, and a frame of no message cannot be read. */
  private isOfMessage({ first }: Frame): boolean {
    return (first & OPCODE) < FIRST_CONTROL && this.first !== undefined;
  }

  private keep(part: Buffer): void {
    if (this.isPassed) return;
    const isTooLong = this.keptBytes + part.length > this.options.maxBytes;
    if (isTooLong || !this.options.hold(part.length)) return this.pass();
    this.kept.push(part);
    this.keptBytes += part.length;
  }

  private pass(): void {
    this.clear();
    this.isPassed = true;
  }

  private clear(): void {
    this.options.free(this.keptBytes);
    this.kept = [];
    this.keptBytes = 0;
    this.isPassed = false;
  }

  private endFrame(frame: Frame, take: Take): void {
    this.frame = undefined;
    if ((frame.first & OPCODE) === CLOSE) return this.endMessage(frame.first, take);
    if (this.isOfMessage(frame) && (frame.first & FIN) !== 0) this.endMessage(this.first!, take);
  }

  private endMessage(first: number, take: Take): void {
    const whole = this.isPassed ? undefined : Buffer.concat(this.kept);
    this.clear();
    this.first = undefined;
    take(first & OPCODE, this.open(first, whole));
  }

  private open(first: number, whole: Buffer | undefined): Buffer | undefined {
    const { compression } = this.options;
    if ((first & RSV2_AND_RSV3) !== 0 || compression === 'unknown') return undefined;
    if ((first & RSV1) === 0) return whole;
    if (compression === 'none') return undefined;
    const payload = whole && this.inflate(whole);
    if (compression === 'context') this.learn(payload);
    return payload;
  }

  private inflate(payload: Buffer): Buffer | undefined {
    const { maxBytes, compression } = this.options;
    if (compression === 'context' && this.dictionary === undefined) return undefined;
    try {
      return inflateRawSync(Buffer.concat([payload, DEFLATE_TAIL]), {
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: Math.max(maxBytes, 1),
        ...(this.dictionary?.length && { dictionary: this.dictionary }),
      });
    } catch {
      return undefined;
    }
  }

  /** What comes may refer to it. Behind one that could not be read nothing can be. */
  private learn(payload: Buffer | undefined): void {
    if (payload === undefined) return this.dropDictionary();
    if (this.dictionary === undefined) return;
    const all = payload.length >= WINDOW_BYTES ? payload : Buffer.concat([this.dictionary, payload]);
    this.dictionary = Buffer.from(all.subarray(-WINDOW_BYTES));
  }

  private dropDictionary(): void {
    if (this.dictionary !== undefined) this.options.freeDictionary(WINDOW_BYTES);
    this.dictionary = undefined;
  }
}

/** A copy. @param from the place of the part in its frame */
function unmask(part: Buffer, { mask }: Frame, from: number): Buffer {
  if (mask === undefined) return Buffer.from(part);
  const turned = Buffer.from([0, 1, 2, 3].map((at) => mask[(at + from) & 3]!));
  return applyMask(part, turned);
}
