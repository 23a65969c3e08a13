import type { DrainOrder } from '../../../core/proxy/admin-api';
import type { CloseOrder } from '../../../core/proxy/close-order';
import { ConnectionKind, Ending, NO_CONNECTIONS, eachKind } from '../../../core/proxy/connections';
import { Drain } from '../../../proxy/control/drain';
import { Ledger, LedgerEntry } from '../../../proxy/data-plane/contract/ledger';
import { FakeClock } from '../support/fake-clock';

const ORDER: DrainOrder = {
  perKindSeconds: { http: 10, websocket: 20, grpcStream: 20, serverSentEvents: 20, streaming: 20 },
  closeRatePerSecond: 2,
  jitter: 0,
};

class Connection extends LedgerEntry {
  constructor(
    private readonly closing: () => Promise<void>,
    private readonly ownPath: string,
  ) {
    super();
  }

  override get path(): string {
    return this.ownPath;
  }

  close(): Promise<void> {
    return this.closing();
  }
}

function cloud() {
  const clock = new FakeClock();
  const ledger = new Ledger();
  const lines: string[] = [];
  const switched: boolean[] = [];
  const closed: string[] = [];
  const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(`WARN ${line}`) };
  const drain = new Drain(ledger, clock, log, (isDraining) => switched.push(isDraining));
  const enter = (kind: ConnectionKind, closing: () => Promise<void>, path = '/') => {
    const connection = new Connection(closing, path);
    ledger.enter(connection, kind, clock.nowMs());
    return { end: (how: Ending) => ledger.leave(connection, how) };
  };
  const open = (kind: ConnectionKind, name: string, how: Ending | 'stays' = 'closed', path = '/') => {
    const close = () => {
      closed.push(`${name} at ${(clock.nowMs() - 1_000) / 1000}`);
      if (how !== 'stays') connection.end(how);
      return Promise.resolve();
    };
    const connection = enter(kind, close, path);
    return connection;
  };
  return { clock, ledger, lines, switched, closed, drain, enter, open };
}

test('with nothing live a drain is over at once', async () => {
  const { drain, lines, switched, clock } = cloud();
  expect(await drain.start(ORDER)).toBe('drained');
  expect(drain.state).toBe('drained');
  expect(switched).toEqual([true]);
  expect(lines).toEqual(['All connections drained gracefully']);
  // It goes on: somebody may come.
  clock.advance(10);
  expect(lines).toHaveLength(1);
  drain.stop();
  expect(clock.waiting).toBe(0);
});

test('says how it goes every 5 s, and in the last 10 s every second', async () => {
  const { drain, lines, clock, open } = cloud();
  const guard = open('websocket', 'a', 'stays');
  const result = drain.start(ORDER);
  clock.advance(30);
  // The limit: 20 s, the paced close of one (1 s) and its handshake (5 s).
  expect(lines).toEqual([
    'Draining connections: 1 active (0 HTTP, 1 WebSocket, 0 streaming), 26.0s remaining',
    'Draining connections: 1 active (0 HTTP, 1 WebSocket, 0 streaming), 21.0s remaining',
    'Draining connections: 1 active (0 HTTP, 1 WebSocket, 0 streaming), 16.0s remaining',
    'Draining connections: 1 active (0 HTTP, 1 WebSocket, 0 streaming), 11.0s remaining',
    ...[6, 5, 4, 3, 2, 1].map(
      (left) => `Draining connections: 1 active (0 HTTP, 1 WebSocket, 0 streaming), ${left}.0s remaining`,
    ),
    'WARN Drain timeout reached with 1 connections still active (1 WebSocket, 0 streaming)',
  ]);
  expect(await result).toBe('overdue');
  expect(drain.state).toBe('draining');
  guard.end('forced');
  clock.advance(1);
  expect(drain.state).toBe('drained');
});

