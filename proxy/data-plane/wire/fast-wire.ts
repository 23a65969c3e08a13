import { Socket } from 'node:net';
import { NOBODY, Peer, Wire, WireUser, peerOf } from './wire';

/**
 * What this file uses of Node without its word for it: the native handle of a socket, `Socket._handle`, and that a
 * socket is `this` in the callback of its `onread`. A write on the handle costs a third of a write on the stream around
 * it. `fast-wire-check.ts` tries all of it at the start of a process, and `StreamWire` takes over where a Node does
 * otherwise.
 */
export interface Handle {
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  writev(request: WriteRequest, chunks: (string | Buffer)[], isAllBuffers: boolean): number;
  /** Bytes that the kernel has not taken. */
  readonly writeQueueSize: number;
}

/** The id of a request that no write is waiting on. */
export const UNUSED = -1;

export interface WriteRequest {
  getAsyncId(): number;
  oncomplete: ((this: WriteRequest, status: number) => void) | undefined;
  /** Keeps what is being written alive. */
  buffer: unknown;
  wire: FastWire | undefined;
}

export type WriteRequestClass = new () => WriteRequest;

export function handleOf(socket: Socket): Handle | null {
  return (socket as unknown as { _handle: Handle | null })._handle;
}

function takeHandle(socket: Socket): Handle {
  const handle = handleOf(socket)!;
  (socket as unknown as { _handle: Handle | null })._handle = null;
  return handle;
}

/** As much as one read takes, of what is rarely long and of bulk. */
const READ_BYTES = 64 * 1024;
const BULK_BYTES = 256 * 1024;
/** Buffers of bulk reads that are kept for the next. */
const KEPT_BUFFERS = 16;

/** Every small read of the process lands here, one after the other: what is received is used, copied or gone. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);
const spareBuffers: Buffer[] = [];
/** For the next write of any wire: nearly all end at once, and leave their request unused. */
let spareRequest: WriteRequest | undefined;

/** The wire whose read is under way. */
let reading: FastWire | undefined;

/** One for all sockets, as are the functions below: an idle connection is to cost little. */
const ONREAD = {
  /** Node asks after every read where the next is to go, and when it makes a handle. */
  buffer(): Buffer {
    return reading === undefined ? shared : reading.switchBuffer();
  },
  callback(this: WireSocket, length: number): boolean {
    const wire = this.wire!;
    reading = wire;
    const goesOn = wire.onRead(length);
    reading = wire;
    return goesOn;
  },
};

class WireSocket extends Socket {
  wire: FastWire | undefined = undefined;
}

function onError(this: WireSocket, error: Error): void {
  this.wire!.error = error;
}

function onEnd(this: WireSocket): void {
  this.wire!.user.ended();
}

function onClose(this: WireSocket): void {
  this.wire!.user.closed(this.wire!.error);
}

function onWritten(this: WriteRequest, status: number): void {
  this.wire!.onWritten(status);
}

/** A wire on a TCP socket's native handle: reads into one buffer, writes without a stream between. */
export class FastWire implements Wire {
  user: WireUser = NOBODY;
  isBackedUp = false;
  hasFailed = false;
  isPaused = false;
  error: Error | undefined = undefined;
  readonly isTls = false;
  /** What the handle reads into. */
  private buffer: Buffer = shared;
  /** What it is to read into after the read that is under way. */
  private nextBuffer: Buffer = shared;
  private hasEnded = false;
  private pendingWrites = 0;
  private knownPeer: Peer | undefined = undefined;

  private constructor(
    private readonly socket: WireSocket,
    private readonly Request: WriteRequestClass,
  ) {
    socket.wire = this;
    socket.on('error', onError);
    // Node's own listener is for sockets that may not stay half open. Two would need a list.
    socket.removeAllListeners('end');
    socket.on('end', onEnd);
    socket.on('close', onClose);
  }

  /** Takes over a socket that was accepted and never read. */
  static accept(accepted: Socket, Request: WriteRequestClass): FastWire {
    const handle = takeHandle(accepted);
    return withoutReader(() => new FastWire(new WireSocket(options({ handle, onread: ONREAD })), Request));
  }

