import type { DrainOrder, LedgerReport } from './admin-api';
import type { HoldOrder } from './hold';

/** A proxy of an older version rejects an order with a field that it does not know. It says nothing of moves, and moves nothing. */
function isOlder(report: LedgerReport | undefined): boolean {
  return report?.movable === undefined;
}

/** @param report the last one of the proxy that the order is for */
export function fitDrainOrder(order: DrainOrder, report: LedgerReport | undefined): DrainOrder {
  if (!isOlder(report)) return order;
  const { perKindSeconds, closeRatePerSecond, jitter } = order;
  return { perKindSeconds, closeRatePerSecond, jitter };
}

export function fitHoldOrder(order: HoldOrder, report: LedgerReport | undefined): HoldOrder {
  if (!isOlder(report)) return order;
  const fitted: { -readonly [Name in keyof HoldOrder]: HoldOrder[Name] } = { ...order };
  delete fitted.moves;
  return fitted;
}
