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
/** At once: where files are short, many that are begun take those that others need to be finished. */
const MAX_MAKING = 16;
/** Of the ends that have not said which they are. */
const MAX_ACCEPTED = 2 * MAX_READY;
/** After one could not be made none is tried for so long. */
const RETRY_MS = 1_000;
/** For so long others wait while none gets made. */
const STALL_MS = 3_000;
const TOKEN_BYTES = 16;

export interface SocketPairsOptions {
  /** Once for each listener: why none could be made. */
  readonly failed?: (why: string) => void;
  /** One takes at most so long to be made. @default 1000 */
  readonly limitMs?: number;
  readonly listen?: typeof listenPrivately;
}

/**
 * Connected pairs of Unix sockets, which Node.js cannot make by itself: each is a connection to a socket of our own. That takes a turn
 * of the event loop or two, and nothing that takes one can wait: so they are made ahead, as many as were missed.
 */
export class SocketPairs {
  private readonly ready: SocketPair[] = [];
  private readonly awaited = new Map<string, Awaited>();
  private readonly accepted = new Set<HandleTransport>();
  /** Undefined where there is none; what was begun with another one is of no use. */
  private listening: Promise<PrivateSocket> | undefined;
  private making = 0;
  private missed = 0;
  private failedMs = -Infinity;
  private isFailureKnown = false;
  /** Since when none has been made. */
  private sinceMs = 0;
  private isClosed = false;
  private readonly limitMs: number;

  constructor(private readonly options: SocketPairsOptions = {}) {
    this.limitMs = options.limitMs ?? 1_000;
  }

  /** From here on it is counted anew how many are missed. */
  beginCount(): void {
    this.missed = 0;
  }

  /** Some were missed, and are being made. */
  get isMaking(): boolean {
    return this.missed > 0 && !this.isFailing && performance.now() - this.sinceMs < STALL_MS;
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
    if (this.making === 0) this.sinceMs = performance.now();
    this.makeMissed();
    return undefined;
  }

  /** One that was not used: of two that were needed there may have been one. */
  putBack(pair: SocketPair): void {
    if (this.listening === undefined) closePair(pair);
    else this.ready.push(pair);
  }

  /** Nothing of them is left; the next one that is taken begins anew. */
  async empty(): Promise<void> {
    const { listening } = this;
    this.listening = undefined;
    this.missed = 0;
    this.isFailureKnown = false;
    for (const pair of this.ready.splice(0)) closePair(pair);
    for (const { reject } of [...this.awaited.values()]) reject(new Error('no more pairs are made'));
    for (const transport of [...this.accepted]) transport.destroy();
    // What cannot be removed stays on the disk, and is removed by a later process.
    await listening?.then((socket) => socket.close()).catch(() => undefined);
  }

  /** For good. */
  close(): Promise<void> {
    this.isClosed = true;
    return this.empty();
  }

  private makeMissed(): void {
    if (this.isFailing) return;
    const count = Math.min(this.missed, MAX_READY) - this.ready.length;
    while (this.making < Math.min(count, MAX_MAKING)) void this.makeAhead();
  }

  private async makeAhead(): Promise<void> {
    const { listen = listenPrivately } = this.options;
    const listening = (this.listening ??= listen((socket) => this.accept(socket)));
    this.making += 1;
    try {
      const pair = await this.make((await listening).path);
      this.sinceMs = performance.now();
      if (this.listening === listening) this.ready.push(pair);
      else closePair(pair);
    } catch (error) {
      if (this.listening === listening) await this.failed(listening, error as Error);
    } finally {
      this.making -= 1;
    }
    this.makeMissed();
  }

  private async failed(listening: Promise<PrivateSocket>, { message }: Error): Promise<void> {
    this.failedMs = performance.now();
    if (!this.isFailureKnown) this.options.failed?.(message);
    this.isFailureKnown = true;
    const isListening = await listening.then(
      () => true,
      () => false,
    );
    if (!isListening && this.listening === listening) this.listening = undefined;
  }

  private async make(path: string): Promise<SocketPair> {
    const socket = net.connect({ path, allowHalfOpen: true });
    await once(socket, 'connect');
    const near = new HandleTransport(socket);
    const token = randomBytes(TOKEN_BYTES).toString('latin1');
    let timer: NodeJS.Timeout | undefined;
    try {
      const far = await new Promise<Handle>((resolve, reject) => {
        this.awaited.set(token, { resolve, reject });
        const lost = () => reject(new Error('the other end of a pair of sockets is gone'));
        // Where the process has no file left, the system closes what it has accepted.
        near.user = { ...NO_USER, onEnd: lost, onClose: lost };
        timer = setTimeout(() => reject(new Error('a pair of sockets takes too long')), this.limitMs).unref();
        near.write(token);
      });
      near.pause();
      near.user = NO_USER;
      return { near, far };
    } catch (error) {
      near.user = NO_USER;
      near.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
      this.awaited.delete(token);
    }
  }

  /** Any process of this user could have connected: only what knows the token is the other end. */
  private accept(socket: Socket): void {
    if (this.accepted.size >= MAX_ACCEPTED) return void socket.destroy();
    const transport = new HandleTransport(socket);
    this.accepted.add(transport);
    const timer = setTimeout(() => transport.destroy(), this.limitMs).unref();
    let token = '';
    transport.user = {
      ...NO_USER,
      onData: (bytes, length) => {
        token += bytes.toString('latin1', 0, length);
        if (token.length < TOKEN_BYTES) return;
        const awaited = this.awaited.get(token);
        if (awaited === undefined) return transport.destroy();
        this.awaited.delete(token);
        this.accepted.delete(transport);
        clearTimeout(timer);
        awaited.resolve(transport.pack().handle);
      },
      onEnd: () => transport.destroy(),
      onClose: () => {
        clearTimeout(timer);
        this.accepted.delete(transport);
      },
    };
  }
}

interface Awaited {
  resolve(far: Handle): void;
  reject(error: Error): void;
}

export function closePair({ near, far }: SocketPair): void {
  near.destroy();
  far.close(() => undefined);
}
