import { CutoverError } from '../../../core/errors/errors';
import { describePlan, explainPlan } from '../../../core/plan/explain';
import { estimateSeconds, parsePlan, scaleDurations } from '../../../core/plan/plan';
import { PLAN_PARTS, checkFloor } from '../../../core/plan/plan-floor';
import { planForward, planLeaving } from '../../../core/plan/stickiness-plan';
import { Problems } from '../../../core/validation/problems';

const ARNS = { source: 's', target: 't' };
const INITIAL = { enabled: true, seconds: 3600 };

const plan = (stickiness: object, more: object = {}) => parsePlan({ stages: 'linear(40, 1m)', stickiness, ...more });
/** `s=60 t=40 3600 s` for each stage of a plan of three. */
const listForwards = (stickiness: object, initial = INITIAL, more: object = {}) => {
  const planned = plan(stickiness, more);
  return planned.stages.map((_, index) => {
    const { groups, stickiness: cookie } = planForward(planned, index, ARNS, initial);
    const shares = groups.map(({ arn, weight }) => `${arn}=${weight}`).join(' ');
    return `${shares} ${cookie.enabled ? `${cookie.seconds} s` : 'off'}`;
  });
};
const listProblems = (given: unknown): string[] => {
  try {
    parsePlan(given);
  } catch (error) {
    if (error instanceof CutoverError) return error.message.split('\n');
    throw error;
  }
  return [];
};

describe('the action of each stage', () => {
  test.each<[string, object, string[]]>([
    ['default: until the last one', {}, ['s=60 t=40 3600 s', 's=20 t=80 3600 s', 't=100 3600 s']],
    ['keep', { policy: 'keep' }, ['s=60 t=40 3600 s', 's=20 t=80 3600 s', 's=0 t=100 3600 s']],
    ['shorten', { policy: 'shorten', shortenSeconds: 30 }, ['s=60 t=40 30 s', 's=20 t=80 30 s', 't=100 3600 s']],
    [
      'shorten to more than it was',
      { policy: 'shorten', shortenSeconds: 7200 },
      ['s=60 t=40 3600 s', 's=20 t=80 3600 s', 't=100 3600 s'],
    ],
    ['end at stage 2', { endAtStage: 2 }, ['s=60 t=40 3600 s', 's=20 t=80 1 s', 't=100 3600 s']],
    ['end at stage 1', { endAtStage: 1 }, ['s=60 t=40 1 s', 's=20 t=80 1 s', 't=100 3600 s']],
    ['end at the last stage', { endAtStage: 3 }, ['s=60 t=40 3600 s', 's=20 t=80 3600 s', 't=100 3600 s']],
  ])('%s', (_, stickiness, expected) => {
    expect(listForwards(stickiness)).toEqual(expected);
  });

  test('without group stickiness there is nothing to keep, to shorten or to end', () => {
    const off = ['s=60 t=40 off', 's=20 t=80 off', 't=100 off'];
    for (const policy of ['keep', 'shorten', 'endAtStage']) {
      expect(listForwards({ policy, endAtStage: 1 }, { enabled: false, seconds: 0 })).toEqual(off);
    }
  });

  test('from the target it is the target that keeps its clients', () => {
    const back = listForwards({ policy: 'keep' }, INITIAL, { from: 'target' });
    expect(back).toEqual(['s=40 t=60 3600 s', 's=80 t=20 3600 s', 's=100 t=0 3600 s']);
    expect(planLeaving(plan({}, { from: 'target' }), ARNS, INITIAL).groups).toEqual([{ arn: 's', weight: 100 }]);
  });
});

