import {
  AddTagsCommand,
  CreateRuleCommand,
  CreateRuleCommandInput,
  DeleteRuleCommand,
  DescribeRulesCommand,
  DescribeTagsCommand,
  ModifyRuleCommand,
  RemoveTagsCommand,
  SetRulePrioritiesCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { AuthorizationRequest } from '../../../rehearsal/aws/endpoint/endpoint';
import { PolicyStatement, accessDenied, isAllowed } from '../../../rehearsal/aws/iam/iam';
import { ARNS, LocalCloud, createClients, nameOfFailure, startLocalCloud } from './world';

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud({ authorize });
});
afterEach(() => cloud.stop());

const conditions = [{ Field: 'path-pattern', PathPatternConfig: { Values: ['/shop/*'] } }];
const rule = (over: Partial<CreateRuleCommandInput> = {}) => ({
  ListenerArn: ARNS.listener,
  Priority: 20,
  Conditions: conditions,
  Actions: [{ Type: 'forward' as const, TargetGroupArn: ARNS.source }],
  ...over,
});
async function create(over: Partial<CreateRuleCommandInput> = {}): Promise<string> {
  const { Rules } = await cloud.elb.send(new CreateRuleCommand(rule(over)));
  return Rules?.[0]?.RuleArn ?? '';
}
async function priorities(): Promise<(string | undefined)[]> {
  const { Rules } = await cloud.elb.send(new DescribeRulesCommand({ ListenerArn: ARNS.listener }));
  return Rules?.map(({ Priority }) => Priority) ?? [];
}
async function listTags(arn: string): Promise<Record<string, string | undefined>> {
  const { TagDescriptions } = await cloud.elb.send(new DescribeTagsCommand({ ResourceArns: [arn] }));
  const tags = TagDescriptions?.[0]?.Tags ?? [];
  return Object.fromEntries(tags.map(({ Key = '', Value }) => [Key, Value] as const));
}

/** The role of a function that owns rules with its own tag. */
const STATEMENTS: readonly PolicyStatement[] = [
  { Effect: 'Allow', Action: 'elasticloadbalancing:CreateRule', Resource: ARNS.listener },
  {
    Effect: 'Allow',
    Action: 'elasticloadbalancing:DeleteRule',
    Resource: '*',
    Condition: { StringEquals: { 'aws:ResourceTag/owner': 'function' } },
  },
];
function authorize({ accessKeyId, action, resources, context }: AuthorizationRequest): void {
  if (accessKeyId === 'OPERATOR') return;
  for (const resource of resources) {
    if (!isAllowed(STATEMENTS, action, resource, context)) throw accessDenied(accessKeyId, action, resource);
  }
}

test('a created rule has an ARN below its listener, its tags and its place, until it is deleted', async () => {
  const arn = await create({ Tags: [{ Key: 'stack', Value: 'shop' }] });
  expect(arn).toMatch(new RegExp(`^${ARNS.listener.replace(':listener/', ':listener-rule/')}/[0-9a-f]{16}$`));
  expect(await priorities()).toEqual(['10', '20', 'default']);
  expect(await listTags(arn)).toEqual({ stack: 'shop' });
  await cloud.elb.send(new DeleteRuleCommand({ RuleArn: arn }));
  expect(await priorities()).toEqual(['10', 'default']);
  expect(await nameOfFailure(listTags(arn))).toBe('RuleNotFoundException');
  expect(await nameOfFailure(cloud.elb.send(new DeleteRuleCommand({ RuleArn: arn })))).toBe('RuleNotFoundException');
});

test.each<[string, Partial<CreateRuleCommandInput>, string]>([
  ['a priority that is taken', { Priority: 10 }, 'PriorityInUseException'],
  ['a priority over 50000', { Priority: 50_001 }, 'ValidationError'],
  ['no condition', { Conditions: [] }, 'ValidationError'],
  [
    'six values of conditions',
    { Conditions: [{ Field: 'path-pattern', Values: ['1', '2', '3', '4', '5', '6'] }] },
    'ValidationError',
  ],
  ['two conditions on paths', { Conditions: [...conditions, ...conditions] }, 'ValidationError'],
  ['no action', { Actions: [] }, 'ValidationError'],
  ['an unknown listener', { ListenerArn: `${ARNS.listener}0` }, 'ListenerNotFoundException'],
  ['a tag twice', { Tags: [{ Key: 'a' }, { Key: 'a' }] }, 'DuplicateTagKeysException'],
])('a rule with %s is rejected', async (_, over, name) => {
  expect(await nameOfFailure(create(over))).toBe(name);
  expect(await priorities()).toEqual(['10', 'default']);
});

