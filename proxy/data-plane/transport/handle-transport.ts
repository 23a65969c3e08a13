import { writeSync, writevSync } from 'node:fs';
import { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import {
  Handle,
  HandleOwner,
  LAST_WRITE_WAS_ASYNC,
  READ_BYTES_OR_ERROR,
  Request,
  ShutdownRequest,
  WriteRequest,
  state,
  takeHandle,
} from './native';
import { NO_USER, Peer, Transport, TransportUser, plainAddress } from '../contract/transport';

/** As much as one read takes. */
const READ_BYTES = 256 * 1024;
/** libuv's number for the end of a stream; all else below zero is an error. */
export const END_OF_STREAM = -4095;

/**
 * Every read of the process lands here, one after the other: what is received is used, copied or gone, and the memory
 * stays in the processor's cache.
 */
export const shared = Buffer.allocUnsafeSlow(READ_BYTES);
/** For the next write of any transport: nearly all end at once, and leave their request unused. */
let spareRequest: Request | undefined;

// One for all handles: an idle connection is to cost little.

function onRead(this: Handle): void {
  this.transport!.onRead(state[READ_BYTES_OR_ERROR]!);
}

function onClosed(this: Handle): void {
  this.transport!.onClosed();
}

export function onWritten(this: Request, status: number): void {
  this.transport!.onWritten(status);
}

export function onShutDown(this: Request): void {
  this.transport!.onShutDown();
}

/** All that a handle reads goes to `owner` from now on. */
export function readInto(handle: Handle, owner: HandleOwner, isPaused = false): void {
  handle.transport = owner;
  handle.onread = onRead;
  handle.useUserBuffer(shared);
  if (!isPaused) handle.readStart();
}

/**
 * The direction to the peer. `ending`: our end follows what still waits to be written. `shuttingDown`: it is on its way to
 * the kernel. `failed`: a write has failed, and nothing more leaves.
 */
export type WriteState = 'open' | 'ending' | 'shuttingDown' | 'shutDown' | 'failed';

/** A connection that was taken out of a transport. */
export interface PackedTransport {
  /** It is not read. */
  readonly handle: Handle;
  /** The peer's end was read. */
  readonly hasReadEnd: boolean;
  /** Our end has left. */
  readonly isShutDown: boolean;
  /** Undefined where the kernel says who it is. */
  readonly peer: Peer | undefined;
}

/** A transport straight on a TCP socket's native handle, without a socket or stream of Node's in between. */
export class HandleTransport implements Transport, HandleOwner {
  user: TransportUser = NO_USER;
  isPaused = false;
  readonly isTls = false;
  /** Undefined once it is closed or given up. */
  private handle: Handle | undefined;
  private error: Error | undefined = undefined;
  private knownPeer: Peer | undefined = undefined;
  private pendingWrites = 0;
  /** The peer's end, or an error, was read: nothing more comes. */
  private hasReadEnd = false;
  private writeState: WriteState = 'open';

  /** Goes on with a connection of another process, or of another transport. It is paused. */
  static unpack({ handle, hasReadEnd, isShutDown, peer }: PackedTransport): HandleTransport {
    const transport = new HandleTransport(handle, true);
    transport.hasReadEnd = hasReadEnd;
    if (isShutDown) transport.writeState = 'shutDown';
    transport.knownPeer = peer;
    return transport;
  }

  /** Takes over what is open and was never read. */
  constructor(connection: Socket | Handle, isPaused = false) {
    const handle = connection instanceof Socket ? takeHandle(connection) : connection;
    this.handle = handle;
    this.isPaused = isPaused;
    readInto(handle, this, isPaused);
  }

  /** Nothing of it is under way in this process: `pack` may be called. */
  get isQuiet(): boolean {
    if (this.handle === undefined || this.pendingWrites > 0) return false;
    return this.writeState === 'open' || this.writeState === 'shutDown';
  }

  /** Takes the connection out, for `unpack`; nothing is read any more. The transport is of no use afterwards. */
  pack(): PackedTransport {
    const handle = this.handle!;
    this.handle = undefined;
    handle.readStop();
    handle.transport = undefined;
    const { hasReadEnd, knownPeer: peer } = this;
    return { handle, hasReadEnd, isShutDown: this.writeState === 'shutDown', peer };
  }

  write(text: string): void {
    const { handle } = this;
    if (handle === undefined || this.writeState !== 'open') return;
    const request = (spareRequest ??= new WriteRequest());
    this.written(request, handle.writeLatin1String(request, text), undefined);
  }

  writeBytes(bytes: Buffer, before = ''): void {
    const { handle } = this;
    if (handle === undefined || this.writeState !== 'open') return;
    const head = before === '' ? undefined : Buffer.from(before, 'latin1');
    const length = bytes.length + before.length;
    const taken = this.pendingWrites > 0 ? 0 : this.writeNow(handle.fd, bytes, head);
    if (taken === length || taken < 0) return;
    // What the kernel does not take now is read from its place later, and the next read of any transport lands there.
    const whole = head === undefined ? bytes : Buffer.concat([head, bytes]);
    const rest = whole === bytes ? Buffer.from(bytes.subarray(taken)) : whole.subarray(taken);
    const request = (spareRequest ??= new WriteRequest());
    this.written(request, handle.writeBuffer(request, rest), rest);
  }

  pause(): void {
    this.isPaused = true;
    this.handle?.readStop();
  }

  resume(): void {
    this.isPaused = false;
    if (!this.hasReadEnd) this.handle?.readStart();
  }

  end(): void {
    if (this.handle === undefined || this.writeState !== 'open') return;
    // One that is asked behind writes that wait would keep a later reset from being one.
    if (this.pendingWrites > 0) this.writeState = 'ending';
    else this.shutDown(this.handle);
  }

  close(): void {
    this.destroy();
  }

  destroy(): void {
    const { handle } = this;
    this.handle = undefined;
    handle?.close(onClosed);
  }

  reset(): void {
    const { handle } = this;
    this.handle = undefined;
    if (handle === undefined) return;
    // One whose end is just leaving cannot be reset, and trying it would take the close away as well.
    if (this.writeState === 'shuttingDown' || handle.reset(onClosed) !== 0) handle.close(onClosed);
  }

  get isDestroyed(): boolean {
    return this.handle === undefined;
  }

  get peer(): Peer {
    return (this.knownPeer ??= this.readPeer());
  }

  set peer(peer: Peer) {
    this.knownPeer = peer;
  }

  giveUp(bytes: Buffer): Socket {
    const handle = this.handle!;
    this.handle = undefined;
    handle.transport = undefined;
    // The handle has a buffer of ours for good, and it is read before the next one is.
    const onread = {
      buffer: shared,
      callback: (length: number, buffer: Uint8Array) => {
        socket.push(Buffer.from(buffer.subarray(0, length)));
        return true;
      },
    };
    // The constructor takes more than its documentation says.
    const options: object = {
      handle,
      allowHalfOpen: true,
      pauseOnCreate: true,
      readable: true,
      writable: true,
      onread,
    };
    const socket = new Socket(options);
    if (bytes.length > 0) socket.unshift(Buffer.from(bytes));
    return socket;
  }

  get hasFailed(): boolean {
    return this.writeState === 'failed';
  }

  get isBackedUp(): boolean {
    return this.pendingWrites > 0;
  }

  get hasPending(): boolean {
    return this.pendingWrites > 0;
  }

  get pendingBytes(): number {
    return this.handle?.writeQueueSize ?? 0;
  }

  // For the functions above.

  onRead(length: number): void {
    if (length > 0) this.user.onData(shared, length);
    else if (length < 0) this.readOver(length);
  }

  onClosed(): void {
    this.user.onClose(this.error);
  }

  onWritten(status: number): void {
    // What was under way when it was destroyed has not left.
    if (this.handle === undefined) return;
    this.pendingWrites -= 1;
    if (status !== 0) this.fail(buildError('write', status));
    if (this.pendingWrites > 0) return;
    switch (this.writeState) {
      case 'open':
        return this.user.onDrain();
      case 'ending':
        this.shutDown(this.handle);
        return this.user.onDrain();
      case 'failed':
      case 'shuttingDown':
      case 'shutDown':
        return;
    }
  }

  onShutDown(): void {
    this.writeState = 'shutDown';
    if (this.hasReadEnd) this.destroy();
  }

  private readOver(status: number): void {
    this.hasReadEnd = true;
    if (status !== END_OF_STREAM) {
      this.error = buildError('read', status);
      return this.destroy();
    }
    this.user.onEnd();
    if (this.writeState === 'shutDown') this.destroy();
  }

  /** Gives to the kernel what it takes at once. Returns how much that is; less than 0 when it takes no more, ever. */
  private writeNow(fd: number, bytes: Buffer, head: Buffer | undefined): number {
    try {
      return head === undefined ? writeSync(fd, bytes) : writevSync(fd, [head, bytes]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      this.fail(error as Error);
      return -1;
    }
  }

  /**
   * A peer that takes no more may have said why before, as an upstream that responds with 413 and closes. So the socket is
   * read on until its error comes, which it does when the rest is read, and not while there is no reader.
   */
  private fail(error: Error): void {
    if (this.writeState === 'failed') return;
    this.writeState = 'failed';
    this.error ??= error;
    queueMicrotask(() => this.user.onError(error));
  }

  private shutDown(handle: Handle): void {
    const request = new ShutdownRequest();
    request.transport = this;
    request.oncomplete = onShutDown;
    this.writeState = 'shuttingDown';
    // Otherwise it was done, or failed, at once.
    if (handle.shutdown(request) !== 0) this.onShutDown();
  }

  private written(request: Request, status: number, bytes: Buffer | undefined): void {
    if (status !== 0) return this.fail(buildError('write', status));
    // The kernel took all of it at once: the request was not used, and serves again.
    if (state[LAST_WRITE_WAS_ASYNC] === 0) return;
    this.pendingWrites += 1;
    request.buffer = bytes;
    request.transport = this;
    request.oncomplete = onWritten;
    spareRequest = undefined;
  }

  private readPeer(): Peer {
    const out: { address?: string; port?: number } = {};
    this.handle?.getpeername(out);
    return { address: plainAddress(out.address), port: out.port ?? 0 };
  }
}

export function buildError(call: string, status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`${call} ${code}`), { code });
}
