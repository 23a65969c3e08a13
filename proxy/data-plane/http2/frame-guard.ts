import { constants } from 'node:http2';
import { exactLength } from '../fields/field-lines';
import { HpackDecoder, type HpackField } from './hpack';

const { NGHTTP2_PROTOCOL_ERROR, NGHTTP2_FRAME_SIZE_ERROR } = constants;

const DATA = 0;
const HEADERS = 1;
const PRIORITY = 2;
const RST_STREAM = 3;
const PUSH_PROMISE = 5;
const PING = 6;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;

const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const PRIORITIZED = 32;

const HEAD_BYTES = 9;
/** What every client sends first (RFC 9113 section 3.4). */
const PREFACE_BYTES = 24;
/** `node:http2` announces no more. */
const MAX_FRAME_BYTES = 16_384;
/** Of one compressed field section: more than is served even where nothing is compressed. */
const MAX_BLOCK_BYTES = 1024 * 1024;
/** Streams that something is known of, before those are forgotten that never came to be. */
const MAX_STREAMS = 2_048;

export interface GuardEvents {
  /** A stream is to end with this error, and no other. It may not have begun yet, and may be over; see `faultOf`. */
  broken(streamId: number, code: number, why: string): void;
  /** A frame of ours for the peer. */
  reply(frame: Buffer): void;
  /** What came is an error of the connection. Nothing is read behind it. */
  lost(): void;
}

interface StreamState {
  /** Bytes of DATA that are still to come by `content-length`; -1 any. */
  left: number;
  /** The error that it is to end with. */
  fault: number | undefined;
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly length: number;
}

/**
 * Reads what a peer sends before `node:http2` does, which for some faults of one stream does too little or too much: it
 * leaves out fields with bytes that no field may have and serves the rest (RFC 9113 sections 8.1.1 and 8.2.1 have the
 * stream reset), and it ends the whole connection for a body longer than its `content-length`, a window that opens by 0,
 * a priority of a wrong length, and a response to a ping that was not sent. All else is passed on as it came, and judged
 * there.
 */
export class FrameGuard {
  private readonly hpack = new HpackDecoder();
  private readonly streams = new Map<number, StreamState>();
  /** The first bytes of what cannot be judged yet. */
  private held: Buffer = Buffer.alloc(0);
  /** Of the payload that is under way. */
  private left = 0;
  private isDropping = false;
  private frame: Frame | undefined;
  /** Of the head or trailers that are under way; the parts of one frame, and the frames. */
  private parts: Buffer[] = [];
  private block: Buffer[] = [];
  private blockBytes = 0;
  private blockStart: Frame | undefined;
  /** The last stream that the peer began, or any where it begins none. */
  private lastStream: number;
  /** As it was asked for. */
  private lastServed = 0;
  private pings = 0;
  private isDeaf = false;

  constructor(
    private readonly peer: 'client' | 'server',
    private readonly events: GuardEvents,
  ) {
    this.left = peer === 'client' ? PREFACE_BYTES : 0;
    this.lastStream = peer === 'client' ? 0 : Infinity;
  }

  /** A ping was sent, so that its response is one. */
  pinged(): void {
    this.pings += 1;
  }

  /** The error that a stream is to end with instead of being served. Asked in the order in which streams begin. */
  findFault(streamId: number): number | undefined {
    this.lastServed = streamId;
    return this.streams.get(streamId)?.fault;
  }

  /** The stream has ended. */
  forget(streamId: number): void {
    this.streams.delete(streamId);
  }

  /** What `node:http2` may read of it. */
  take(chunk: Buffer): Buffer[] {
    if (this.isDeaf) return [];
    const bytes = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    this.held = bytes.subarray(bytes.length);
    const passed: Buffer[] = [];
    let from = 0;
    let at = 0;
    const pass = (end: number) => {
      if (end > from) passed.push(bytes.subarray(from, end));
    };
    while (at < bytes.length && !this.isDeaf) {
      if (this.left === 0) {
        const isWhole = bytes.length - at >= judgedBytes(bytes, at);
        if (!isWhole) {
          pass(at);
          from = bytes.length;
          this.held = bytes.subarray(at);
          break;
        }
        this.begin(bytes, at);
        if (this.isDropping) pass(at);
        at += HEAD_BYTES;
        if (this.isDropping) from = at;
      }
      const end = Math.min(bytes.length, at + this.left);
      this.left -= end - at;
      if (this.blockStart && !this.isDropping) this.parts.push(bytes.subarray(at, end));
      at = end;
      if (this.isDropping) from = at;
      if (this.left === 0) this.ended();
    }
    // Behind an error of the connection nothing is read.
    pass(this.isDeaf ? at : bytes.length);
    return passed;
  }

  private begin(bytes: Buffer, at: number): void {
    const frame = {
      length: bytes.readUIntBE(at, 3),
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
    };
    this.frame = frame;
    this.left = frame.length;
    const isForeign = this.blockStart !== undefined && frame.type !== CONTINUATION;
    const isLost = frame.length > MAX_FRAME_BYTES || frame.type === PUSH_PROMISE || isForeign;
    if (isLost) this.lose();
    else if (frame.type === HEADERS) this.blockStart = frame;
    else this.isDropping = this.isDropped(frame, bytes, at + HEAD_BYTES);
  }

