import type { Ending } from '../../../core/proxy/connections';
import { LedgerEntry } from '../contract/ledger';
import type { PlaneContext, TunnelEntry } from '../shared/context';
import type { Forward } from '../contract/data-plane';
import { CONNECTION_BYTES, TLS_BYTES } from '../shared/memory-budget';
import type { Ticker } from '../shared/ticker';
import { Tunnel, TunnelEnd, TunnelOptions } from '../websocket/tunnel';

/**
 * A connection that has switched protocols, in the place of the exchange that asked for it: it may live for days, and has
 * no use for anything else of its request.
 */
export class UpgradedConnection extends LedgerEntry implements TunnelOptions, TunnelEntry {
  private tunnel: Tunnel | undefined = undefined;

  constructor(
    private readonly context: PlaneContext,
    private readonly forward: Forward,
    private readonly ownPath: string,
  ) {
    super();
  }

  /** Joins both ends; the ledger knows it already. */
  begin(client: TunnelEnd, upstream: TunnelEnd, isOpaque: boolean): void {
    const { context, forward } = this;
    context.tunnels.add(this);
    forward.signal?.addEventListener('abort', this);
    this.tunnel = new Tunnel(client, upstream, this, isOpaque);
    forward.opened?.(101, this.kind);
  }

  override get path(): string {
    return this.ownPath;
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
    return CONNECTION_BYTES + (this.context.options.tls ? TLS_BYTES : 0) + (this.tunnel?.heldBytes ?? 0);
  }

  shed(): void {
    this.destroy();
  }

  override measure(): void {
    if (this.tunnel === undefined) return;
    this.bytesReceived = this.tunnel.bytesReceived;
    this.bytesSent = this.tunnel.bytesSent;
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
    const { bytesReceived, bytesSent } = this;
    // A tunnel may fail as it is made.
    const { leftFirst, sawClose } = this.tunnel ?? {};
    try {
      forward.settled?.({ status: 101, kind, ending: how, leftFirst, sawClose, bytesReceived, bytesSent });
    } catch (error) {
      context.faulted(error);
    }
  }

  faulted(error: unknown): void {
    this.context.faulted(error);
  }
}