test('ends as soon as the last connection ends by itself', async () => {
  const { drain, clock, open, closed } = cloud();
  const guard = open('http', 'a');
  const result = drain.start(ORDER);
  clock.advance(3);
  expect(drain.state).toBe('draining');
  guard.end('completed');
  clock.advance(0.1);
  expect(await result).toBe('drained');
  expect(closed).toEqual([]);
});

test('closes each kind after its own time, oldest first, at the rate', () => {
  const { drain, clock, open, closed } = cloud();
  for (const name of ['w1', 'w2', 'w3']) open('websocket', name);
  open('http', 'h1', 'forced');
  open('http', 'h2', 'forced');
  void drain.start(ORDER);
  clock.advance(40);
  expect(closed).toEqual(['h1 at 10', 'h2 at 10.5', 'w1 at 20', 'w2 at 20.5', 'w3 at 21']);
  expect(drain.state).toBe('drained');
});

describe('an order says whom to close first', () => {
  const NOW: DrainOrder = { ...ORDER, perKindSeconds: eachKind(() => 10), closeRatePerSecond: 1 };

  function closes(order: CloseOrder | undefined): string[] {
    const { drain, clock, open, closed } = cloud();
    const all: [ConnectionKind, string, string][] = [
      ['websocket', 'chat 1', '/chat/1'],
      ['http', 'get', '/chat'],
      ['serverSentEvents', 'feed', '/feed'],
      ['websocket', 'game', '/game'],
      ['websocket', 'chat 2', '/chat/2'],
    ];
    for (const [kind, name, path] of all) {
      open(kind, name, 'closed', path);
      clock.advance(0.001);
    }
    void drain.start({ ...NOW, order });
    clock.advance(20);
    return closed.map((line) => line.split(' at ')[0]!);
  }

  test.each<[string, CloseOrder | undefined, string[]]>([
    ['without one', undefined, ['get', 'chat 1', 'game', 'chat 2', 'feed']],
    [
      'the oldest of all',
      { paths: [], kinds: 'together', age: 'oldestFirst' },
      ['chat 1', 'get', 'feed', 'game', 'chat 2'],
    ],
    [
      'the youngest of all',
      { paths: [], kinds: 'together', age: 'youngestFirst' },
      ['chat 2', 'game', 'feed', 'get', 'chat 1'],
    ],
    [
      'the youngest of a kind',
      { paths: [], kinds: 'shortLivedFirst', age: 'youngestFirst' },
      ['get', 'chat 2', 'game', 'chat 1', 'feed'],
    ],
    [
      'paths, then kinds, then ages',
      { paths: [{ path: '/feed' }, { path: '/chat*' }], kinds: 'shortLivedFirst', age: 'oldestFirst' },
      ['feed', 'get', 'chat 1', 'chat 2', 'game'],
    ],
  ])('%s', (_, order, expected) => {
    expect(closes(order)).toEqual(expected);
  });

  test('and a later order another one', () => {
    const { drain, clock, open, closed } = cloud();
    for (const name of ['a', 'b', 'c', 'd']) {
      open('websocket', name);
      clock.advance(0.001);
    }
    void drain.start(NOW);
    clock.advance(11.05);
    void drain.start({ ...NOW, order: { paths: [], kinds: 'together', age: 'youngestFirst' } });
    clock.advance(20);
    expect(closed.map((line) => line[0])).toEqual(['a', 'b', 'd', 'c']);
  });

  test('one that has become of another kind has the time of that kind', () => {
    const { drain, clock, ledger, closed } = cloud();
    const connections = ['a', 'b', 'c'].map((name) => {
      const connection: Connection = new Connection(() => {
        closed.push(name);
        ledger.leave(connection, 'closed');
        return Promise.resolve();
      }, '/');
      ledger.enter(connection, 'http', clock.nowMs());
      return connection;
    });
    void drain.start({ ...NOW, perKindSeconds: { ...NOW.perKindSeconds, streaming: 60 } });
    clock.advance(10.5);
    ledger.reclassify(connections[1]!, 'streaming');
    clock.advance(5);
    expect(closed).toEqual(['a', 'c']);
    clock.advance(60);
    expect(closed).toEqual(['a', 'c', 'b']);
  });
});

