import type { Ending } from '../../../core/proxy/connections';
import type { Ticker, Ticking } from '../shared/ticker';
import type { PackedRelay } from '../contract/handover';
import { NO_USER, Transport } from '../contract/transport';
import type { TunnelTap, UpstreamFilter } from '../moves/tap';
import { FrameScanner, Scanner, TappedScanner, UNFRAMED } from './frame-scanner';
import { Closing, OrderlyClose } from './orderly-close';
import { FilteredRelay } from './filtered-relay';
import { Relay, RelayOwner } from './relay';

export interface TunnelEnd {
  readonly transport: Transport;
  /** What this end had sent before the tunnel was there. */
  readonly head: Buffer;
  /** Of a tunnel that was in another process before: what this end's direction had come to. */
  readonly past?: PackedRelay;
}

/** A tunnel that was taken out of a process. */
export interface PackedTunnel {
  readonly client: TunnelEnd;
  readonly upstream: TunnelEnd;
  /** For so long no byte has passed. */
  readonly idleMs: number;
}

/** What a tunnel needs of those around it. Tunnels may share one, but for `onClose`. */
export interface TunnelOptions {
  /** Milliseconds without a byte after which a tunnel is cut: with both its ends, and with one end left. 0 is never. */
  readonly idle: { readonly openMs: number; readonly halfClosedMs: number };
  readonly ticker: Pick<Ticker, 'nowMs' | 'add' | 'remove'>;
  /** Whether clients are held when the tunnel begins. */
  readonly isHolding: boolean;
  /** Called once, when both ends are closed or a drain has closed it; never from the constructor. */
  onClose(how: Ending): void;
  /** Told of what the client gets of an upstream that it is being moved to: whole frames, which `tap` does not see. */
  clientReceived?(frames: Buffer): void;
  /** Told of an error of our own, after which the tunnel is cut. */
  faulted(error: unknown): void;
}

/** What takes the client of a tunnel from one upstream to another. */
export interface Mover {
  /** The upstream has ended, or is gone. @returns whether that belongs to the move; if not, the move has ended */
  upstreamLeft(isGone: boolean): boolean;
  /** The tunnel ends, or is asked to: the move ends. @returns whether there is no upstream any more */
  stop(): boolean;
}

/** `halfClosed`: one end has said that it sends no more. `over`: counted; its transports may still be ending. */
export type TunnelState = 'open' | 'halfClosed' | 'over';

/** More than any count of bytes: the next tick takes the time anew. */
const UNKNOWN = -1;

/**
 * A WebSocket, or what another protocol makes of the connection, between a client and an upstream, once both have
 * switched. What it costs while it is idle is its
 * own few fields: no timer, no promise, no function of its own.
 */
export class Tunnel implements Closing, RelayOwner, Ticking {
  readonly toUpstream: Relay;
  /** Another one with each upstream. */
  toClient: Relay;
  private state: TunnelState = 'open';
  private closing: OrderlyClose | undefined;
  private mover: Mover | undefined;
  private closedEnds = 0;
  /** A transport ended with an error. */
  private isReset = false;
  private firstGone: Relay | undefined = undefined;
  private isHolding = false;
  /** Bytes that had been read at the last tick that saw more of them, and when that was. */
  private bytesAtMove = UNKNOWN;
  private movedMs = 0;

  constructor(
    client: TunnelEnd,
    upstream: TunnelEnd,
    private readonly options: TunnelOptions,
    isOpaque = false,
    private readonly tap?: TunnelTap,
  ) {
    const fromClient = tap && ((bytes: Buffer) => tap.fromClient(bytes));
    const scanners = isOpaque
      ? [UNFRAMED, UNFRAMED]
      : [createScanner(fromClient, client.past), this.scanUpstream(upstream.past)];
    this.toUpstream = new Relay(this, client.transport, scanners[0]!, client.past?.taken);
    this.toClient = new Relay(this, upstream.transport, scanners[1]!, upstream.past?.taken);
    this.toUpstream.back = this.toClient;
    this.toClient.back = this.toUpstream;
    if (options.idle.openMs > 0) options.ticker.add(this);
    if (options.isHolding) this.setHolding(true);
    for (const relay of [this.toUpstream, this.toClient]) {
      // A transport that was lost on the way here has notified another receiver, or none.
      if (relay.from.isDestroyed) queueMicrotask(() => relay.onClose(undefined));
    }
    this.toUpstream.start(client.head, client.past?.hasEnded);
    this.toClient.start(upstream.head, upstream.past?.hasEnded);
  }

