import { Step, STEPS } from '../../../core/cutover/cutover-config';
import { Template } from 'aws-cdk-lib/assertions';
import { CutoverPlan, PointOfNoReturn, RollbackCapacity } from '../../../lib';
import { defaultMigration, newMigration, newStack, Resource, resourceLike, listResources } from '../fixture';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const CALL_PROXIES = [
  'ecs:DescribeTasks',
  'ecs:ListTasks',
  'secretsmanager:DescribeSecret',
  'secretsmanager:GetSecretValue',
];
const MODIFY_RULE = 'elasticloadbalancing:ModifyRule';
const TAG_RULE = 'elasticloadbalancing:AddTags';
const RULES = 'elasticloadbalancing:DescribeRules';
const HEALTH = 'elasticloadbalancing:DescribeTargetHealth';
const KEEP_LOCK = ['s3:GetObject lock.json', 's3:PutObject lock.json'];
const RECORD = [
  's3:DeleteObject lock.json',
  's3:GetObject evidence/*',
  's3:GetObject lock.json',
  's3:GetObject looks/*',
  's3:PutObject evidence/*',
];
/** What the judge was given at each poll. */
const REPLAYS = ['s3:GetObject replays/*.json'];
const ORDER_REPLAYS = [...REPLAYS, 's3:PutObject replays/*.order.json'];
const LOOKS = ['s3:PutObject looks/*'];
const REGIME = ['s3:GetObject switch/regime.json', 's3:PutObject switch/regime.json'];
const SWITCH = [...REGIME, 's3:GetObject switch/decision/*', 's3:PutObject switch/decision/*'];
const LOOK_FOR_ABORT = ['s3:GetObject abort/*'];
const GUARD = [...LOOK_FOR_ABORT, 's3:GetObject lock.json'];
const LIST = ['s3:ListBucket '];
/** The queue of attempts that failed. */
const REPEAT = [
  ...['ChangeMessageVisibility', 'DeleteMessage', 'GetQueueAttributes', 'GetQueueUrl', 'ReceiveMessage', 'SendMessage'],
].map((action) => `sqs:${action}`);
const TRACE = ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'];
const NOTIFY = ['events:PutEvents'];
const ALARMS = ['cloudwatch:DescribeAlarms'];

/** Both sides: their health and smoke requests, the rules, the alarms, what the proxies count. */
const READS = [
  'elasticloadbalancing:DescribeLoadBalancers',
  'elasticloadbalancing:DescribeListeners',
  'elasticloadbalancing:DescribeTargetGroups',
  RULES,
  HEALTH,
];
const JUDGE = [...READS, ...ALARMS, ...CALL_PROXIES];

/** Written a second time, from what the steps call. */
const TABLE: Record<Step, string[]> = {
  lock: [...KEEP_LOCK, 's3:GetObject evidence/*', ...NOTIFY, ...LIST],
  preflight: [...JUDGE, ...LOOK_FOR_ABORT, ...KEEP_LOCK, ...SWITCH, ...REPLAYS, ...LIST],
  approve: [...JUDGE, ...GUARD, 's3:GetObject approval/*', ...LOOKS, ...NOTIFY, ...LIST],
  hook: [...JUDGE, ...GUARD, ...LOOKS, 's3:GetObject switch/regime.json', ...LIST],
  shift: [...JUDGE, MODIFY_RULE, ...LOOK_FOR_ABORT, ...KEEP_LOCK, ...LOOKS, ...REPLAYS, ...LIST],
  switch: [
    ...READS,
    ...CALL_PROXIES,
    ...NOTIFY,
    MODIFY_RULE,
    ...LOOK_FOR_ABORT,
    ...KEEP_LOCK,
    ...SWITCH,
    ...ORDER_REPLAYS,
    ...LIST,
  ],
  confirm: [...JUDGE, ...GUARD, ...LOOKS, ...NOTIFY, ...LIST],
  bake: [...JUDGE, MODIFY_RULE, ...GUARD, ...LOOKS, ...LIST],
  drain: [...JUDGE, MODIFY_RULE, ...LOOK_FOR_ABORT, ...KEEP_LOCK, ...LOOKS, ...LIST],
  verify: [...JUDGE, TAG_RULE, ...LOOK_FOR_ABORT, ...KEEP_LOCK, ...LOOKS, ...LIST],
  complete: [...CALL_PROXIES, ...RECORD, 's3:GetObject switch/regime.json', ...NOTIFY, ...LIST],
  rollback: [...JUDGE, MODIFY_RULE, TAG_RULE, ...KEEP_LOCK, ...SWITCH, ...ORDER_REPLAYS, ...NOTIFY, ...LIST],
  record: [...RECORD, ...NOTIFY, ...LIST],
  undrain: [...READS, ...CALL_PROXIES],
  holdDryRun: [...CALL_PROXIES, 's3:GetObject switch/regime.json', ...LIST],
  doctor: [
    ...JUDGE,
    's3:GetObject evidence/*',
    's3:GetObject lock.json',
    's3:GetObject switch/regime.json',
    ...REPLAYS,
    ...LIST,
  ],
  recover: [
    ...[...JUDGE, 'elasticloadbalancing:DescribeTags', MODIFY_RULE, TAG_RULE, ...RECORD, 's3:PutObject lock.json'],
    ...[
      's3:GetObject notified/*',
      's3:PutObject notified/*',
      ...SWITCH,
      ...ORDER_REPLAYS,
      ...NOTIFY,
      ...LIST,
      ...REPEAT,
    ],
  ],
};

