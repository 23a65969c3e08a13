import { Ledger, LedgerEntry } from '../../../../proxy/data-plane/contract/ledger';
import type { ConnectionKind } from '../../../../core/proxy/connections';

class Entry extends LedgerEntry {
  close(): Promise<void> {
    return Promise.resolve();
  }
}

let nowMs = 1_000_000;
const ledger = () => new Ledger(() => nowMs);
const last = (of: Ledger, lastedMs: number, kind: ConnectionKind = 'http') => {
  const entry = new Entry();
  of.enter(entry, kind, nowMs);
  nowMs += lastedMs;
  of.leave(entry, 'completed');
};

test('the longest request of the last minute is known when it has ended, and is forgotten after it', () => {
  const requests = ledger();
  expect(requests.longestRequestMs(nowMs)).toBe(0);
  last(requests, 4_000);
  last(requests, 30);
  expect(requests.longestRequestMs(nowMs)).toBe(4_000);
  nowMs += 58_000;
  last(requests, 900);
  expect(requests.longestRequestMs(nowMs)).toBe(4_000);
  nowMs += 2_000;
  expect(requests.longestRequestMs(nowMs)).toBe(900);
  // A second is written over a minute later, and not added to.
  nowMs += 58_000;
  last(requests, 100);
  expect(requests.longestRequestMs(nowMs)).toBe(100);
  nowMs += 3_600_000;
  expect(requests.longestRequestMs(nowMs)).toBe(0);
});

test('one that is live counts by its age, however long ago it came in', () => {
  const requests = ledger();
  requests.enter(new Entry(), 'http', nowMs);
  nowMs += 200_000;
  requests.enter(new Entry(), 'http', nowMs);
  last(requests, 5_000);
  expect(requests.longestRequestMs(nowMs)).toBe(205_000);
});

test('what a switch closes does not count, also while it hides a request behind it', () => {
  const requests = ledger();
  for (const kind of ['websocket', 'serverSentEvents', 'grpcStream'] as const) {
    requests.enter(new Entry(), kind, nowMs);
    last(requests, 10_000, kind);
  }
  requests.enter(new Entry(), 'streaming', nowMs);
  nowMs += 2_000;
  expect(requests.longestRequestMs(nowMs)).toBe(2_000);
});
