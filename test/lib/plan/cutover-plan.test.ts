import { CfnParameter, Duration, TimeZone, Token } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Plan, parsePlan } from '../../../core/plan/plan';
import { ApplicationProtocolVersion } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { PLAN_PARTS } from '../../../core/plan/plan-floor';
import { JUDGE_FIELDS } from '../../../core/plan/judge-plan';
import { SWITCH_FIELDS } from '../../../core/plan/switch-plan';
import {
  CloseAge,
  CloseKinds,
  ConnectionMoves,
  CutoverPlan,
  MigrationSide,
  CutoverDay,
  CutoverPlanPart,
  CutoverStickiness,
  JudgeAction,
  DrainThenShiftPlanProps,
  RollbackCapacity,
  GradualPlanProps,
  MigrationProps,
  PointOfNoReturn,
  StickyTargetGroup,
  SwitchFence,
  SwitchRollback,
} from '../../../lib';
import { defaultMigration, findDefinition, newMigration, newStack } from '../fixture';

function findDefaultPlan(template: Template): unknown {
  return findDefinition(template).States.Lock?.Parameters?.Payload?.defaultPlan;
}

function synthPlan(props: GradualPlanProps, migration: Partial<MigrationProps> = {}): unknown {
  const stack = newStack();
  newMigration(stack, { plan: CutoverPlan.gradual(props), ...migration });
  return findDefaultPlan(Template.fromStack(stack));
}

test('default: the state machine carries the whole plan', () => {
  expect(findDefaultPlan(defaultMigration())).toEqual(parsePlan({}));
});

test('custom: every prop arrives where the steps read it', () => {
  const plan = synthPlan(
    {
      stages: [
        { weights: { source: 95, target: 5 }, bake: Duration.minutes(30), maximumBake: Duration.minutes(45) },
        { weights: { source: 0, target: 1 } },
      ],
      poll: Duration.seconds(20),
      minimumHealthyTargets: 2,
      smoke: [{ path: '/login', expectedStatus: 302 }, { path: '/' }],
      confirmTimeout: Duration.minutes(3),
      breaker: { minimumErrors: 5, maximumErrorRate: 0.01 },
      judge: {
        errorBudget: 0.005,
        latencyTolerance: 0,
        warmUp: Duration.minutes(1),
        routes: ['/cart'],
        inconclusive: JudgeAction.ROLL_BACK,
        onFailure: JudgeAction.PAUSE,
      },
      drain: {
        requests: Duration.seconds(10),
        webSockets: Duration.minutes(2),
        streams: Duration.minutes(1),
        streamingResponses: Duration.minutes(4),
        closeRatePerSecond: 50,
        order: { paths: ['/feed', '/chat/*'], kinds: CloseKinds.TOGETHER, age: CloseAge.YOUNGEST_FIRST },
        moves: ConnectionMoves.ALL,
      },
      stickiness: CutoverStickiness.shorten(Duration.minutes(2)),
      rollbackPace: {
        steps: [25, 50],
        look: Duration.seconds(30),
        capacity: RollbackCapacity.SCALE_OUT,
        minimumHealthyTargets: 3,
        wait: Duration.minutes(2),
      },
      windows: [
        { from: '01:00', to: '05:00' },
        { days: [CutoverDay.FRIDAY], from: '22:00', to: '04:00', zone: TimeZone.EUROPE_BERLIN },
      ],
      approval: { beforeFirstShift: true, beforeStages: [2], timeout: Duration.hours(2), requireIdentity: false },
    },
    { initialWeights: { source: 10, target: 0 } },
  );
  expect(plan).toEqual({
    strategy: 'gradual',
    from: 'source',
    initialWeights: { source: 10, target: 0 },
    stages: [
      { weights: { source: 95, target: 5 }, bakeSeconds: 1800, maximumBakeSeconds: 2700 },
      { weights: { source: 0, target: 1 }, bakeSeconds: 300 },
    ],
    pollSeconds: 20,
    minimumHealthyTargets: 2,
    smoke: [
      { path: '/login', expectedStatus: 302 },
      { path: '/', expectedStatus: 200 },
    ],
    confirmTimeoutSeconds: 180,
    breaker: { minimumErrors: 5, maximumErrorRate: 0.01 },
    judge: {
      errorBudget: 0.005,
      latencyTolerance: 0,
      warmUpSeconds: 60,
      inconclusive: 'rollBack',
      onFailure: 'pause',
      routes: [{ path: '/cart' }],
    },
    drain: {
      perKindSeconds: { http: 10, websocket: 120, grpcStream: 60, serverSentEvents: 60, streaming: 240 },
      closeRatePerSecond: 50,
      moves: 'all',
      jitter: 0.2,
      order: { paths: [{ path: '/feed' }, { path: '/chat/*' }], kinds: 'together', age: 'youngestFirst' },
    },
    stickiness: { policy: 'shorten', keepSeconds: 3600, shortenSeconds: 120, endAtStage: 0 },
    rollbackPace: {
      steps: [25, 50],
      lookSeconds: 30,
      capacity: 'scaleOut',
      minimumHealthyTargets: 3,
      waitSeconds: 120,
    },
    windows: [
      { days: [], from: '01:00', to: '05:00', zone: 'UTC' },
      { days: ['fri'], from: '22:00', to: '04:00', zone: 'Europe/Berlin' },
    ],
    approval: {
      beforeFirstShift: true,
      beforeLastStage: false,
      beforeStages: [2],
      timeoutSeconds: 7200,
      requireIdentity: false,
    },
    hooks: [],
  });
});

