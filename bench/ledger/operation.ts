// Measures one count in and out of the real ledger, as a process of its own. Says nanoseconds, the median of the batches.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { quantile, say } from '../load/inside.ts';
import { ROOT } from '../processes/resolve.ts';

interface Entry {
  close(): Promise<void>;
}

interface LedgerModule {
  readonly Ledger: new () => {
    enter(entry: Entry, kind: string, nowMs: number): void;
    leave(entry: Entry, how: string): void;
    readonly total: number;
  };
  readonly LedgerEntry?: new () => Entry;
}

/** Live connections while it is measured, as many as the load has. */
const LIVE = 64;
const OPERATIONS = 2_000_000;
const BATCHES = 9;

const { Ledger, LedgerEntry } = createRequire(import.meta.url)(
  join(ROOT, 'dist/proxy/data-plane/contract/ledger.js'),
) as LedgerModule;
if (LedgerEntry === undefined)
  throw new Error(
    "'dist/proxy/data-plane/contract/ledger.js' must have LedgerEntry, got an older build: npm run build",
  );

class Exchange extends LedgerEntry {
  override close(): Promise<void> {
    return Promise.resolve();
  }
}

const ledger = new Ledger();
const entries = Array.from({ length: LIVE }, () => new Exchange());
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
