import type { Server } from 'node:net';

/**
 * What the proxy uses of Node without its word for it: the native handle of a TCP socket (`Socket._handle`) and, from
 * `process.binding`, what its calls come back with. A handle costs a third of the stream around it, in time and in
 * memory. `handle-transport-check.ts` tries all of it at the start of a process, and `StreamTransport` takes over where a
 * Node does
 * otherwise.
 */
export interface Handle {
  readonly fd: number;
  /** The receiver of its reads. */
  onread: (this: Handle) => void;
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeLatin1String(request: Request, text: string): number;
  writeBuffer(request: Request, bytes: Buffer): number;
  shutdown(request: Request): number;
  close(closed?: (this: Handle) => void): void;
  reset(closed: (this: Handle) => void): number;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, seconds: number): number;
  getpeername(out: { address?: string; port?: number }): number;
  /** Bytes that the kernel has not taken. */
  readonly writeQueueSize: number;
  /** Ours: whom it belongs to. */
  transport: HandleOwner | undefined;
}

/** The handle of a TLS connection (`TLSSocket._handle`). Its `writeQueueSize` is what it has encrypted and not passed on. */
export interface TlsHandle extends Handle {
  /** The connection under it. */
  readonly _parent: Handle;
  /** Node.js' own note of whether it reads. */
  reading: boolean;
}

export interface HandleOwner {
  onRead(length: number): void;
  onClosed(): void;
  onWritten(status: number): void;
  onShutDown(): void;
}

/** What a write or a shutdown is asked with. */
export interface Request {
  oncomplete: ((this: Request, status: number) => void) | undefined;
  /** Keeps what is being written alive. */
  buffer: unknown;
  transport: HandleOwner | undefined;
}

interface StreamBinding {
  readonly WriteWrap: new () => Request;
  readonly ShutdownWrap: new () => Request;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

function loadBinding(): StreamBinding | undefined {
  try {
    return (process as unknown as { binding(name: string): StreamBinding }).binding('stream_wrap');
  } catch {
    return undefined;
  }
}

const binding = loadBinding();

/** False where nothing of this is known to be there; true says no more than that it may be tried. */
export const hasBinding =
  typeof binding?.WriteWrap === 'function' &&
  typeof binding.ShutdownWrap === 'function' &&
  ArrayBuffer.isView(binding.streamBaseState);

export const WriteRequest = binding?.WriteWrap as new () => Request;
export const ShutdownRequest = binding?.ShutdownWrap as new () => Request;

/** Written by every read and write: what came of it. */
export const state = binding?.streamBaseState ?? new Int32Array(0);
export const READ_BYTES_OR_ERROR = binding?.kReadBytesOrError ?? 0;
export const LAST_WRITE_WAS_ASYNC = binding?.kLastWriteWasAsync ?? 0;

/** The handle of a socket, which is of no use afterwards. */
export function takeHandle(socket: object): Handle {
  const owned = socket as { _handle: Handle | null };
  const handle = owned._handle!;
  owned._handle = null;
  disown(handle);
  return handle;
}

/** The handle of a TLS socket, which keeps it, too. */
export function tlsHandle(socket: object): TlsHandle {
  return (socket as { _handle: TlsHandle })._handle;
}

let ownerSymbol: symbol | undefined;

/** The handle names the socket that it was of, which would stay in memory with it. */
function disown(handle: Handle): void {
  ownerSymbol ??= Object.getOwnPropertySymbols(handle).find(({ description }) => description === 'owner_symbol');
  if (ownerSymbol !== undefined) (handle as unknown as Record<symbol, unknown>)[ownerSymbol] = undefined;
}

/** The descriptor of a socket that is listened at; undefined where it does not listen, or Node does not say. */
export function findDescriptor(server: Server): number | undefined {
  const { _handle: handle } = server as Server & { _handle?: { fd?: unknown } | null };
  const fd = handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
