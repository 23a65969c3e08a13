import type { Ending } from '../../../core/proxy/connections';
import { CLOSE_HANDSHAKE_SECONDS } from '../../../core/proxy/drain';
import { closeFrame } from './frame-scanner';
import type { Relay } from './relay';

/** Of the close handshake's time, what the upstream may take to respond to all that it has received. */
const UPSTREAM_SHARE_MS = 2_000;
/** An upstream that does not respond to the Close may end its message in this. */
const BOUNDARY_MS = 500;
const HANDSHAKE_MS = CLOSE_HANDSHAKE_SECONDS * 1000;
/** RFC 6455 section 7.4.1 and its IANA registry. */
const GOING_AWAY = 1001;
const SERVICE_RESTART = 1012;

/** What the close needs of its tunnel. */
export interface Closing {
  readonly toUpstream: Relay;
  readonly toClient: Relay;
  readonly isOver: boolean;
  /** There are no Close frames: an end is asked to leave by the end of what it is sent. */
  readonly isOpaque: boolean;
  /** An end has left, or has said that it does. */
  readonly isClosingByItself: boolean;
  finish(how: Ending): void;
  faulted(error: unknown): void;
}

/** The end of one tunnel that a drain asks to leave. It is made then, so that a tunnel that is not asked holds none of it. */
export class OrderlyClose {
  /** Resolves when the tunnel has ended. */
  readonly over: Promise<void>;
  /** The client is being asked to leave: from here on the upstream's leaving is no reason for the client's. */
  readonly asksClient: boolean;
  private readonly isOver: Promise<void>;
  private end: () => void = () => undefined;
  private lingering: NodeJS.Timeout | undefined;

  /** `isAlone`: there is no upstream that could say anything. */
  constructor(
    private readonly tunnel: Closing,
    private readonly isAlone = false,
  ) {
    this.isOver = new Promise((resolve) => (this.end = resolve));
    this.asksClient = !tunnel.isOver && !tunnel.isClosingByItself;
    if (tunnel.isOver) this.end();
    const way = this.asksClient ? this.closeInOrder() : this.awaitEnd();
    this.over = way.catch((error: unknown) => tunnel.faulted(error));
  }

  /** The tunnel has ended. */
  tunnelOver(): void {
    this.end();
  }

  /** Both transports are gone. */
  bothClosed(): void {
    clearTimeout(this.lingering);
  }

  /** Both Close frames are exchanged; TCP is ended in order, and by force only when a peer does not end it in turn. */
  leave(): void {
    const { toUpstream, toClient } = this.tunnel;
    toClient.discard();
    for (const relay of [toUpstream, toClient]) relay.from.end();
    this.lingering = setTimeout(() => {
      for (const relay of [toUpstream, toClient]) relay.from.destroy();
    }, HANDSHAKE_MS);
  }

  private async awaitEnd(): Promise<void> {
    await this.within(this.isOver, performance.now() + HANDSHAKE_MS);
    this.tunnel.finish('forced');
  }

  /**
   * Loses nothing: the upstream responds to all that it has received, and what the client sends after that is dropped,
   * so that a client which repeats its unanswered messages on its next connection neither loses nor doubles one.
   */
  private async closeInOrder(): Promise<void> {
    const { toUpstream, toClient } = this.tunnel;
    const deadline = performance.now() + HANDSHAKE_MS;
    const echo = toUpstream.untilClose();
    if (!this.isAlone) await this.settleUpstream(performance.now() + UPSTREAM_SHARE_MS);
    if (this.tunnel.isOver) return;
    // Inside a frame a Close frame would be read as its payload.
    if (!toClient.scanner.atFrameBoundary) return this.tunnel.finish('forced');
    // Where there are no frames either, what the upstream had to say is whole only when it has ended.
    if (this.tunnel.isOpaque && !toClient.hasEnded) return this.tunnel.finish('forced');
    if (this.tunnel.isOpaque) toClient.to.end();
    else toClient.say(closeFrame(SERVICE_RESTART, 'service restart', false));
    // An upstream that takes nothing any more would keep the client's echo from being read.
    if (toUpstream.to.isBackedUp) toUpstream.to.destroy();
    toUpstream.discard();
    this.tunnel.finish((await this.within(echo, deadline)) ? 'closed' : 'forced');
  }

  /** Stops the client between two messages, lets the upstream respond to the rest, and keeps the upstream's Close frame. */
  private async settleUpstream(deadline: number): Promise<void> {
    const { toUpstream, toClient } = this.tunnel;
    if (await this.within(toUpstream.stopAt('atMessageBoundary'), deadline)) {
      if (this.tunnel.isOpaque) toUpstream.to.end();
      else toUpstream.say(closeFrame(GOING_AWAY, '', true));
      if (await this.within(toClient.stopAt('beforeClose'), deadline)) return;
    }
    // It does not close: what it sends is cut off between two messages, if such a place comes soon.
    await this.within(toClient.stopAt('atMessageBoundary'), deadline + BOUNDARY_MS);
  }

  /** Whether `wanted` came before the deadline and the tunnel's end. */
  private async within(wanted: Promise<void>, deadline: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const wait = Math.max(0, deadline - performance.now());
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, wait)));
    const came = await Promise.race([wanted.then(() => true), this.isOver.then(() => false), late.then(() => false)]);
    clearTimeout(timer);
    return came;
  }
}
