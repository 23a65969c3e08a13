import type { LedgerReport } from '../../core/admin';
import { eachKind } from '../../core/connections';
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
  const ages = ledger.oldestMs(nowMs);
  return {
    active: ledger.active,
    ended: ledger.ended,
    oldestSeconds: eachKind((kind) => Math.round(ages[kind]) / 1000),
    bytes: ledger.bytes,
  };
}
