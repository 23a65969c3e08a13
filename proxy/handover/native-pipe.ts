import type { Handle, Request } from '../data-plane/transport/native';

/**
 * What is used of Node without its word for it: the native handle of a Unix socket that carries other handles
 * (`process.binding('pipe_wrap')`). `child_process` uses the same for its channels, with one handle at a time under way; here it
 * is many. `handle-pipe-check.ts` tries all of it at the start of a process.
 */
export interface PipeHandle {
  readonly fd: number;
  /** Bytes that the kernel has not taken. */
  readonly writeQueueSize: number;
  /** Set before `onread` where a handle came with the bytes of that read. */
  pendingHandle: Handle | null | undefined;
  onread: (this: PipeHandle) => void;
  /** Where all is read into from now on. */
  useUserBuffer(buffer: Buffer): void;
  open(fd: number): number;
  connect(request: ConnectRequest, path: string): number;
  readStart(): number;
  /** The kernel copies the handle, which stays open here, with the first byte of the text. */
  writeLatin1String(request: Request, text: string, handle?: Handle): number;
  writeBuffer(request: Request, bytes: Buffer): number;
  close(closed?: () => void): void;
}

export interface ConnectRequest {
  oncomplete: (status: number) => void;
}

interface PipeBinding {
  readonly Pipe: new (type: number) => PipeHandle;
  readonly PipeConnectWrap: new () => ConnectRequest;
  readonly constants: { readonly IPC: number };
}

function loadBinding<T>(name: string): T | undefined {
  try {
    return (process as unknown as { binding(name: string): T }).binding(name);
  } catch {
    return undefined;
  }
}

const binding = loadBinding<PipeBinding>('pipe_wrap');

/** False where nothing of this is known to be there; true says no more than that it may be tried. */
export const hasPipes =
  typeof binding?.Pipe === 'function' &&
  typeof binding.PipeConnectWrap === 'function' &&
  typeof binding.constants?.IPC === 'number';

/** One that can carry handles. */
export function createPipe(): PipeHandle {
  return new binding!.Pipe(binding!.constants.IPC);
}

export function createConnectRequest(): ConnectRequest {
  return new binding!.PipeConnectWrap();
}
