import { CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ListenerAction,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { LOCK_SECONDS } from '../../../core/traffic/lock';
import { StickyTargetGroup } from '../../../lib';
import { WeightedRule, WeightedRuleProps } from '../../../lib/load-balancer/weighted-rule';
import { certificateIn, newGroups, newStack, resourceLike, listResources } from '../fixture';

const RULE = 'Custom::DrainshiftWeightedRule';

function surroundings(stack: Stack): WeightedRuleProps {
  const { vpc, ...groups } = newGroups(stack);
  const listener = new ApplicationLoadBalancer(stack, 'Balancer', { vpc }).addListener('Listener', {
    protocol: ApplicationProtocol.HTTPS,
    certificates: [certificateIn(stack)],
    open: false,
    defaultAction: ListenerAction.fixedResponse(503),
  });
  const store = new Bucket(stack, 'Store', { enforceSSL: true });
  const initialWeights = { source: 100, target: 0 };
  return { listener, ...groups, initialWeights, sideStickiness: Duration.hours(1), store };
}

function synth(props: Partial<WeightedRuleProps> = {}): Template {
  const stack = newStack();
  new WeightedRule(stack, 'Rule', { ...surroundings(stack), ...props });
  return Template.fromStack(stack);
}

test('the lock of a killed deployment has ended when CloudFormation asks for the rollback', () => {
  const template = synth();
  const [, { Properties }] = resourceLike(template, 'AWS::Lambda::Function', /^DrainshiftWeightedRules/);
  const [, rule] = resourceLike(template, RULE, /./);
  expect(LOCK_SECONDS.deploy).toBeGreaterThan(Number(Properties.Timeout));
  expect(LOCK_SECONDS.deploy).toBeLessThan(Number(rule.Properties.ServiceTimeout));
});

const statementsIn = (template: Template) => {
  const [, policy] = resourceLike(template, 'AWS::IAM::Policy', /^DrainshiftWeightedRules/);
  return (policy.Properties.PolicyDocument as { Statement: Record<string, unknown>[] }).Statement;
};

describe('default', () => {
  const template = synth();

  test('hands over everything that the rule is', () => {
    template.resourceCountIs('AWS::ElasticLoadBalancingV2::ListenerRule', 0);
    template.hasResourceProperties(RULE, {
      ServiceToken: { 'Fn::GetAtt': [Match.stringLikeRegexp('^DrainshiftWeightedRulesFunction'), 'Arn'] },
      ServiceTimeout: '240',
      ListenerArn: { Ref: Match.stringLikeRegexp('^BalancerListener') },
      Priority: 1000,
      PathPatterns: ['/*'],
      HostHeaders: Match.absent(),
      SourceGroupArn: { Ref: Match.stringLikeRegexp('^SourceGroup') },
      TargetGroupArn: { Ref: Match.stringLikeRegexp('^TargetGroup') },
      InitialWeights: { Source: 100, Target: 0 },
      StickinessSeconds: 3600,
      StoreBucket: { Ref: Match.stringLikeRegexp('^Store') },
      RequiresTargets: Match.absent(),
    });
  });

  test('its function runs on Node 24, arm64, within its time, with a log that ends', () => {
    template.hasResourceProperties('AWS::Lambda::Function', {
      Handler: 'index.weightedRule',
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Timeout: 120,
      LoggingConfig: { LogGroup: { Ref: Match.stringLikeRegexp('^DrainshiftWeightedRulesLog') } },
    });
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 90 });
  });

  test('nothing is done any more once CloudFormation has given up', () => {
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
      FunctionName: { Ref: Match.stringLikeRegexp('^DrainshiftWeightedRulesFunction') },
      MaximumEventAgeInSeconds: 60,
      MaximumRetryAttempts: 0,
    });
    const [, { Properties: lambda }] = resourceLike(template, 'AWS::Lambda::Function', /./);
    const [, { Properties: rule }] = resourceLike(template, RULE, /./);
    expect(Number(rule.ServiceTimeout)).toBeGreaterThan(60 + Number(lambda.Timeout));
  });

  test('may describe everything, and change rules of its listener and the lock alone', () => {
    const statements = statementsIn(template).map(
      ({ Action, Resource }) => [Action, JSON.stringify(Resource)] as const,
    );
    const anywhere = statements.filter(([, resource]) => resource === '"*"').map(([action]) => action);
    expect(anywhere).toEqual([
      [
        'elasticloadbalancing:DescribeRules',
        'elasticloadbalancing:DescribeTags',
        'elasticloadbalancing:DescribeTargetHealth',
      ],
    ]);
    const on = (action: string) => statements.find(([actions]) => [actions].flat().includes(action))?.[1];
    expect(on('elasticloadbalancing:CreateRule')).toMatch(/^\{"Ref":"BalancerListener/);
    expect(on('elasticloadbalancing:ModifyRule')).toMatch(/:listener-rule\/.*BalancerListener.*\/\*"/);
    expect(on('s3:GetObject')).toContain('/lock.json"');
    expect(statements.flatMap(([actions]) => actions).sort()).toEqual([
      'elasticloadbalancing:AddTags',
      'elasticloadbalancing:CreateRule',
      'elasticloadbalancing:DeleteRule',
      'elasticloadbalancing:DeleteRule',
      'elasticloadbalancing:DescribeRules',
      'elasticloadbalancing:DescribeTags',
      'elasticloadbalancing:DescribeTargetHealth',
      'elasticloadbalancing:ModifyRule',
      'elasticloadbalancing:SetRulePriorities',
      's3:DeleteObject',
      's3:GetObject',
      's3:ListBucket',
      's3:PutObject',
    ]);
  });

  test('rules that it deletes elsewhere must have the tag of its stack', () => {
    const elsewhere = statementsIn(template).filter(({ Condition }) => Condition !== undefined);
    expect(elsewhere.map(({ Action, Condition }) => [Action, Condition])).toEqual([
      [
        'elasticloadbalancing:DeleteRule',
        { StringEquals: { 'aws:ResourceTag/drainshift:stack-id': { Ref: 'AWS::StackId' } } },
      ],
    ]);
  });

  test('the rule comes after its rights and its log, and goes before them', () => {
    const [, rule] = resourceLike(template, RULE, /./);
    for (const each of ['FunctionServiceRoleDefaultPolicy', 'FunctionServiceRole', 'Log', 'Function']) {
      expect(rule.DependsOn).toEqual(
        expect.arrayContaining([
          expect.stringMatching(new RegExp(`^DrainshiftWeightedRules${each}[0-9A-F]{8}$`)) as string,
        ]),
      );
    }
  });
});

test('default: a service waits for the rule that leads to its target group', () => {
  const stack = newStack();
  const props = surroundings(stack);
  const rule = new WeightedRule(stack, 'Rule', props);
  const waiting = new Bucket(stack, 'Waiting');
  waiting.node.addDependency(props.targetGroup.targetGroup.loadBalancerAttached);
  const template = Template.fromStack(stack);
  const [id] = resourceLike(template, RULE, /./);
  expect(resourceLike(template, 'AWS::S3::Bucket', /^Waiting/)[1].DependsOn).toContain(id);
  expect(stack.resolve(rule.listenerRuleArn)).toEqual({ Ref: id });
});

test('default: where another listener leads to a group, its services need not wait for the rule', () => {
  const stack = newStack();
  const props = surroundings(stack);
  const { loadBalancer } = props.listener as ApplicationListener;
  new ApplicationListener(stack, 'Smoke', {
    loadBalancer,
    protocol: ApplicationProtocol.HTTP,
    open: false,
    defaultAction: ListenerAction.forward([props.targetGroup.targetGroup]),
  });
  new WeightedRule(stack, 'Rule', props);
  const waiting = new Bucket(stack, 'Waiting');
  waiting.node.addDependency(props.targetGroup.targetGroup.loadBalancerAttached);
  const template = Template.fromStack(stack);
  const [id] = resourceLike(template, RULE, /./);
  const dependencies = resourceLike(template, 'AWS::S3::Bucket', /^Waiting/)[1].DependsOn;
  expect(dependencies).toContainEqual(expect.stringMatching(/Smoke/) as string);
  expect(dependencies).not.toContain(id);
});

test('custom: takes conditions, priority, weights, and a store with a key', () => {
  const stack = newStack();
  const store = new Bucket(stack, 'Encrypted', {
    encryption: BucketEncryption.KMS,
    encryptionKey: new Key(stack, 'Key'),
  });
  const weight = new CfnParameter(stack, 'Weight', { type: 'Number' }).valueAsNumber;
  new WeightedRule(stack, 'Rule', {
    ...surroundings(stack),
    store,
    priority: 7,
    pathPatterns: ['/shop/*', '/cart'],
    hostHeaders: ['shop.example.com'],
    initialWeights: { source: weight, target: 1 },
    sideStickiness: Duration.days(7),
  });
  const template = Template.fromStack(stack);
  template.hasResourceProperties(RULE, {
    Priority: 7,
    PathPatterns: ['/shop/*', '/cart'],
    HostHeaders: ['shop.example.com'],
    InitialWeights: { Source: { Ref: 'Weight' }, Target: 1 },
    StickinessSeconds: 604_800,
  });
  expect(JSON.stringify(statementsIn(template))).toContain('kms:Decrypt');
});

test('custom: the rules of a stack share one function', () => {
  const stack = newStack();
  const props = surroundings(stack);
  new WeightedRule(stack, 'Shop', { ...props, pathPatterns: ['/shop/*'] });
  new WeightedRule(stack, 'Rest', { ...props, priority: 2000 });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::Lambda::Function', 1);
  expect(Object.keys(listResources(template, RULE))).toHaveLength(2);
});

test('imported: takes a listener and a store of another stack, and knows their ARNs', () => {
  const stack = newStack();
  const { vpc, ...groups } = newGroups(stack);
  const listenerArn = 'arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/front/1/2';
  const securityGroup = new SecurityGroup(stack, 'Front', { vpc });
  const listener = ApplicationListener.fromApplicationListenerAttributes(stack, 'Imported', {
    listenerArn,
    securityGroup,
  });
  new WeightedRule(stack, 'Rule', {
    listener,
    ...groups,
    initialWeights: { source: 1, target: 0 },
    sideStickiness: Duration.seconds(1),
    store: Bucket.fromBucketName(stack, 'Store', 'the-store'),
  });
  const template = Template.fromStack(stack);
  template.hasResourceProperties(RULE, { ListenerArn: listenerArn, StoreBucket: 'the-store' });
  const text = JSON.stringify(statementsIn(template));
  expect(text).toContain('arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener-rule/app/front/1/2/*');
  expect(text).toContain(':s3:::the-store/lock.json');
});

test.each<[string, Partial<WeightedRuleProps>, string]>([
  [
    'weights',
    { initialWeights: { source: 1000, target: 0 } },
    "'initialWeights.source' must be an integer from 0 to 999, got 1000",
  ],
  ['stickiness', { sideStickiness: Duration.days(8) }, "'sideStickiness' must be from 1 second to 7 days, got 8 days"],
  ['priority', { priority: 0 }, "'priority' must be an integer from 1 to 50000, got 0"],
  ['no path', { pathPatterns: [] }, "'pathPatterns' must be a list of at least one value, got []"],
  [
    'a long path',
    { pathPatterns: ['/'.repeat(129)] },
    "'pathPatterns' must be values of 1 to 128 characters, got '///",
  ],
  [
    'too many values',
    { pathPatterns: ['/a', '/b', '/c'], hostHeaders: ['a', 'b', 'c'] },
    "'pathPatterns and hostHeaders' must be at most 5 values together, got 6",
  ],
])('rejects %s that AWS would reject later', (_, props, message) => {
  expect(() => synth(props)).toThrow(message);
});

test.each(['sourceGroup', 'targetGroup'] as const)(
  'rejects a %s that is sticky by a cookie of the application',
  (name) => {
    const stack = newStack();
    const props = surroundings(stack);
    const { vpc } = newGroups(new Stack(stack, 'Nested'));
    const group = new StickyTargetGroup(stack, 'Cookie', { vpc, applicationCookie: 'SESSION' });
    expect(() => new WeightedRule(stack, 'Rule', { ...props, [name]: group })).toThrow(
      `'${name}' must be sticky by the load balancer's own cookie in a rule with weights, got SESSION`,
    );
  },
);

test('rejects the same group on both sides', () => {
  const stack = newStack();
  const props = surroundings(stack);
  expect(() => new WeightedRule(stack, 'Rule', { ...props, targetGroup: props.sourceGroup })).toThrow(
    "'targetGroup' must be another one than the sourceGroup, got Test/SourceGroup",
  );
});
