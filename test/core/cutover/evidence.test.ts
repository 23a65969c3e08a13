import { buildEvidence } from '../../../core/cutover/evidence';
import { CutoverRun, DrainProgress, Outcome, begin } from '../../../core/cutover/run';
import { NO_COUNTS } from '../../../core/judge/tally';
import { NO_CONNECTIONS } from '../../../core/proxy/connections';
import { parsePlan } from '../../../core/plan/plan';

const run = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));
const atMs = (seconds: number) => Date.parse('2026-01-01T00:00:00Z') + seconds * 1000;
const evidence = (over: Partial<CutoverRun>, outcome: Outcome = 'failed') =>
  buildEvidence({ ...run, ...over }, outcome, atMs(60));

const FAILURE = { code: 'BreakerTripped', message: 'too many' } as const;
const THROWN = { Error: 'RollbackUnsafe', Cause: '{"errorMessage":"the source must serve"}' };
const ROLLBACK = { startedAt: '2026-01-01T00:00:30.000Z', restoredAt: '2026-01-01T00:00:40.000Z' };

test('a run of which nothing happened leaves zeros and no parts that it does not have', () => {
  expect(evidence({}, 'refused')).toStrictEqual({
    schema: 'drainshift/evidence/1',
    outcome: 'refused',
    execution: 'night',
    startedAt: '2026-01-01T00:00:00.000Z',
    durationSeconds: 60,
    plan: run.plan,
    stages: [],
    drain: {
      source: NO_CONNECTIONS,
      atStart: NO_CONNECTIONS,
      unknownTasks: 0,
      completed: 0,
      moved: 0,
      closed: 0,
      forced: 0,
      lost: 0,
      unknown: 0,
    },
    timeline: [],
  });
});

test('its length is rounded to a tenth of a second', () => {
  expect(buildEvidence(run, 'completed', atMs(12.34)).durationSeconds).toBe(12.3);
  expect(buildEvidence(run, 'completed', atMs(12.35)).durationSeconds).toBe(12.4);
});

test('rules of others that changed meanwhile are named', () => {
  expect(evidence({ otherRulesChanged: ['rule/a'] }).otherRulesChanged).toEqual(['rule/a']);
});

test('the drain adds up: what was live at the start is in one of the counts of endings, or still live', () => {
  const drain: DrainProgress = {
    startedAtMs: 0,
    limitMs: 1,
    atStart: { ...NO_CONNECTIONS, websocket: 100 },
    active: { ...NO_CONNECTIONS, websocket: 3, http: 2 },
    unknownTasks: 4,
    before: NO_COUNTS,
    ended: { moved: 1, closed: 10, forced: 20, lost: 30, unknown: 5 },
  };
  const { ended, atStart, active } = drain;
  const counts = { ...ended, source: active, atStart, unknownTasks: 4 };
  expect(evidence({ drain }).drain).toEqual({ ...counts, completed: 29 });
  // Those that came during the drain and were closed are more than were there.
  const more = { ...drain, ended: { ...ended, closed: 90 } };
  expect(evidence({ drain: more }).drain).toMatchObject({ closed: 90, completed: 0 });
});

test('a completed cutover has no failure, whatever went wrong on its way', () => {
  expect(evidence({ failure: FAILURE }, 'completed')).not.toHaveProperty('failure');
  expect(evidence({ failure: FAILURE }, 'rolled-back').failure).toEqual(FAILURE);
});

test.each<[string, Outcome, Partial<CutoverRun>, object | undefined]>([
  ['there was none', 'refused', { failure: FAILURE }, undefined],
  ['it succeeded', 'rolled-back', { failure: FAILURE, rollback: ROLLBACK }, ROLLBACK],
  ['it succeeded at the second go', 'rolled-back', { failure: FAILURE, rollback: ROLLBACK, error: THROWN }, ROLLBACK],
  [
    'it threw',
    'failed',
    { failure: FAILURE, rollback: ROLLBACK, error: THROWN },
    { ...ROLLBACK, error: 'RollbackUnsafe: {"errorMessage":"the source must serve"}' },
  ],
  [
    'it threw before it could say anything',
    'failed',
    { failure: FAILURE, error: THROWN },
    { startedAt: 'unknown', error: 'RollbackUnsafe: {"errorMessage":"the source must serve"}' },
  ],
  // What was thrown is then the failure itself, and stands there.
  ['a step threw, and no decision came before', 'failed', { rollback: ROLLBACK, error: THROWN }, ROLLBACK],
  ['a step threw, and nothing was rolled back', 'failed', { error: THROWN }, undefined],
  ['it failed without a throw', 'failed', { failure: FAILURE, rollback: ROLLBACK }, ROLLBACK],
])('of a rollback, when %s', (_, outcome, over, rollback) => {
  expect(evidence(over, outcome).rollback).toStrictEqual(rollback);
});
