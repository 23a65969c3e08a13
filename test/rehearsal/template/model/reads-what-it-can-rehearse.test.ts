import { Stack, Template } from '../../../../rehearsal/template/assembly/template';
import { readStackModel } from '../../../../rehearsal/template/model/stack-model';
import { buildCustomResources, notRun } from '../../../../rehearsal/template/parts/custom-resources';
import { buildMachines, buildStatusRules } from '../../../../rehearsal/template/parts/functions';
import { buildElb } from '../../../../rehearsal/template/parts/load-balancer';
import { Resources } from '../../../../rehearsal/template/resources/resources';
import { buildRights } from '../../../../rehearsal/template/parts/rights';
import { isAllowed } from '../../../../rehearsal/aws/iam/iam';

const findStack = (Resources: Template['Resources'], name = 'Shop'): Stack => ({
  name,
  region: 'us-east-1',
  account: '123456789012',
  template: { Resources },
  files: new Map(),
  images: new Map(),
});

const listener = (actions: unknown[]) => ({
  Balancer: { Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer', Properties: { Scheme: 'internal' } },
  Listener: {
    Type: 'AWS::ElasticLoadBalancingV2::Listener',
    Properties: { LoadBalancerArn: { Ref: 'Balancer' }, Port: 443, Protocol: 'HTTPS', DefaultActions: actions },
  },
});
const group = (attributes: Record<string, string> = {}) => ({
  Type: 'AWS::ElasticLoadBalancingV2::TargetGroup',
  Properties: {
    TargetType: 'ip',
    Port: 8443,
    Protocol: 'HTTPS',
    TargetGroupAttributes: Object.entries(attributes).map(([Key, Value]) => ({ Key, Value })),
  },
});
const forward = (weights: number[], sticky = false) => ({
  Type: 'forward',
  ForwardConfig: {
    TargetGroups: weights.map((Weight, index) => ({ TargetGroupArn: { Ref: `Group${index}` }, Weight })),
    TargetGroupStickinessConfig: { Enabled: sticky, DurationSeconds: 3600 },
  },
});
const build = (resources: Template['Resources']) => buildElb(new Resources(findStack(resources)));

test('listeners, their default rules, weights and attributes come from the template', () => {
  const model = build({
    ...listener([forward([90, 10])]),
    Group0: group({ 'deregistration_delay.timeout_seconds': '30' }),
    Group1: group(),
  });
  const [found] = model.listeners.values();
  expect(found).toMatchObject({ port: 443, protocol: 'HTTPS' });
  const [rule] = model.listRules(found?.arn ?? '');
  expect(rule).toMatchObject({
    priority: 'default',
    actions: [{ forward: { targetGroups: [{ weight: 90 }, { weight: 10 }] } }],
  });
  expect([...model.targetGroups.values()][0]?.attributes.get('deregistration_delay.timeout_seconds')).toBe('30');
});

test.each<[string, Template['Resources'], RegExp]>([
  ['a weight over 999', { ...listener([forward([1000, 0])]), Group0: group(), Group1: group() }, /between 0 and 999/],
  ['weights of which none is over 0', { ...listener([forward([0, 0])]), Group0: group(), Group1: group() }, /over 0/],
  [
    'six groups',
    {
      ...listener([forward([1, 1, 1, 1, 1, 1])]),
      ...Object.fromEntries([0, 1, 2, 3, 4, 5].map((index) => [`Group${index}`, group()])),
    },
    /at most 5/,
  ],
  [
    'target stickiness without group stickiness',
    { ...listener([forward([1, 1])]), Group0: group({ 'stickiness.enabled': 'true' }), Group1: group() },
    /You must enable group stickiness/,
  ],
])('rejects %s, as the service does at deployment', (_, resources, message) => {
  expect(() => build(resources)).toThrow(message);
});

test('rejects what it would rehearse wrongly: a condition on a header, an authentication, instance targets', () => {
  const rule = {
    Type: 'AWS::ElasticLoadBalancingV2::ListenerRule',
    Properties: {
      ListenerArn: { Ref: 'Listener' },
      Priority: 1,
      Conditions: [{ Field: 'http-header' }],
      Actions: [forward([1])],
    },
  };
  expect(() => build({ ...listener([forward([1])]), Group0: group(), Rule: rule })).toThrow(
    /must be path patterns or host headers to be rehearsed, got 'http-header'/,
  );
  expect(() => build({ ...listener([{ Type: 'authenticate-oidc' }]) })).toThrow(/got 'authenticate-oidc'/);
  const instances = { Type: 'AWS::ElasticLoadBalancingV2::TargetGroup', Properties: { TargetType: 'instance' } };
  expect(() => build({ ...listener([]), Group0: instances })).toThrow(/must have targets of type 'ip', got 'instance'/);
});

test.each<[string, Record<string, string>, string]>([
  ['slow_start.duration_seconds', { 'slow_start.duration_seconds': '30' }, "must be 0 to be rehearsed, got '30'"],
  [
    'load_balancing.algorithm.type',
    { 'load_balancing.algorithm.type': 'weighted_random' },
    "must be round_robin or least_outstanding_requests to be rehearsed, got 'weighted_random'",
  ],
  [
    'stickiness.type',
    { 'stickiness.enabled': 'true', 'stickiness.type': 'app_cookie' },
    "must be lb_cookie to be rehearsed, got 'app_cookie'",
  ],
])('rejects a target group by its %s', (key, attributes, rule) => {
  expect(() => build({ ...listener([]), Group0: group(attributes) })).toThrow(
    new RegExp(`^'${key}' of '\\S+' ${rule}$`),
  );
});

test('what another load balancer of the template leads to may have any attributes', () => {
  const resources = { ...listener([forward([1])]), Group0: group({ 'slow_start.duration_seconds': '30' }) };
  const read = (balancer: string) => buildElb(new Resources(findStack(resources)), balancer);
  const [{ loadBalancerArn } = { loadBalancerArn: '' }] = read('arn:of:another').listeners.values();
  expect(loadBalancerArn).not.toBe('');
  expect(() => read(loadBalancerArn)).toThrow(/must be 0 to be rehearsed/);
});

test('reads what targets speak, and rejects gRPC, in which there is no traffic here', () => {
  const { Type, Properties } = group();
  const speaking = (ProtocolVersion: string) =>
    build({ ...listener([forward([1])]), Group0: { Type, Properties: { ...Properties, ProtocolVersion } } });
  expect([...speaking('HTTP2').targetGroups.values()][0]?.protocolVersion).toBe('HTTP2');
  expect(() => speaking('GRPC')).toThrow(
    /^'ProtocolVersion' of '\S+' must be HTTP1 or HTTP2 to be rehearsed, where no client speaks gRPC, got 'GRPC'$/,
  );
});

test('host headers are conditions, too, and a network front before the load balancer is passed over', () => {
  const model = build({
    ...listener([forward([1])]),
    Group0: group(),
    Rule: {
      Type: 'AWS::ElasticLoadBalancingV2::ListenerRule',
      Properties: {
        ListenerArn: { Ref: 'Listener' },
        Priority: 1,
        Conditions: [{ Field: 'host-header', HostHeaderConfig: { Values: ['*.example.com'] } }],
        Actions: [forward([1])],
      },
    },
    Front: { Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer', Properties: { Type: 'network' } },
    FrontListener: {
      Type: 'AWS::ElasticLoadBalancingV2::Listener',
      Properties: { LoadBalancerArn: { Ref: 'Front' }, Port: 443, Protocol: 'TCP', DefaultActions: [] },
    },
    FrontGroup: {
      Type: 'AWS::ElasticLoadBalancingV2::TargetGroup',
      Properties: { TargetType: 'alb', Port: 443, Protocol: 'TCP' },
    },
  });
  expect([model.loadBalancers.size, model.listeners.size, model.targetGroups.size]).toEqual([1, 1, 1]);
  const rule = [...model.rules.values()].find(({ priority }) => priority === 1);
  expect(rule?.conditions).toEqual([{ field: 'host-header', values: ['*.example.com'] }]);
});

const weightedRule = (over: object = {}) => ({
  Type: 'Custom::DrainshiftWeightedRule',
  Properties: {
    ServiceToken: { 'Fn::GetAtt': ['Owner', 'Arn'] },
    ServiceTimeout: 180,
    Priority: 1000,
    Weights: { Source: 100, IsNew: true },
    Groups: [{ Ref: 'Other' }],
    ...over,
  },
});

test('a weighted rule is run by its function, with every scalar as text; other custom resources are named', () => {
  const resources = new Resources(
    findStack({ Rule: weightedRule(), Other: { Type: 'Custom::Other' }, Owner: { Type: 'AWS::Lambda::Function' } }),
    new Map([['Other', { ref: 'other', attributes: {} }]]),
  );
  const arn = resources.resolver.text({ 'Fn::GetAtt': ['Owner', 'Arn'] });
  const owner = { arn, name: '', folder: '', handler: '', timeoutSeconds: 1, environment: {}, role: '' };
  expect(buildCustomResources(resources, [owner])).toEqual([
    {
      logicalId: 'Rule',
      type: 'Custom::DrainshiftWeightedRule',
      serviceToken: arn,
      timeoutSeconds: 180,
      properties: {
        ServiceToken: arn,
        ServiceTimeout: '180',
        Priority: '1000',
        Weights: { Source: '100', IsNew: 'true' },
        Groups: ['other'],
      },
    },
  ]);
  expect(notRun(resources)).toEqual(["'Other' (Custom::Other)"]);
  expect(() => buildCustomResources(resources, [])).toThrow(
    /^'ServiceToken' of 'Rule' must be a Node.js function of the template to be rehearsed, got 'arn:/,
  );
});

test('what a custom resource calls itself is what others refer to', () => {
  const identity = { ref: 'arn:rule', attributes: { Port: '443' } };
  const resources = new Resources(findStack({ Rule: weightedRule() }), new Map([['Rule', identity]]));
  const text = resources.resolver.text({ 'Fn::Sub': '${Rule} ${Rule.Port}' });
  expect(text).toBe('arn:rule 443');
});

test('rights are those of the policies in the role and of the policies attached to it', () => {
  const statement = (Action: string, Resource: unknown) => ({ Statement: [{ Effect: 'Allow', Action, Resource }] });
  const rights = buildRights(
    new Resources(
      findStack({
        Bucket: { Type: 'AWS::S3::Bucket' },
        Role: {
          Type: 'AWS::IAM::Role',
          Properties: { Policies: [{ PolicyDocument: statement('ecs:ListTasks', '*') }] },
        },
        Policy: {
          Type: 'AWS::IAM::Policy',
          Properties: {
            Roles: [{ Ref: 'Role' }],
            PolicyDocument: statement('s3:PutObject', { 'Fn::Sub': '${Bucket.Arn}/lock.json' }),
          },
        },
      }),
    ),
  );
  const statements = rights.get('Role') ?? [];
  const bucket = new Resources(findStack({ Bucket: { Type: 'AWS::S3::Bucket' } })).resolver.text({
    'Fn::GetAtt': ['Bucket', 'Arn'],
  });
  expect(isAllowed(statements, 'ecs:ListTasks', '*')).toBe(true);
  expect(isAllowed(statements, 's3:PutObject', `${bucket}/lock.json`)).toBe(true);
  expect(isAllowed(statements, 's3:PutObject', `${bucket}/evidence/x.json`)).toBe(false);
});

test('managed policies count, from whichever end they are attached', () => {
  const policy = (Action: string, over: object) => ({
    Type: 'AWS::IAM::ManagedPolicy',
    // One statement needs no list.
    Properties: { ...over, PolicyDocument: { Statement: { Effect: 'Allow', Action, Resource: '*' } } },
  });
  const rights = buildRights(
    new Resources(
      findStack({
        Role: {
          Type: 'AWS::IAM::Role',
          Properties: { ManagedPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess', { Ref: 'ByArn' }] },
        },
        ByArn: policy('ecs:ListTasks', {}),
        ByRole: policy('ecs:StopTask', { Roles: [{ Ref: 'Role' }] }),
        Other: policy('ecs:UpdateService', {}),
      }),
    ),
  );
  const may = (action: string) => isAllowed(rights.get('Role') ?? [], action, 'anything');
  expect(['ecs:ListTasks', 'ecs:StopTask', 'ecs:UpdateService'].map(may)).toEqual([true, true, false]);
});

test('the policy of a bucket counts for the roles that it is about', () => {
  const bucketPolicy = (Effect: string, Action: string, Principal: unknown) => ({
    Effect,
    Action,
    Principal,
    Resource: '*',
  });
  const role = { Type: 'AWS::IAM::Role', Properties: {} };
  const statements = [
    bucketPolicy('Allow', 's3:*', { AWS: [{ 'Fn::GetAtt': ['Writer', 'Arn'] }] }),
    bucketPolicy('Allow', 's3:GetObject', { AWS: { 'Fn::GetAtt': ['Reader', 'Arn'] } }),
    bucketPolicy('Allow', 's3:ListBucket', { Service: 'delivery.logs.amazonaws.com' }),
    bucketPolicy('Deny', 's3:DeleteObject', '*'),
    bucketPolicy('Deny', 's3:PutObjectAcl', { AWS: '*' }),
  ];
  const rights = buildRights(
    new Resources(
      findStack({
        Writer: role,
        Reader: role,
        Policy: { Type: 'AWS::S3::BucketPolicy', Properties: { PolicyDocument: { Statement: statements } } },
      }),
    ),
  );
  const listMay = (name: string) =>
    ['s3:GetObject', 's3:PutObject', 's3:ListBucket', 's3:DeleteObject', 's3:PutObjectAcl'].filter((action) =>
      isAllowed(rights.get(name) ?? [], action, 'anything'),
    );
  expect(listMay('Writer')).toEqual(['s3:GetObject', 's3:PutObject', 's3:ListBucket']);
  expect(listMay('Reader')).toEqual(['s3:GetObject']);
});

test('a function of the cutover whose role is elsewhere is named: its rights could not be held to', () => {
  const config = JSON.stringify({});
  const stack = findStack({
    Step: {
      Type: 'AWS::Lambda::Function',
      Properties: {
        Runtime: 'nodejs24.x',
        Code: { S3Key: 'abc.zip' },
        Handler: 'index.lock',
        Role: 'arn:aws:iam::123456789012:role/elsewhere',
        Environment: { Variables: { DRAINSHIFT_CUTOVER_CONFIG: config } },
      },
    },
    Machine: {
      Type: 'AWS::StepFunctions::StateMachine',
      Properties: { DefinitionString: { 'Fn::Sub': '{"calls":"${Step.Arn}"}' }, RoleArn: 'role' },
    },
  });
  expect(() => readStackModel([{ ...stack, files: new Map([['abc', '/tmp']]) }])).toThrow(
    /^the role of function '\S+' must be in the template to be rehearsed, got 'arn:aws:iam::123456789012:role\/elsewhere'$/,
  );
});

test('an assembly without a migration is not ours, and a stack that is not there is named', () => {
  const stacks = [findStack({ Bucket: { Type: 'AWS::S3::Bucket' } }, 'Foreign')];
  expect(() => readStackModel(stacks)).toThrow(
    "'--app' must hold a stack with a drainshift Migration, got 'Foreign' without one",
  );
  expect(() => readStackModel(stacks, 'Other')).toThrow("'--stack' must be one of 'Foreign', got 'Other'");
});

test('a rule on the status of executions is followed unless it is disabled', () => {
  const EventPattern = { source: ['aws.states'], detail: { status: ['FAILED'], stateMachineArn: ['arn:machine'] } };
  const of = (State?: string) =>
    buildStatusRules(
      new Resources(
        findStack({
          Rule: { Type: 'AWS::Events::Rule', Properties: { EventPattern, State, Targets: [{ Arn: 'arn:function' }] } },
        }),
      ),
    );
  const followed = [{ machineArns: ['arn:machine'], statuses: ['FAILED'], functionArns: ['arn:function'] }];
  expect([of(), of('ENABLED'), of('DISABLED')]).toEqual([followed, followed, []]);
});

test('a state machine that is not of the cutover is named, whatever it is written in', () => {
  const Type = 'AWS::StepFunctions::StateMachine';
  const elsewhere = { Type, Properties: { DefinitionS3Location: { Bucket: 'b', Key: 'k' } } };
  const jsonata = { Type, Properties: { DefinitionString: '{"QueryLanguage":"JSONata"}' } };
  const resources = new Resources(findStack({ Elsewhere: elsewhere, Jsonata: jsonata }));
  expect(buildMachines(resources)).toEqual([]);
  expect(notRun(resources)).toEqual([`'Elsewhere' (${Type})`, `'Jsonata' (${Type})`]);
});

test('a state machine whose definition is no JSON is named: a reference may have brought quotes into it', () => {
  const step = {
    Type: 'AWS::Lambda::Function',
    Properties: {
      Runtime: 'nodejs24.x',
      Code: { S3Key: 'abc.zip' },
      Handler: 'index.lock',
      Role: 'arn:role',
      Environment: { Variables: { DRAINSHIFT_CUTOVER_CONFIG: '{}' } },
    },
  };
  const DefinitionString = {
    'Fn::Join': ['', ['{"of":"', { 'Fn::GetAtt': ['Step', 'Arn'] }, '","alarm":"p99 > "3 s""}']],
  };
  const machine = { Type: 'AWS::StepFunctions::StateMachine', Properties: { DefinitionString, RoleArn: 'arn:role' } };
  const stack = findStack({ Step: step, Machine: machine });
  const resources = new Resources({ ...stack, files: new Map([['abc', '/tmp']]) });
  expect(() => buildMachines(resources)).toThrow(
    /^'DefinitionString' of the state machine 'Machine' must be JSON, got .*quotes or backslashes$/,
  );
});
