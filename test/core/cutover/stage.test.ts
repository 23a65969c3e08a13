import { begin } from '../../../core/cutover/run';
import { afterBake, interruptedStage, summarizeObserved } from '../../../core/cutover/stage';
import { BakeVerdict } from '../../../core/judge/judge';
import { NO_COUNTS, SideCounts } from '../../../core/judge/tally';
import { Sample, Watch, beginWatch } from '../../../core/judge/watch';
import { parsePlan } from '../../../core/plan/plan';

const STAGES = [
  { weights: { source: 90, target: 10 }, bakeSeconds: 60 },
  { weights: { source: 50, target: 50 }, bakeSeconds: 60 },
  { weights: { source: 0, target: 100 }, bakeSeconds: 60 },
];
const run = begin(
  'night',
  '2026-01-01T00:00:00.000Z',
  parsePlan({ stages: STAGES, pollSeconds: 5, judge: { inconclusive: 'rollBack' } }),
);
const SHIFTED_MS = 10_000;
const CONFIRMED_MS = 14_500;
const NOW_MS = 80_000;

const sample = (atMs: number, source: Partial<SideCounts>, target: Partial<SideCounts>, smoked = [0, 0]): Sample => ({
  atMs,
  source: { ...NO_COUNTS, ...source },
  target: { ...NO_COUNTS, ...target },
  smoked: { source: smoked[0]!, target: smoked[1]! },
  pending: { source: 0, target: 0 },
});
const watchOf = (...samples: Sample[]): Watch => ({ ...beginWatch({ source: [], target: [] }, 0), samples });
const FIRST = sample(
  SHIFTED_MS,
  { requests: 1000, responded: 1000, errors: 5, lost: 2, tasksLost: 1 },
  { requests: 100, responded: 100, errors: 4, lost: 3, tasksLost: 1 },
  [20, 30],
);
const LAST = sample(
  NOW_MS,
  { requests: 1600, responded: 1600, errors: 12, lost: 6, tasksLost: 3 },
  { requests: 300, responded: 300, errors: 5, lost: 8, tasksLost: 5 },
  [27, 39],
);
const WATCH = watchOf(FIRST, LAST);
const OBSERVED = {
  observed: { source: 593, target: 191 },
  errors: { source: 7, target: 1 },
  lost: { source: 4, target: 5 },
  tasksLost: { source: 2, target: 4 },
};

function after(
  verdict: BakeVerdict,
  over: { index?: number; watch?: Watch; confirmedAtMs?: number; plan?: object } = {},
) {
  const { index = 0, watch = WATCH, confirmedAtMs = CONFIRMED_MS, plan } = over;
  const given = plan
    ? { ...run, plan: parsePlan({ stages: STAGES, pollSeconds: 5, judge: { inconclusive: 'rollBack' }, ...plan }) }
    : run;
  const progress = { index, shiftedAtMs: SHIFTED_MS, confirmedAtMs };
  return afterBake(given, { stage: given.plan.stages[index]!, progress, watch, verdict }, NOW_MS);
}

test('both sides are counted since the shift, without the requests of the cutover itself', () => {
  expect(summarizeObserved(WATCH)).toEqual(OBSERVED);
});

test('a watch of one look has seen nothing, and no count is below zero', () => {
  const nothing = { source: 0, target: 0 };
  expect(summarizeObserved(watchOf(LAST))).toEqual({
    observed: nothing,
    errors: nothing,
    lost: nothing,
    tasksLost: nothing,
  });
  // Smoke requests that the proxies have not counted yet.
  const more = sample(NOW_MS, FIRST.source, FIRST.target, [27, 39]);
  expect(summarizeObserved(watchOf(FIRST, more)).observed).toEqual(nothing);
});

test('the record of a stage has its times in seconds, from the shift', () => {
  expect(after('promote').stages).toEqual([
    {
      weights: { source: 90, target: 10 },
      confirmed: true,
      ...OBSERVED,
      verdict: 'promote',
      confirmSeconds: 4.5,
      seconds: 70,
    },
  ]);
});

