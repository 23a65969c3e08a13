import { describePlan, explainPlan, formatSeconds } from '../../../core/plan/explain';
import { parsePlan } from '../../../core/plan/plan';

const explain = (plan: unknown) => explainPlan(parsePlan(plan));

test('default: shares, durations, calls and events of a plan', () => {
  const { stages, approvals, seconds, apiCalls, history } = explain({});
  expect(stages.map(({ targetShare }) => targetShare)).toEqual([0.1, 0.5, 0.9, 1]);
  expect(approvals).toEqual([]);
  // Four bakes of 300 s; at the most twice, with four confirms of 120 s and a drain of 300 s and its handshake.
  expect(seconds).toEqual({ shortest: 1200, longest: 2400 + 480 + 305 });
  expect(apiCalls.map(({ perMinute, perMinuteInConfirm }) => [perMinute, perMinuteInConfirm])).toEqual([
    [160, 150],
    [192, 180],
    [64, 60],
  ]);
  // 160 checks in bakes, 240 in confirms, 200 in the drain.
  expect(history).toEqual({ most: 600 * 9, budget: 20_000, limit: 25_000 });
});

test('custom: approvals, weights that are no percentages, and what each changes', () => {
  const plan = {
    stages: [
      { weights: { source: 2, target: 1 }, bakeSeconds: 60 },
      { weights: { source: 0, target: 1 }, bakeSeconds: 60 },
    ],
    pollSeconds: 1,
    approval: { beforeFirstShift: true, beforeLastStage: true, timeoutSeconds: 600, requireIdentity: false },
    judge: { errorBudget: 0.005 },
    smoke: [],
  };
  const { approvals, seconds, history } = explain(plan);
  expect(approvals.map(({ gate, timeoutSeconds }) => [gate, timeoutSeconds])).toEqual([
    ['firstShift', 600],
    ['lastStage', 600],
  ]);
  expect(seconds.longest - explain({ ...plan, approval: {} }).seconds.longest).toBe(1200);
  expect(history.most).toBeLessThanOrEqual(history.budget);
  const text = describePlan(parsePlan(plan));
  expect(text).toContain('1. 2/1: 33.33 % of new clients to the target, watched for 1 min to 2 min.');
  expect(text).toContain(
    'Before the last stage: waits up to 10 min, checked every 1 s. Without an approval the cutover rolls back.',
  );
  expect(text).toContain('A stage is promoted after 598 requests without an error');
  expect(text).toContain('No smoke requests.');
  expect(text).not.toContain('STS');
});

test('every kind of connection has its line in the drain', () => {
  const perKindSeconds = {
    http: 0,
    websocket: 61,
    grpcStream: 3600,
    serverSentEvents: 86_400,
    streaming: 90_061 - 86_400,
  };
  const text = describePlan(parsePlan({ drain: { perKindSeconds } }));
  for (const line of [
    'requests: 0 s',
    'WebSocket connections: 1 min 1 s',
    'streaming gRPC calls: 1 h',
    'streams of server-sent events: 1 d',
    'other streaming responses: 1 h 1 min 1 s',
  ]) {
    expect(text).toContain(`  ${line} to end by themselves.\n`);
  }
  expect(formatSeconds(90_061)).toBe('1 d 1 h 1 min 1 s');
});

test('whom a drain closes first is said where the plan says it', () => {
  const say = (order: object) => describePlan(parsePlan({ drain: { order } })).match(/It closes first: .*/)?.[0];
  expect(describePlan(parsePlan({}))).not.toContain('It closes first');
  expect(say({})).toBe('It closes first: short-lived kinds; then the oldest.');
  expect(say({ paths: [{ path: '/a' }, { path: '/b/*' }], kinds: 'together', age: 'youngestFirst' })).toBe(
    'It closes first: those at /a, then /b/*; then the youngest.',
  );
});

