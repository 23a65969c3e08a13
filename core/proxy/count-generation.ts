import type { LedgerReport } from './admin-api';
import { addKinds, NO_CONNECTIONS, total } from './connections';
import type { GenerationFigures } from './restart';

/**
 * What one generation has now, and has counted.
 *
 * @param since a report of the same counters; absent: from their start
 */
export function countGeneration(number: number, now: LedgerReport, since?: LedgerReport): GenerationFigures {
  const { active, carried = NO_CONNECTIONS, requests } = now;
  const before = since?.instance === now.instance ? since.requests : { total: 0, responded: 0, errors: 0 };
  return {
    number,
    connections: total(addKinds(active, carried)),
    requests: {
      total: requests.total - before.total,
      responded: requests.responded - before.responded,
      errors: requests.errors - before.errors,
    },
  };
}
