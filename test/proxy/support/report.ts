import { LedgerReport, NO_BYTES } from '../../../core/proxy/admin-api';
import { NO_CONNECTIONS, NOTHING_ENDED } from '../../../core/proxy/connections';
import { NEVER_HELD, holdReport, NO_HOLD_FIGURES } from '../../../core/proxy/hold';

/** What a proxy says of itself that has done nothing yet. */
export const REPORT: LedgerReport = {
  identity: 'one',
  instance: 'i',
  state: 'serving',
  drainRemainingSeconds: 0,
  drainForced: 0,
  abandoned: { total: 0 },
  active: NO_CONNECTIONS,
  ended: NOTHING_ENDED,
  requests: { total: 0, responded: 0, errors: 0 },
  oldestSeconds: NO_CONNECTIONS,
  longestRequestMs: 0,
  bytes: NO_BYTES,
  hold: holdReport(NEVER_HELD, 0, 0),
  upstream: 'source',
  holds: NO_HOLD_FIGURES,
  fastPath: 'on',
};
