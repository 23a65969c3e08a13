import type { ConnectionState } from '../../../core/proxy/connection-list';
import type { Ending } from '../../../core/proxy/connections';
import type { MoveRejection, Moves } from '../../../core/moves/moves';
import { LedgerEntry, Movable } from '../contract/ledger';
import type { PlaneContext, TunnelEntry } from '../shared/context';
import type { Forward, MessageRecording, Upstream } from '../contract/data-plane';
import type { Resume } from '../moves/resume';
import { CONNECTION_BYTES, TLS_BYTES } from '../shared/memory-budget';
import type { Ticker } from '../shared/ticker';
import type { MoveTap, TunnelTap } from '../moves/tap';
import { Move } from '../websocket/move';
import { PackedTunnel, Tunnel, TunnelEnd, TunnelOptions } from '../websocket/tunnel';
import type { Transport } from '../contract/transport';

/**
 * A connection that has switched protocols, in the place of the exchange that asked for it: it may live for days, and has
 * no use for anything else of its request.
 */
export class UpgradedConnection extends LedgerEntry implements TunnelOptions, TunnelEntry, Movable {
  private tunnel: Tunnel | undefined = undefined;
  isOpaque = false;

  private readonly ownPath: string;
  private readonly ownClient: string;
  private move: Move | undefined = undefined;

  /**
   * @param resume what a move rests on, or why there can be none
   * @param current where it is connected to: of one that has moved, another upstream than its request went to
   * @param messages where they are recorded
   */
  constructor(
    private readonly context: PlaneContext,
    readonly forward: Forward,
    seen: { readonly path: string; readonly clientAddress: string },
    readonly resume: Resume | MoveRejection = 'off',
    private current: Upstream = forward.upstream,
    readonly messages: MessageRecording | undefined = undefined,
  ) {
    super();
    this.ownPath = seen.path;
    this.ownClient = seen.clientAddress;
  }

  /** Joins both ends; the ledger knows it already. */
  begin(client: TunnelEnd, upstream: TunnelEnd, isOpaque: boolean): void {
    const { context, forward } = this;
    context.tunnels.add(this);
    forward.signal?.addEventListener('abort', this);
    this.isOpaque = isOpaque;
    this.tunnel = new Tunnel(client, upstream, this, isOpaque, this.tunnelTap);
    forward.opened?.(101, this.kind);
  }

  override get path(): string {
    return this.ownPath;
  }

  override get clientAddress(): string {
    return this.ownClient;
  }

  override get phase(): ConnectionState {
    if (this.movable?.isAway) return 'moving';
    return this.tunnel!.isClosing ? 'closing' : 'open';
  }

  /** As `begin`, of one that another entry has stood for in the ledger since it was in another process. */
  continue(packed: PackedTunnel, isOpaque: boolean): void {
    const { context, forward } = this;
    context.tunnels.add(this);
    forward.signal?.addEventListener('abort', this);
    this.isOpaque = isOpaque;
    this.tunnel = new Tunnel(packed.client, packed.upstream, this, isOpaque, this.tunnelTap);
    this.tunnel.wasIdle(packed.idleMs);
  }

  /** Its ends, while it has them. */
  get ends(): readonly [Transport, Transport] | undefined {
    return this.tunnel && [this.tunnel.toUpstream.from, this.tunnel.toClient.from];
  }

  /** See `Tunnel.obstacle`. */
  get obstacle(): Tunnel['obstacle'] | 'moving' {
    if (this.move !== undefined || this.tap?.isFiltering === true) return 'moving';
    return this.tunnel?.obstacle ?? (this.tunnel === undefined ? 'closing' : undefined);
  }

  /** Undefined where it has to stay in this process. */
  get forwardRecord(): object | undefined {
    return this.forward.record?.(this.current);
  }

  /** Takes it out of this process: it is of no use afterwards, and another entry has to stand for it in the ledger. */
  pack(): Pick<UpgradedConnection, 'forward' | 'resume' | 'isOpaque' | 'messages'> & { readonly tunnel: PackedTunnel } {
    this.measure();
    this.context.tunnels.delete(this);
    this.forward.signal?.removeEventListener('abort', this);
    const { forward, resume, isOpaque, messages } = this;
    return { tunnel: this.tunnel!.pack(), forward, resume, isOpaque, messages };
  }

