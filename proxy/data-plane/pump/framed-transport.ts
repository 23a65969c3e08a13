import type { Socket } from 'node:net';
import { NO_USER, Peer, Transport, TransportUser } from '../contract/transport';
import { TransportStream } from '../transport/transport-stream';

/** A byte for its kind and four for its length come before each frame. */
const HEADER_BYTES = 5;
const FRAME = { hello: 1, data: 2, end: 3 } as const;
const MAX_HELLO_BYTES = 65_536;

/** What the process that has a client's connection says of it to the one that serves it. */
export interface Hello {
  readonly peer: Peer;
  readonly isTls: boolean;
  /** Of the connection, in words of those two processes; JSON. */
  readonly state?: unknown;
}

/**
 * A transport over a connection between two processes of a host. A socket of Unix knows no reset: so each end is a frame, and a
 * connection that goes away without one was lost, or cut.
 */
export class FramedTransport implements Transport, TransportUser {
  user: TransportUser = NO_USER;
  isPaused = false;
  peer: Peer = { address: '', port: 0 };
  isTls = false;
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private headerBytes = 0;
  /** Of the data in the frame that is being read. */
  private left = 0;
  /** Came in while its user was not reading. */
  private kept: Buffer | undefined = undefined;
  /** Of the frame that says hello, until it is whole. */
  private hello: Buffer | undefined = undefined;
  private hasStarted = false;
  private readState: 'open' | 'ended' = 'open';
  private writeState: 'open' | 'ended' = 'open';
  private isLive = true;
  /** The connection below has ended, and what came before waits for the user. */
  private hasEndBelow = false;
  private isFlushing = false;
  private error: Error | undefined = undefined;

  /** @param greeted called with the hello of the other process, at which the user is to be set; where this one says it, not at all */
  constructor(
    private readonly below: Transport,
    private readonly greeted: (hello: Hello) => void = () => undefined,
  ) {
    below.user = this;
  }

  /** The first word, before any other. */
  greet(hello: Hello): void {
    this.peer = hello.peer;
    this.isTls = hello.isTls;
    const bytes = Buffer.from(JSON.stringify(hello));
    this.below.writeBytes(bytes, formatHeader(FRAME.hello, bytes.length));
  }

  write(text: string): void {
    if (this.isWritable && text.length > 0) this.below.write(formatHeader(FRAME.data, text.length) + text);
  }

  writeBytes(bytes: Buffer, before = ''): void {
    const length = bytes.length + before.length;
    if (this.isWritable && length > 0) this.below.writeBytes(bytes, formatHeader(FRAME.data, length) + before);
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
    this.below.close();
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
  }

  onError(error: Error): void {
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
    const isFirst = !this.hasStarted;
    this.hasStarted = true;
    switch (kind) {
      case FRAME.hello:
        if (length === 0 || length > MAX_HELLO_BYTES || !isFirst) return this.fail();
        this.hello = Buffer.alloc(0);
        this.left = length;
        return;
      case FRAME.data:
        if (this.readState === 'ended') return this.fail();
        this.left = length;
        return;
      case FRAME.end:
        if (this.readState === 'ended') return this.fail();
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
    if (this.hello === undefined) this.user.onData(piece, end - at);
    else this.takeHello(piece);
    return end;
  }

  private takeHello(piece: Buffer): void {
    this.hello = Buffer.concat([this.hello!, piece]);
    if (this.left > 0) return;
    const hello = readHello(this.hello);
    this.hello = undefined;
    if (hello === undefined) return this.fail();
    this.peer = hello.peer;
    this.isTls = hello.isTls;
    this.greeted(hello);
  }

  /** What is no frame comes from another version of this. */
  private fail(): void {
    this.error = Object.assign(new Error('the other process sent what is no frame'), { code: 'ERR_PUMP_FRAME' });
    this.destroy();
  }

  private closeWhenOver(): void {
    if (this.readState === 'ended' && this.writeState === 'ended') this.below.end();
  }
}

function readHello(bytes: Buffer): Hello | undefined {
  try {
    return JSON.parse(bytes.toString()) as Hello;
  } catch {
    return undefined;
  }
}

function formatHeader(kind: number, length: number): string {
  return String.fromCharCode(kind, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
}

function lost(): Error {
  return Object.assign(new Error('the other process has cut the connection, or is gone'), { code: 'ECONNRESET' });
}
