import { fstatSync } from 'node:fs';
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { ConnectionHandle } from '../data-plane/contract/handover';
import {
  Handle,
  LAST_WRITE_WAS_ASYNC,
  READ_BYTES_OR_ERROR,
  Request,
  WriteRequest,
  state,
} from '../data-plane/transport/native';
import { PipeHandle, createConnectRequest, createPipe } from './native-pipe';

/** What goes over a pipe at once: plain data, bytes beside it, and handles of TCP connections. */
export interface PipeMessage {
  /** As JSON has it. */
  readonly data: object;
  readonly bytes?: readonly Buffer[];
  readonly handles?: readonly ConnectionHandle[];
}

export interface PipeUser {
  onMessage(message: Required<PipeMessage>): void;
  /** All that the peer has said was told. It has ended, or it is gone: called once, last. */
  onEnd(): void;
  /** What came is no message: all that still comes is dropped, and `onEnd` follows when the peer ends. */
  onFault(error: Error): void;
}

/** A mark, two lengths of 32 bits, and a count of 8. */
const HEADER_BYTES = 10;
/** What is in the place of a batch's beginning and has another first byte is none. */
const MARK = 0xd5;
/** Each handle but the last one of a batch comes with one of these before it. */
const HANDLE_MARK = 0xd6;
const HANDLE_TEXT = String.fromCharCode(HANDLE_MARK);
/** Behind a tunnel's two handles nothing needs as much. */
const MAX_DATA_BYTES = 1024 * 1024;
const MAX_BYTES = 16 * 1024 * 1024;
/** Messages that leave together: their handles must be at most 255. */
const MAX_BATCH = 16;
/** With more that waits, a batch leaves: so that it is far from what one may be. Of its data and the bytes beside it. */
const MAX_BATCH_LENGTH = 64 * 1024;
/** All pipes of the process read into it, one after the other. Nothing stays in it: it may be keys. */
const shared = Buffer.allocUnsafeSlow(64 * 1024);

/** One that waits for its batch. */
interface Queued {
  /** Of a triple: the data, the lengths of its bytes, which sockets its handles are of. */
  readonly text: string;
  readonly bytes: readonly Buffer[];
  readonly handles: readonly ConnectionHandle[];
  readonly left: (() => void) | undefined;
}

type Triple = readonly [data: object, lengths: readonly number[], sockets: readonly number[]];

const IGNORE: PipeUser = { onMessage: () => undefined, onEnd: () => undefined, onFault: () => undefined };

/**
 * Messages with handles, in order, over a Unix socket. A handle travels with the first byte of a write, and a read brings one at
 * most: the handles are matched with their messages by their order, and by which sockets they are. A process that has no file left
 * loses a handle without a word, and none may be taken for another one. The kernel keeps what was written before a process
 * ended, so that its peer reads all of it before the end.
 *
 * What is sent in one turn of the event loop leaves in batches: each costs both sides about as much as one message.
 */
export class HandlePipe {
  user: PipeUser = IGNORE;
  /** What came of a batch that is not whole. */
  private pieces: Buffer[] = [];
  private heldLength = 0;
  /** How much must be there for another look at them; they are not joined for less. */
  private neededLength = 0;
  private handles: ConnectionHandle[] = [];
  private queue: Queued[] = [];
  private queuedLength = 0;
  private state: 'open' | 'faulty' | 'closed' = 'open';

  private constructor(
    private readonly pipe: PipeHandle,
    /** Node's own handle of the same descriptor: it is kept and never closed, since `pipe` closes the descriptor. */
    protected readonly accepted?: Socket,
  ) {
    pipe.pendingHandle = null;
    pipe.useUserBuffer(shared);
    pipe.onread = () => this.onRead();
  }

