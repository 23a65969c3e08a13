import type { HoldOrder } from '../../core/proxy/hold';

/** An order for a hold with no limits that matter, but those that are given. */
export function holdOrder(order: Pick<HoldOrder, 'epoch' | 'leaseMs' | 'maxWaiting'> & Partial<HoldOrder>): HoldOrder {
  return {
    maxWaitMs: 30_000,
    maxHoldMs: 60_000,
    minIntervalMs: 0,
    committed: 0,
    endsStreams: false,
    dryRun: false,
    ...order,
  };
}
