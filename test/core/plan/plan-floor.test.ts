import { parsePlan } from '../../../core/plan/plan';
import { PLAN_PARTS, PlanPart, checkFloor } from '../../../core/plan/plan-floor';
import { Problems } from '../../../core/validation/problems';

const FLOOR = {
  stages: [
    { weights: { source: 90, target: 10 }, bakeSeconds: 300 },
    { weights: { source: 50, target: 50 }, bakeSeconds: 300 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 300 },
  ],
  pollSeconds: 15,
  minimumHealthyTargets: 2,
  smoke: [
    { path: '/', expectedStatus: 200 },
    { path: '/login', expectedStatus: 302 },
  ],
  confirmTimeoutSeconds: 60,
  breaker: { minimumErrors: 5, maximumErrorRate: 0.02 },
  judge: { errorBudget: 0.01, latencyTolerance: 0.2, warmUpSeconds: 10 },
  drain: { perKindSeconds: { http: 30 }, closeRatePerSecond: 10, jitter: 0.2 },
  approval: { beforeFirstShift: true, beforeLastStage: true, timeoutSeconds: 600 },
};

function listProblems(over: object, changeable: readonly PlanPart[] = PLAN_PARTS): readonly string[] {
  const problems = new Problems();
  checkFloor(parsePlan({ ...FLOOR, ...over }), parsePlan(FLOOR), changeable, problems);
  return problems.all;
}

const stage = (target: number, bakeSeconds: number) => ({
  weights: { source: 100 - target, target },
  bakeSeconds,
});

describe('gates before stages', () => {
  const gates = (approval: object, stages: object[], deployed: object) => {
    const problems = new Problems();
    const given = parsePlan({ ...FLOOR, stages, approval });
    checkFloor(given, parsePlan({ ...FLOOR, approval: deployed }), PLAN_PARTS, problems);
    return problems.all.filter((line) => line.startsWith("'approval'"));
  };
  const finer = [10, 20, 50, 100].map((target) => stage(target, 300));

  test('are kept where the same share begins, whatever the number of the stage is', () => {
    expect(gates({ beforeStages: [2] }, FLOOR.stages, { beforeStages: [2] })).toEqual([]);
    expect(gates({ beforeStages: [2, 3] }, FLOOR.stages, { beforeStages: [2] })).toEqual([]);
    expect(gates({ beforeStages: [2] }, finer, { beforeStages: [2] })).toEqual([]);
    expect(gates({ beforeStages: [4] }, finer, { beforeStages: [3] })).toEqual([]);
  });

  test('may not be taken away, nor moved behind a larger share', () => {
    const rule = (number: number, percent: number): unknown[] => [
      expect.stringContaining(
        `one that asks before stage ${number}, the first one that gives the target more than ${percent} %`,
      ),
    ];
    expect(gates({}, FLOOR.stages, { beforeStages: [2] })).toEqual(rule(2, 10));
    expect(gates({ beforeStages: [3] }, finer, { beforeStages: [2] })).toEqual(rule(2, 10));
  });
});

test.each<[string, object]>([
  ['the same plan', {}],
  ['longer bakes', { stages: [stage(10, 600), stage(50, 300), stage(100, 900)] }],
  ['smaller steps that watch as long', { stages: [stage(1, 100), stage(10, 200), stage(30, 300), stage(100, 300)] }],
  ['more smoke requests', { smoke: [...FLOOR.smoke, { path: '/cart' }] }],
  ['a breaker that trips sooner', { breaker: { minimumErrors: 1, maximumErrorRate: 0.01 } }],
  ['a smaller budget', { judge: { errorBudget: 0.001, latencyTolerance: 0, warmUpSeconds: 0 } }],
  ['more time to drain', { drain: { ...FLOOR.drain, perKindSeconds: { http: 60 }, closeRatePerSecond: 1 } }],
  ['a drain that moves fewer', { drain: { ...FLOOR.drain, moves: 'none' } }],
  ['a shorter wait for an approval', { approval: { ...FLOOR.approval, timeoutSeconds: 60 } }],
])('%s is taken', (_, over) => {
  expect(listProblems(over)).toEqual([]);
});

