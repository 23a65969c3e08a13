import { TlsSeen, judgeWebSocket } from '../../../core/check/websocket';

const tls: TlsSeen = {
  ...{ ms: 1, protocol: 'TLSv1.3', cipher: 'x', subject: 's', issuer: 'i', names: '' },
  ...{ validTo: '2027-01-01T00:00:00.000Z', daysLeft: 10 },
};

test('each step that failed, and each that took too long, is named', () => {
  const whole = {
    ...{ connect: { ms: 1 }, tls, handshake: { ms: 30, status: 101 }, echo: { ms: 40 }, ping: { ms: 5 } },
    close: { ms: 1, code: 1000 },
  };
  expect(judgeWebSocket(whole, { minDaysLeft: 10 }, false).verdict).toBe('held');
  expect(judgeWebSocket(whole, { maxHandshakeMs: 20, maxRoundTripMs: 20, minDaysLeft: 11 }, false).broken).toEqual([
    { name: 'handshake', rule: 'at most 20 ms', got: '30 ms' },
    { name: 'echo', rule: 'at most 20 ms', got: '40 ms' },
    { name: 'tls.validTo', rule: 'at least 11 days from now', got: '2027-01-01T00:00:00.000Z (10 days)' },
  ]);
  const failed = { handshake: { ms: 30, status: 503, problem: 'HTTP status 503, not 101' } };
  expect(judgeWebSocket(failed, { maxHandshakeMs: 20, minDaysLeft: 0 }, false).broken).toEqual([
    { name: 'handshake', rule: 'completed', got: 'HTTP status 503, not 101' },
  ]);
  expect(judgeWebSocket(whole, { minDaysLeft: 0 }, true).verdict).toBe('unknown');
});
