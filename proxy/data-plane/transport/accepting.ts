import type { Server } from 'node:net';
import type { Handle } from './native';

/** In seconds. Finds a peer that is gone without a word. */
const KEEP_ALIVE_SECONDS = 30;

/** For `net.createServer` and `tls.createServer`. */
export const ACCEPT_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_SECONDS * 1000,
} as const;

/** For so long there may be connections that were made before the listening socket had its options. */
const SETTLE_MS = 1_000;

/** A listening socket's handle (`Server._handle`), as far as it is used here. */
interface ListeningHandle {
  onconnection?: (this: ListeningHandle, status: number, handle?: Handle) => void;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, seconds: number): number;
}

/** How a server that listens, and was created with `ACCEPT_OPTIONS`, takes its connections. */
export class Accepting {
  private readonly handle: ListeningHandle | undefined;
  /** What is accepted has its options already. */
  private hasOptions = false;
  private take: ((handle: Handle) => boolean) | undefined;
  private give: ((handle: Handle) => boolean) | undefined;
  /** What was called before. */
  private ofNode: ListeningHandle['onconnection'];

  constructor(private readonly server: Server) {
    this.handle = (server as unknown as { _handle?: ListeningHandle })._handle;
  }

  /**
   * Gives each connection to `take` as the native handle that it is, before there is a socket around it, which costs twice of what
   * the connection does. What `take` returns false for becomes a socket, as ever.
   *
   * @returns whether this Node.js has what that takes
   */
  takeHandles(take: (handle: Handle) => boolean): boolean {
    this.take = take;
    return this.install();
  }

  /** Asks `give` first, of each connection. What it returns false for is taken as without it. @returns as `takeHandles` */
  share(give: ((handle: Handle) => boolean) | undefined): boolean {
    this.give = give;
    return give === undefined || this.install();
  }

  private install(): boolean {
    const { handle: listening } = this;
    if (listening === undefined || typeof listening.onconnection !== 'function') return false;
    if (this.ofNode !== undefined) return true;
    this.ofNode = listening.onconnection;
    listening.onconnection = (status, handle) => this.onConnection(listening, status, handle);
    return true;
  }

  private onConnection(listening: ListeningHandle, status: number, handle: Handle | undefined): void {
    const { take, give } = this;
    const isConnection = status === 0 && handle !== undefined;
    if (isConnection && give !== undefined && give(handle)) return;
    if (isConnection && take !== undefined) {
      if (!this.hasOptions) setOptions(handle);
      if (take(handle)) return;
    }
    this.ofNode!.call(listening, status, handle);
  }

  /**
   * Sets the options once, on the listening socket: five calls of the kernel less for each connection. Linux gives them to what it
   * accepts, in every process that accepts there.
   */
  setOptionsOnce(platform: NodeJS.Platform = process.platform): void {
    if (platform !== 'linux' || this.handle === undefined || !setOptions(this.handle)) return;
    setTimeout(() => {
      this.hasOptions = true;
      // Node.js sets them on each connection while these are true, or whatever it does where it calls them otherwise.
      Object.assign(this.server, { noDelay: false, keepAlive: false });
    }, SETTLE_MS).unref();
  }
}

/** Of a listening socket for all that it accepts, or of one connection. */
export function setOptions(handle: ListeningHandle): boolean {
  return handle.setNoDelay?.(true) === 0 && handle.setKeepAlive?.(true, KEEP_ALIVE_SECONDS) === 0;
}