test.each<[string, object, string]>([
  ['no gates', { approval: {} }, "'approval' must be one that asks at 'firstShift', as deployed"],
  ['one gate of two', { approval: { beforeFirstShift: true } }, "'approval' must be one that asks at 'lastStage'"],
  [
    'a longer wait',
    { approval: { ...FLOOR.approval, timeoutSeconds: 601 } },
    "'approval.timeoutSeconds' must be at most 600",
  ],
  [
    'a yes of no one',
    { approval: { ...FLOOR.approval, requireIdentity: false } },
    "'approval.requireIdentity' must be true, as deployed, got false",
  ],
  [
    'no breaker',
    { breaker: { minimumErrors: 1_000_000 } },
    "'breaker.minimumErrors' must be at most 5, as deployed, got 1000000",
  ],
  [
    'a rate of 1',
    { breaker: { ...FLOOR.breaker, maximumErrorRate: 1 } },
    "'breaker.maximumErrorRate' must be at most 0.02",
  ],
  [
    'fewer requests are enough',
    { judge: { ...FLOOR.judge, errorBudget: 1 } },
    "'judge.errorBudget' must be at most 0.01, as deployed, got 1",
  ],
  [
    'a slow target',
    { judge: { ...FLOOR.judge, latencyTolerance: 3 } },
    "'judge.latencyTolerance' must be at most 0.2, as deployed, got 3",
  ],
  ['no smoke', { smoke: [] }, "'smoke' must be a list with / → 200, as deployed, got []"],
  [
    'another status',
    { smoke: [{ path: '/', expectedStatus: 404 }, FLOOR.smoke[1]] },
    "'smoke' must be a list with / → 200",
  ],
  ['fewer targets', { minimumHealthyTargets: 1 }, "'minimumHealthyTargets' must be at least 2, as deployed, got 1"],
  ['a longer wait for a shift', { confirmTimeoutSeconds: 61 }, "'confirmTimeoutSeconds' must be at most 60"],
  ['a rarer look', { pollSeconds: 16 }, "'pollSeconds' must be at most 15, as deployed, got 16"],
  ['all at once', { stages: [stage(100, 10_000)] }, "'stages' must be stages that watch for 300 s at 90/10 or less"],
  ['a shorter bake', { stages: [stage(10, 299), stage(50, 301), stage(100, 300)] }, 'watch for 300 s at 90/10'],
  ['a skipped stage', { stages: [stage(10, 300), stage(100, 600)] }, 'watch for 600 s at 50/50'],
  ['a shorter last bake', { stages: [stage(10, 300), stage(50, 300), stage(100, 1)] }, 'watch for 900 s at 0/100'],
  [
    'a hard drain',
    { drain: { ...FLOOR.drain, perKindSeconds: { http: 0 } } },
    "'drain.perKindSeconds.http' must be at least 30",
  ],
  [
    'a faster drain',
    { drain: { ...FLOOR.drain, closeRatePerSecond: 11 } },
    "'drain.closeRatePerSecond' must be at most 10",
  ],
  [
    'a drain that moves more',
    { drain: { ...FLOOR.drain, moves: 'all' } },
    "'drain.moves' must be at most resumable, as deployed, got ",
  ],
  ['a drain in step', { drain: { ...FLOOR.drain, jitter: 0.1 } }, "'drain.jitter' must be at least 0.2"],
  [
    'other initial weights',
    { initialWeights: { source: 19, target: 1 } },
    '\'initialWeights\' must be 100/0, as deployed, got {"source":19,"target":1}',
  ],
])('%s is less careful than what was deployed', (_, over, message) => {
  expect(listProblems(over).join('\n')).toContain(message);
});

test.each<[string, object[]]>([
  ['a canary of one in a thousand, and then everything', [stage(0.1, 1200), stage(100, 1)]],
  ['the same canary for as long as all bakes', [stage(0.1, 1200), stage(100, 300)]],
  ['everything before the last gate', [stage(10, 300), stage(50, 300), stage(100, 300), stage(100, 1)]],
  ['nearly everything before the last gate', [stage(10, 300), stage(50, 300), stage(99, 300), stage(100, 300)]],
])('%s goes round no gate and no bake', (_, stages) => {
  const whole = stages.map((each) => {
    const { weights, bakeSeconds } = each as { weights: { source: number; target: number }; bakeSeconds: number };
    return { weights: weights.target < 1 ? { source: 999, target: 1 } : weights, bakeSeconds };
  });
  expect(listProblems({ stages: whole }).join()).toContain("'stages' must be");
});

test('a part that may not be changed is as deployed, more careful or not', () => {
  expect(listProblems({ pollSeconds: 5 }, ['stages'])).toEqual([
    "'pollSeconds' must be as deployed, because it may not be changed, got 5",
  ]);
});

test('everything that is wrong is said at once', () => {
  expect(listProblems({ pollSeconds: 60, smoke: [], minimumHealthyTargets: 1 })).toHaveLength(4);
});

describe('without a gate the judge asks a person, and the default plan', () => {
  const findProblems = (given: object, deployed: object = {}) => {
    const problems = new Problems();
    checkFloor(parsePlan(given), parsePlan(deployed), PLAN_PARTS, problems);
    return problems.all;
  };
  const routes = (...paths: string[]) => ({ judge: { routes: paths.map((path) => ({ path })) } });

  test.each<[string, object, string]>([
    [
      'an approval by no one',
      { approval: { requireIdentity: false } },
      "'approval.requireIdentity' must be true, as deployed, got false",
    ],
    [
      'a gate that no one guards',
      { approval: { beforeFirstShift: true, requireIdentity: false } },
      "'approval.requireIdentity' must be true, as deployed, got false",
    ],
    [
      'a week for a response',
      { approval: { timeoutSeconds: 604_800 } },
      "'approval.timeoutSeconds' must be at most 3600, as deployed, got 604800",
    ],
    [
      'a route without traffic in the place of those that are learned',
      routes('/nothing'),
      '\'judge.routes\' must be an empty list, as deployed: the routes are learned, got ["/nothing"]',
    ],
  ])('takes no %s', (_, given, message) => {
    expect(findProblems(given)).toEqual([message]);
  });

  test('takes another gate, and less time', () => {
    expect(findProblems({ approval: { beforeFirstShift: true, timeoutSeconds: 60 } })).toEqual([]);
  });

  test('takes the default time without a gate where less is deployed, as a rehearsal does', () => {
    const deployed = { approval: { timeoutSeconds: 24 } };
    expect(findProblems({}, deployed)).toEqual([]);
    const message = "'approval.timeoutSeconds' must be at most 3600, got 3601";
    expect(findProblems({ approval: { timeoutSeconds: 3601 } }, deployed)).toEqual([message]);
  });

  test('routes that are compared stay so, and others may come', () => {
    const deployed = routes('/cart', '/checkout');
    expect(findProblems(routes('/checkout', '/cart', '/login'), deployed)).toEqual([]);
    const rule = "'judge.routes' must be a list with /cart, /checkout, as deployed, got";
    expect(findProblems(routes('/cart'), deployed)).toEqual([`${rule} ["/cart"]`]);
    expect(findProblems({}, deployed)).toEqual([`${rule} []`]);
  });
});
