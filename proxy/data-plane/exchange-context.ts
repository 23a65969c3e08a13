import type { DataPlaneOptions, Timeouts } from './data-plane';
import type { UpstreamPools } from './upstream-pool';

/** What an exchange needs of the engine around it. */
export interface ExchangeContext {
  readonly options: DataPlaneOptions;
  readonly timeouts: Timeouts;
  readonly pools: UpstreamPools;
  readonly isDraining: () => boolean;
  /** Told of an error of our own. */
  readonly faulted: (error: unknown) => void;
}
