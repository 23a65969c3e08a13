import type { Socket } from 'node:net';
import { FrameScanner, Stop } from './frame-scanner';
import type { Safely } from './safely';

/** One direction of a WebSocket tunnel: bytes go on as they come, and can be stopped between two frames or messages. */
export class Relay {
  readonly scanner = new FrameScanner();
  private stop: Stop = 'never';
  private held: Buffer | undefined;
  private isDiscarding = false;
  private stopped: (() => void) | undefined;
  private readonly resume = () => {
    if (this.held === undefined) this.from.resume();
  };

  /** `closed` is called once, when a Close frame has gone by whole. */
  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly safely: Safely,
    private readonly closed: () => void,
  ) {}

  /** `head`: what had come before the tunnel was there. */
  start(head: Buffer): void {
    if (head.length > 0) this.take(head);
    this.from.on(
      'data',
      this.safely((bytes: Buffer) => this.take(bytes)),
    );
    this.to.on('drain', this.resume);
  }

  /** Goes on to the stop and then holds what comes after it. Resolves there; a later call moves the stop. */
  stopAt(stop: Exclude<Stop, 'never'>): Promise<void> {
    this.stop = stop;
    return new Promise((resolve) => {
      this.stopped = resolve;
      if (stop === 'atMessageBoundary' && this.scanner.atMessageBoundary) this.hold(Buffer.alloc(0));
    });
  }

  /** The sender has left: it is as stopped as it will ever be. */
  release(): void {
    this.stopped?.();
  }

  /** From here on nothing goes on; what comes is only followed, to see a Close frame. */
  discard(): void {
    this.isDiscarding = true;
    const held = this.held;
    this.held = undefined;
    if (held) this.take(held);
    this.from.resume();
  }

  private take(bytes: Buffer): void {
    if (this.isDiscarding) return this.follow(bytes, 'never').done();
    if (this.held !== undefined) {
      this.held = Buffer.concat([this.held, bytes]);
      return;
    }
    const { length, done } = this.follow(bytes, this.stop);
    if (length > 0 && this.to.writable) {
      const isRoom = this.to.write(length === bytes.length ? bytes : bytes.subarray(0, length));
      if (!isRoom) this.from.pause();
    }
    const isAtEnd = this.stop === 'atMessageBoundary' && this.scanner.atMessageBoundary;
    if (length < bytes.length || isAtEnd) this.hold(bytes.subarray(length));
    done();
  }

  private follow(bytes: Buffer, stop: Stop): { length: number; done: () => void } {
    const wasClosed = this.scanner.sawClose;
    const length = this.scanner.scan(bytes, stop);
    return { length, done: () => (this.scanner.sawClose && !wasClosed ? this.closed() : undefined) };
  }

  private hold(rest: Buffer): void {
    this.held = rest;
    this.from.pause();
    this.stopped?.();
  }
}
