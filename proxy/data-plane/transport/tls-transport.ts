import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  END_OF_STREAM,
  buildError,
  onShutDown,
  onWritten,
  readInto,
  shared,
  type WriteState,
} from './handle-transport';
import {
  Handle,
  HandleOwner,
  LAST_WRITE_WAS_ASYNC,
  READ_BYTES_OR_ERROR,
  Request,
  ShutdownRequest,
  TlsHandle,
  WriteRequest,
  state,
  tlsHandle,
} from './native';
import { NO_USER, Peer, Transport, TransportUser, describePeer } from '../contract/transport';

/** More than this waits behind a write: no more should be written. */
const QUEUE_BYTES = 64 * 1024;

/**
 * A transport on the native handle of a TLS connection, without the streams of its socket. The socket stays, as it has the keys, the
 * errors and the end of the connection: its `_handle` is the TLS handle, and `_handle._parent` the one of TCP.
 *
 * A handle of TLS takes one write at a time, and a second one ends the process. It says that one is over after the reads of
 * the same turn at the earliest, so all that is written meanwhile waits here, and leaves as one.
 */
export class TlsTransport implements Transport, HandleOwner {
  user: TransportUser = NO_USER;
  isPaused = false;
  readonly isTls = true;
  /** Undefined once it is closed or given up. */
  private handle: TlsHandle | undefined;
  private error: Error | undefined = undefined;
  private knownPeer: Peer | undefined = undefined;
  /** The write that the handle has. */
  private underWay: Request | undefined = undefined;
  /** What waits for it, in order. */
  private queue: (string | Buffer)[] | undefined = undefined;
  private queuedBytes = 0;
  /** What came while it was paused, or behind that: one read of TCP may hold more than one of TLS. */
  private held: Buffer[] | undefined = undefined;
  /** The end, or the error, that came behind it. */
  private heldEnd: number | undefined = undefined;
  /** The peer's end, or an error, was read, or is of no interest any more. */
  private hasReadEnd = false;
  /** Before `stopReading`. */
  private wasPaused = false;
  private writeState: WriteState = 'open';

  /** Takes over a socket whose handshake has just ended, and that was never read. */
  constructor(readonly socket: TLSSocket) {
    this.handle = tlsHandle(socket);
    (socket as OwnedSocket).transport = this;
    socket.on('error', onFault).on('close', onSocketClosed);
    const early = socket.read() as Buffer | null;
    if (early !== null) this.hold(early);
    readInto(this.handle, this);
  }

  write(text: string): void {
    if (text !== '') this.put(text);
  }

  writeBytes(bytes: Buffer, before = ''): void {
    if (before !== '' && this.underWay === undefined) return this.put(joined([before, bytes]));
    if (before !== '') this.put(before);
    if (bytes.length > 0) this.put(bytes);
  }

  pause(): void {
    this.isPaused = true;
    this.handle?.readStop();
  }

  resume(): void {
    this.isPaused = false;
    if (this.held !== undefined || this.heldEnd !== undefined) return process.nextTick(tellHeld, this);
    if (!this.hasReadEnd) this.handle?.readStart();
  }

  end(): void {
    if (this.handle === undefined || this.writeState !== 'open') return;
    if (this.underWay !== undefined) this.writeState = 'ending';
    else this.shutDown(this.handle);
  }

  close(): void {
    this.hasReadEnd = true;
    if (this.writeState === 'shutDown' || this.writeState === 'failed') this.destroy();
    else this.end();
  }

  destroy(): void {
    if (this.handle === undefined) return;
    this.handle = undefined;
    this.held = undefined;
    this.queue = undefined;
    this.socket.destroy();
  }

  reset(): void {
    this.destroy();
  }

  get isDestroyed(): boolean {
    return this.handle === undefined;
  }

  get peer(): Peer {
    return (this.knownPeer ??= describePeer(this.socket));
  }

  set peer(peer: Peer) {
    this.knownPeer = peer;
  }

  /** An end of either direction is known. */
  get hasEnded(): boolean {
    return this.hasReadEnd || this.heldEnd !== undefined || this.writeState !== 'open';
  }

  /** Nothing more can be written, and that is no end of ours; or it is gone. */
  get isLost(): boolean {
    return this.isDestroyed || this.hasFailed;
  }

  /** Which ends have passed, as far as its user knows. */
  get past(): { readonly hasReadEnd: boolean; readonly isShutDown: boolean } {
    return { hasReadEnd: this.hasReadEnd, isShutDown: this.writeState !== 'open' };
  }

  /** Reads no more of the connection. @returns what came in, and its user has not got */
  stopReading(): Buffer {
    this.wasPaused = this.isPaused;
    this.pause();
    const bytes = joined(this.held ?? []);
    this.held = undefined;
    return bytes;
  }

  /** Goes on as before, later, with these bytes first. */
  readAgain(bytes: Buffer): void {
    if (bytes.length > 0) (this.held ??= []).unshift(bytes);
    if (!this.wasPaused) this.resume();
  }

  giveUp(bytes: Buffer): Socket {
    const { socket } = this;
    const handle = this.handle!;
    this.handle = undefined;
    handle.transport = undefined;
    socket.off('error', onFault).off('close', onSocketClosed);
    // The handle has a buffer of ours for good, and it is read before the next one is.
    handle.onread = () => {
      const length = state[READ_BYTES_OR_ERROR]!;
      if (length > 0 && !socket.push(Buffer.from(shared.subarray(0, length)))) {
        handle.reading = false;
        handle.readStop();
      }
      if (length === END_OF_STREAM) socket.push(null);
      else if (length < 0) socket.destroy(buildError('read', length));
    };
    for (const piece of [...(this.held ?? [])].reverse()) socket.unshift(piece);
    if (bytes.length > 0) socket.unshift(Buffer.from(bytes));
    // The socket was made reading, and asks for more only when it was told to stop.
    handle.readStart();
    return socket;
  }

