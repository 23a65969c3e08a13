import { begin, findFailure, note, findOutcome, rollBack } from '../../../core/cutover/run';
import { ERRORS, finalErrorCodes } from '../../../core/errors/errors';
import { buildEvidence } from '../../../core/cutover/evidence';
import { parsePlan } from '../../../core/plan/plan';

const run = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));

test('what moved nothing was rejected; what moved and was not restored has failed', () => {
  expect(findOutcome(run)).toBe('refused');
  const intended = { groups: [], stickiness: { enabled: false, seconds: 0 } };
  const initial = { stickiness: { enabled: true, seconds: 60 }, others: {}, ownDigest: '' };
  // A shift that was killed has moved something, maybe, and its run knows of nothing.
  expect(findOutcome({ ...run, initial })).toBe('failed');
  expect(findOutcome({ ...run, initial, intended, rollback: { startedAt: 'x' } })).toBe('failed');
  expect(findOutcome({ ...run, initial, intended, rollback: { startedAt: 'x', restoredAt: 'y' } })).toBe('rolled-back');
});

test("a failure is the run's own decision, or what Catch left of an exception", () => {
  expect(findFailure(run)).toBeUndefined();
  const cause = JSON.stringify({ errorType: 'SmokeFailed', errorMessage: 'GET / got 500' });
  const caught = { ...run, error: { Error: 'SmokeFailed', Cause: cause } };
  expect(findFailure(caught)).toEqual({ code: 'SmokeFailed', message: 'GET / got 500' });
  expect(findFailure({ ...run, error: { Error: 'States.Timeout', Cause: 'plain' } })).toEqual({
    code: 'States.Timeout',
    message: 'plain',
  });
  expect(findFailure(rollBack(caught, 'Aborted', 'stop'))).toEqual({ code: 'Aborted', message: 'stop' });
});

test('evidence reports the whole run, and its length', () => {
  const noted = note(run, Date.parse('2026-01-01T00:00:30Z'), 'Lock', { a: 1 });
  const evidence = buildEvidence(noted, 'completed', Date.parse('2026-01-01T00:01:00Z'));
  expect(evidence).toMatchObject({ schema: 'drainshift/evidence/1', outcome: 'completed', durationSeconds: 60 });
  expect(evidence.timeline).toEqual([{ at: '2026-01-01T00:00:30.000Z', state: 'Lock', detail: { a: 1 } }]);
  expect(evidence.drain.source).toEqual({ http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 });
});

test('the codes that are never retried are those of the catalogue that say so', () => {
  expect(finalErrorCodes()).toContain('SmokeFailed');
  expect(finalErrorCodes()).not.toContain('AdminUnreachable');
  expect(finalErrorCodes().every((code) => !ERRORS[code].retry)).toBe(true);
});