describe('the whole text, as an operator reads it before a cutover', () => {
  const sections = (plan: unknown) => {
    const parts = describePlan(parsePlan(plan)).split('\n\n');
    const titled = parts.map((part): [title: string, lines: string[]] => {
      const [title = '', ...lines] = part.trim().split('\n  ');
      return [title, lines];
    });
    return Object.fromEntries(titled);
  };

  test('of a plan that switches', () => {
    const switching = {
      attempts: 2,
      attemptSeconds: 60,
      pointOfNoReturn: 'acceptLoss',
      rollback: 'ask',
      fence: 'epoch',
    };
    const { Stages, Switch, Duration } = sections({ strategy: 'drainThenShift', switch: switching });
    expect(Stages).toEqual([
      'Start: 100/0 (source/target). A rollback restores it.',
      '1. 0/100: all requests to the target at once, watched for 5 min to 10 min.',
    ]);
    expect(Switch).toEqual([
      'Requests wait up to 5000 ms, at most 10000 at each proxy task. Then the source goes on.',
      'WebSockets, event streams and gRPC streams are closed in order: their clients reconnect, and wait.',
      'All requests of the source must have ended. The application rejects later ones by X-Drainshift-Epoch.',
      'Up to 2 attempts, 1 min apart.',
      'After the commit a rollback leaves the target serving, and notifies operators.',
      'A rollback loses what the target wrote.',
    ]);
    // A bake twice as long, one confirm of 120 s, the drain and its handshake; and a minute and two pauses of 5 s.
    expect(Duration?.[1]).toMatch(/^Longest: about 18 min 15 s:/);
    expect(sections({}).Switch).toBeUndefined();
  });

  test('of the default plan', () => {
    expect(Object.entries(sections({}))).toEqual([
      [
        'Stages',
        [
          'Start: 100/0 (source/target). A rollback restores it.',
          '1. 90/10: 10 % of new clients to the target, watched for 5 min to 10 min.',
          '2. 50/50: 50 % of new clients to the target, watched for 5 min to 10 min.',
          '3. 10/90: 90 % of new clients to the target, watched for 5 min to 10 min.',
          '4. 0/100: 100 % of new clients to the target, watched for 5 min to 10 min.',
          'A client with a stickiness cookie stays on its side until the side has no weight.',
        ],
      ],
      [
        'Checks',
        [
          'Every 2 s: lock, abort request, alarms, listener rules, health, smoke requests, proxy counters.',
          'The target must have at least 1 healthy target.',
          'Smoke requests to each side: GET / → 200.',
          'Rollback at 10 errors or more, with an error rate over 5 % (95 % confidence).',
          'Rollback at odds of 100 : 1 that the target is worse than the source: more errors, or responses slow more than 1.2 times as often.',
          "A stage is promoted after 299 requests without an error, or more with some (an error rate 1 % over the other side's at most). With fewer it bakes on, to its maximum, then asks a person.",
          'Stage 1 needs the most traffic for that: at least 5 requests a second to both sides together.',
          'New weights must read back within 2 min.',
        ],
      ],
      ['Approvals', ['None.']],
      [
        'Drain of the source',
        [
          'Live connections that their application can resume move to the other backend: their clients stay connected.',
          'requests: 30 s to end by themselves.',
          'WebSocket connections: 5 min to end by themselves.',
          'streaming gRPC calls: 5 min to end by themselves.',
          'streams of server-sent events: 5 min to end by themselves.',
          'other streaming responses: 5 min to end by themselves.',
          'Then each proxy task closes 20 a second, each up to 20 % of its interval late.',
        ],
      ],
      [
        'Duration',
        [
          'Shortest: about 20 min: nothing left to drain.',
          'Longest: about 53 min 5 s: bakes at their maximum, slow confirms, the longest drain.',
          'A drain takes 1 s more for every 20 connections that a task must close.',
          'A request that arrives in the drain has its full time: the drain can take twice as long.',
        ],
      ],
      [
        'API calls a minute, at the most',
        [
          'Elastic Load Balancing (Describe*): 160; 150 while weights are confirmed. Limit: 600.',
          'ECS (ListTasks, DescribeTasks): 192; 180 while weights are confirmed. Limit: 1200.',
          'CloudWatch (DescribeAlarms): 64; 60 while weights are confirmed. Limit: 540.',
          'Counted for at most 100 proxy tasks a side and 100 alarms of each type. The limits are those of the whole account and region.',
        ],
      ],
      [
        'History of the state machine',
        ['At most 5400 events of 25000. A plan may use 20000, the rest is for retries and the rollback.'],
      ],
    ]);
  });

  test('of one that asks before its stages', () => {
    const { Approvals } = sections({ approval: { beforeStages: [3], requireIdentity: false } });
    expect(Approvals).toEqual([
      'Before stage 3: waits up to 1 h, checked every 15 s. Without an approval the cutover rolls back.',
    ]);
  });

  test('of one with several of everything', () => {
    const smoke = [
      { path: '/', expectedStatus: 200 },
      { path: '/a', expectedStatus: 204 },
    ];
    const text = sections({ minimumHealthyTargets: 2, smoke, approval: { beforeFirstShift: true } });
    expect(text.Checks).toContain('The target must have at least 2 healthy targets.');
    expect(text.Checks).toContain('Smoke requests to each side: GET / → 200, GET /a → 204.');
    expect(text.Approvals).toEqual([
      'Before the first shift: waits up to 1 h, checked every 15 s. Without an approval the cutover ends, and nothing has moved.',
      'An approval counts only with an identity that STS confirms.',
    ]);
    expect(text.Duration?.slice(0, 2)).toEqual([
      'Shortest: about 20 min: approved at once, nothing left to drain.',
      'Longest: about 1 h 53 min 5 s: bakes at their maximum, slow confirms, approvals at the last moment, the longest drain.',
    ]);
  });
});