  private isDropped(frame: Frame, bytes: Buffer, at: number): boolean {
    const { type, flags, stream, length } = frame;
    switch (type) {
      case DATA:
        return this.isOverlong(frame, (flags & PADDED) === 0 ? length : length - 1 - (bytes[at] ?? 0));
      case RST_STREAM:
        this.over(stream);
        return false;
      case PING:
        return (flags & ACK) !== 0 && stream === 0 && length === 8 && !this.isAwaitedPong();
      case PRIORITY:
        return length !== 5 && this.isBroken(stream, NGHTTP2_FRAME_SIZE_ERROR, 'A priority must have 5 bytes');
      case WINDOW_UPDATE: {
        const isNothing = length === 4 && (bytes.readUInt32BE(at) & 0x7fffffff) === 0;
        return isNothing && this.isBroken(stream, NGHTTP2_PROTOCOL_ERROR, 'A window must open by more than 0');
      }
      default:
        return false;
    }
  }

  private isAwaitedPong(): boolean {
    if (this.pings === 0) return false;
    this.pings -= 1;
    return true;
  }

  /** Breaks a stream that has begun; on another one the same fault is one of the connection. */
  private isBroken(stream: number, code: number, why: string): boolean {
    if (stream === 0 || stream > this.lastStream) return false;
    this.break(stream, code, why);
    return true;
  }

  private isOverlong({ stream, flags, length }: Frame, dataBytes: number): boolean {
    const state = this.streams.get(stream);
    if (!state) return false;
    if (state.fault === undefined && state.left >= 0) {
      state.left -= dataBytes;
      if (state.left < 0) this.break(stream, NGHTTP2_PROTOCOL_ERROR, 'The body is longer than its Content-Length');
    }
    if (state.fault === undefined) {
      if ((flags & END_STREAM) !== 0) this.over(stream);
      return false;
    }
    // What `node:http2` never sees it cannot give back to the connection's window.
    if (length > 0) this.events.reply(windowUpdate(length));
    return true;
  }

  private ended(): void {
    const { frame, blockStart } = this;
    this.isDropping = false;
    this.frame = undefined;
    if (!frame || !blockStart) return;
    const payload = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts);
    this.parts = [];
    const fragment = frame.type === HEADERS ? withoutPadding(payload, frame.flags) : payload;
    this.blockBytes += fragment?.length ?? 0;
    if (!fragment || this.blockBytes > MAX_BLOCK_BYTES) return this.lose();
    this.block.push(fragment);
    if ((frame.flags & END_HEADERS) === 0) return;
    const block = this.block.length === 1 ? this.block[0]! : Buffer.concat(this.block);
    this.block = [];
    this.blockBytes = 0;
    this.blockStart = undefined;
    this.judge(blockStart, block);
  }

  private judge({ stream, flags }: Frame, block: Buffer): void {
    const isRequest = this.peer === 'client' && stream > this.lastStream;
    if (isRequest) this.lastStream = stream;
    let wrong: HpackField | undefined;
    let length: string | undefined;
    let status: string | undefined;
    const isHpack = this.hpack.decode(block, (field) => {
      if (!field.isValid) wrong ??= field;
      if (field.name === 'content-length') length = field.value;
      else if (field.name === ':status') status = field.value;
    });
    if (!isHpack) return this.lose();
    if (wrong) return this.break(stream, NGHTTP2_PROTOCOL_ERROR, whatIsWrong(wrong));
    if ((flags & END_STREAM) !== 0) return this.over(stream);
    const begins = isRequest || (status !== undefined && !status.startsWith('1'));
    const left = begins && length !== undefined ? exactLength(length) : undefined;
    if (left !== undefined) this.set(stream, { left, fault: undefined });
  }

  private break(stream: number, code: number, why: string): void {
    const state = this.streams.get(stream);
    if (state?.fault !== undefined) return;
    if (state) state.fault = code;
    else this.set(stream, { left: -1, fault: code });
    this.events.broken(stream, code, why);
  }

  /** One that is broken is kept: it may not have been served yet. */
  private over(stream: number): void {
    const state = this.streams.get(stream);
    if (state && state.fault === undefined) this.streams.delete(stream);
  }

  private set(stream: number, state: StreamState): void {
    this.streams.set(stream, state);
    if (this.streams.size <= MAX_STREAMS) return;
    // Those that `node:http2` itself rejected never begin and never end.
    for (const [id, { fault }] of this.streams) {
      if (fault !== undefined && id < this.lastServed) this.streams.delete(id);
    }
    if (this.streams.size > MAX_STREAMS) this.lose();
  }

  private lose(): void {
    if (this.isDeaf) return;
    this.isDeaf = true;
    this.events.lost();
  }
}

/** How much of a frame must be there before it is judged. */
function judgedBytes(bytes: Buffer, at: number): number {
  if (bytes.length - at < HEAD_BYTES) return HEAD_BYTES;
  const length = bytes.readUIntBE(at, 3);
  const type = bytes[at + 3];
  if (type === WINDOW_UPDATE) return HEAD_BYTES + Math.min(4, length);
  const isPadded = type === DATA && (bytes[at + 4]! & PADDED) !== 0;
  return HEAD_BYTES + (isPadded ? Math.min(1, length) : 0);
}

/** The field block of a HEADERS frame; undefined where its padding is longer than itself. */
function withoutPadding(payload: Buffer, flags: number): Buffer | undefined {
  const isPadded = (flags & PADDED) !== 0;
  const start = (isPadded ? 1 : 0) + ((flags & PRIORITIZED) === 0 ? 0 : 5);
  const end = payload.length - (isPadded ? (payload[0] ?? 0) : 0);
  return start <= end ? payload.subarray(start, end) : undefined;
}

/** Without its value, which may be a secret. */
function whatIsWrong({ name }: HpackField): string {
  return `The field ${JSON.stringify(name.slice(0, 100))} has bytes that its name or value may not have`;
}

function windowUpdate(bytes: number): Buffer {
  const frame = Buffer.alloc(HEAD_BYTES + 4);
  frame[2] = 4;
  frame[3] = WINDOW_UPDATE;
  frame.writeUInt32BE(bytes, HEAD_BYTES);
  return frame;
}
