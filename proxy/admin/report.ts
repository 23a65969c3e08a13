import type { LedgerReport } from '../../core/proxy/admin-api';
import { eachKind } from '../../core/proxy/connections';
import type { Ledger } from '../data-plane/contract/ledger';

/**
 * What the ledger has for a report.
 *
 * @param nowMs of the clock that the ledger's entries came in by
 */
export function ledgerFigures(
  ledger: Ledger,
  nowMs: number,
): Pick<
  LedgerReport,
  'active' | 'ended' | 'carried' | 'carriedEnded' | 'oldestSeconds' | 'longestRequestMs' | 'bytes'
> {
  const ages = ledger.oldestMs(nowMs);
  return {
    active: ledger.active,
    ended: ledger.ended,
    carried: ledger.carried,
    carriedEnded: ledger.carriedEnded,
    oldestSeconds: eachKind((kind) => Math.round(ages[kind]) / 1000),
    longestRequestMs: Math.round(ledger.longestRequestMs(nowMs)),
    bytes: ledger.bytes,
  };
}