  /**
   * Why it cannot be taken out of this process now; undefined where it can. `closing`: it ends anyway.
   */
  get obstacle(): 'closing' | 'pending' | undefined {
    if (this.isOver || this.closing !== undefined || this.closedEnds > 0) return 'closing';
    if (!this.toUpstream.isPackable || !this.toClient.isPackable) return 'closing';
    return this.toUpstream.to.hasPending || this.toClient.to.hasPending ? 'pending' : undefined;
  }

  /** Takes it out of this process, where nothing stands in the way; its transports are read no more. It is of no use afterwards. */
  pack(): PackedTunnel {
    const { options } = this;
    options.ticker.remove(this);
    this.state = 'over';
    const idleMs = this.bytesAtMove === UNKNOWN ? 0 : Math.max(0, options.ticker.nowMs - this.movedMs);
    const [client, upstream] = [this.toUpstream, this.toClient].map((relay) => {
      const { past, held } = relay.pack();
      relay.from.user = NO_USER;
      return { transport: relay.from, head: held, past };
    });
    return { client: client!, upstream: upstream!, idleMs };
  }

  /** No byte has passed for so long before it came here. */
  wasIdle(idleMs: number): void {
    this.bytesAtMove = this.toUpstream.taken + this.toClient.taken;
    this.movedMs = this.options.ticker.nowMs - idleMs;
  }

  get isOver(): boolean {
    return this.state === 'over';
  }

  /** Bytes from the client, since the handshake. */
  get bytesReceived(): number {
    return this.toUpstream.taken;
  }

  /** Bytes to the client, since the handshake. */
  get bytesSent(): number {
    return this.toClient.passed;
  }

  /** Whose end went first, by itself. */
  get leftFirst(): 'client' | 'upstream' | undefined {
    if (this.firstGone === undefined) return undefined;
    return this.firstGone === this.toUpstream ? 'client' : 'upstream';
  }

  /** A Close frame has passed, either way. */
  get sawClose(): boolean {
    return this.toUpstream.scanner.sawClose || this.toClient.scanner.sawClose;
  }

  /** What waits for its ends. */
  get heldBytes(): number {
    return this.toUpstream.pendingBytes + this.toClient.pendingBytes;
  }

  close(): Promise<void> {
    if (this.stopMove()) return this.closeWithoutUpstream();
    this.closing ??= new OrderlyClose(this);
    return this.closing.over;
  }

  // A move to another upstream.

  /** From here on `mover` is told of the upstream's end, and the client is not. */
  beginMove(mover: Mover): void {
    this.mover = mover;
  }

  /** The client goes on with the upstream that is there. */
  endMove(): void {
    this.mover = undefined;
    this.progressed();
    this.toUpstream.unpark(this.isHolding);
  }

  /** Takes the upstream's transport away: nothing goes to it any more, and what it still sends goes nowhere. */
  detachUpstream(): Transport {
    const { from } = this.toClient;
    from.user = NO_USER;
    this.toUpstream.flow();
    return from;
  }

  /** The client gets whole frames of the upstream that is to come. */
  sendToClient(frames: Buffer): void {
    this.toClient.say(frames);
    this.options.clientReceived?.(frames);
  }

  /** Goes on with another upstream, which has switched. */
  attachUpstream({ transport, head }: TunnelEnd, filter?: UpstreamFilter): void {
    const relay = new FilteredRelay(this, transport, this.scanUpstream(), this.toClient.passed);
    relay.filter = filter;
    relay.back = this.toUpstream;
    this.toUpstream.back = relay;
    this.toClient = relay;
    if (transport.isDestroyed) queueMicrotask(() => relay.onClose(undefined));
    relay.start(head);
    this.endMove();
  }

  /** The move has come to nothing, and there is no upstream: the client is asked to connect anew. */
  closeWithoutUpstream(): Promise<void> {
    this.mover = undefined;
    const { from } = this.toClient;
    from.user = NO_USER;
    from.destroy();
    this.closing ??= new OrderlyClose(this, true);
    this.closedEnds += 1;
    return this.closing.over;
  }

  /** @returns whether it had begun so far that there is no upstream any more */
  private stopMove(): boolean {
    const { mover } = this;
    this.mover = undefined;
    return mover?.stop() ?? false;
  }

  /** Ends it at once and hard. */
  destroy(): void {
    this.destroyBoth();
    this.finish('forced');
  }

  /**
   * While holding, nothing new of the client reaches the upstream: the frame that is under way is completed, and what
   * comes behind it is kept. The upstream's own bytes go on.
   */
  setHolding(isHolding: boolean): void {
    try {
      this.isHolding = isHolding;
      if (isHolding) this.toUpstream.holdAtFrame();
      else this.toUpstream.release();
    } catch (error) {
      this.faulted(error);
    }
  }