test('closes each connection once, however slow it is to leave', () => {
  const { drain, clock, open, closed } = cloud();
  open('websocket', 'slow', 'stays');
  void drain.start(ORDER);
  clock.advance(60);
  expect(closed).toEqual(['slow at 20']);
});

test('kinds whose time comes while others are being closed are closed, too', () => {
  const { drain, clock, open, closed } = cloud();
  for (const name of ['h1', 'h2', 'h3']) open('http', name);
  open('websocket', 'w1');
  void drain.start({ ...ORDER, closeRatePerSecond: 1, perKindSeconds: { ...ORDER.perKindSeconds, websocket: 11 } });
  clock.advance(40);
  expect(closed).toEqual(['h1 at 10', 'h2 at 11', 'h3 at 12', 'w1 at 13']);
});

test('what comes in a drain has its whole time, whatever is live or closed beside it', () => {
  const { drain, clock, open, closed } = cloud();
  open('http', 'early');
  open('websocket', 'w1');
  void drain.start(ORDER);
  clock.advance(4);
  open('http', 'at 4');
  clock.advance(15);
  const served = open('http', 'at 19, and answered');
  open('serverSentEvents', 'stream at 19');
  clock.advance(9.9);
  served.end('completed');
  clock.advance(40);
  expect(closed).toEqual(['early at 10', 'at 4 at 14', 'w1 at 20', 'stream at 19 at 39']);
});

test('what comes behind a zero has its time and an end, and the drain says of it', async () => {
  const { drain, clock, lines, open, closed } = cloud();
  void drain.start(ORDER);
  expect(drain.state).toBe('drained');
  clock.advance(50);
  open('http', 'late', 'forced');
  expect(drain.state).toBe('draining');
  expect(drain.remainingSeconds).toBe(10 + 1 + 5);
  clock.advance(10);
  expect(closed).toEqual(['late at 60']);
  await Promise.resolve();
  clock.advance(2);
  expect(drain.forced).toEqual({ ...NO_CONNECTIONS, http: 1 });
  expect(drain.state).toBe('drained');
  expect(drain.remainingSeconds).toBe(0);
  expect(lines).toEqual([
    'All connections drained gracefully',
    'Draining connections: 1 active (1 HTTP, 0 WebSocket, 0 streaming), 15.9s remaining',
    'Draining connections: 1 active (1 HTTP, 0 WebSocket, 0 streaming), 10.9s remaining',
    'WARN All connections drained, 1 of them by force',
  ]);
});

test('the time that remains is that of who came last, and a flow of requests is no timeout', () => {
  const { drain, clock, lines, open } = cloud();
  const socket = open('websocket', 'w1');
  void drain.start(ORDER);
  expect(drain.remainingSeconds).toBe(20 + 1 + 5);
  clock.advance(18);
  socket.end('completed');
  let before = open('http', 'first');
  for (let second = 18; second < 60; second += 1) {
    clock.advance(1);
    const next = open('http', `at ${second}`);
    before.end('completed');
    before = next;
  }
  expect(drain.remainingSeconds).toBe(10 + 1 + 5);
  expect(lines.filter((line) => !line.startsWith('Draining connections: 1 active'))).toEqual([]);
  clock.advance(9);
  before.end('completed');
  clock.advance(1);
  expect(lines.at(-1)).toBe('All connections drained gracefully');
});

test('a drain with an end of its own gives late ones the time until then', () => {
  const { drain, clock, open, closed } = cloud();
  open('http', 'early');
  void drain.startAfresh(ORDER, 15);
  clock.advance(4);
  open('http', 'at 4');
  clock.advance(5);
  open('http', 'at 9');
  expect(drain.remainingSeconds).toBe(15 + 5 - 9);
  clock.advance(20);
  expect(closed).toEqual(['early at 10', 'at 4 at 14', 'at 9 at 15']);
});

