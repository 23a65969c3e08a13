import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { Socket } from 'node:net';
import { NO_USER } from '../contract/transport';
import { PrivateSocket, listenPrivately } from '../shared/private-socket';
import { HandleTransport } from '../transport/handle-transport';
import type { Handle } from '../transport/native';

/** Two ends of one connection, of which nothing is under way. */
export interface SocketPair {
  /** Paused. */
  readonly near: HandleTransport;
  /** For another process. */
  readonly far: Handle;
}

/** As many are made ahead at most: each is two files. */
const MAX_READY = 128;
/** After one could not be made none is tried for so long. */
const RETRY_MS = 1_000;
const TOKEN_BYTES = 16;

/**
 * Connected pairs of Unix sockets, which Node.js cannot make by itself: each is a connection to a socket of our own. That takes a turn
 * of the event loop or two, and nothing that takes one can wait: so they are made ahead, as many as were missed.
 */
export class SocketPairs {
  /** Why the last one could not be made. */
  why: string | undefined;
  private readonly ready: SocketPair[] = [];
  private readonly awaited = new Map<string, (far: Handle) => void>();
  private readonly accepted = new Set<HandleTransport>();
  private listening: Promise<PrivateSocket> | undefined;
  private making = 0;
  private missed = 0;
  private failedMs = -Infinity;
  private isClosed = false;

  /** From here on it is counted anew how many are missed. */
  beginCount(): void {
    this.missed = 0;
  }

  /** Some were missed, and are being made. */
  get isMaking(): boolean {
    return this.missed > 0 && !this.isFailing;
  }

  /** None can be made now. */
  get isFailing(): boolean {
    return this.isClosed || performance.now() - this.failedMs < RETRY_MS;
  }

  /** @returns undefined where there is none yet, or none at all */
  take(): SocketPair | undefined {
    const pair = this.ready.pop();
    if (pair !== undefined || this.isFailing) return pair;
    this.missed += 1;
    const count = Math.min(this.missed, MAX_READY) - this.making;
    for (let made = 0; made < count; made += 1) void this.makeAhead();
    return undefined;
  }

  /** One that was not used: of two that were needed there may have been one. */
  putBack(pair: SocketPair): void {
    if (this.isClosed) closePair(pair);
    else this.ready.push(pair);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const pair of this.ready.splice(0)) closePair(pair);
    for (const transport of [...this.accepted]) transport.destroy();
    await (await this.listening?.catch(() => undefined))?.close();
  }

  private async makeAhead(): Promise<void> {
    this.making += 1;
    try {
      const pair = await this.make();
      this.ready.push(pair);
      if (this.isClosed) await this.close();
    } catch (error) {
      this.failedMs = performance.now();
      this.why = (error as Error).message;
    } finally {
      this.making -= 1;
    }
  }

  private async make(): Promise<SocketPair> {
    this.listening ??= listenPrivately((socket) => this.accept(socket));
    const { path } = await this.listening.catch((error: unknown) => {
      this.listening = undefined;
      throw error;
    });
    const socket = net.connect({ path, allowHalfOpen: true });
    await once(socket, 'connect');
    const near = new HandleTransport(socket, true);
    const token = randomBytes(TOKEN_BYTES).toString('latin1');
    const far = await new Promise<Handle>((resolve) => {
      this.awaited.set(token, resolve);
      near.write(token);
    });
    return { near, far };
  }

  /** Any process of this user could have connected: only what knows the token is the other end. */
  private accept(socket: Socket): void {
    const transport = new HandleTransport(socket);
    this.accepted.add(transport);
    let token = '';
    transport.user = {
      ...NO_USER,
      onData: (bytes, length) => {
        token += bytes.toString('latin1', 0, length);
        if (token.length < TOKEN_BYTES) return;
        const resolve = this.awaited.get(token);
        this.awaited.delete(token);
        if (resolve === undefined) return transport.destroy();
        this.accepted.delete(transport);
        resolve(transport.pack().handle);
      },
      onEnd: () => transport.destroy(),
      onClose: () => void this.accepted.delete(transport),
    };
  }
}

export function closePair({ near, far }: SocketPair): void {
  near.destroy();
  far.close(() => undefined);
}
