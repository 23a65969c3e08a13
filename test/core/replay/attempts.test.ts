import { Attempts } from '../../../core/replay/attempts';

const rules = { maxAttempts: 3, maxOutageMs: 10_000 };
const bad = { kind: 'response', status: 503 } as const;
const good = { kind: 'response', status: 500 } as const;
const unreached = { kind: 'unreached', problem: 'ECONNREFUSED' } as const;

test('any response but 502, 503 and 504 is one', () => {
  const attempts = new Attempts(rules);
  for (const status of [200, 301, 404, 500])
    expect(attempts.judge('a', { kind: 'response', status }, 0)).toEqual({ kind: 'done' });
  for (const status of [502, 503, 504])
    expect(attempts.judge(`b${status}`, { kind: 'response', status }, 0).kind).toBe('again');
});

test('an attempt counts when others got a response since, or when no other one fails', () => {
  const attempts = new Attempts(rules);
  expect([0, 1, 2].map(() => attempts.judge('alone', bad, 0).kind)).toEqual(['again', 'again', 'park']);
  attempts.judge('a', bad, 0);
  // Two fail, and nothing succeeds: it may be the target.
  for (let n = 0; n < 20; n += 1) expect(attempts.judge(n % 2 ? 'a' : 'b', bad, 100).kind).toBe('again');
  expect(attempts.outageSinceMs).toBe(0);
  const kinds = [1, 2, 3].map(() => {
    attempts.judge('good', good, 200);
    return attempts.judge('a', bad, 200).kind;
  });
  expect(kinds).toContain('park');
  expect(attempts.outageSinceMs).toBe(200);
});

test('a connection that cannot be had counts against no request', () => {
  const attempts = new Attempts(rules);
  for (let n = 0; n < 20; n += 1) expect(attempts.judge('a', unreached, n).kind).toBe('again');
});

test('an outage ends the replay; a few that fail while the target responds are parked', () => {
  const away = new Attempts(rules);
  for (const id of ['a', 'b']) away.judge(id, unreached, 0);
  expect(away.judge('a', unreached, 10_000)).toEqual({
    kind: 'stop',
    problem: 'the target must respond within 10 s, got ECONNREFUSED',
  });
  const reached = new Attempts(rules);
  for (const id of ['a', 'b']) reached.judge(id, bad, 0);
  expect(reached.judge('a', bad, 10_000).kind).toBe('park');
});

test('pauses grow, and are limited', () => {
  const attempts = new Attempts(rules);
  attempts.judge('other', bad, 0);
  const pauses = Array.from({ length: 12 }, () => {
    const next = attempts.judge('a', unreached, 0);
    return next.kind === 'again' ? next.pauseMs : NaN;
  });
  expect(pauses.slice(0, 4)).toEqual([250, 500, 1_000, 2_000]);
  expect(pauses.at(-1)).toBe(10_000);
});