function listStatements(step: Step, template = defaultMigration()): Statement[] {
  const id = `CutoverSteps${step.charAt(0).toUpperCase()}${step.slice(1)}ServiceRoleDefaultPolicy`;
  const [, policy] = resourceLike(template, 'AWS::IAM::Policy', new RegExp(id));
  return (policy.Properties.PolicyDocument as { Statement: Statement[] }).Statement;
}

const DEPLOYMENTS = ['ecs:DescribeServices'];
const RESUME = ['application-autoscaling:RegisterScalableTarget'];
/** What they may do beside where the plan switches. */
const SUSPEND = [...DEPLOYMENTS, 'application-autoscaling:DescribeScalableTargets', ...RESUME];
const SWITCHING: Partial<Record<Step, string[]>> = {
  preflight: DEPLOYMENTS,
  doctor: DEPLOYMENTS,
  switch: SUSPEND,
  rollback: SUSPEND,
  complete: RESUME,
  record: RESUME,
  recover: SUSPEND,
};

const findList = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

/** `action` or, for the store, `action key`. */
function findRights(step: Step, template = defaultMigration()): string[] {
  const rights = listStatements(step, template).flatMap(({ Action, Resource }) =>
    findList(Action).flatMap((action) =>
      String(action).startsWith('s3:')
        ? findList(Resource).map((on) => `${String(action)} ${formatKey(on)}`)
        : [String(action)],
    ),
  );
  return [...new Set(rights)].sort();
}

function formatKey(resource: unknown): string {
  const join = (resource as { 'Fn::Join'?: [string, unknown[]] })['Fn::Join'];
  return join ? String(join[1][1]).slice(1) : '';
}

test('there is a function for every step, and for nothing else', () => {
  const functions = Object.values(listResources(defaultMigration(), 'AWS::Lambda::Function'));
  const steps = functions.filter(({ Properties }) => JSON.stringify(Properties).includes('DRAINSHIFT_CUTOVER_CONFIG'));
  expect(steps.map(({ Properties }) => Properties.Description).sort()).toEqual(
    STEPS.map((step) => `Cutover: ${step}`).sort(),
  );
});

const SMALL = { MemorySize: 256, Timeout: 30 };
/** They check again and again for up to 14 minutes, and the last check has its 30 s. */
const CHECKING = { MemorySize: 256, Timeout: 870 };
/** A whole processor, and time for requests that wait 25 s for a switch. */
const SIZES: Record<Step, object> = {
  ...(Object.fromEntries(STEPS.map((step) => [step, SMALL])) as Record<Step, object>),
  ...{ shift: CHECKING, approve: CHECKING, bake: CHECKING, drain: CHECKING, verify: CHECKING },
  preflight: { MemorySize: 1792, Timeout: 870 },
  switch: { MemorySize: 1792, Timeout: 60 },
  rollback: { MemorySize: 1792, Timeout: 90 },
  recover: { MemorySize: 1792, Timeout: 170 },
  holdDryRun: { MemorySize: 1792, Timeout: 50 },
  hook: CHECKING,
  complete: { MemorySize: 256, Timeout: 70 },

  doctor: { MemorySize: 1792, Timeout: 50 },
};

describe.each(STEPS)('%s', (step) => {
  test('may do what its row says and no more', () => {
    expect(findRights(step)).toEqual([...TABLE[step], ...TRACE].sort());
  });

  test('runs on Node 24, inside the network, with the cutover config', () => {
    const id = new RegExp(`CutoverSteps${step.charAt(0).toUpperCase()}${step.slice(1)}[0-9A-F]{8}$`);
    const [, { Properties }]: [string, Resource] = resourceLike(defaultMigration(), 'AWS::Lambda::Function', id);
    expect(Properties).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: `index.${step}`,
      ...SIZES[step],
      TracingConfig: { Mode: 'Active' },
      VpcConfig: { SubnetIds: [expect.anything(), expect.anything()], SecurityGroupIds: [expect.anything()] },
    });
    expect(Object.keys((Properties.Environment as { Variables: object }).Variables)).toEqual([
      'DRAINSHIFT_CUTOVER_CONFIG',
      ...(step === 'undrain' ? ['DRAINSHIFT_SMOKE'] : []),
    ]);
  });
});