describe('shorthands', () => {
  const weights = { source: 100, target: 0 };
  const later = (value: number) => Token.asNumber({ resolve: () => value });

  test('are the stages that they stand for, with everything else that a plan of stages has', () => {
    const smoke = [{ path: '/login' }];
    const { smoke: requests, stages } = CutoverPlan.canary(5, Duration.minutes(10), { smoke })._toJson(weights) as Plan;
    expect(stages).toEqual(parsePlan({ stages: 'canary(5, 10m)' }).stages);
    expect(requests).toEqual([{ path: '/login', expectedStatus: 200 }]);
    const back = CutoverPlan.linear(12.5, Duration.minutes(6), { from: MigrationSide.TARGET })._toJson(weights);
    expect(back).toEqual(parsePlan({ from: 'target', stages: 'linear(12.5, 360)' }));
  });

  test('are rejected with the rule, and with a name that they do not have', () => {
    expect(() => CutoverPlan.canary(0, Duration.minutes(1))._toJson(weights)).toThrow('a percentage from 0.1 to 99.9');
    expect(() => CutoverPlan.linear(10, Duration.minutes(1), { smokes: [] } as object)).toThrow(/smokes/);
  });

  test('deferred: what is known only at deployment is read then', () => {
    const stack = newStack();
    newMigration(stack, { plan: CutoverPlan.canary(later(5), Duration.seconds(later(60))) });
    expect(findDefaultPlan(Template.fromStack(stack))).toMatchObject({ stages: 'canary(5, 60)' });
    const stages = [
      { weights: { source: 0, target: 1 }, bake: Duration.seconds(later(60)), maximumBake: Duration.hours(1) },
    ];
    expect(synthPlan({ stages })).toMatchObject({ stages: [{ bakeSeconds: 60, maximumBakeSeconds: 3600 }] });
    const long = [
      { weights: { source: 0, target: 1 }, bake: Duration.hours(1), maximumBake: Duration.seconds(later(60)) },
    ];
    expect(synthPlan({ stages: long })).toMatchObject({ stages: [{ bakeSeconds: 3600, maximumBakeSeconds: 60 }] });
  });
});

