// Measures one count in and out of the real ledger, as a process of its own. Says nanoseconds, the median of the batches.
import { Ledger, LedgerEntry } from '../../proxy/data-plane/contract/ledger';
import { quantile, say } from '../load/inside';

/** Live connections while it is measured, as many as the load has. */
const LIVE = 64;
const OPERATIONS = 2_000_000;
const BATCHES = 9;

class Connection extends LedgerEntry {
  override close(): Promise<void> {
    return Promise.resolve();
  }
}

const ledger = new Ledger();
const entries = Array.from({ length: LIVE }, () => new Connection());
for (const entry of entries) ledger.enter(entry, 'http', 0);

function batch(): number {
  const beganMs = performance.now();
  for (let index = 0; index < OPERATIONS; index += 1) {
    const entry = entries[index % LIVE]!;
    ledger.leave(entry, 'completed');
    ledger.enter(entry, 'http', index);
  }
  return ((performance.now() - beganMs) * 1e6) / OPERATIONS;
}

batch();
const nanoseconds = Array.from({ length: BATCHES }, batch).sort((a, b) => a - b);
if (ledger.total !== LIVE) throw new Error(`'ledger.total' must be ${LIVE} after the measurement, got ${ledger.total}`);
say({ nanoseconds: quantile(nanoseconds, 0.5) });
