import type { Wire, WireUser } from '../wire/wire';
import { FrameScanner, Stop } from './frame-scanner';

/** Up to here a text is the cheapest way to write: the runtime sends it from its stack, and holds nothing of ours. */
const SMALL_BYTES = 16 * 1024;
/** With so much of a payload still to come, and so much in one read, large reads pay. */
const BULK_BYTES = 32 * 1024;
const NOTHING = Buffer.alloc(0);

/** What a relay tells the tunnel that it belongs to. */
export interface RelayOwner {
  /** `from` sent its end, behind all that has gone on. */
  ended(relay: Relay): void;
  /** `from` is gone. */
  closed(relay: Relay, error: Error | undefined): void;
  /** An end does not take what is written to it, and so the other is not read. */
  stalled(): void;
  /** What had been written to `from` has left. */
  progressed(): void;
  faulted(error: unknown): void;
}

/**
 * One direction of a WebSocket tunnel: bytes go on as they come, and can be stopped between two frames or messages. It is
 * the user of the wire that it reads.
 */
export class Relay implements WireUser {
  readonly scanner = new FrameScanner();
  /** The way back. Set once, by the tunnel. */
  back!: Relay;
  /** Bytes that were read from `from`. */
  taken = 0;
  /** `from` sent its end. */
  hasEnded = false;
  private isGone = false;
  /** Bytes of our own that went on, less those that were kept or dropped. */
  private balance = 0;
  /** Nothing stands in the way: the state of nearly every relay at nearly every time. */
  private isFree = true;
  private isDiscarding = false;
  private isBulk = false;
  private stop: Stop = 'never';
  /** What came behind the stop; undefined while nothing is stopped. */
  private held: Buffer | undefined;
  private stopped: (() => void) | undefined;
  private closeSeen: (() => void) | undefined;

  constructor(
    private readonly owner: RelayOwner,
    readonly from: Wire,
    readonly to: Wire,
  ) {
    from.user = this;
  }

  /** Bytes that went on, or were said, to `to`. */
  get passed(): number {
    return this.taken + this.balance;
  }

  /** Bytes that went on, and that `to` has not taken. */
  get pendingBytes(): number {
    return this.to.isBackedUp ? this.to.pendingBytes : 0;
  }

  /** `head`: what had come before the tunnel was there. */
  start(head: Buffer): void {
    if (head.length > 0) this.received(head, head.length);
    if (this.from.isPaused) this.flow();
  }

  received(bytes: Buffer, length: number): void {
    try {
      this.taken += length;
      if (this.isFree) {
        this.scanner.scan(bytes, 'never', length);
        this.pass(bytes, length);
      } else this.take(bytes.subarray(0, length));
    } catch (error) {
      this.owner.faulted(error);
    }
  }

  drained(): void {
    try {
      this.owner.progressed();
      this.back.flow();
    } catch (error) {
      this.owner.faulted(error);
    }
  }

  /** Nobody is at the other end; a paused wire would not tell. */
  failed(): void {
    this.from.destroy();
  }

  ended(): void {
    try {
      this.hasEnded = true;
      // Behind a hold it waits its turn, as the bytes before it do.
      if (this.held === undefined || this.stopped !== undefined) this.owner.ended(this);
    } catch (error) {
      this.owner.faulted(error);
    }
  }

  /** Of several calls the first counts: the tunnel makes one itself where a wire was lost before. */
  closed(error: Error | undefined): void {
    if (this.isGone) return;
    this.isGone = true;
    try {
      this.owner.closed(this, error);
    } catch (fault) {
      this.owner.faulted(fault);
    }
  }

  /**
   * Finishes the frame that is under way and keeps what comes behind it, until `release`. The sender is read until it says
   * something, so that its leaving is noticed; what is kept is therefore one read.
   */
  holdAtFrame(): void {
    if (this.stop !== 'never' || this.isDiscarding) return;
    this.stop = 'atFrameBoundary';
    this.isFree = false;
  }

  /** What was kept goes on, in order, and what follows it. */
  release(): void {
    if (this.stop !== 'atFrameBoundary' || this.stopped !== undefined || this.isDiscarding) return;
    this.stop = 'never';
    this.isFree = true;
    const held = this.takeHeld();
    if (held === undefined) return;
    this.scanner.scan(held);
    this.pass(held, held.length);
    this.flow();
    if (this.hasEnded) this.owner.ended(this);
  }

