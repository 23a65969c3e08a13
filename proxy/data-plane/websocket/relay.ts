import type { PackedRelay } from '../contract/handover';
import type { Transport, TransportUser } from '../contract/transport';
import { FrameScanner, Scanner, Stop, UNFRAMED } from './frame-scanner';

/** Up to here a text is the cheapest way to write. */
const TEXT_BYTES = 2_048;
const NOTHING = Buffer.alloc(0);

/** What a relay tells the tunnel that it belongs to. */
export interface RelayOwner {
  /** `from` sent its end, behind all that has gone on. */
  onEnd(relay: Relay): void;
  /** `from` is gone. */
  onClose(relay: Relay, error: Error | undefined): void;
  /** An end does not take what is written to it, and so the other is not read. */
  stalled(): void;
  /** What had been written to `from` has left. */
  progressed(): void;
  faulted(error: unknown): void;
}

/** What came: `ended` the peer's end, `closed` the end of the connection behind it, `lost` that without an end of the peer. */
export type ReadState = 'open' | 'ended' | 'closed' | 'lost';

/** `passing`: up to the stop. `held`: the stop is reached, and what comes behind it is kept. `discarding`: nothing goes on. */
export type HaltState = 'passing' | 'held' | 'discarding';

/** What stands in the way of a relay, and what came behind it. Nearly every relay at nearly every time has none. */
class Halt {
  /** Bytes of our own that went on, less those that were kept or dropped. */
  balance = 0;
  state: HaltState = 'passing';
  stop: Stop = 'never';
  /** What came behind the stop, in `held`. */
  held: Buffer = NOTHING;
  /** Its upstream is being replaced: what it has to say, its end too, is for the next one. */
  isParked = false;
  stopped: (() => void) | undefined = undefined;
  closeSeen: (() => void) | undefined = undefined;
}

/**
 * One direction of a tunnel: bytes go on as they come, and can be stopped between two frames or messages. It is
 * the user of the transport that it reads.
 */
export class Relay implements TransportUser {
  /** The opposite direction. Set once, by the tunnel, before anything else is asked of it. */
  back!: Relay;
  private state: ReadState = 'open';
  private halt: Halt | undefined = undefined;

  /** `scanner`: `UNFRAMED` where what is passed on has no boundaries that are known here. */
  constructor(
    protected readonly owner: RelayOwner,
    readonly from: Transport,
    readonly scanner: Scanner,
    /** Bytes that were read from `from`, and from those before it. */
    public taken = 0,
  ) {
    from.user = this;
  }

  /** Whether it can be taken out of this process: nothing stands in its way, or nothing but a hold. */
  get isPackable(): boolean {
    const { halt } = this;
    if (this.state === 'closed' || this.state === 'lost') return false;
    if (halt === undefined) return true;
    if (halt.stopped !== undefined || halt.closeSeen !== undefined || halt.state === 'discarding') return false;
    // What was said meanwhile is in no count of what was read.
    return halt.stop === 'atFrameBoundary' && halt.balance === -halt.held.length;
  }

  /** @returns with it what was read and kept behind a hold */
  pack(): { readonly past: PackedRelay; readonly held: Buffer } {
    const { scanner, hasEnded, halt } = this;
    const held = halt?.held ?? NOTHING;
    const past = { taken: this.taken - held.length, hasEnded };
    return { past: scanner instanceof FrameScanner ? { ...past, scanner: scanner.pack() } : past, held };
  }

  get to(): Transport {
    return this.back.from;
  }

  /** `from` sent its end. */
  get hasEnded(): boolean {
    return this.state === 'ended' || this.state === 'closed';
  }

  /** Bytes that went on, or were said, to `to`. */
  get passed(): number {
    return this.taken + (this.halt === undefined ? 0 : this.halt.balance);
  }

  /** Bytes that went on, and that `to` has not taken. */
  get pendingBytes(): number {
    return this.to.isBackedUp ? this.to.pendingBytes : 0;
  }

  /** @param head what had come before the tunnel was there. @param hasEnded `from` had, too */
  start(head: Buffer, hasEnded = false): void {
    if (head.length > 0) this.onData(head, head.length);
    if (this.from.isPaused) this.flow();
    if (hasEnded) this.onEnd();
  }

  onData(bytes: Buffer, length: number): void {
    try {
      this.taken += length;
      if (this.halt === undefined) {
        this.scanner.scan(bytes, 'never', length);
        this.pass(bytes, length);
      } else this.take(bytes.subarray(0, length), this.halt);
    } catch (error) {
      this.owner.faulted(error);
    }
  }

