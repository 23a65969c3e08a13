import { DEFAULT_DRAIN, LedgerReport, NO_BYTES } from '../../core/admin';
import { NO_CONNECTIONS, NO_ENDINGS, NOTHING_ENDED } from '../../core/connections';
import { begin } from '../../core/cutover';
import {
  drainEnd,
  drainLimitSeconds,
  drainProgress,
  drainVerdict,
  nextCloseMs,
  nextProgressMs,
  overdueSince,
  ownLimitSeconds,
} from '../../core/drain';
import { beginDrain, observeDrain } from '../../core/drain-run';
import { NEVER_HELD, holdReport } from '../../core/hold';
import { parsePlan } from '../../core/plan';

const active = { http: 40, websocket: 5, grpcStream: 0, serverSentEvents: 0, streaming: 0 };

test('the progress lines read as the operators know them', () => {
  expect(drainProgress(active, 295)).toBe(
    'Draining connections: 45 active (40 HTTP, 5 WebSocket, 0 streaming), 295.0s remaining',
  );
  expect(drainEnd(NO_CONNECTIONS, 0)).toBe('All connections drained gracefully');
  expect(drainEnd(NO_CONNECTIONS, 2)).toBe('All connections drained, 2 of them by force');
  expect(drainEnd({ http: 0, websocket: 0, grpcStream: 1, serverSentEvents: 1, streaming: 1 }, 1)).toBe(
    'Drain timeout reached with 3 connections still active (0 WebSocket, 3 streaming)',
  );
});

test('the last seconds have a line each', () => {
  expect([11, 10, 0].map(nextProgressMs)).toEqual([5_000, 1_000, 1_000]);
});

test('a drain is over at zero, overdue at its limit, and waits in between', () => {
  const drain = { active: 1, startedMs: 1000, limitMs: 500 };
  expect(drainVerdict(drain, 1499)).toBe('wait');
  expect(drainVerdict(drain, 1500)).toBe('overdue');
  expect(drainVerdict({ ...drain, active: 0 }, 9999)).toBe('drained');
});

test('a kind is closed from its own time on: counted from the start, and from the begin of what came later', () => {
  const http = (nowMs: number) => overdueSince(DEFAULT_DRAIN, 'http', 1_000, nowMs);
  expect(http(30_999)).toBeUndefined();
  // At first those that were there.
  expect(http(31_000)).toBe(1_000);
  // Then each as its own 30 s are over.
  expect(http(31_500)).toBe(1_500);
  expect(overdueSince(DEFAULT_DRAIN, 'websocket', 1_000, 31_500)).toBeUndefined();
});

test('closes are paced, and late by no more than the jitter', () => {
  const order = { ...DEFAULT_DRAIN, closeRatePerSecond: 20, jitter: 0.2 };
  expect(nextCloseMs(order, 0)).toBe(50);
  expect(nextCloseMs(order, 0.999)).toBeLessThan(60);
});

test('the limit holds the longest deadline, the paced closes with their jitter, and the last handshake', () => {
  expect(
    drainLimitSeconds({ ...DEFAULT_DRAIN, closeRatePerSecond: 10, jitter: 0.5 }, { ...NO_CONNECTIONS, websocket: 100 }),
  ).toBe(300 + 15 + 5);
  expect(ownLimitSeconds(DEFAULT_DRAIN, 'http', { ...NO_CONNECTIONS, http: 1 })).toBe(30 + 1 + 5);
});

const report = (instance: string, websocket: number, closed: number): LedgerReport => ({
  instance,
  state: 'draining',
  drainRemainingSeconds: 0,
  drainForced: 0,
  active: { ...NO_CONNECTIONS, websocket },
  ended: { ...NOTHING_ENDED, websocket: { ...NO_ENDINGS, closed } },
  requests: { total: 0, answered: 0, errors: 0 },
  oldestSeconds: NO_CONNECTIONS,
  bytes: NO_BYTES,
  hold: holdReport(NEVER_HELD, 0, 0),
  upstream: 'source',
});

test('the drain of a side adds up its tasks, and counts only what ended since it began', () => {
  const run = begin('e', '2026-01-01T00:00:00Z', parsePlan({ pollSeconds: 2 }));
  const drain = beginDrain(run, [report('a', 3, 10), report('b', 1, 0)], 0);
  expect(drain.atStart.websocket).toBe(4);
  const going = observeDrain(run, drain, [report('a', 1, 12), report('b', 0, 1)], 1000);
  expect(going).toMatchObject({
    verdict: 'wait',
    waitSeconds: 2,
    drain: { ended: { closed: 3 }, active: { websocket: 1 } },
  });
  expect(observeDrain(run, drain, [report('a', 0, 13), report('b', 0, 1)], 2000).verdict).toBe('drained');
  // A task that is gone takes its counts with it; what was seen stays.
  expect(observeDrain(run, going.drain ?? drain, [report('b', 0, 1)], 3000).drain?.ended.closed).toBe(3);
});

test('a drain that is overdue goes back, and says what was left', () => {
  const run = begin('e', '2026-01-01T00:00:00Z', parsePlan({}));
  const drain = beginDrain(run, [report('a', 2, 0)], 0);
  const overdue = observeDrain(run, drain, [report('a', 2, 0)], drain.limitMs);
  expect(overdue.verdict).toBe('rollBack');
  expect(overdue.failure).toEqual({
    code: 'DrainOverdue',
    message: `the source must be at zero ${drain.limitMs / 1000} s after the drain began, got 2 websocket`,
  });
});