  get hasFailed(): boolean {
    return this.writeState === 'failed';
  }

  get isBackedUp(): boolean {
    return this.underWay !== undefined && (this.queuedBytes > QUEUE_BYTES || this.parentQueueSize > 0);
  }

  get hasPending(): boolean {
    return this.underWay !== undefined;
  }

  get pendingBytes(): number {
    return this.queuedBytes + (this.underWay === undefined ? 0 : (this.handle?.writeQueueSize ?? 0));
  }

  // For the calls of the handle.

  onRead(length: number): void {
    if (length === 0) return;
    if (this.isPaused || this.held !== undefined) {
      if (length > 0) this.hold(Buffer.from(shared.subarray(0, length)));
      else this.heldEnd ??= length;
    } else if (length > 0) this.user.onData(shared, length);
    else if (!this.hasReadEnd) this.readOver(length);
  }

  /** Of TLS: nothing that comes is to be trusted any more. */
  onFault(error: Error): void {
    this.error ??= error;
    this.destroy();
  }

  onClosed(): void {
    this.handle = undefined;
    this.user.onClose(this.error);
  }

  onWritten(status: number): void {
    const { handle } = this;
    this.underWay = undefined;
    // What was under way when it was destroyed has not left.
    if (handle === undefined) return;
    if (status !== 0) return this.fail(buildError('write', status));
    if (this.queue !== undefined) return this.writeQueue(handle, this.queue);
    switch (this.writeState) {
      case 'open':
        return this.user.onDrain();
      case 'ending':
        this.shutDown(handle);
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

  /** Gives the user what was held, until it pauses again. */
  tellHeld(): void {
    while (!this.isPaused && this.held !== undefined && this.handle !== undefined) {
      const piece = this.held.shift();
      if (piece === undefined) this.held = undefined;
      else this.user.onData(piece, piece.length);
    }
    if (this.isPaused || this.handle === undefined) return;
    if (this.heldEnd !== undefined) this.readOver(this.heldEnd);
    else if (!this.hasReadEnd) this.handle.readStart();
  }

  private hold(piece: Buffer): void {
    (this.held ??= []).push(piece);
    if (!this.isPaused && this.held.length === 1) process.nextTick(tellHeld, this);
  }

  private readOver(status: number): void {
    this.hasReadEnd = true;
    this.heldEnd = undefined;
    if (status !== END_OF_STREAM) {
      this.error = buildError('read', status);
      return this.destroy();
    }
    this.user.onEnd();
    if (this.writeState === 'shutDown') this.destroy();
  }

  /** Of TCP: what the kernel has not taken. */
  private get parentQueueSize(): number {
    return this.handle?._parent.writeQueueSize ?? 0;
  }

  /** Bytes may be borrowed ones: the handle has encrypted them when its call returns, and the queue has its own. */
  private put(piece: string | Buffer): void {
    const { handle } = this;
    if (handle === undefined || this.writeState !== 'open') return;
    if (this.underWay === undefined) return this.writeNow(handle, piece);
    (this.queue ??= []).push(typeof piece === 'string' ? piece : Buffer.from(piece));
    this.queuedBytes += piece.length;
  }

  private writeQueue(handle: TlsHandle, queue: readonly (string | Buffer)[]): void {
    this.queue = undefined;
    this.queuedBytes = 0;
    this.writeNow(handle, queue.length === 1 ? queue[0]! : joined(queue));
  }

  private writeNow(handle: Handle, piece: string | Buffer): void {
    const request = new WriteRequest();
    request.transport = this;
    request.oncomplete = onWritten;
    this.underWay = request;
    const isText = typeof piece === 'string';
    const status = isText ? handle.writeLatin1String(request, piece) : handle.writeBuffer(request, piece);
    if (status === 0 && state[LAST_WRITE_WAS_ASYNC] === 1) return;
    this.underWay = undefined;
    if (status !== 0) this.fail(buildError('write', status));
  }

  private shutDown(handle: Handle): void {
    const request = new ShutdownRequest();
    request.transport = this;
    request.oncomplete = onShutDown;
    this.writeState = 'shuttingDown';
    // Otherwise it was done, or failed, at once.
    if (handle.shutdown(request) !== 0) this.onShutDown();
  }

  /** As `HandleTransport` has it: what the peer has said before can still be read. */
  private fail(error: Error): void {
    if (this.writeState === 'failed') return;
    this.writeState = 'failed';
    this.queue = undefined;
    this.queuedBytes = 0;
    this.error ??= error;
    queueMicrotask(() => this.user.onError(error));
  }
}

/** Its listeners are one for all: an idle connection is to cost little. */
interface OwnedSocket extends TLSSocket {
  transport?: TlsTransport;
}

function onFault(this: OwnedSocket, error: Error): void {
  this.transport!.onFault(error);
}

function onSocketClosed(this: OwnedSocket): void {
  this.transport!.onClosed();
}

function tellHeld(transport: TlsTransport): void {
  transport.tellHeld();
}

function joined(pieces: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)));
}
