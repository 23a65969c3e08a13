import type { Socket } from 'node:net';
import { NO_USER, Peer, Transport, TransportUser } from '../contract/transport';
import { HandleTransport } from '../transport/handle-transport';
import type { Handle } from '../transport/native';
import { TransportStream } from '../transport/transport-stream';

/** A byte for its kind and four for its length come before each frame. */
const HEADER_BYTES = 5;
/** Those of one generation may be read by a later one: another form of them is another `FORMAT` of a hand-over. */
const FRAME = { probe: 1, data: 2, end: 3, leave: 4 } as const;
const NOTHING = Buffer.alloc(0);

/** What is known of the connection whose bytes are in the frames, and where they are. */
export interface FramedState {
  readonly peer: Peer;
  readonly isTls: boolean;
  /** Its end was read. */
  readonly hasReadEnd: boolean;
  /** Our end was written. */
  readonly isShutDown: boolean;
  /** Latin1: of a frame's header, where it has not come whole. */
  readonly header: string;
  /** Of the data in the frame that is being read. */
  readonly left: number;
}

/** One that was taken out of this process: what of its frames was read, and not used, has to go with it. */
export interface PackedFramed {
  readonly handle: Handle;
  readonly state: FramedState;
  readonly unread: Buffer;
}

/**
 * A transport over a connection between two processes of a host. A socket of Unix knows no reset: so each end is a frame, and a
 * connection that goes away without one was lost, or cut.
 */
export class FramedTransport implements Transport, TransportUser {
  user: TransportUser = NO_USER;
  isPaused = false;
  readonly isPumped = true;
  /** The other process asks that the connection ends in order. */
  askedToLeave: () => void = () => undefined;
  peer: Peer;
  readonly isTls: boolean;
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private headerBytes = 0;
  /** Of the data in the frame that is being read. */
  private left = 0;
  /** Came in while its user was not reading. */
  private kept: Buffer | undefined = undefined;
  private readState: 'open' | 'ended' = 'open';
  private writeState: 'open' | 'ended' = 'open';
  private isLive = true;
  /** The connection below has ended, and what came before waits for the user. */
  private hasEndBelow = false;
  private isFlushing = false;
  private error: Error | undefined = undefined;

  /** @param unread what was read before, of its frames */
  constructor(
    private readonly below: Transport,
    { peer, isTls, hasReadEnd, isShutDown, header, left }: FramedState,
    unread: Buffer = NOTHING,
  ) {
    this.peer = peer;
    this.isTls = isTls;
    if (hasReadEnd) this.readState = 'ended';
    if (isShutDown) this.writeState = 'ended';
    this.headerBytes = this.header.write(header, 'latin1');
    this.left = left;
    if (unread.length > 0) this.kept = unread;
    this.isPaused = below.isPaused;
    below.user = this;
  }

  /** Goes on with one of another process, or of another transport. It is paused. */
  static unpack({ handle, state, unread }: PackedFramed): FramedTransport {
    const below = HandleTransport.unpack({ handle, hasReadEnd: false, isShutDown: false, peer: undefined });
    return new FramedTransport(below, state, unread);
  }

  /** Nothing of it is under way in this process: `pack` may be called. */
  get isQuiet(): boolean {
    const { below } = this;
    if (!this.isLive || this.hasEndBelow || this.error !== undefined || this.isOver) return false;
    return below instanceof HandleTransport && below.isQuiet;
  }

  /** Takes it out; nothing is read any more. The transport is of no use afterwards. */
  pack(): PackedFramed {
    const { handle } = (this.below as HandleTransport).pack();
    const { peer, isTls, left, kept = NOTHING } = this;
    this.isLive = false;
    this.kept = undefined;
    const state = {
      ...{ peer, isTls, left, header: this.header.toString('latin1', 0, this.headerBytes) },
      ...{ hasReadEnd: this.readState === 'ended', isShutDown: this.writeState === 'ended' },
    };
    return { handle, state, unread: kept };
  }

  write(text: string): void {
    if (this.isWritable && text.length > 0) this.below.write(formatHeader(FRAME.data, text.length) + text);
  }

  writeBytes(bytes: Buffer, before = ''): void {
    const length = bytes.length + before.length;
    if (this.isWritable && length > 0) this.below.writeBytes(bytes, formatHeader(FRAME.data, length) + before);
  }

  /** Asks the other process to end the connection in order. */
  askToLeave(): void {
    if (this.isLive) this.below.write(formatHeader(FRAME.leave, 0));
  }

  /** Says nothing: `onError` follows where there is no other process any more. */
  probe(): void {
    if (this.isLive && !this.below.hasPending) this.below.write(formatHeader(FRAME.probe, 0));
  }

  get hasFailed(): boolean {
    return this.below.hasFailed;
  }

  get isBackedUp(): boolean {
    return this.below.isBackedUp;
  }

  get hasPending(): boolean {
    return this.below.hasPending;
  }

