import { CutoverError } from '../../../core/errors/errors';
import { LATENCY_RATIOS } from '../../../core/judge/rate-odds';
import { MAX_LATENCY_TOLERANCE } from '../../../core/plan/judge-plan';
import { DEFAULT_STAGES } from '../../../core/plan/stages';
import { estimateSeconds, scaleDurations, parsePlan, gatePollSeconds } from '../../../core/plan/plan';

const listProblems = (plan: unknown): string[] => {
  try {
    parsePlan(plan);
  } catch (error) {
    if (error instanceof CutoverError && error.code === 'PlanInvalid') return error.message.split('\n');
    throw error;
  }
  return [];
};

test('an empty plan is the default one: four stages from 100/0 to the target alone', () => {
  const plan = parsePlan({});
  expect(plan.stages).toEqual(DEFAULT_STAGES);
  expect(plan.initialWeights).toEqual({ source: 100, target: 0 });
  expect(plan.drain.perKindSeconds).toEqual({
    http: 30,
    websocket: 300,
    grpcStream: 300,
    serverSentEvents: 300,
    streaming: 300,
  });
});

test('every broken rule is reported at once, each as name, rule, value', () => {
  const problems = listProblems({
    stages: [{ weights: { source: 1000, target: 0 }, bakeSeconds: 0 }, { weights: { source: 0, target: 0 } }],
    smoke: [{ path: 'no-slash', expectedStatus: 99 }],
    pollSeconds: 1.5,
    breaker: { maximumErrorRate: 2 },
    drian: {},
  });
  expect(problems).toEqual([
    '\'plan.drian\' must be one of strategy, from, initialWeights, stages, pollSeconds, minimumHealthyTargets, smoke, confirmTimeoutSeconds, breaker, judge, drain, stickiness, windows, rollbackPace, switch, capture, approval, hooks, got "drian"',
    "'stages[0].weights.source' must be an integer from 0 to 999, got 1000",
    "'stages[0].bakeSeconds' must be an integer from 1 to 604800, got 0",
    '\'stages[1].weights\' must be weights of which at least one is above 0, got "0/0"',
    "'pollSeconds' must be an integer from 1 to 840, got 1.5",
    "'smoke[0].path' must be a path that starts with '/' and has neither a space nor a '#', got \"no-slash\"",
    "'smoke[0].expectedStatus' must be an integer from 200 to 499, got 99",
    "'breaker.maximumErrorRate' must be a number from 0 to 1, got 2",
  ]);
});

test('a plan that does not end on the target is no cutover', () => {
  expect(listProblems({ stages: [{ weights: { source: 50, target: 50 } }] })).toEqual([
    "'stages[0].weights.source' must be 0, because a cutover ends on the target, got 50",
  ]);
});

test.each<[string, Written, string | undefined]>([
  [
    'a stage that gives the target nothing',
    { stages: ['100/0', '0/100'] },
    "'stages[0].weights.target' must be at least 1, because each stage gives the target traffic, got 0",
  ],
  [
    'a stage that gives the source nothing, of a cutover from the target',
    { from: 'target', stages: ['0/100', '100/0'] },
    "'stages[0].weights.source' must be at least 1, because each stage gives the source traffic, got 0",
  ],
  [
    'initial weights without the side that is left',
    { initialWeights: '0/100', stages: ['0/100'] },
    "'initialWeights.source' must be at least 1, because the cutover leaves the source, got 0",
  ],
  [
    'weights that take something back',
    { stages: ['90/10', '1/1', '60/40', '0/100'] },
    '\'stages[2].weights\' must be at least the share of the target before (1/1), because a stage takes nothing back, got "60/40"',
  ],
  [
    'less than what is in force at the start',
    { initialWeights: '60/40', stages: ['90/10', '0/100'] },
    '\'stages[0].weights\' must be at least the share of the target before (60/40), because a stage takes nothing back, got "90/10"',
  ],
  [
    'a confirm that ends with its second look',
    { confirmTimeoutSeconds: 1 },
    "'confirmTimeoutSeconds' must be an integer from 4 to 3600, got 1",
  ],
  [
    'a tolerance that no ratio of the odds is beyond',
    { judge: { latencyTolerance: 9 } },
    "'judge.latencyTolerance' must be a number from 0 to 3, got 9",
  ],
  ['a stage that goes on with the same share', { stages: ['9/1', '90/10', '0/100'] }, undefined],
  ['a start with some on the target', { initialWeights: '60/40', stages: ['60/40', '0/100'] }, undefined],
])('%s: a plan that cannot work is rejected, and no other', (_, { stages, initialWeights, ...plan }, message) => {
  const given = {
    ...plan,
    ...(stages && { stages: stages.map((weights) => ({ weights: readWeights(weights) })) }),
    ...(initialWeights && { initialWeights: readWeights(initialWeights) }),
  };
  expect(listProblems(given)).toEqual(message === undefined ? [] : [message]);
});

