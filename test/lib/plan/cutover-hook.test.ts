import { App, CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Function } from 'aws-cdk-lib/aws-lambda';
import { parsePlan } from '../../../core/plan/plan';
import {
  CutoverHook,
  CutoverHookFailure,
  CutoverHookOptions,
  CutoverHookSide,
  CutoverHookTime,
  CutoverPlan,
} from '../../../lib';
import { findDefinition, listResources, newMigration, newStack } from '../fixture';

const ARN = 'arn:aws:lambda:eu-central-1:111122223333:function:check:live';
const render = (...hooks: CutoverHook[]) =>
  CutoverPlan.gradual({ hooks })._toJson({ source: 100, target: 0 }) as { hooks: object[] };

test('default: a path and a URL, with the defaults of the plan', () => {
  const when = CutoverHookTime.AFTER_BAKE;
  const url = 'https://checks.example.com/canary';
  expect(
    render(CutoverHook.http({ name: 'a', when, path: '/test' }), CutoverHook.url({ name: 'b', when, url })),
  ).toEqual(
    parsePlan({
      hooks: [
        { name: 'a', when, http: { path: '/test' } },
        { name: 'b', when, url },
      ],
    }),
  );
});

test('custom: every prop arrives where the steps read it', () => {
  const hook = CutoverHook.http({
    name: 'a',
    when: CutoverHookTime.BEFORE_DRAIN,
    path: '/test',
    side: CutoverHookSide.FROM,
    timeout: Duration.seconds(3),
    wait: Duration.minutes(30),
    onFailure: CutoverHookFailure.PAUSE,
  });
  expect(render(hook).hooks).toEqual([
    {
      ...{ name: 'a', when: 'beforeDrain', http: { path: '/test', side: 'from' }, timeoutSeconds: 3 },
      ...{ waitSeconds: 1_800, onFailure: 'pause' },
    },
  ]);
});

test('the times are those of a plan', () => {
  for (const when of Object.values(CutoverHookTime))
    expect(render(CutoverHook.http({ name: 'a', when, path: '/' })).hooks).toHaveLength(1);
});

test.each<[string, CutoverHookOptions, string]>([
  [
    'a limit over 20 s',
    { name: 'a', when: CutoverHookTime.AFTER_BAKE, timeout: Duration.minutes(1) },
    "'hooks[0].timeoutSeconds' must be",
  ],
  ['a name of two words', { name: 'a b', when: CutoverHookTime.AFTER_BAKE }, "'hooks[0].name' must be a name"],
  [
    'a rollback that a hook stops',
    { name: 'a', when: CutoverHookTime.BEFORE_ROLLBACK, onFailure: CutoverHookFailure.PAUSE },
    "'hooks[0].onFailure' must be continue",
  ],
  [
    'a misspelt name',
    { name: 'a', when: CutoverHookTime.AFTER_BAKE, timout: 1 } as CutoverHookOptions,
    "'timout' must be one of",
  ],
])('%s is rejected', (_, options, message) => {
  expect(() => render(CutoverHook.http({ ...options, path: '/' }))).toThrow(message);
});

test('deferred: what is known only at deployment stays a reference', () => {
  const stack = new Stack(new App(), 'Stack');
  const url = new CfnParameter(stack, 'Url').valueAsString;
  const when = CutoverHookTime.AFTER_BAKE;
  expect(render(CutoverHook.url({ name: 'a', when, url })).hooks).toMatchObject([{ url }]);
});

test('a function: the steps that call it may invoke it, no other step may, and nothing else', () => {
  const stack = newStack();
  const handler = Function.fromFunctionArn(stack, 'Check', ARN);
  const hook = CutoverHook.lambda(handler, { name: 'check', when: CutoverHookTime.AFTER_SHIFT });
  newMigration(stack, { plan: CutoverPlan.gradual({ hooks: [hook] }) });
  const template = Template.fromStack(stack);
  expect(findDefinition(template).States.Lock?.Parameters?.Payload?.defaultPlan).toMatchObject({
    hooks: [{ name: 'check', functionArn: ARN }],
  });
  const statements = Object.entries(listResources(template, 'AWS::IAM::Policy')).flatMap(([id, { Properties }]) => {
    const { Statement } = Properties.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] };
    const found = Statement.filter(({ Action }) => JSON.stringify(Action).includes('lambda:Invoke'));
    const [, step] = /CutoverSteps(\w+)ServiceRole/.exec(id) ?? [];
    return step === undefined ? [] : found.map(({ Action, Resource }) => [step, Action, Resource]);
  });
  const steps = ['Complete', 'Doctor', 'Hook', 'Preflight', 'Recover', 'Rollback'];
  expect(statements.sort()).toEqual(steps.map((step) => [step, 'lambda:InvokeFunction', ARN]));
});