  /** A wire that is not open yet, and the socket that tells when it is. */
  static connect(
    at: { host: string; port: number },
    settings: object,
    Request: WriteRequestClass,
  ): { wire: FastWire; socket: Socket } {
    return withoutReader(() => {
      const socket = new WireSocket(options({ ...settings, onread: ONREAD }));
      const wire = new FastWire(socket, Request);
      socket.connect({ ...at, ...settings });
      return { wire, socket };
    });
  }

  write(text: string): void {
    const handle = handleOf(this.socket);
    if (handle === null || this.isWriteOver) return;
    const request = (spareRequest ??= new this.Request());
    this.written(request, handle.writeLatin1String(request, text), undefined);
  }

  writeBytes(bytes: Buffer, before = ''): void {
    const handle = handleOf(this.socket);
    if (handle === null || this.isWriteOver) return;
    // What the kernel does not take now is read from its place later, and the next read of any wire lands there.
    const stable = bytes.buffer === shared.buffer ? Buffer.from(bytes) : bytes;
    const request = (spareRequest ??= new this.Request());
    const status =
      before === ''
        ? handle.writeBuffer(request, stable)
        : handle.writev(request, [before, 'latin1', stable, 'buffer'], false);
    this.written(request, status, stable);
  }

  pause(): void {
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.socket.resume();
  }

  beginBulk(): void {
    if (this.nextBuffer === shared) this.nextBuffer = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(BULK_BYTES);
  }

  endBulk(isRead: boolean): void {
    if (this.nextBuffer === shared) return;
    // Between two reads the handle points to its buffer still: that one is then left to the collector.
    const isFree = isRead && (reading === this || this.nextBuffer !== this.buffer);
    if (isFree && spareBuffers.length < KEPT_BUFFERS) spareBuffers.push(this.nextBuffer);
    this.nextBuffer = shared;
  }

  end(): void {
    this.hasEnded = true;
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  get isDestroyed(): boolean {
    return this.socket.destroyed;
  }

  get peer(): Peer {
    return (this.knownPeer ??= peerOf(this.socket));
  }

  giveUp(bytes: Buffer): Socket {
    const handle = takeHandle(this.socket);
    const socket = new Socket(options({ handle, pauseOnCreate: true }));
    if (bytes.length > 0) socket.unshift(Buffer.from(bytes));
    return socket;
  }

  // For the functions above.

  switchBuffer(): Buffer {
    this.buffer = this.nextBuffer;
    reading = undefined;
    return this.buffer;
  }

  onRead(length: number): boolean {
    this.user.received(this.buffer, length);
    return !this.isPaused;
  }

  onWritten(status: number): void {
    this.pendingWrites -= 1;
    if (this.socket.destroyed) return;
    if (status !== 0) this.fail();
    if (this.pendingWrites > 0) return;
    this.isBackedUp = false;
    if (!this.hasFailed) this.user.drained();
  }

  /**
   * A peer that takes no more may have said why before, as an upstream that answers 413 and closes. So the socket is
   * read on until its error comes, which it does when the rest is read, and not while nobody reads.
   */
  private fail(): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    queueMicrotask(() => this.user.failed());
  }

  get hasPending(): boolean {
    return this.isBackedUp;
  }

  get pendingBytes(): number {
    return handleOf(this.socket)?.writeQueueSize ?? 0;
  }

  private get isWriteOver(): boolean {
    return this.hasFailed || this.hasEnded;
  }

  private written(request: WriteRequest, status: number, bytes: Buffer | undefined): void {
    if (status !== 0) return this.fail();
    // The kernel took all of it at once: the request was not used, and serves again. One that is in use has an id, also
    // when nothing is left in the queue and only its completion is to be told.
    if (request.getAsyncId() === UNUSED) return;
    this.isBackedUp = true;
    this.pendingWrites += 1;
    request.buffer = bytes;
    request.wire = this;
    request.oncomplete = onWritten;
    spareRequest = undefined;
  }
}

/** Makes a socket, perhaps within the read of another: Node's question for its buffer is none for that one's. */
function withoutReader<T>(make: () => T): T {
  const before = reading;
  reading = undefined;
  const made = make();
  reading = before;
  return made;
}

/** The constructor takes more than its documentation says. */
function options(given: object): ConstructorParameters<typeof Socket>[0] {
  return { allowHalfOpen: true, readable: true, writable: true, ...given };
}
