import { CfnParameter, Duration } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { parsePlan } from '../../../core/plan/plan';
import { ApplicationProtocolVersion } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { CutoverPlan, GradualPlanProps, MigrationProps, StickyTargetGroup } from '../../../lib';
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
        { weights: { source: 95, target: 5 }, bake: Duration.minutes(30) },
        { weights: { source: 0, target: 1 } },
      ],
      poll: Duration.seconds(20),
      minimumHealthyTargets: 2,
      smoke: [{ path: '/login', expectedStatus: 302 }, { path: '/' }],
      confirmTimeout: Duration.minutes(3),
      breaker: { minimumErrors: 5, maximumErrorRate: 0.01, minimumRequests: 0 },
      drain: {
        requests: Duration.seconds(10),
        webSockets: Duration.minutes(2),
        streams: Duration.minutes(1),
        streamingResponses: Duration.minutes(4),
        closeRatePerSecond: 50,
      },
      approval: { beforeFirstShift: true, timeout: Duration.hours(8), requireIdentity: false },
    },
    { initialWeights: { source: 10, target: 0 } },
  );
  expect(plan).toEqual({
    strategy: 'gradual',
    initialWeights: { source: 10, target: 0 },
    stages: [
      { weights: { source: 95, target: 5 }, bakeSeconds: 1800 },
      { weights: { source: 0, target: 1 }, bakeSeconds: 300 },
    ],
    pollSeconds: 20,
    minimumHealthyTargets: 2,
    smoke: [
      { path: '/login', expectedStatus: 302 },
      { path: '/', expectedStatus: 200 },
    ],
    confirmTimeoutSeconds: 180,
    breaker: { minimumErrors: 5, maximumErrorRate: 0.01, minimumRequests: 0 },
    drain: {
      perKindSeconds: { http: 10, websocket: 120, grpcStream: 60, serverSentEvents: 60, streaming: 240 },
      closeRatePerSecond: 50,
      jitter: 0.2,
    },
    approval: { beforeFirstShift: true, beforeLastStage: false, timeoutSeconds: 28_800, requireIdentity: false },
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
    "'stages[0].weights.source' must be 0, because a cutover ends on the target, got 50\n" +
      "'pollSeconds' must be an integer from 1 to 3600, got 0",
  );
});

test.each<[string, object, string]>([
  ['a plan', { stage: [] }, `'stage' must be one of approval, breaker,`],
  [
    'a stage',
    { stages: [{ weights: { source: 0, target: 1 }, bakes: 1 }] },
    `'stages[0].bakes' must be one of bake, weights`,
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