test('what becomes of clients that a cookie binds', () => {
  const render = (stickiness: CutoverStickiness) =>
    (CutoverPlan.gradual({ stickiness })._toJson({ source: 100, target: 0 }) as Plan).stickiness;
  expect(render(CutoverStickiness.keep())).toMatchObject({ policy: 'keep', keepSeconds: 3600 });
  expect(render(CutoverStickiness.keep(Duration.hours(8)))).toMatchObject({ policy: 'keep', keepSeconds: 28_800 });
  expect(render(CutoverStickiness.shorten(Duration.seconds(5)))).toMatchObject({
    policy: 'shorten',
    shortenSeconds: 5,
  });
  expect(render(CutoverStickiness.endAtStage())).toMatchObject({ policy: 'endAtStage', endAtStage: 0 });
  expect(render(CutoverStickiness.endAtStage(2))).toMatchObject({ policy: 'endAtStage', endAtStage: 2 });
  expect(() => render(CutoverStickiness.endAtStage(5))).toThrow("'stickiness.endAtStage' must be a stage of 4");
});

describe('a plan that switches', () => {
  const migrate = (props: DrainThenShiftPlanProps, migration: Partial<MigrationProps> = {}) => {
    const stack = newStack();
    newMigration(stack, { plan: CutoverPlan.drainThenShift(props), ...migration });
    return findDefaultPlan(Template.fromStack(stack));
  };
  /** As a plan with tokens is rendered: nothing is filled in. */
  const render = (props: Partial<DrainThenShiftPlanProps>) => {
    const later = Duration.seconds(Token.asNumber({ resolve: () => 1 }));
    const plan = CutoverPlan.drainThenShift({ pointOfNoReturn: PointOfNoReturn.SHARED, poll: later, ...props });
    return plan._toJson({ source: 100, target: 0 }) as { switch: Record<string, unknown> };
  };

  test('default: one stage, and the defaults of the plan', () => {
    const pointOfNoReturn = 'shared';
    expect(migrate({ pointOfNoReturn: PointOfNoReturn.SHARED })).toEqual(
      parsePlan({ strategy: 'drainThenShift', switch: { pointOfNoReturn } }),
    );
  });

  test('custom: every prop arrives where the steps read it', () => {
    const plan = migrate({
      pointOfNoReturn: PointOfNoReturn.ACCEPT_LOSS,
      maxPause: Duration.millis(1500),
      maxWaiting: 500,
      maxInFlight: 400,
      attempts: 5,
      attemptInterval: Duration.minutes(1),
      longestRequest: Duration.minutes(2),
      fence: SwitchFence.EPOCH,
      rampPerSecond: 100,
      rollback: SwitchRollback.ASK,
      bake: Duration.minutes(30),
      maximumBake: Duration.minutes(40),
      dryRun: true,
      smoke: [{ path: '/login' }],
      poll: Duration.seconds(20),
      approval: { beforeFirstShift: true },
    });
    expect(plan).toMatchObject({
      strategy: 'drainThenShift',
      stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 1800, maximumBakeSeconds: 2400 }],
      smoke: [{ path: '/login', expectedStatus: 200 }],
      pollSeconds: 20,
      approval: { beforeFirstShift: true },
      switch: {
        maxPauseMs: 1500,
        maxWaiting: 500,
        maxInFlight: 400,
        attempts: 5,
        attemptSeconds: 60,
        longestRequestSeconds: 120,
        fence: 'epoch',
        rampPerSecond: 100,
        rollback: 'ask',
        pointOfNoReturn: 'acceptLoss',
        dryRun: true,
      },
    });
  });

  test('from the target: all is on it at the start, whatever the listener was made with', () => {
    const back = { strategy: 'drainThenShift', from: 'target', initialWeights: { source: 0, target: 100 } };
    const stages = [{ weights: { source: 100, target: 0 }, bakeSeconds: 60 }];
    const props = { pointOfNoReturn: PointOfNoReturn.SHARED, from: MigrationSide.TARGET, bake: Duration.minutes(1) };
    expect(migrate(props)).toMatchObject({ ...back, stages });
    const later = CutoverPlan.drainThenShift(props)._toJson({
      source: Token.asNumber({ resolve: () => 0 }),
      target: Token.asNumber({ resolve: () => 7 }),
    });
    expect(later).toMatchObject({ from: 'target', stages });
    const some = CutoverPlan.gradual({ from: MigrationSide.TARGET });
    expect(some._toJson({ source: 100, target: 0 })).toMatchObject({
      from: 'target',
      initialWeights: { source: 0, target: 100 },
      stages: [{ weights: { source: 10, target: 90 } }, {}, {}, { weights: { source: 100, target: 0 } }],
    });
    expect(some._toJson({ source: 1, target: 9 })).toMatchObject({ initialWeights: { source: 1, target: 9 } });
  });

  test('every field of the plan has a prop, and every enum the values of its field', () => {
    expect(Object.keys(render({}).switch).sort()).toEqual(Object.keys(SWITCH_FIELDS).sort());
    expect(Object.values(SwitchFence)).toEqual(SWITCH_FIELDS.fence.values);
    expect(Object.values(SwitchRollback)).toEqual(SWITCH_FIELDS.rollback.values);
    expect(Object.values(JudgeAction)).toEqual(JUDGE_FIELDS.inconclusive.values);
    expect(Object.values(JudgeAction).sort()).toEqual([...JUDGE_FIELDS.onFailure.values].sort());
    expect(['undecided', ...Object.values(PointOfNoReturn)]).toEqual(SWITCH_FIELDS.pointOfNoReturn.values);
    expect(Object.values(CutoverPlanPart).sort()).toEqual([...PLAN_PARTS].sort());
  });

  test('deferred: a pause and weights that are known only at deployment stay references, the rest is checked', () => {
    const later = Token.asNumber({ resolve: () => ({ Ref: 'Later' }) });
    const maxPause = Duration.millis(later);
    expect(() => render({ maxPause })).not.toThrow();
    expect(() => render({ maxPause, maxWaiting: 0 })).toThrow(/^'switch.maxWaiting' must be an integer from 1 to/);
    const plan = CutoverPlan.drainThenShift({ pointOfNoReturn: PointOfNoReturn.SHARED });
    expect(() => plan._toJson({ source: later, target: later })).not.toThrow();
  });

  test.each<[object, string]>([
    [
      { maxPause: Duration.minutes(1) },
      `'switch.maxPauseMs' must be an integer from 100 to ${SWITCH_FIELDS.maxPauseMs.max}, got 60000`,
    ],
    [{ attempts: 21 }, "'switch.attempts' must be an integer from 1 to 20, got 21"],
    [{ longestRequest: Duration.hours(2) }, "'switch.longestRequestSeconds' must be an integer from 0 to 3600"],
  ])('a broken rule is named: %j', (props, message) => {
    expect(() => migrate({ pointOfNoReturn: PointOfNoReturn.SHARED, ...props })).toThrow(message);
  });

  test.each<[object, string]>([
    [{}, `'pointOfNoReturn' must be one of "shared", "replay", "acceptLoss", got nothing`],
    [
      { pointOfNoReturn: 'undecided' },
      `'pointOfNoReturn' must be one of "shared", "replay", "acceptLoss", got "undecided"`,
    ],
    [{ pointOfNoReturn: 'shared', fence: 'hope' }, `'fence' must be one of "drained", "drainedAndAbandoned", "epoch"`],
    [{ pointOfNoReturn: 'shared', stages: [] }, `'stages' must be one of approval, attemptInterval,`],
  ])('what JavaScript misspells is rejected: %j', (props, message) => {
    expect(() => CutoverPlan.drainThenShift(props as DrainThenShiftPlanProps)).toThrow(message);
  });
});