test.each([MODIFY_RULE, TAG_RULE])('%s is allowed on the weighted rule alone', (action) => {
  const [rule] = resourceLike(defaultMigration(), 'Custom::DrainshiftWeightedRule', /./);
  const modifying = STEPS.flatMap((step) => listStatements(step)).filter(({ Action }) =>
    findList(Action).includes(action),
  );
  expect(modifying.map(({ Resource }) => Resource)).toEqual(Array(action === TAG_RULE ? 3 : 6).fill({ Ref: rule }));
});

test.each<[Step, string]>([
  ['verify', 'drainshift:verified'],
  ['rollback', 'drainshift:rolling-back'],
  ['recover', 'drainshift:rolling-back'],
])('%s writes the tag %s of the weighted rule, and no other', (step, tag) => {
  const tagging = listStatements(step).filter(({ Action }) => findList(Action).includes(TAG_RULE));
  expect(tagging.map(({ Condition }) => Condition)).toEqual([
    { 'ForAllValues:StringEquals': { 'aws:TagKeys': [tag] }, Null: { 'aws:TagKeys': 'false' } },
  ]);
});

test('`*` stands only where an action knows no resources, and tasks are listed in one cluster', () => {
  const [cluster] = resourceLike(defaultMigration(), 'AWS::ECS::Cluster', /./);
  for (const { Action, Resource, Condition } of STEPS.flatMap((step) => listStatements(step))) {
    if (Resource !== '*') continue;
    const actions = findList(Action).map(String);
    if (actions.includes('ecs:ListTasks')) {
      expect(actions).toEqual(['ecs:ListTasks']);
      expect(Condition).toEqual({ ArnEquals: { 'ecs:cluster': { 'Fn::GetAtt': [cluster, 'Arn'] } } });
    } else {
      // Traces belong to no resource.
      const known = /^(elasticloadbalancing:Describe|xray:Put)/;
      for (const action of actions) expect(action).toMatch(known);
    }
  }
});

describe('where the plan switches', () => {
  const stack = newStack();
  newMigration(stack, { plan: CutoverPlan.drainThenShift({ pointOfNoReturn: PointOfNoReturn.SHARED }) });
  const template = Template.fromStack(stack);

  test.each(STEPS)('%s looks at the services and their autoscaling as its row says, and at nothing else', (step) => {
    const expected = [...TABLE[step], ...TRACE, ...(SWITCHING[step] ?? [])];
    expect(findRights(step, template)).toEqual([...new Set(expected)].sort());
  });

  test('the services are those of both sides, and the autoscaling that of ECS services', () => {
    const services = Object.keys(listResources(template, 'AWS::ECS::Service')).map((Ref) => ({ Ref }));
    const statements = STEPS.flatMap((step) => listStatements(step, template));
    const having = (action: string) => statements.filter(({ Action }) => findList(Action).includes(action));
    for (const { Resource } of having('ecs:DescribeServices')) expect(Resource).toEqual(services);
    for (const { Condition } of having('application-autoscaling:RegisterScalableTarget')) {
      expect(Condition).toEqual({
        StringEquals: {
          'application-autoscaling:service-namespace': 'ecs',
          'application-autoscaling:scalable-dimension': 'ecs:service:DesiredCount',
        },
      });
    }
  });
});

test('the rollback alone may raise a desired count, of the services of both sides, and where the plan says so', () => {
  const mayScale = (template: Template) =>
    STEPS.flatMap((step) => listStatements(step, template).map((statement) => ({ step, ...statement }))).filter(
      ({ Action }) => findList(Action).includes('ecs:UpdateService'),
    );
  expect(mayScale(defaultMigration())).toEqual([]);
  const stack = newStack();
  const rollbackPace = { capacity: RollbackCapacity.SCALE_OUT };
  newMigration(stack, { plan: CutoverPlan.gradual({ rollbackPace }) });
  const template = Template.fromStack(stack);
  const services = Object.keys(listResources(template, 'AWS::ECS::Service')).map((Ref) => ({ Ref }));
  expect(mayScale(template)).toMatchObject([
    { step: 'rollback', Action: ['ecs:DescribeServices', 'ecs:UpdateService'], Resource: services },
  ]);
});