  onDrain(): void {
    try {
      this.owner.progressed();
      this.back.flow();
    } catch (error) {
      this.owner.faulted(error);
    }
  }

  /** The other end is gone; a paused transport would not notice. */
  onError(): void {
    this.from.destroy();
  }

  onEnd(): void {
    try {
      if (this.state === 'open') this.state = 'ended';
      const { halt } = this;
      // Behind a hold it waits its turn, as the bytes before it do.
      if (halt?.state !== 'held' || (halt.stopped !== undefined && !halt.isParked)) this.owner.onEnd(this);
      if (halt !== undefined) this.tellOfClose(halt);
    } catch (error) {
      this.owner.faulted(error);
    }
  }

  /** Of several calls the first counts: the tunnel makes one itself where a transport was lost before. */
  onClose(error: Error | undefined): void {
    if (this.state === 'closed' || this.state === 'lost') return;
    this.state = this.state === 'ended' ? 'closed' : 'lost';
    try {
      this.owner.onClose(this, error);
    } catch (fault) {
      this.owner.faulted(fault);
    }
  }

  /**
   * Finishes the frame that is under way and keeps what comes behind it, until `release`. The sender is read until it says
   * something, so that its leaving is noticed; what is kept is therefore one read.
   */
  holdAtFrame(): void {
    const halt = this.obstruct();
    if (halt.stop === 'never' && halt.state !== 'discarding') halt.stop = 'atFrameBoundary';
  }

  /** What was kept goes on, in order, and what follows it. */
  release(): void {
    const { halt } = this;
    if (halt?.stop !== 'atFrameBoundary' || halt.stopped !== undefined || halt.state === 'discarding') return;
    this.halt = undefined;
    if (halt.state !== 'held') return;
    const { held } = halt;
    if (held.length > 0) {
      this.scanner.scan(held);
      this.pass(held, held.length);
    }
    this.flow();
    if (this.hasEnded) this.owner.onEnd(this);
  }

  /**
   * Goes on to the stop and then keeps what comes after it. Resolves there, or when the sender has left; a later call
   * moves the stop. A hold that is in force stops earlier, and is kept to.
   */
  stopAt(stop: 'beforeClose' | 'beforePong' | 'beforeReply' | 'atMessageBoundary'): Promise<void> {
    const halt = this.obstruct();
    if (halt.stop !== 'atFrameBoundary') halt.stop = stop;
    return new Promise((resolve) => {
      halt.stopped = resolve;
      if (halt.state !== 'passing' || this.hasEnded || this.from.isDestroyed) resolve();
      else if (this.isAtStop(halt)) this.hold(NOTHING, halt);
    });
  }

  /**
   * As `stopAt` a message boundary, for another upstream that is to come: a hold that is in force gives way to the end of
   * the message. The sender is read until it says something, so that its leaving is noticed.
   */
  park(): Promise<void> {
    const halt = this.obstruct();
    halt.isParked = true;
    halt.stop = 'atMessageBoundary';
    return new Promise((resolve) => {
      halt.stopped = resolve;
      const { held } = halt;
      if (halt.state === 'held') {
        halt.state = 'passing';
        halt.held = NOTHING;
        halt.balance += held.length;
        this.take(held, halt);
      } else if (this.isAtStop(halt)) this.hold(NOTHING, halt);
      if (this.hasEnded || this.from.isDestroyed) resolve();
      else this.flow();
    });
  }

  /** What was kept goes on to the upstream that is there now, or stays kept if there is a hold. */
  unpark(isHolding: boolean): void {
    const { halt } = this;
    if (halt === undefined) return;
    halt.isParked = false;
    halt.stopped = undefined;
    halt.stop = 'atFrameBoundary';
    if (isHolding) {
      if (halt.held.length === 0) halt.state = 'passing';
      this.flow();
    } else if (halt.state === 'held') this.release();
    else this.halt = undefined;
  }

  /** What is kept behind the stop. */
  get held(): Buffer {
    return this.halt?.held ?? NOTHING;
  }

  /** What was kept behind a stop goes on after all, and what follows it. */
  passHeld(): void {
    const { halt } = this;
    if (halt === undefined) return;
    const { held } = halt;
    halt.balance += held.length;
    halt.held = NOTHING;
    halt.state = 'passing';
    halt.stop = 'never';
    if (held.length > 0) this.take(held, halt);
    this.flow();
  }

