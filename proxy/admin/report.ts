import type { LedgerReport } from '../../core/admin';
import type { ConnectionKind } from '../../core/connections';
import type { Ledger } from '../ledger';

/**
 * What the ledger has for a report.
 *
 * @param nowMs of the clock that the ledger's entries came in by
 */
export function ledgerFigures(
  ledger: Ledger,
  nowMs: number,
): Pick<LedgerReport, 'active' | 'ended' | 'oldestSeconds' | 'bytes'> {
  const ages = Object.entries(ledger.oldestMs(nowMs)).map(([kind, ms]) => [kind, Math.round(ms) / 1000]);
  return {
    active: ledger.active,
    ended: ledger.ended,
    oldestSeconds: Object.fromEntries(ages) as Record<ConnectionKind, number>,
    bytes: ledger.bytes,
  };
}