test('a load balancer has at most 100 rules, default ones not counted', async () => {
  for (let Priority = 101; Priority < 200; Priority += 1) await create({ Priority });
  expect(await nameOfFailure(create())).toBe('TooManyRulesException');
});

test('conditions are replaced whole, together with the actions or not at all', async () => {
  const hosts = [{ Field: 'host-header', HostHeaderConfig: { Values: ['shop.example.com'] } }];
  const { Rules } = await cloud.elb.send(new ModifyRuleCommand({ RuleArn: ARNS.rule, Conditions: hosts }));
  expect(Rules?.[0]?.Conditions).toMatchObject(hosts);
  const wrong = { RuleArn: ARNS.rule, Conditions: conditions, Actions: [] };
  expect(await nameOfFailure(cloud.elb.send(new ModifyRuleCommand(wrong)))).toBe('ValidationError');
  expect(cloud.elbModel.rule(ARNS.rule).conditions).toEqual([{ field: 'host-header', values: ['shop.example.com'] }]);
});

test('priorities change together: two rules may change places, and none may take that of a third', async () => {
  const [a, b] = [await create({ Priority: 20 }), await create({ Priority: 30 })];
  const set = (RulePriorities: { RuleArn: string; Priority: number }[]) =>
    cloud.elb.send(new SetRulePrioritiesCommand({ RulePriorities }));
  await set([
    { RuleArn: a, Priority: 30 },
    { RuleArn: b, Priority: 20 },
  ]);
  expect([a, b].map((arn) => cloud.elbModel.rule(arn).priority)).toEqual([30, 20]);
  const taken = [
    { RuleArn: a, Priority: 40 },
    { RuleArn: b, Priority: 10 },
  ];
  expect(await nameOfFailure(set(taken))).toBe('PriorityInUseException');
  expect(await nameOfFailure(set([{ RuleArn: ARNS.defaultRule, Priority: 1 }]))).toBe('OperationNotPermittedException');
  expect([a, b].map((arn) => cloud.elbModel.rule(arn).priority)).toEqual([30, 20]);
});

test('tags are added, replaced by their key, and removed', async () => {
  const Tags = (value: string) => [{ Key: 'deployed', Value: value }];
  for (const value of ['1', '2'])
    await cloud.elb.send(new AddTagsCommand({ ResourceArns: [ARNS.rule, ARNS.listener], Tags: Tags(value) }));
  expect([await listTags(ARNS.rule), await listTags(ARNS.listener)]).toEqual([{ deployed: '2' }, { deployed: '2' }]);
  await cloud.elb.send(new RemoveTagsCommand({ ResourceArns: [ARNS.rule], TagKeys: ['deployed'] }));
  expect(await listTags(ARNS.rule)).toEqual({});
});

test('who creates with tags must be allowed to tag, and a policy may look at the tags of what is deleted', async () => {
  const { elb, ...others } = createClients(cloud.url, 'ROLE');
  const Tags = [{ Key: 'owner', Value: 'function' }];
  expect(await nameOfFailure(elb.send(new CreateRuleCommand(rule({ Tags }))))).toBe('AccessDenied');
  await elb.send(new CreateRuleCommand(rule()));
  const arn = await create({ Priority: 30, Tags });
  await elb.send(new DeleteRuleCommand({ RuleArn: arn }));
  expect(await nameOfFailure(elb.send(new DeleteRuleCommand({ RuleArn: ARNS.rule })))).toBe('AccessDenied');
  Object.values({ elb, ...others }).forEach((client) => client.destroy());
});

test('a rule rewrites what it forwards, until that is reset', async () => {
  const transform = (Regex: string) => ({
    Type: 'url-rewrite' as const,
    UrlRewriteConfig: { Rewrites: [{ Regex, Replace: '/$1' }] },
  });
  const arn = await create({ Transforms: [transform('^/old/(.*)')] });
  const read = async () => {
    const { Rules } = await cloud.elb.send(new DescribeRulesCommand({ RuleArns: [arn] }));
    return Rules?.[0]?.Transforms;
  };
  expect(await read()).toEqual([transform('^/old/(.*)')]);
  const modify = (more: object) => cloud.elb.send(new ModifyRuleCommand({ RuleArn: arn, ...more }));
  expect(await nameOfFailure(modify({ Transforms: [transform('(?<=a)')] }))).toBe('ValidationError');
  await modify({ Actions: [{ Type: 'forward', TargetGroupArn: ARNS.target }] });
  expect(await read()).toHaveLength(1);
  await modify({ ResetTransforms: true });
  expect(await read()).toBeUndefined();
});