test('deferred: a weight that is known only at deployment stays a reference', () => {
  const stack = newStack();
  const source = new CfnParameter(stack, 'SourceWeight', { type: 'Number' }).valueAsNumber;
  newMigration(stack, {
    plan: CutoverPlan.gradual({
      stages: [{ weights: { source, target: 1 } }, { weights: { source: 0, target: 1 }, bake: Duration.minutes(1) }],
    }),
  });
  const [machine] = Object.values(Template.fromStack(stack).findResources('AWS::StepFunctions::StateMachine'));
  const parts = (machine?.Properties as { DefinitionString: { 'Fn::Join': [string, unknown[]] } }).DefinitionString;
  expect(parts['Fn::Join'][1]).toContainEqual({ Ref: 'SourceWeight' });
});

test('deferred: the rest of such a plan is still checked at synth', () => {
  const stack = newStack();
  const source = new CfnParameter(stack, 'SourceWeight', { type: 'Number' }).valueAsNumber;
  const stages = [{ weights: { source, target: 1000 } }, { weights: { source: 0, target: 1 } }];
  expect(() => newMigration(stack, { plan: CutoverPlan.gradual({ stages }) })).toThrow(
    "'stages[0].weights.target' must be an integer from 0 to 999, got 1000",
  );
});

test('a plan with several broken rules names them all at once', () => {
  const props: GradualPlanProps = { stages: [{ weights: { source: 50, target: 50 } }], poll: Duration.seconds(0) };
  expect(() => synthPlan(props)).toThrow(
    "'pollSeconds' must be an integer from 1 to 840, got 0\n" +
      "'stages[0].weights.source' must be 0, because a cutover ends on the target, got 50",
  );
});

