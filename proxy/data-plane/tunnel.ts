import type { Socket } from 'node:net';
import type { Ending } from '../../core/connections';
import { CLOSE_HANDSHAKE_SECONDS } from '../../core/drain';
import type { Closable } from '../ledger';
import { closeFrame } from './frame-scanner';
import { Relay } from './relay';
import { Safely, safely } from './safely';
import type { Upgraded } from './upgrade';

/** Of the close handshake's time, what the upstream may take to answer all that it has received. */
const UPSTREAM_SHARE_MS = 2_000;
/** An upstream that does not answer the Close may end its message in this. */
const BOUNDARY_MS = 500;
/** RFC 6455 section 7.4.1 and its IANA registry. */
const GOING_AWAY = 1001;
const SERVICE_RESTART = 1012;
/** Finds a peer that is gone without a word. */
const KEEP_ALIVE_MS = 30_000;

export interface TunnelEnd {
  readonly socket: Socket;
  /** What this end had sent before the tunnel was there. */
  readonly head: Buffer;
}

/** Milliseconds without a byte after which a tunnel is cut: with both its ends, where 0 is never, and with one end left. */
export interface TunnelIdle {
  readonly openMs: number;
  readonly halfClosedMs: number;
}

export interface TunnelEvents {
  /** Called once, when both ends are closed or a drain has closed it. */
  readonly over: (how: Ending) => void;
  /** Told of an error of our own, after which the tunnel is cut. */
  readonly faulted: (error: unknown) => void;
}

/** A WebSocket between a client and an upstream, once both have switched protocols. */
export class Tunnel implements Closable, Upgraded {
  private readonly clientToUpstream: Relay;
  private readonly upstreamToClient: Relay;
  private readonly client: Socket;
  private readonly upstream: Socket;
  private readonly isDone: Promise<void>;
  private done: () => void = () => undefined;
  private echoed: () => void = () => undefined;
  private closedSockets = 0;
  private isReset = false;
  private isHalfClosed = false;
  /** The client is being asked to leave: from here on the upstream's leaving is no reason for the client's. */
  private isAskedToLeave = false;
  private isOver = false;
  private closing: Promise<void> | undefined;
  private readonly fault: (error: unknown) => void;
  /** Around every handler of an event. */
  private readonly safely: Safely;

  private readonly over: (how: Ending) => void;

  constructor(
    client: TunnelEnd,
    upstream: TunnelEnd,
    private readonly idle: TunnelIdle,
    { over, faulted }: TunnelEvents,
  ) {
    this.over = over;
    this.fault = (error) => {
      this.cut();
      faulted(error);
    };
    this.safely = safely(this.fault);
    this.client = client.socket;
    this.upstream = upstream.socket;
    this.isDone = new Promise((resolve) => (this.done = resolve));
    this.clientToUpstream = new Relay(this.client, this.upstream, this.safely, () => this.echoed());
    this.upstreamToClient = new Relay(this.upstream, this.client, this.safely, () => undefined);
    this.watch(this.client, this.upstream);
    this.watch(this.upstream, this.client);
    this.clientToUpstream.start(client.head);
    this.upstreamToClient.start(upstream.head);
  }

  close(): Promise<void> {
    this.closing ??= (this.isClosingByItself ? this.awaitEnd() : this.closeInOrder()).catch(this.fault);
    return this.closing;
  }

  cut(): void {
    this.finish('forced');
  }

  private async awaitEnd(): Promise<void> {
    await this.within(this.isDone, Date.now() + CLOSE_HANDSHAKE_SECONDS * 1000);
    this.finish('forced');
  }

