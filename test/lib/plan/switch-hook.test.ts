import { App, CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Code, Function, IFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { STEPS } from '../../../core/cutover/cutover-config';
import { parsePlan } from '../../../core/plan/plan';
import { CutoverPlan, HttpSwitchHookProps, PointOfNoReturn, SwitchHook } from '../../../lib';
import { findDefinition, listResources, newMigration, newStack } from '../fixture';

const ARN = 'arn:aws:lambda:eu-central-1:111122223333:function:freeze:live';

function plan(hook: SwitchHook, maxPause?: Duration): CutoverPlan {
  return CutoverPlan.drainThenShift({ pointOfNoReturn: PointOfNoReturn.SHARED, hook, maxPause });
}

const render = (of: CutoverPlan) => of._toJson({ source: 100, target: 0 }) as { switch: { hook: object } };

test('default: paths of the backends, with the limits of the plan', () => {
  const http = { freeze: '/freeze', thaw: '/thaw' };
  expect(render(plan(SwitchHook.http(http)))).toEqual(
    parsePlan({ strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared', hook: { http } } }),
  );
});

test('custom: every prop arrives where the steps read it', () => {
  const paths = { freeze: '/freeze', transfer: '/copy', verify: '/digest', thaw: '/thaw' };
  const hook = SwitchHook.http({
    ...paths,
    probeWrite: { path: '/probe', method: 'PUT' },
    timeouts: {
      freeze: Duration.millis(100),
      probeWrite: Duration.millis(200),
      transfer: Duration.seconds(2),
      verify: Duration.millis(300),
      thaw: Duration.millis(400),
    },
  });
  expect(render(plan(hook)).switch.hook).toEqual({
    http: paths,
    probeWrite: { path: '/probe', method: 'PUT' },
    timeoutMs: { freeze: 100, probeWrite: 200, transfer: 2_000, verify: 300, thaw: 400 },
  });
});

test.each<[string, () => SwitchHook, string]>([
  ['nothing to call', () => SwitchHook.http({}), "'switch.hook.http' must be an object with a path of freeze"],
  ['a freeze that nothing thaws', () => SwitchHook.http({ freeze: '/f' }), "'switch.hook.http.thaw' must be given"],
  ['a misspelt path', () => SwitchHook.http({ freez: '/f' } as HttpSwitchHookProps), "'freez' must be one of"],
  [
    'limits over the pause',
    () => SwitchHook.http({ verify: '/digest', timeouts: { verify: Duration.seconds(6) } }),
    "'switch.hook.timeoutMs' must be at most 5000 ms ('switch.maxPauseMs') for verify together, got 6000",
  ],
])('%s is rejected', (_, make, message) => {
  expect(() => render(plan(make()))).toThrow(message);
});

test('deferred: what is known only at deployment stays a reference', () => {
  const stack = new Stack(new App(), 'Stack');
  const path = new CfnParameter(stack, 'Path').valueAsString;
  const ms = new CfnParameter(stack, 'Pause', { type: 'Number' }).valueAsNumber;
  const hook = SwitchHook.http({ verify: path, timeouts: { verify: Duration.millis(ms) } });
  expect(render(plan(hook, Duration.millis(ms))).switch.hook).toMatchObject({ http: { verify: path } });
});

/** What each step may invoke. */
function listInvocations(template: Template): Record<string, unknown> {
  const policies = Object.entries(listResources(template, 'AWS::IAM::Policy'));
  return Object.fromEntries(
    STEPS.flatMap((step) => {
      const [, policy] = policies.find(([id]) => id.toLowerCase().includes(`${step}servicerole`.toLowerCase())) ?? [];
      const statements = (policy?.Properties.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] })
        .Statement;
      const found = statements.filter(({ Action }) =>
        [Action].flat().some((each) => String(each).startsWith('lambda:')),
      );
      return found.map(({ Action, Resource }) => [step, [Action, Resource]] as const);
    }),
  );
}

test('a function: the steps that call it may invoke it, no other step may, and nothing else', () => {
  const stack = newStack();
  const handler = Function.fromFunctionArn(stack, 'Hook', ARN);
  newMigration(stack, { plan: plan(SwitchHook.lambda(handler)) });
  const template = Template.fromStack(stack);
  expect(findDefinition(template).States.Lock?.Parameters?.Payload?.defaultPlan).toMatchObject({
    switch: { hook: { functionArn: ARN } },
  });
  const allowed = ['lambda:InvokeFunction', ARN];
  expect(listInvocations(template)).toEqual({
    doctor: allowed,
    preflight: allowed,
    switch: allowed,
    rollback: allowed,
    recover: allowed,
  });
});

test('a function of the same app: a reference to it', () => {
  const stack = newStack();
  const handler: IFunction = new Function(stack, 'Hook', {
    code: Code.fromInline('exports.handler = async ({ epoch }) => ({ ok: true, epoch });'),
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
  });
  newMigration(stack, { plan: plan(SwitchHook.lambda(handler)) });
  const template = Template.fromStack(stack);
  const reference = stack.resolve(handler.functionArn) as unknown;
  expect(listInvocations(template)).toMatchObject({ switch: ['lambda:InvokeFunction', reference] });
});