interface Written extends Readonly<Record<string, unknown>> {
  readonly stages?: readonly string[];
  readonly initialWeights?: string;
}

function readWeights(text: string) {
  const [source, target] = text.split('/').map(Number);
  return { source, target };
}

test('at the largest tolerance of latency the odds still try what is twice as often slow', () => {
  const largest = Math.max(...LATENCY_RATIOS.map(([ratio]) => ratio));
  expect(largest).toBeGreaterThanOrEqual(2 * (1 + MAX_LATENCY_TOLERANCE));
});

test.each([
  [
    'no stages',
    { stages: [] },
    /'stages' must be a list of 1 to 50 stages, canary\(PERCENT, BAKE\) or linear\(PERCENT, BAKE\), got \[\]/,
  ],
  [
    'a strategy that does not exist',
    { strategy: 'canary' },
    /'strategy' must be one of gradual, drainThenShift, got "canary"/,
  ],
  ['a list for a plan', [], /'plan' must be an object, got \[\]/],
  [
    'weights that are text',
    { initialWeights: { source: '100', target: 0 } },
    /'initialWeights.source' must be an integer/,
  ],
  [
    'a missing weight',
    { initialWeights: { source: 100 } },
    /'initialWeights.target' must be an integer from 0 to 999, got nothing/,
  ],
])('rejects %s', (_, plan, message) => {
  expect(listProblems(plan).join('\n')).toMatch(message);
});