  /**
   * Loses nothing: the upstream answers all that it has received, and what the client sends after that reaches nobody,
   * so that a client which repeats its unanswered messages on its next connection neither loses nor doubles one.
   */
  private async closeInOrder(): Promise<void> {
    const deadline = Date.now() + CLOSE_HANDSHAKE_SECONDS * 1000;
    const echo = new Promise<void>((resolve) => (this.echoed = resolve));
    this.isAskedToLeave = true;
    await this.settleUpstream(Date.now() + UPSTREAM_SHARE_MS);
    if (this.isOver) return;
    // Inside a frame a Close frame would be read as its payload.
    if (!this.upstreamToClient.scanner.atFrameBoundary) return this.finish('forced');
    this.client.write(closeFrame(SERVICE_RESTART, 'service restart', false));
    this.clientToUpstream.discard();
    this.finish((await this.within(echo, deadline)) ? 'closed' : 'forced');
  }

  /** Stops the client between two messages, lets the upstream answer the rest, and keeps the upstream's Close frame. */
  private async settleUpstream(deadline: number): Promise<void> {
    if (await this.within(this.clientToUpstream.stopAt('atMessageBoundary'), deadline)) {
      this.upstream.write(closeFrame(GOING_AWAY, '', true));
      if (await this.within(this.upstreamToClient.stopAt('beforeClose'), deadline)) return;
    }
    // It does not close: what it sends is cut off between two messages, if such a place comes soon.
    await this.within(this.upstreamToClient.stopAt('atMessageBoundary'), deadline + BOUNDARY_MS);
  }

  private get hasClosed(): boolean {
    return this.clientToUpstream.scanner.sawClose || this.upstreamToClient.scanner.sawClose;
  }

  private get isClosingByItself(): boolean {
    return this.hasClosed || this.isHalfClosed || this.closedSockets > 0;
  }

  private watch(socket: Socket, other: Socket): void {
    socket.allowHalfOpen = true;
    socket.setTimeout(this.idle.openMs);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setNoDelay(true);
    socket.on('error', () => (this.isReset = true));
    const { safely } = this;
    const on = (event: string, handle: () => void) => socket.on(event, safely(handle));
    on('end', () => this.ended(socket, other));
    on('close', () => this.closed(socket, other));
    on('timeout', () => (this.isHalfClosed ? socket.destroy() : this.cut()));
    if (socket.destroyed) this.closed(socket, other);
  }

  private ended(socket: Socket, other: Socket): void {
    this.isHalfClosed = true;
    for (const end of [socket, other]) end.setTimeout(this.idle.halfClosedMs);
    if (this.isAskedToLeave && socket === this.upstream) this.upstreamToClient.release();
    else other.end();
  }

  private closed(socket: Socket, other: Socket): void {
    this.closedSockets += 1;
    if (this.isAskedToLeave && socket === this.upstream) return this.upstreamToClient.release();
    const isInOrder = socket.readableEnded && !this.isReset && !this.isAskedToLeave;
    if (isInOrder) other.end();
    else other.destroy();
    // Nobody takes its bytes any more; they are read so that its end is seen.
    other.resume();
    if (this.closedSockets === 2 || this.isAskedToLeave)
      this.finish(this.isReset && !this.hasClosed ? 'forced' : 'completed');
  }

  private finish(how: Ending): void {
    if (this.isOver) return;
    this.isOver = true;
    if (how === 'forced') for (const socket of [this.client, this.upstream]) socket.destroy();
    if (how === 'closed') this.leave();
    this.over(how);
    this.done();
  }

  /** Both Close frames are exchanged; TCP is ended in order, and by force only when a peer does not end it in turn. */
  private leave(): void {
    this.upstreamToClient.discard();
    for (const socket of [this.client, this.upstream]) {
      socket.end();
      const timer = setTimeout(() => socket.destroy(), CLOSE_HANDSHAKE_SECONDS * 1000);
      socket.once('close', () => clearTimeout(timer));
      if (socket.destroyed) clearTimeout(timer);
    }
  }

  /** Whether `wanted` came before the deadline and the tunnel's end. */
  private async within(wanted: Promise<void>, deadline: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.max(0, deadline - Date.now()))));
    const came = await Promise.race([wanted.then(() => true), this.isDone.then(() => false), late.then(() => false)]);
    clearTimeout(timer);
    return came;
  }
}