  /** Of what is kept the first bytes, whole frames, go on or are dropped; what follows goes on to the next stop. */
  resumeBehind(length: number, isDropped: boolean): void {
    const halt = this.obstruct();
    const { held } = halt;
    halt.held = NOTHING;
    halt.state = 'passing';
    if (!isDropped) {
      halt.balance += length;
      this.scanner.scan(held, 'never', length);
      this.pass(held, length);
    }
    const rest = held.subarray(length);
    halt.balance += rest.length;
    if (rest.length > 0) this.take(rest, halt);
    this.flow();
  }

  /** Reads on behind the stop. Resolves with the next bytes, which are kept, too, or when the sender has left. */
  holdMore(): Promise<void> {
    const halt = this.obstruct();
    return new Promise((resolve) => {
      halt.stopped = resolve;
      if (this.hasEnded || this.from.isDestroyed) resolve();
      else this.from.resume();
    });
  }

  /** The sender has left: it is as stopped as it will ever be. */
  senderLeft(): void {
    this.halt?.stopped?.();
  }

  /** Resolves when a Close frame has gone by, whole, or was dropped; where there are none, when the sender has ended. */
  untilClose(): Promise<void> {
    const halt = this.obstruct();
    return new Promise((resolve) => {
      halt.closeSeen = resolve;
      this.tellOfClose(halt);
    });
  }

  /** From here on nothing goes on; what comes is only followed, to see a Close frame and the end. */
  discard(): void {
    const halt = this.obstruct();
    const { held } = halt;
    halt.state = 'discarding';
    halt.held = NOTHING;
    if (held.length > 0) {
      halt.balance += held.length;
      this.take(held, halt);
    }
    this.flow();
  }

  /** Sends something of our own. The caller knows that nothing is under way which it would tear apart. */
  say(bytes: Buffer): void {
    this.obstruct().balance += bytes.length;
    this.to.write(bytes.toString('latin1'));
  }

  /** Reads on, unless something stands in the way. */
  flow(): void {
    if (this.isFree && (this.to.isDestroyed || !this.to.isBackedUp)) this.from.resume();
  }

  /** While it is parked one read is kept, and no more. */
  private get isFree(): boolean {
    const { halt } = this;
    return halt?.state !== 'held' || (halt.isParked && halt.held.length === 0);
  }

  /** The way of what was not simply passed on. */
  private take(bytes: Buffer, halt: Halt): void {
    switch (halt.state) {
      case 'passing':
        this.passUntilStop(bytes, halt);
        break;
      case 'held':
        halt.balance -= bytes.length;
        halt.held = Buffer.concat([halt.held, bytes]);
        this.from.pause();
        halt.stopped?.();
        break;
      case 'discarding':
        halt.balance -= bytes.length;
        this.scanner.scanDropped(bytes);
        break;
    }
    this.tellOfClose(halt);
  }

  private passUntilStop(bytes: Buffer, halt: Halt): void {
    const length = this.scanner.scan(bytes, halt.stop);
    if (length > 0) this.pass(bytes, length);
    if (length < bytes.length || this.isAtStop(halt)) this.hold(bytes.subarray(length), halt);
  }

  private obstruct(): Halt {
    return (this.halt ??= new Halt());
  }

  private pass(bytes: Buffer, length: number): void {
    const { to } = this;
    if (length > TEXT_BYTES) to.writeBytes(length === bytes.length ? bytes : bytes.subarray(0, length));
    else to.write(bytes.toString('latin1', 0, length));
    if (!to.isBackedUp) return;
    this.from.pause();
    this.owner.stalled();
  }

  private isAtStop({ stop, stopped }: Halt): boolean {
    if (stop === 'atMessageBoundary') return this.scanner.atMessageBoundary;
    return stop === 'atFrameBoundary' && stopped !== undefined && this.scanner.atFrameBoundary;
  }

  /** `rest` may be borrowed. */
  private hold(rest: Buffer, halt: Halt): void {
    halt.state = 'held';
    halt.held = Buffer.from(rest);
    halt.balance -= rest.length;
    if (!this.isFree) this.from.pause();
    halt.stopped?.();
  }

  private tellOfClose({ closeSeen }: Halt): void {
    if (this.scanner.sawClose || (this.scanner === UNFRAMED && this.hasEnded)) closeSeen?.();
  }
}