  /** Rejects with an error of the system. */
  static connect(path: string): Promise<HandlePipe> {
    const pipe = createPipe();
    return new Promise((resolve, reject) => {
      const request = createConnectRequest();
      const done = (status: number) => {
        if (status === 0) return resolve(new HandlePipe(pipe));
        pipe.close();
        reject(buildError('connect', status));
      };
      request.oncomplete = done;
      const status = pipe.connect(request, path);
      if (status !== 0) done(status);
    });
  }

  /** Of a connection that a server has accepted, paused: Node's servers make no pipes that carry handles. */
  static accept(socket: Socket): HandlePipe {
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    const pipe = createPipe();
    const status = pipe.open(fd);
    if (status !== 0) throw buildError('open', status);
    return new HandlePipe(pipe, socket);
  }

  start(user: PipeUser): void {
    this.user = user;
    this.pipe.readStart();
  }

  /**
   * Of its bytes no copy of this process's own is left behind: they may be keys.
   *
   * @param left called when the kernel has all of it, or when it will never be read
   */
  send({ data, bytes = [], handles = [] }: PipeMessage, left?: () => void): void {
    if (this.state === 'closed') return left?.();
    const lengths = bytes.map(({ length }) => length);
    const triple: Triple = [data, lengths, handles.map(identify)];
    const text = JSON.stringify(triple);
    const all = lengths.reduce((sum, length) => sum + length, text.length);
    if (this.queuedLength + all > MAX_BATCH_LENGTH) this.flush();
    this.queuedLength += all;
    if (this.queue.push({ text, bytes, handles, left }) === 1) queueMicrotask(() => this.flush());
    else if (this.queue.length === MAX_BATCH) this.flush();
  }

  /** What was sent has left, as far as the kernel takes it at once; the rest is lost. */
  close(): void {
    if (this.state === 'closed') return;
    this.flush();
    this.shut();
  }

  private flush(): void {
    const batch = this.queue;
    if (batch.length === 0) return;
    this.queue = [];
    this.queuedLength = 0;
    const text = Buffer.from(`[${batch.map((one) => one.text).join()}]`);
    const body = concat(batch.flatMap(({ bytes }) => bytes));
    const handles = batch.flatMap((one) => one.handles);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt8(MARK, 0);
    header.writeUInt32LE(text.length, 1);
    header.writeUInt32LE(body?.length ?? 0, 5);
    header.writeUInt8(handles.length, 9);
    const left = () => batch.forEach((one) => one.left?.());
    for (const handle of handles.slice(0, -1)) this.write(HANDLE_TEXT, handle);
    const head = Buffer.concat([header, text]).toString('latin1');
    this.write(head, handles.at(-1), body === undefined ? left : undefined);
    if (body !== undefined) this.writeBytes(body, left);
  }

  private write(text: string, handle: ConnectionHandle | undefined, left?: () => void): void {
    const request = new WriteRequest() as Request & { kept?: ConnectionHandle };
    request.oncomplete = left;
    // It must be open until it has left.
    if (handle !== undefined) request.kept = handle;
    const status =
      handle === undefined
        ? this.pipe.writeLatin1String(request, text)
        : this.pipe.writeLatin1String(request, text, handle as Handle);
    if (status !== 0 || state[LAST_WRITE_WAS_ASYNC] === 0) left?.();
  }

  /** Not as text: a text cannot be wiped. */
  private writeBytes(bytes: Buffer, left?: () => void): void {
    const request = new WriteRequest();
    const done = () => {
      bytes.fill(0);
      left?.();
    };
    request.buffer = bytes;
    request.oncomplete = done;
    const status = this.pipe.writeBuffer(request, bytes);
    if (status !== 0 || state[LAST_WRITE_WAS_ASYNC] === 0) done();
  }

