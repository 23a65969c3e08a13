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
import { PipeHandle, createConnectRequest, createPipe, readBytes } from './native-pipe';

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
/** What is in the place of a message's beginning and has another first byte is none. */
const MARK = 0xd5;
/** Behind a tunnel's two handles nothing needs as much. */
const MAX_DATA_BYTES = 1024 * 1024;
const MAX_BYTES = 16 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

const IGNORE: PipeUser = { onMessage: () => undefined, onEnd: () => undefined, onFault: () => undefined };

/**
 * Messages with handles, in order, over a Unix socket. A handle travels with the first byte of a write, and a read brings one at
 * most: the handles are matched with their messages by their order. The kernel keeps what was written before a process
 * ended, so that its peer reads all of it before the end.
 */
export class HandlePipe {
  user: PipeUser = IGNORE;
  private rest: Buffer = NOTHING;
  private handles: ConnectionHandle[] = [];
  private state: 'open' | 'faulty' | 'closed' = 'open';

  private constructor(
    private readonly pipe: PipeHandle,
    /** Node's own handle of the same descriptor: it is kept and never closed, since `pipe` closes the descriptor. */
    protected readonly accepted?: Socket,
  ) {
    pipe.pendingHandle = null;
    pipe.onread = (bytes) => this.onRead(bytes);
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

  /** Bytes that wait here. */
  get queuedBytes(): number {
    return this.state === 'closed' ? 0 : this.pipe.writeQueueSize;
  }

  /**
   * Of its bytes no copy of this process's own is left behind: they may be keys.
   *
   * @param left called when the kernel has all of it, or when it will never be read
   */
  send({ data, bytes = [], handles = [] }: PipeMessage, left?: () => void): void {
    if (this.state === 'closed') return left?.();
    const text = Buffer.from(JSON.stringify({ data, lengths: bytes.map(({ length }) => length) }));
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt8(MARK, 0);
    header.writeUInt32LE(text.length, 1);
    header.writeUInt32LE(
      bytes.reduce((sum, { length }) => sum + length, 0),
      5,
    );
    header.writeUInt8(handles.length, 9);
    const head = Buffer.concat([header, text]).toString('latin1');
    // All but the last one have a byte each.
    const before = Math.max(0, handles.length - 1);
    for (let index = 0; index < before; index += 1) this.write(head[index]!, handles[index]);
    const body = concat(bytes);
    this.write(head.slice(before), handles[before], body === undefined ? left : undefined);
    if (body !== undefined) this.writeBytes(body, left);
  }

  /** At once; what waits is lost. */
  close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.pipe.close();
    this.dropHandles();
    this.forget();
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

  private onRead(bytes: ArrayBuffer | undefined): void {
    const length = state[READ_BYTES_OR_ERROR]!;
    const { pendingHandle } = this.pipe;
    this.pipe.pendingHandle = null;
    if (this.state === 'closed') return void pendingHandle?.close(() => undefined);
    if (pendingHandle) this.handles.push(pendingHandle);
    if (length < 0) return this.end();
    if (length === 0 || bytes === undefined) return;
    if (this.state === 'faulty') return this.dropHandles();
    const read = readBytes(bytes, length);
    this.rest = this.rest.length === 0 ? read : join(this.rest, read);
    try {
      this.readMessages();
    } catch (error) {
      this.state = 'faulty';
      this.forget();
      this.dropHandles();
      this.user.onFault(error as Error);
    }
  }

  private readMessages(): void {
    while (this.state === 'open' && this.rest.length >= HEADER_BYTES) {
      const { rest } = this;
      if (rest[0] !== MARK) throw new Error('What came is no message');
      const textEnd = HEADER_BYTES + rest.readUInt32LE(1);
      const end = textEnd + rest.readUInt32LE(5);
      const count = rest.readUInt8(9);
      if (textEnd > MAX_DATA_BYTES || end - textEnd > MAX_BYTES) throw new Error('A message is longer than any may be');
      if (rest.length < end) return;
      if (this.handles.length < count) throw new Error('A message came without its handles');
      const { data, lengths } = JSON.parse(rest.toString('utf8', HEADER_BYTES, textEnd)) as {
        data: object;
        lengths: number[];
      };
      const bytes = cut(rest.subarray(textEnd, end), lengths);
      rest.fill(0, textEnd, end);
      this.rest = rest.subarray(end);
      this.user.onMessage({ data, bytes, handles: this.handles.splice(0, count) });
    }
  }

  private end(): void {
    this.close();
    this.user.onEnd();
  }

  private forget(): void {
    this.rest.fill(0);
    this.rest = NOTHING;
  }

  private dropHandles(): void {
    for (const handle of this.handles.splice(0)) handle.close(() => undefined);
  }
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

/** What was read in two, of which nothing is left. */
function join(first: Buffer, second: Buffer): Buffer {
  const whole = Buffer.concat([first, second]);
  first.fill(0);
  second.fill(0);
  return whole;
}

/** Copies: what is cut is kept for longer than what it came in. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  let at = 0;
  return lengths.map((length) => Buffer.from(bytes.subarray(at, (at += length))));
}

function buildError(call: string, status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`${call} ${code}`), { code });
}
