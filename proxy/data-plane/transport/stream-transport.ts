import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { PackedTransport } from './handle-transport';
import { takeHandle, tlsHandle } from './native';
import { NO_USER, Peer, Transport, TransportUser, describePeer } from '../contract/transport';

/** A transport on a socket as Node documents it: for TLS, and wherever the fast one cannot be used. */
export class StreamTransport implements Transport {
  user: TransportUser = NO_USER;
  isPaused = false;
  private pendingWrites = 0;
  private error: Error | undefined;
  private knownPeer: Peer | undefined;

  constructor(readonly socket: Socket) {
    socket.allowHalfOpen = true;
    socket.on('error', (error) => (this.error = error));
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('close', this.onClose);
  }

  write(text: string): void {
    if (this.isWritable) this.socket.write(text, 'latin1', this.count());
  }

  writeBytes(bytes: Buffer, before = ''): void {
    if (!this.isWritable) return;
    if (before !== '') {
      this.socket.cork();
      this.socket.write(before, 'latin1', this.count());
      process.nextTick(() => this.socket.uncork());
    }
    // They may be borrowed, and a stream keeps what it is given.
    this.socket.write(Buffer.from(bytes), this.count());
  }

  /** Node's streams give a socket up whole. */
  get hasFailed(): boolean {
    return this.socket.destroyed;
  }

  get isBackedUp(): boolean {
    return this.socket.writableNeedDrain;
  }

  /** What is in the buffers of the stream, or of TLS, is lost with the socket. */
  get hasPending(): boolean {
    return this.pendingWrites > 0;
  }

  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  pause(): void {
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  close(): void {
    this.socket.end(() => this.socket.destroy());
  }

  destroy(): void {
    this.socket.destroy();
  }

  reset(): void {
    if (this.isTls) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  get isDestroyed(): boolean {
    return this.socket.destroyed;
  }

  get peer(): Peer {
    return (this.knownPeer ??= describePeer(this.socket));
  }

  set peer(peer: Peer) {
    this.knownPeer = peer;
  }

  get isTls(): boolean {
    return (this.socket as TLSSocket).encrypted === true;
  }

  /** An end of either direction is known. */
  get hasEnded(): boolean {
    return this.socket.readableEnded || this.socket.writableEnded;
  }

  get isLost(): boolean {
    return this.error !== undefined || this.isDestroyed || this.socket.connecting;
  }

  /** Which ends have passed, as far as its user knows. */
  get past(): { readonly hasReadEnd: boolean; readonly isShutDown: boolean } {
    return { hasReadEnd: this.socket.readableEnded, isShutDown: this.socket.writableEnded };
  }

  /** Nothing of it is under way in this process: `pack` may be called where it is not TLS. */
  get isQuiet(): boolean {
    const { socket } = this;
    const { ended } = (socket as unknown as { _readableState: { readonly ended: boolean } })._readableState;
    if (this.error || ended || socket.destroyed || socket.connecting || socket.writableEnded) return false;
    return this.pendingWrites === 0 && socket.writableLength === 0 && socket.readableLength === 0;
  }

  /** Takes the connection out, for `HandleTransport.unpack`. The transport is of no use afterwards. */
  pack(): PackedTransport {
    const socket = this.giveUp(Buffer.alloc(0));
    const handle = takeHandle(socket);
    handle.readStop();
    return { handle, hasReadEnd: false, isShutDown: false, peer: this.knownPeer };
  }

  stopReading(): Buffer {
    return stopSocket(this.socket);
  }

  readAgain(bytes: Buffer): void {
    restartSocket(this.socket, bytes, !this.isPaused);
  }

  giveUp(bytes: Buffer): Socket {
    const { socket } = this;
    socket.pause();
    socket.off('data', this.onData);
    socket.off('end', this.onEnd);
    socket.off('close', this.onClose);
    if (bytes.length > 0) socket.unshift(Buffer.from(bytes));
    return socket;
  }

  private count(): (error?: Error | null) => void {
    this.pendingWrites += 1;
    return this.onWritten;
  }

  private get isWritable(): boolean {
    return this.socket.writable;
  }

  private readonly onData = (bytes: Buffer) => this.user.onData(bytes, bytes.length);
  private readonly onWritten = (error?: Error | null) => {
    this.pendingWrites -= 1;
    if (this.pendingWrites === 0 && !error) this.user.onDrain();
  };
  private readonly onEnd = () => this.user.onEnd();
  private readonly onClose = () => this.user.onClose(this.error);
}

/** Has a TLS socket read no more of its connection. @returns what it has read, and its listeners have not got */
export function stopSocket(socket: Socket): Buffer {
  const handle = tlsHandle(socket);
  socket.pause();
  // A listener would get what is read here.
  const listeners = socket.rawListeners('data') as ((bytes: Buffer) => void)[];
  for (const listener of listeners) socket.off('data', listener);
  const bytes = socket.readableLength > 0 ? (socket.read() as Buffer) : Buffer.alloc(0);
  for (const listener of listeners) socket.on('data', listener);
  // A stream that believes that its handle reads does not start it.
  handle.reading = true;
  handle.readStop();
  return bytes;
}

/** It goes on as before, with these bytes first. */
export function restartSocket(socket: Socket, bytes: Buffer, isFlowing: boolean): void {
  if (bytes.length > 0) socket.unshift(bytes);
  tlsHandle(socket).readStart();
  if (isFlowing) socket.resume();
}
