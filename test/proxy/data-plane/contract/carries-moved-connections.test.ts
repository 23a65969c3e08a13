import { NO_CONNECTIONS, NO_ENDINGS } from '../../../../core/proxy/connections';
import { Ledger, LedgerEntry } from '../../../../proxy/data-plane/contract/ledger';

class Entry extends LedgerEntry {
  close(): Promise<void> {
    return Promise.resolve();
  }
}

function entered(ledger: Ledger, ms: number): Entry {
  const entry = new Entry();
  ledger.enter(entry, 'websocket', ms);
  return entry;
}

const sockets = (websocket: number) => ({ ...NO_CONNECTIONS, websocket });

test('a moved connection leaves as moved, and is carried until it ends', () => {
  const ledger = new Ledger();
  const [first, second] = [entered(ledger, 1), entered(ledger, 2)];
  ledger.carry(first);
  ledger.carry(first);
  expect([ledger.active, ledger.total, ledger.carried]).toEqual([sockets(1), 1, sockets(1)]);
  expect(ledger.ended.websocket).toEqual({ ...NO_ENDINGS, moved: 1 });
  expect([...ledger.closables('websocket')]).toEqual([second]);
  expect([...ledger.carriedClosables('websocket')]).toEqual([first]);
  expect(ledger.isCarried(first)).toBe(true);
  ledger.leave(first, 'completed');
  ledger.leave(first, 'forced');
  expect([ledger.carried, ledger.carriedEnded.websocket]).toEqual([sockets(0), { ...NO_ENDINGS, completed: 1 }]);
  expect(ledger.ended.websocket).toEqual({ ...NO_ENDINGS, moved: 1 });
  expect([first.leftAs, ledger.isCarried(first)]).toEqual(['completed', false]);
});

test('one that is moved back is live again, as the youngest, and can be moved once more', () => {
  const ledger = new Ledger();
  const [first, second] = [entered(ledger, 1), entered(ledger, 2)];
  ledger.carry(first);
  ledger.recall(first, 3);
  ledger.recall(first, 4);
  expect([ledger.active, ledger.carried]).toEqual([sockets(2), sockets(0)]);
  expect(ledger.carriedEnded.websocket).toEqual({ ...NO_ENDINGS, moved: 1 });
  expect([...ledger.closables('websocket')]).toEqual([second, first]);
  expect([...ledger.closables('websocket', 2)]).toEqual([second]);
  expect(first.leftAs).toBeUndefined();
  ledger.carry(first);
  ledger.leave(second, 'closed');
  expect(ledger.ended.websocket).toEqual({ ...NO_ENDINGS, moved: 2, closed: 1 });
});

test('the bytes of carried connections count on', () => {
  const ledger = new Ledger();
  const entry = entered(ledger, 1);
  entry.bytesSent = 10;
  ledger.carry(entry);
  entry.bytesSent = 25;
  expect(ledger.bytes.websocket.sent).toBe(25);
  ledger.leave(entry, 'completed');
  expect(ledger.bytes.websocket.sent).toBe(25);
});

test('what has left cannot be carried, and what is not carried cannot be recalled', () => {
  const ledger = new Ledger();
  const entry = entered(ledger, 1);
  ledger.recall(entry, 2);
  ledger.leave(entry, 'completed');
  ledger.carry(entry);
  ledger.recall(entry, 3);
  expect([ledger.total, ledger.carried, ledger.ended.websocket]).toEqual([
    0,
    sockets(0),
    { ...NO_ENDINGS, completed: 1 },
  ]);
});