describe('a plan that switches', () => {
  const switching = { strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared' } };

  test('has one stage, the target, and says how it switches', () => {
    const plan = parsePlan(switching);
    expect(plan.stages).toEqual([{ weights: { source: 0, target: 100 }, bakeSeconds: 300 }]);
    expect(plan.switch).toMatchObject({ maxPauseMs: 5_000, attempts: 3, fence: 'drained', pointOfNoReturn: 'shared' });
  });

  test('must say what becomes of the writes of the target', () => {
    expect(listProblems({ strategy: 'drainThenShift' })).toEqual([
      "'switch.pointOfNoReturn' must be 'shared', 'replay' or 'acceptLoss': what becomes of the target's writes when the cutover rolls back, got nothing",
    ]);
  });

  test('has nothing on the target before, and one stage', () => {
    const stages = [
      { weights: { source: 50, target: 50 }, bakeSeconds: 1 },
      { weights: { source: 0, target: 100 }, bakeSeconds: 1 },
    ];
    expect(listProblems({ ...switching, stages, initialWeights: { source: 90, target: 10 } })).toEqual([
      "'stages' must be one stage, because a switch moves all at once, got 2",
      "'initialWeights.target' must be 0, because a switch has one side that serves, got 10",
    ]);
  });

  test('is what the part about it is for', () => {
    expect(parsePlan({}).switch).toBeUndefined();
    expect(listProblems({ switch: { pointOfNoReturn: 'shared' } })).toEqual([
      '\'switch\' must be absent unless \'strategy\' is drainThenShift, got {"pointOfNoReturn":"shared"}',
    ]);
  });
});

test('a plan asks before stages that it has, each once', () => {
  expect(parsePlan({ approval: { beforeStages: [2, 3] } }).approval.beforeStages).toEqual([2, 3]);
  expect(listProblems({ approval: { beforeStages: [5] } })).toEqual([
    "'approval.beforeStages' must be stages of 4, got [5]",
  ]);
  for (const wrong of [[2, 2], [0], [51], ['2'], 2, '2', [1.5]]) {
    expect(listProblems({ approval: { beforeStages: wrong } })).toEqual([
      expect.stringContaining("'approval.beforeStages' must be a list of integers from 1 to 50, each of them once"),
    ]);
  }
});

test('several gates share what the history has left for looks', () => {
  const approval = { beforeStages: [2], beforeLastStage: true, timeoutSeconds: 36_000 };
  const plan = parsePlan({ approval });
  const seconds = gatePollSeconds(plan, 'stage2');
  expect(gatePollSeconds(plan, 'lastStage')).toBe(seconds);
  expect(seconds).toBeGreaterThan(
    gatePollSeconds(parsePlan({ approval: { ...approval, beforeStages: [] } }), 'lastStage'),
  );
  // 240 confirms, 200 looks at the drain, 160 at bakes.
  expect(2 * Math.ceil(36_000 / seconds) + 600).toBeLessThanOrEqual(Math.floor(20_000 / 9));
});

test('a plan that would outgrow the history of a state machine is rejected, with the poll that would fit', () => {
  const week = { stages: [{ weights: { source: 0, target: 1 }, bakeSeconds: 604_800 }] };
  const [problem] = listProblems({ ...week, pollSeconds: 15 });
  const needed = Number(/at least (\d+) /.exec(problem ?? '')?.[1]);
  expect(needed).toBeGreaterThan(15);
  expect(listProblems({ ...week, pollSeconds: needed })).toEqual([]);
});

test('confirms count in the history too, and a plan has to end before its state machine does', () => {
  const stage = { weights: { source: 1, target: 1 }, bakeSeconds: 1 };
  const stages = [...Array.from({ length: 49 }, () => stage), { weights: { source: 0, target: 1 }, bakeSeconds: 1 }];
  expect(listProblems({ stages, confirmTimeoutSeconds: 3600 })).toEqual([
    "'confirmTimeoutSeconds' must be short enough for 50 stages in one history, got 3600",
  ]);
  const weeks = Array.from({ length: 3 }, () => ({ weights: { source: 0, target: 1 }, bakeSeconds: 604_800 }));
  expect(listProblems({ stages: weeks, pollSeconds: 840 }).join()).toContain("'stages' must be done within 2505600 s");
});

test('a wait before the last stage is looked at as often as the history allows, and all looks fit into it', () => {
  const pace = (timeoutSeconds: number, more: object = {}) =>
    gatePollSeconds(parsePlan({ approval: { beforeLastStage: true, timeoutSeconds }, ...more }), 'lastStage');
  expect([3_600, 18_000, 43_200, 86_400, 604_800].map((seconds) => pace(seconds))).toEqual([15, 15, 28, 56, 386]);
  expect(pace(3_600, { pollSeconds: 840 })).toBe(600);
  // Before the first shift there is nothing to see on the target.
  const first = parsePlan({ approval: { beforeFirstShift: true, timeoutSeconds: 86_400 } });
  expect(gatePollSeconds(first, 'firstShift')).toBe(173);
  for (const timeoutSeconds of [60, 3_600, 20_000, 86_400, 604_800]) {
    for (const [bakeSeconds, pollSeconds] of [
      [1, 1],
      [300, 15],
      [3_000, 30],
      [40_000, 280],
    ] as const) {
      const stages = [50, 0].map((source) => ({ weights: { source, target: 50 }, bakeSeconds }));
      const plan = parsePlan({ stages, pollSeconds, approval: { beforeLastStage: true, timeoutSeconds } });
      const waits = Math.ceil(timeoutSeconds / gatePollSeconds(plan, 'lastStage'));
      const bakes = (4 * bakeSeconds) / pollSeconds;
      // Two confirms of 120 s at 2 s, a drain.
      expect((waits + 50 + bakes + 120 + 200) * 9).toBeLessThanOrEqual(20_000 + 50 * 9);
    }
  }
});

test('looks for approvals count in the history too, and the waiting in the longest time', () => {
  const stages = [
    { weights: { source: 1, target: 1 }, bakeSeconds: 10_000 },
    { weights: { source: 0, target: 1 }, bakeSeconds: 600 },
  ];
  const approval = { beforeFirstShift: true, beforeLastStage: true, timeoutSeconds: 432_000 };
  expect(listProblems({ stages })).toEqual([]);
  expect(listProblems({ stages, approval })).toEqual([
    expect.stringMatching(/'pollSeconds' must be at least 47 for bakes of up to .* beside approvals of up to 432000 s/),
  ]);
  expect(listProblems({ stages, approval, pollSeconds: 47 })).toEqual([]);
  expect(listProblems({ stages, approval: { ...approval, timeoutSeconds: 604_800 }, pollSeconds: 840 })).toEqual([
    "'approval.timeoutSeconds' must be short enough for 2 gates, looked at at least every 10 minutes, in one history, got 604800",
  ]);
  expect(
    listProblems({ stages, approval: { beforeFirstShift: true, timeoutSeconds: 604_800 }, pollSeconds: 60 }),
  ).toEqual([]);
  const longest = (plan: unknown) => estimateSeconds(parsePlan(plan)).longest;
  expect(longest({ stages, approval, pollSeconds: 47 }) - longest({ stages, pollSeconds: 47 })).toBe(2 * 432_000);
});

test.each([
  [
    'timeoutSeconds',
    { timeoutSeconds: 604_801 },
    "'approval.timeoutSeconds' must be an integer from 1 to 604800, got 604801",
  ],
  ['a word for a yes', { beforeFirstShift: 'yes' }, '\'approval.beforeFirstShift\' must be true or false, got "yes"'],
  ['a word for who', { requireIdentity: 'no' }, '\'approval.requireIdentity\' must be true or false, got "no"'],
  ['an unknown gate', { beforeSunrise: true }, /'approval.beforeSunrise' must be one of beforeFirstShift/],
])('an approval is rejected for %s', (_, approval, problem) => {
  expect(listProblems({ approval }).join()).toMatch(problem);
});

test('hastening shortens the waiting and nothing else', () => {
  const plan = parsePlan({ confirmTimeoutSeconds: 90 });
  const fast = scaleDurations(plan, 100);
  expect(fast.stages.map(({ bakeSeconds }) => bakeSeconds)).toEqual([3, 3, 3, 3]);
  expect(fast.stages.map(({ weights }) => weights)).toEqual(plan.stages.map(({ weights }) => weights));
  expect(fast.pollSeconds).toBe(1);
  expect(fast.drain).toEqual({
    ...plan.drain,
    perKindSeconds: { http: 1, websocket: 3, grpcStream: 3, serverSentEvents: 3, streaming: 3 },
  });
  expect(fast.approval.timeoutSeconds).toBe(36);
  expect(fast.confirmTimeoutSeconds).toBe(90);
  expect(fast.breaker).toEqual(plan.breaker);
});

test('the estimate covers bakes, polls and the longest drain', () => {
  const plan = parsePlan({ stages: [{ weights: { source: 0, target: 1 }, bakeSeconds: 60 }], pollSeconds: 5 });
  expect(estimateSeconds(plan)).toEqual({ typical: 60 + 5 + 305, longest: 120 + 120 + 305 });
});

test.each(['/.drainshift/health', '/.drainshift/health?now'])(
  'a smoke request for what the proxy itself responds to: %s',
  (path) => {
    expect(() => parsePlan({ strategy: 'gradual', smoke: [{ path }] })).toThrow(
      `'smoke[0].path' must be a path of the backend, and not the one that the proxy itself responds to, got "${path}"`,
    );
    expect(() => parsePlan({ strategy: 'gradual', smoke: [{ path: '/.drainshift/healthy' }] })).not.toThrow();
  },
);