  tick(nowMs: number): void {
    const pending = this.toUpstream.pendingBytes + this.toClient.pendingBytes;
    const bytes = this.toUpstream.taken + this.toClient.taken - pending;
    if (bytes !== this.bytesAtMove || (this.isHolding && pending === 0)) {
      this.bytesAtMove = bytes;
      this.movedMs = nowMs;
      return;
    }
    const { openMs, halfClosedMs } = this.options.idle;
    const isShort = this.state === 'halfClosed' || pending > 0;
    const limitMs = isShort ? halfClosedMs : openMs;
    if (limitMs === 0) {
      this.options.ticker.remove(this);
    } else if (nowMs - this.movedMs >= limitMs) {
      // With one end gone in order the other is only closed, and counts as that.
      if (this.state === 'halfClosed') this.destroyBoth();
      else this.destroy();
    }
  }

  /** From now on it is looked at: an end that takes nothing may be gone, and the other one too while it is not read. */
  stalled(): void {
    if (!this.isOver) this.options.ticker.add(this);
  }

  progressed(): void {
    this.bytesAtMove = UNKNOWN;
  }

  onEnd(relay: Relay): void {
    if (this.mover !== undefined && this.isOfMove(relay, this.mover, false)) return;
    this.noteFirst(relay);
    this.progressed();
    if (this.state === 'open') this.state = 'halfClosed';
    if (!this.isOver) this.options.ticker.add(this);
    if (this.isUpstreamOfClosing(relay)) relay.senderLeft();
    else relay.to.end();
  }

  onClose(relay: Relay, error: Error | undefined): void {
    if (this.mover !== undefined && this.isOfMove(relay, this.mover, true)) return;
    if (this.stopMove()) this.closedEnds += 1;
    this.noteFirst(relay);
    this.closedEnds += 1;
    if (error !== undefined) this.isReset = true;
    if (this.closedEnds === 2) this.closing?.bothClosed();
    if (this.isUpstreamOfClosing(relay)) return relay.senderLeft();
    this.passClose(relay, this.closing?.asksClient ?? false);
  }

  private passClose(relay: Relay, isAskedToLeave: boolean): void {
    if (relay.hasEnded && !this.isReset && !isAskedToLeave) relay.to.end();
    else if (isAskedToLeave) relay.to.destroy();
    else this.breakOff(relay.to);
    // Its bytes have no receiver any more; they are read so that its end is seen.
    relay.back.discard();
    if (this.closedEnds === 2 || isAskedToLeave) this.finish(this.isReset && !this.sawClose ? 'forced' : 'completed');
  }

  /** An end in a move: the client's is told to who waits for it, the upstream's may be what is waited for. */
  private isOfMove(relay: Relay, mover: Mover, isGone: boolean): boolean {
    if (relay === this.toClient) return mover.upstreamLeft(isGone);
    relay.senderLeft();
    return false;
  }

  private scanUpstream(past?: PackedRelay): Scanner {
    const { tap } = this;
    return createScanner(tap && ((bytes: Buffer) => tap.fromUpstream(bytes)), past);
  }

  finish(how: Ending): void {
    if (this.state === 'over') return;
    this.state = 'over';
    this.stopMove();
    this.options.ticker.remove(this);
    if (how === 'forced') this.destroyBoth();
    if (how === 'closed') this.closing?.leave();
    this.closing?.tunnelOver();
    try {
      this.options.onClose(how);
    } catch (error) {
      this.options.faulted(error);
    }
  }

  faulted(error: unknown): void {
    this.destroy();
    this.options.faulted(error);
  }

  get isOpaque(): boolean {
    return this.toClient.scanner === UNFRAMED;
  }

  /** It ends, or is being ended. */
  get isClosing(): boolean {
    return this.isOver || this.closing !== undefined || this.isClosingByItself;
  }

  /** Where the end of one direction means nothing for the other, that one is not the start of a close. */
  get isClosingByItself(): boolean {
    return this.sawClose || (this.state === 'halfClosed' && !this.isOpaque) || this.closedEnds > 0;
  }

  private noteFirst(relay: Relay): void {
    this.firstGone ??= relay;
  }

  private isUpstreamOfClosing(relay: Relay): boolean {
    return relay === this.toClient && (this.closing?.asksClient ?? false);
  }

  private destroyBoth(): void {
    this.breakOff(this.toUpstream.from);
    this.breakOff(this.toUpstream.to);
  }

  /** Where there are no frames nothing tells a broken stream from a whole one but its end: it must not look like one. */
  private breakOff(transport: Transport): void {
    if (this.isOpaque) transport.reset();
    else transport.destroy();
  }
}

function createScanner(tell: ((bytes: Buffer) => void) | undefined, past?: PackedRelay): Scanner {
  const scanner = tell === undefined ? new FrameScanner() : new TappedScanner(tell);
  if (past?.scanner !== undefined) scanner.unpack(past.scanner);
  return scanner;
}