describe('after a poll at a bake', () => {
  test('that has to go on, nothing is on record, and the next poll comes after a poll', () => {
    expect(after('wait')).toEqual({ ...run, verdict: 'wait', waitSeconds: 5 });
  });

  test.each([
    [0, {}, 'nextStage'],
    [1, {}, 'nextStage'],
    [2, {}, 'drain'],
    [1, { approval: { beforeLastStage: true } }, 'approve'],
    [0, { approval: { beforeLastStage: true } }, 'nextStage'],
  ])('that promotes stage %i with the plan %j, the next is %s', (index, plan, verdict) => {
    expect(after('promote', { index, plan })).toMatchObject({ verdict, stages: [{ verdict: 'promote' }] });
  });

  test('a gate that a person has opened is not asked for again', () => {
    const plan = parsePlan({ stages: STAGES, approval: { beforeLastStage: true } });
    const progress = { index: 1, shiftedAtMs: SHIFTED_MS, confirmedAtMs: CONFIRMED_MS };
    const given = { ...run, plan, approved: ['lastStage' as const] };
    const next = afterBake(given, { stage: plan.stages[1]!, progress, watch: WATCH, verdict: 'promote' }, NOW_MS);
    expect(next.verdict).toBe('nextStage');
  });

  test.each<[string, BakeVerdict, Watch, string, string]>([
    [
      'the breaker has tripped',
      'rollBack',
      watchOf(FIRST, sample(NOW_MS, {}, { ...FIRST.target, requests: 200, responded: 200, errors: 54 }, [20, 30])),
      'BreakerTripped',
      "the target's error rate must be at most 0.05, got 50 errors in 100 responses in 70 s",
    ],
    ['the breaker does not say why', 'rollBack', WATCH, 'BreakerTripped', 'the breaker tripped'],
    [
      'no client came',
      'inconclusive',
      watchOf(FIRST),
      'TooFewRequests',
      'the target must respond to at least 299 requests in a bake, got 0',
    ],
    [
      'the figures are good, and something could not be read',
      'inconclusive',
      watchOf(FIRST, sample(NOW_MS, FIRST.source, { ...FIRST.target, requests: 400, responded: 400 }, [20, 30])),
      'TargetNotProven',
      'everything that a promotion needs must be readable, got tasks or services that did not respond',
    ],
  ])('when %s it rolls back with the stage on record', (_, verdict, watch, code, message) => {
    const next = after(verdict, { watch });
    expect(next).toMatchObject({ verdict: 'rollBack', failure: { code, message }, stages: [{ verdict, seconds: 70 }] });
  });
});

describe('a stage that something else ended', () => {
  const stage = { index: 1, shiftedAtMs: SHIFTED_MS };
  const done = after('promote').stages;
  const going = { ...run, stages: done, stage, watch: WATCH };

  test('is on record as rolled back; one that was not confirmed says so and has no time of it', () => {
    const [record] = interruptedStage(going, NOW_MS);
    const { weights } = STAGES[1]!;
    expect(record).toStrictEqual({ weights, confirmed: false, ...OBSERVED, verdict: 'rollBack', seconds: 70 });
    const confirmed = { ...going, stage: { ...stage, confirmedAtMs: SHIFTED_MS + 2000 } };
    expect(interruptedStage(confirmed, NOW_MS)).toMatchObject([{ confirmed: true, confirmSeconds: 2 }]);
  });

  test.each([
    ['none was shifted', { stage: undefined }],
    ['nothing was watched', { watch: undefined }],
    ['the plan has no such stage', { stage: { ...stage, index: 3 } }],
    ['it is on record already', { stages: [...done, ...done] }],
  ])('leaves no record when %s', (_, over) => {
    expect(interruptedStage({ ...going, ...over }, NOW_MS)).toEqual([]);
  });
});
