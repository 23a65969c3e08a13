import type { AddressList } from './addresses';
import type { DataPlaneOptions, Limits, Timeouts } from '../contract/data-plane';
import type { ClientExchange, DownstreamStream, EngineHead } from '../contract/streams';
import type { Upstreams } from '../contract/upstreams';
import type { MoveRules } from '../moves/move-rules';
import type { Ticker } from './ticker';

/** What every exchange of a plane shares. */
export interface PlaneContext {
  readonly options: DataPlaneOptions;
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  /** Undefined where nothing is ever moved. */
  readonly moves: MoveRules | undefined;
  readonly ticker: Ticker;
  readonly upstreams: Upstreams;
  /** For a request that came whole but for its body; it begins with its `run`. */
  createExchange(client: DownstreamStream, head: EngineHead): ClientExchange;
  /** The exchanges that have become upgraded connections. */
  readonly tunnels: Set<TunnelEntry>;
  readonly tunnelIdle: { readonly openMs: number; readonly halfClosedMs: number };
  readonly isDraining: boolean;
  /** In a drain, too, an HTTP/1.1 connection goes on behind its response, in another process. */
  readonly isHandingOver: boolean;
  readonly isHolding: boolean;
  /** Who asks for something new is to come again later. */
  readonly isMemoryTight: boolean;
  readonly addresses: AddressList;
  /** Whether one more connection to an upstream fits into the files that the process may have open. */
  readonly hasFileForUpstream: boolean;
  /** Told of an error of our own. It does not throw. */
  faulted(error: unknown): void;
}

export interface TunnelEntry {
  setHolding(isHolding: boolean): void;
  destroy(): void;
  readonly heldBytes: number;
  shed(): void;
}

/** An upstream's keep-alive timeout is rarely this short, so a request without a second try does not meet its close. */
export const YOUNG_MS = 1_000;