  get pendingBytes(): number {
    return this.below.pendingBytes;
  }

  pause(): void {
    this.isPaused = true;
    if (this.isLive) this.below.pause();
  }

  resume(): void {
    this.isPaused = false;
    if (!this.isLive) return;
    this.below.resume();
    if (this.isFlushing || (this.kept === undefined && !this.hasEndBelow)) return;
    this.isFlushing = true;
    queueMicrotask(() => {
      this.isFlushing = false;
      this.flush();
    });
  }

  end(): void {
    if (!this.isWritable) return;
    this.writeState = 'ended';
    this.below.write(formatHeader(FRAME.end, 0));
    this.closeWhenOver();
  }

  close(): void {
    this.end();
    if (!this.isLive) return;
    this.isLive = false;
    // Without its frame an end is a loss for the other process.
    if (!this.below.hasPending) this.below.close();
  }

  destroy(): void {
    if (!this.isLive) return;
    this.isLive = false;
    this.below.destroy();
  }

  /** As `destroy`: an end without its frame is a reset for the other process. */
  reset(): void {
    this.destroy();
  }

  get isDestroyed(): boolean {
    return !this.isLive;
  }

  giveUp(bytes: Buffer): Socket {
    return new TransportStream(this, bytes) as unknown as Socket;
  }

  // For the transport below.

  onData(bytes: Buffer, length: number): void {
    if (!this.isLive) return;
    if (this.kept === undefined) return this.take(bytes, length);
    this.kept = Buffer.concat([this.kept, bytes.subarray(0, length)]);
    this.flush();
  }

  onDrain(): void {
    if (this.isLive) this.user.onDrain();
    else this.below.close();
  }

  onError(error: Error): void {
    // Its user may close it for that, and is told of a loss all the same.
    if (this.readState === 'open') this.error ??= error;
    if (this.isLive) this.user.onError(error);
  }

  onEnd(): void {
    this.hasEndBelow = true;
    if (this.isLive) this.flush();
    else this.below.destroy();
  }

  onClose(error: Error | undefined): void {
    const wasLive = this.isLive;
    this.isLive = false;
    this.kept = undefined;
    // One that we closed, and one that has ended both ways, was not lost.
    const isLost = wasLive && this.readState === 'open';
    this.user.onClose(this.error ?? (isLost ? (error ?? lost()) : undefined));
  }

  private get isWritable(): boolean {
    return this.isLive && this.writeState === 'open';
  }

  private get isReading(): boolean {
    return this.isLive && !this.isPaused;
  }

  private flush(): void {
    const { kept } = this;
    this.kept = undefined;
    if (kept !== undefined) this.take(kept, kept.length);
    if (!this.hasEndBelow || !this.isReading || this.kept !== undefined) return;
    if (this.readState === 'open') this.error = lost();
    this.destroy();
  }

  private take(bytes: Buffer, length: number): void {
    let at = 0;
    while (at < length && this.isReading)
      at = this.left > 0 ? this.takeContent(bytes, at, length) : this.takeHeader(bytes, at, length);
    if (at < length && this.isLive) this.kept = Buffer.from(bytes.subarray(at, length));
  }

  private takeHeader(bytes: Buffer, at: number, length: number): number {
    const taken = bytes.copy(this.header, this.headerBytes, at, length);
    this.headerBytes += taken;
    if (this.headerBytes < HEADER_BYTES) return at + taken;
    this.headerBytes = 0;
    this.begin(this.header[0]!, this.header.readUInt32BE(1));
    return at + taken;
  }

  private begin(kind: number, length: number): void {
    if (kind === FRAME.probe) return;
    if (kind === FRAME.leave) return this.askedToLeave();
    if (this.readState === 'ended') return this.fail();
    switch (kind) {
      case FRAME.data:
        this.left = length;
        return;
      case FRAME.end:
        this.readState = 'ended';
        this.user.onEnd();
        return this.closeWhenOver();
      default:
        return this.fail();
    }
  }

  private takeContent(bytes: Buffer, at: number, length: number): number {
    const end = Math.min(length, at + this.left);
    const piece = at === 0 && end === length ? bytes : bytes.subarray(at, end);
    this.left -= end - at;
    this.user.onData(piece, end - at);
    return end;
  }

  /** What is no frame comes from another version of this. */
  private fail(): void {
    this.error = Object.assign(new Error('the other process sent what is no frame'), { code: 'ERR_PUMP_FRAME' });
    this.destroy();
  }

  private get isOver(): boolean {
    return this.readState === 'ended' && this.writeState === 'ended';
  }

  private closeWhenOver(): void {
    if (this.isOver) this.below.end();
  }
}

function formatHeader(kind: number, length: number): string {
  return String.fromCharCode(kind, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
}

function lost(): Error {
  return Object.assign(new Error('the other process has cut the connection, or is gone'), { code: 'ECONNRESET' });
}