  /** The route's signal cuts it. */
  handleEvent(): void {
    this.destroy();
  }

  close(): Promise<void> {
    return this.tunnel!.close();
  }

  setHolding(isHolding: boolean): void {
    this.tunnel!.setHolding(isHolding);
  }

  destroy(): void {
    this.tunnel!.destroy();
  }

  get heldBytes(): number {
    const { tunnel, context, tap, messages } = this;
    const held = (tunnel?.heldBytes ?? 0) + (tap?.heldBytes ?? 0) + (messages?.heldBytes ?? 0);
    return CONNECTION_BYTES + (context.options.tls ? TLS_BYTES : 0) + held;
  }

  shed(): void {
    this.destroy();
  }

  override measure(): void {
    if (this.tunnel === undefined) return;
    this.bytesReceived = this.tunnel.bytesReceived;
    this.bytesSent = this.tunnel.bytesSent;
  }

  // To another upstream; see `Movable`.

  override get destination(): Upstream {
    return this.current;
  }

  override get movable(): Movable {
    return this;
  }

  rejection(moves: Moves): MoveRejection | undefined {
    const { resume, tunnel } = this;
    if (typeof resume === 'string') return resume;
    if (moves === 'none') return 'off';
    if (moves === 'resumable' && !resume.isResumable) return 'noToken';
    if (tunnel === undefined || tunnel.isClosing) return 'closing';
    return resume.tap?.cannotResume === true ? 'cannotResume' : undefined;
  }

  private get tap(): MoveTap | undefined {
    return typeof this.resume === 'string' ? undefined : this.resume.tap;
  }

  /** What follows its bytes. */
  private get tunnelTap(): TunnelTap | undefined {
    const { tap, messages } = this;
    if (tap === undefined || messages === undefined) return tap ?? messages;
    return {
      fromClient: (bytes) => (messages.fromClient(bytes), tap.fromClient(bytes)),
      fromUpstream: (bytes) => (messages.fromUpstream(bytes), tap.fromUpstream(bytes)),
    };
  }

  get pace(): Movable['pace'] {
    const { tap } = this;
    return tap?.concurrency === undefined ? undefined : { name: tap.name, concurrency: tap.concurrency };
  }

  get isAway(): boolean {
    return this.move?.isAway === true;
  }

  async leave(): Promise<MoveRejection | undefined> {
    const { resume, tunnel, context } = this;
    if (typeof resume === 'string') return resume;
    if (this.move !== undefined || tunnel === undefined || tunnel.isClosing) return 'closing';
    this.move = new Move(tunnel, resume, context.upstreams, context.moves!.settings.timeoutMs);
    const rejection = await this.move.leave();
    if (rejection !== undefined) this.move = undefined;
    return rejection;
  }

  async join(upstream: Upstream, epoch: number | undefined): Promise<{ readonly stallMs: number } | MoveRejection> {
    const joined = (await this.move?.join(upstream, epoch)) ?? 'closing';
    this.move = undefined;
    if (typeof joined !== 'string') this.current = upstream;
    return joined;
  }

  // What its tunnel needs.

  get idle(): TunnelOptions['idle'] {
    return this.context.tunnelIdle;
  }

  get ticker(): Ticker {
    return this.context.ticker;
  }

  get isHolding(): boolean {
    return this.context.isHolding;
  }

  onClose(how: Ending): void {
    const { context, forward, kind } = this;
    this.measure();
    context.tunnels.delete(this);
    forward.signal?.removeEventListener('abort', this);
    context.options.ledger.leave(this, how);
    this.messages?.ended();
    const { bytesReceived, bytesSent } = this;
    // A tunnel may fail as it is made.
    const { leftFirst, sawClose } = this.tunnel ?? {};
    try {
      forward.settled?.({ status: 101, kind, ending: how, leftFirst, sawClose, bytesReceived, bytesSent });
    } catch (error) {
      context.faulted(error);
    }
  }

  clientReceived(frames: Buffer): void {
    this.messages?.fromUpstream(frames);
  }

  faulted(error: unknown): void {
    this.context.faulted(error);
  }
}