  /**
   * Goes on to the stop and then keeps what comes after it. Resolves there, or when the sender has left; a later call
   * moves the stop. A hold that is in force stops earlier, and is kept to.
   */
  stopAt(stop: 'beforeClose' | 'atMessageBoundary'): Promise<void> {
    if (this.stop !== 'atFrameBoundary') this.stop = stop;
    this.isFree = false;
    return new Promise((resolve) => {
      this.stopped = resolve;
      if (this.held !== undefined || this.hasEnded || this.from.isDestroyed) resolve();
      else if (this.isAtStop) this.hold(NOTHING);
    });
  }

  /** The sender has left: it is as stopped as it will ever be. */
  senderLeft(): void {
    this.stopped?.();
  }

  /** Resolves when a Close frame has gone by, whole, or was dropped. */
  untilClose(): Promise<void> {
    this.isFree = false;
    return new Promise((resolve) => {
      this.closeSeen = resolve;
      this.tellOfClose();
    });
  }

  /** From here on nothing goes on; what comes is only followed, to see a Close frame and the end. */
  discard(): void {
    this.isDiscarding = true;
    this.isFree = false;
    const held = this.takeHeld();
    if (held !== undefined) this.take(held);
    this.flow();
  }

  /** Sends something of our own. The caller knows that nothing is under way which it would tear apart. */
  say(bytes: Buffer): void {
    this.balance += bytes.length;
    this.to.write(bytes.toString('latin1'));
  }

  /** Reads on, unless something stands in the way: bytes that `to` has not yet taken may be borrowed from `from`. */
  flow(): void {
    if (this.held === undefined && (this.to.isDestroyed || !this.to.isBackedUp)) this.from.resume();
  }

  /** The way of what was not simply passed on. */
  private take(bytes: Buffer): void {
    if (this.isDiscarding) {
      this.balance -= bytes.length;
      this.scanner.scan(bytes);
    } else if (this.held !== undefined) {
      this.balance -= bytes.length;
      this.held = Buffer.concat([this.held, bytes]);
    } else {
      const length = this.scanner.scan(bytes, this.stop);
      if (length > 0) this.pass(bytes, length);
      if (length < bytes.length || this.isAtStop) this.hold(bytes.subarray(length));
    }
    this.tellOfClose();
  }

  private pass(bytes: Buffer, length: number): void {
    const { to } = this;
    if (length > SMALL_BYTES) this.passLarge(length === bytes.length ? bytes : bytes.subarray(0, length));
    else {
      to.write(bytes.toString('latin1', 0, length));
      if (this.isBulk) this.leaveBulk(true);
    }
    if (!to.isBackedUp) return;
    this.from.pause();
    this.owner.stalled();
  }

  /** Outside of bulk a read is in a buffer that other connections are read into as well: a text is a copy. */
  private passLarge(bytes: Buffer): void {
    if (this.isBulk) this.to.writeBytes(bytes);
    else this.to.write(bytes.toString('latin1'));
    const isBulk = bytes.length >= BULK_BYTES && this.scanner.payloadLeft >= BULK_BYTES;
    if (isBulk === this.isBulk) return;
    if (!isBulk) return this.leaveBulk(!this.to.isBackedUp);
    this.isBulk = true;
    this.from.beginBulk();
  }

  private leaveBulk(isRead: boolean): void {
    this.isBulk = false;
    this.from.endBulk(isRead);
  }

  private get isAtStop(): boolean {
    if (this.stop === 'atMessageBoundary') return this.scanner.atMessageBoundary;
    return this.stop === 'atFrameBoundary' && this.stopped !== undefined && this.scanner.atFrameBoundary;
  }

  /** `rest` may be borrowed. */
  private hold(rest: Buffer): void {
    this.held = Buffer.from(rest);
    this.balance -= rest.length;
    this.from.pause();
    this.stopped?.();
  }

  private takeHeld(): Buffer | undefined {
    const { held } = this;
    this.held = undefined;
    if (held !== undefined) this.balance += held.length;
    return held;
  }

  private tellOfClose(): void {
    if (this.scanner.sawClose) this.closeSeen?.();
  }
}