test('a stage that is not there, and a switch that keeps clients, are rejected', () => {
  expect(listProblems({ stages: 'linear(40, 1m)', stickiness: { endAtStage: 4 } })).toEqual([
    "'stickiness.endAtStage' must be a stage of 3, or 0 for the last one, got 4",
  ]);
  const switching = { strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared' } };
  expect(listProblems({ ...switching, stickiness: { policy: 'keep' } })).toEqual([
    '\'stickiness.policy\' must be endAtStage, because a switch moves all at once, got "keep"',
  ]);
});

test('clients that stay count in the duration, in the history, and where durations are scaled', () => {
  const [kept, moved] = [plan({ policy: 'keep', keepSeconds: '2h' }), plan({ keepSeconds: '2h' })];
  expect(estimateSeconds(kept).longest - estimateSeconds(moved).longest).toBe(7200);
  // Every 15 s, and once more.
  expect(explainPlan(kept).history.most - explainPlan(moved).history.most).toBe(481 * 9);
  expect(explainPlan(plan({ policy: 'keep', keepSeconds: 86_400 })).history.most).toBeLessThan(20_000);
  expect(scaleDurations(kept, 10).stickiness.keepSeconds).toBe(720);
});

test.each<[object, string]>([
  [{}, 'stays on its side until the side has no weight.'],
  [{ endAtStage: 2 }, 'stays on its side until stage 2. From then on cookies last 1 s.'],
  [{ policy: 'shorten', shortenSeconds: 90 }, 'until it has paused for 1 min 30 s, or until the side has no weight.'],
  [{ policy: 'keep' }, 'stays on its side, also when the source has no weight, for up to 1 h. Then it moves.'],
])('explains %j', (stickiness, line) => {
  expect(describePlan(plan(stickiness))).toContain(
    `A client with a stickiness cookie ${line.replace(/^until/, 'stays on its side until')}`,
  );
});

describe('an execution may let clients stay for longer, and never for less', () => {
  const check = (given: object, deployed: object, more: object = {}) => {
    const problems = new Problems();
    checkFloor(plan(given, more), plan(deployed), PLAN_PARTS, problems);
    return problems.all.filter((line) => line.startsWith("'stickiness"));
  };

  test.each([
    [{ policy: 'keep' }, {}],
    [{ policy: 'keep', keepSeconds: 7200 }, { policy: 'keep' }],
    [{ policy: 'keep' }, { policy: 'shorten' }],
    [{ policy: 'shorten', shortenSeconds: 61 }, { policy: 'shorten' }],
    [{ endAtStage: 3 }, {}],
    [{}, { endAtStage: 2 }],
    [{ endAtStage: 2 }, { endAtStage: 1 }],
  ])('%j after %j', (given, deployed) => {
    expect(check(given, deployed)).toEqual([]);
  });

  test.each([
    [{}, { policy: 'keep' }, '\'stickiness.policy\' must be keep, as deployed, got "endAtStage"'],
    [{ policy: 'shorten' }, {}, '\'stickiness.policy\' must be endAtStage or keep, as deployed, got "shorten"'],
    [{ policy: 'keep', keepSeconds: 60 }, { policy: 'keep' }, "'stickiness.keepSeconds' must be at least 3600"],
    [
      { policy: 'shorten', shortenSeconds: 1 },
      { policy: 'shorten' },
      "'stickiness.shortenSeconds' must be at least 60",
    ],
    [
      { endAtStage: 2 },
      {},
      "'stickiness.endAtStage' must be a stage that gives the target at least 100 %, as deployed, got 2",
    ],
    [{ endAtStage: 1 }, { endAtStage: 2 }, 'at least 80 %, as deployed, got 1'],
  ])('%j after %j is rejected', (given, deployed, line) => {
    expect(check(given, deployed)).toEqual([expect.stringContaining(line)]);
  });

  test('a stage is known by its share, and not by its number', () => {
    // Of ten stages the second has 20 %, where the deployed one has 80 %.
    expect(check({ endAtStage: 2 }, { endAtStage: 2 }, { stages: 'linear(10, 2m)' })).toHaveLength(1);
    expect(check({ endAtStage: 8 }, { endAtStage: 2 }, { stages: 'linear(10, 2m)' })).toEqual([]);
  });
});
