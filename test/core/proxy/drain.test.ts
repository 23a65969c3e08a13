import { DEFAULT_DRAIN } from '../../../core/proxy/admin-api';
import { NO_CONNECTIONS } from '../../../core/proxy/connections';
import {
  drainEnd,
  drainLimitSeconds,
  drainProgress,
  drainVerdict,
  nextCloseMs,
  nextProgressMs,
  overdueSince,
  ownLimitSeconds,
} from '../../../core/proxy/drain';

const active = { http: 40, websocket: 5, grpcStream: 0, serverSentEvents: 0, streaming: 0 };

test('the progress lines read as the operators know them', () => {
  expect(drainProgress(active, 295)).toBe(
    'Draining connections: 45 active (40 HTTP, 5 WebSocket, 0 streaming), 295.0s remaining',
  );
  expect(drainEnd(NO_CONNECTIONS, { forced: 0, moved: 0 })).toBe('All connections drained gracefully');
  expect(drainEnd(NO_CONNECTIONS, { forced: 2, moved: 0 })).toBe('All connections drained, 2 of them by force');
  expect(
    drainEnd({ http: 0, websocket: 0, grpcStream: 1, serverSentEvents: 1, streaming: 1 }, { forced: 1, moved: 4 }),
  ).toBe('Drain timeout reached with 3 connections still active (0 WebSocket, 3 streaming)');
  // Those that were moved are told where there are some.
  expect(drainProgress(active, 295, 12)).toBe(
    'Draining connections: 45 active (40 HTTP, 5 WebSocket, 0 streaming), 295.0s remaining, 12 moved',
  );
  expect(drainEnd(NO_CONNECTIONS, { forced: 0, moved: 12 })).toBe('All connections drained gracefully, 12 moved');
  expect(drainEnd(NO_CONNECTIONS, { forced: 2, moved: 12 })).toBe(
    'All connections drained, 2 of them by force, 12 moved',
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

test('a kind is closed from its own time on: counted from the start, and from the start of what came later', () => {
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
  expect(nextCloseMs(order, 0.5)).toBeCloseTo(55);
  expect(nextCloseMs(order, 0.999)).toBeLessThan(60);
});

test('the limit holds the longest deadline, the paced closes with their jitter, and the last handshake', () => {
  expect(
    drainLimitSeconds({ ...DEFAULT_DRAIN, closeRatePerSecond: 10, jitter: 0.5 }, { ...NO_CONNECTIONS, websocket: 100 }),
  ).toBe(300 + 15 + 5);
  expect(ownLimitSeconds(DEFAULT_DRAIN, 'http', { ...NO_CONNECTIONS, http: 1 })).toBe(30 + 1 + 5);
});