test.each<[string, object, string]>([
  ['a plan', { stage: [] }, `'stage' must be one of approval, breaker,`],
  [
    'a stage',
    { stages: [{ weights: { source: 0, target: 1 }, bakes: 1 }] },
    `'stages[0].bakes' must be one of bake, maximumBake, weights`,
  ],
  ['weights', { stages: [{ weights: { source: 0, target: 1, both: 1 } }] }, `'stages[0].weights.both' must be one of`],
  ['a smoke request', { smoke: [{ path: '/', status: 200 }] }, `'smoke[0].status' must be one of expectedStatus, path`],
  ['a breaker', { breaker: { maxErrors: 1 } }, `'breaker.maxErrors' must be one of maximumErrorRate,`],
  ['a drain', { drain: { websockets: 1 } }, `'drain.websockets' must be one of closeRatePerSecond,`],
  ['an approval', { approval: { before: true } }, `'approval.before' must be one of beforeFirstShift,`],
  ['stages that are no list', { stages: {} }, `'stages' must be a list`],
  ['a plan that is none', [], `'props' must be an object, got []`],
])('what JavaScript misspells in %s is rejected', (_, props, message) => {
  expect(() => CutoverPlan.gradual(props)).toThrow(message);
});

describe('target groups of GRPC', () => {
  const migrate = (smoke?: GradualPlanProps['smoke']) => () => {
    const stack = newStack();
    const vpc = new Vpc(stack, 'Vpc');
    const group = (id: string) =>
      new StickyTargetGroup(stack, id, { vpc, protocolVersion: ApplicationProtocolVersion.GRPC });
    const plan = smoke && CutoverPlan.gradual({ smoke });
    newMigration(stack, { vpc, sourceGroup: group('S'), targetGroup: group('T'), plan, monitoring: false });
  };

  test.each<[string, GradualPlanProps['smoke']]>([
    ['/', undefined],
    ['/health', [{ path: '/grpc.health.v1.Health/Check' }, { path: '/health' }]],
    ['/a/b?c=d', [{ path: '/a/b?c=d' }]],
  ])('are not asked for %s', (path, smoke) => {
    expect(migrate(smoke)).toThrow(
      `'plan.smoke' must be methods as '/grpc.health.v1.Health/Check' where a target group is of GRPC, got '${path}'`,
    );
  });

  test.each<[string, GradualPlanProps['smoke']]>([
    ['a method', [{ path: '/grpc.health.v1.Health/Check' }]],
    ['nothing', []],
  ])('are asked for %s', (_, smoke) => expect(migrate(smoke)).not.toThrow());
});