  private onRead(): void {
    const length = state[READ_BYTES_OR_ERROR]!;
    const { pendingHandle } = this.pipe;
    this.pipe.pendingHandle = null;
    if (this.state === 'closed') return void pendingHandle?.close();
    if (pendingHandle) this.handles.push(pendingHandle);
    if (length < 0) return this.end();
    if (length === 0) return;
    try {
      if (this.state === 'open') this.take(shared.subarray(0, length));
      else this.dropHandles();
    } catch (error) {
      this.state = 'faulty';
      this.forget();
      this.dropHandles();
      this.user.onFault(error as Error);
    } finally {
      shared.fill(0, 0, length);
    }
  }

  private take(read: Buffer): void {
    const isMore = this.heldLength > 0;
    if (isMore && this.heldLength + read.length < this.neededLength) return this.keep(read);
    const all = isMore ? join([...this.pieces, read]) : read;
    this.forget();
    try {
      const end = this.readBatches(all);
      if (end < all.length && this.state === 'open') this.keep(all.subarray(end));
    } finally {
      all.fill(0);
    }
  }

  private keep(piece: Buffer): void {
    this.pieces.push(Buffer.from(piece));
    this.heldLength += piece.length;
  }

  /** @returns where the first one begins that is not whole */
  private readBatches(all: Buffer): number {
    let at = 0;
    while (this.state === 'open') {
      // Their handles are there already.
      while (all[at] === HANDLE_MARK) at += 1;
      if (at < all.length && all[at] !== MARK) throw new Error('What came is no message');
      this.neededLength = HEADER_BYTES;
      if (all.length < at + HEADER_BYTES) break;
      const textAt = at + HEADER_BYTES;
      const textEnd = textAt + all.readUInt32LE(at + 1);
      const end = textEnd + all.readUInt32LE(at + 5);
      if (textEnd - textAt > MAX_DATA_BYTES || end - textEnd > MAX_BYTES)
        throw new Error('A message is longer than any may be');
      this.neededLength = end - at;
      if (all.length < end) break;
      if (this.handles.length < all.readUInt8(at + 9)) throw new Error('A message came without its handles');
      this.tell(JSON.parse(all.toString('utf8', textAt, textEnd)) as Triple[], all.subarray(textEnd, end));
      at = end;
    }
    return at;
  }

  private tell(batch: readonly Triple[], bytes: Buffer): void {
    let at = 0;
    for (const [data, lengths, sockets] of batch) {
      if (this.state !== 'open') return;
      const handles = this.handles.splice(0, sockets.length);
      if (handles.some((handle, index) => identify(handle) !== sockets[index])) {
        for (const handle of handles) handle.close();
        throw new Error('A message came with other handles than its own');
      }
      // Copies: what is cut is kept for longer than what it came in.
      const pieces = lengths.map((length) => Buffer.from(bytes.subarray(at, (at += length))));
      this.user.onMessage({ data, bytes: pieces, handles });
    }
  }

  private end(): void {
    this.shut();
    this.user.onEnd();
  }

  private shut(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.pipe.close();
    this.dropHandles();
    this.forget();
    for (const { left } of this.queue.splice(0)) left?.();
  }

  private forget(): void {
    for (const piece of this.pieces.splice(0)) piece.fill(0);
    this.heldLength = 0;
  }

  private dropHandles(): void {
    for (const handle of this.handles.splice(0)) handle.close();
  }
}

/** What the system calls a socket, in every process that has it. */
function identify(handle: ConnectionHandle): number {
  return fstatSync((handle as Handle).fd).ino;
}

/** Of its own memory, which nothing else has a part of. */
function concat(bytes: readonly Buffer[]): Buffer | undefined {
  const length = bytes.reduce((sum, piece) => sum + piece.length, 0);
  if (length === 0) return undefined;
  const whole = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const piece of bytes) at += piece.copy(whole, at);
  return whole;
}

/** Of its own memory. Of what was read in pieces nothing is left. */
function join(pieces: readonly Buffer[]): Buffer {
  const whole = concat(pieces) ?? Buffer.alloc(0);
  for (const piece of pieces) piece.fill(0);
  return whole;
}

function buildError(call: string, status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`${call} ${code}`), { code });
}