test('one that leaves before its turn costs no turn', () => {
  const { drain, clock, open, closed } = cloud();
  for (const name of ['a', 'b']) open('http', name);
  const leaves = open('http', 'c');
  open('http', 'd');
  void drain.start(ORDER);
  clock.advance(10.2);
  leaves.end('completed');
  clock.advance(30);
  expect(closed).toEqual(['a at 10', 'b at 10.5', 'd at 11']);
});

test('jitter makes a close late and never early', () => {
  const { ledger, clock, open, closed } = cloud();
  Object.assign(clock, { random: () => 0.5 });
  const drain = new Drain(ledger, clock, { info: () => undefined, warn: () => undefined }, () => undefined);
  for (const name of ['a', 'b', 'c']) open('http', name);
  void drain.start({ ...ORDER, jitter: 1 });
  clock.advance(30);
  expect(closed).toEqual(['a at 10', 'b at 10.75', 'c at 11.5']);
});

test('rates that no timer can follow are kept on average', () => {
  const { drain, clock, open, closed, ledger } = cloud();
  for (let n = 0; n < 5_000; n += 1) open('http', String(n));
  void drain.start({ ...ORDER, perKindSeconds: { ...ORDER.perKindSeconds, http: 0 }, closeRatePerSecond: 10_000 });
  clock.advance(0.25);
  expect(closed.length).toBeGreaterThan(2_400);
  expect(closed.length).toBeLessThan(2_600);
  clock.advance(1);
  expect(ledger.active.http).toBe(0);
});

test('a cancelled drain closes no one and serves again', async () => {
  const { drain, clock, open, closed, switched } = cloud();
  open('websocket', 'a');
  const result = drain.start(ORDER);
  clock.advance(15);
  drain.cancel();
  expect(await result).toBe('cancelled');
  clock.advance(60);
  expect(closed).toEqual([]);
  expect(drain.state).toBe('serving');
  expect(switched).toEqual([true, false]);
  expect(clock.waiting).toBe(0);
  drain.cancel();
  expect(switched).toEqual([true, false]);
});

test('a repeated order does not start the time over', () => {
  const { drain, clock, open, closed } = cloud();
  open('http', 'a');
  void drain.start(ORDER);
  clock.advance(9);
  void drain.start(ORDER);
  clock.advance(2);
  expect(closed).toEqual(['a at 10']);
});

test('a new order is reckoned from the start, and may give time again to what was being closed', async () => {
  const { drain, lines, clock, open, closed } = cloud();
  open('http', 'a', 'stays');
  open('http', 'b', 'stays');
  const result = drain.start({ ...ORDER, closeRatePerSecond: 1 });
  clock.advance(10);
  expect(closed).toEqual(['a at 10']);
  void drain.start({ ...ORDER, perKindSeconds: { ...ORDER.perKindSeconds, http: 60 } });
  clock.advance(45);
  expect(closed).toEqual(['a at 10']);
  // 60 s, the paced closes of two (1 s) and their handshake (5 s), less the 55 s that are over.
  expect(lines.at(-1)).toContain('11.0s remaining');
  clock.advance(15);
  expect(await result).toBe('overdue');
  expect(closed).toEqual(['a at 10', 'b at 60']);
});

test('a connection that cannot be closed does not stop the others from being', async () => {
  const { drain, clock, enter, open, closed, lines } = cloud();
  enter('http', () => Promise.reject(new Error('no')));
  open('http', 'b');
  void drain.start(ORDER);
  clock.advance(12);
  await Promise.resolve();
  expect(closed).toEqual(['b at 10.5']);
  expect(lines).toContain('WARN A connection was not closed: Error: no');
});

test('starting afresh gives the whole time, and ends the wait for the drain before', async () => {
  const { drain, clock, open, closed } = cloud();
  open('http', 'a');
  const first = drain.start(ORDER);
  clock.advance(9);
  void drain.startAfresh(ORDER);
  expect(await first).toBe('cancelled');
  clock.advance(9);
  expect(closed).toEqual([]);
  clock.advance(2);
  expect(closed).toEqual(['a at 19']);
});
