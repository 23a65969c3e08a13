import { Duration, Size, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { CfnSecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Function } from 'aws-cdk-lib/aws-lambda';
import { parsePlan } from '../../../core/plan/plan';
import { CutoverPlan, PointOfNoReturn, StateTransfer, SwitchHook, ValkeyMethod } from '../../../lib';
import { newMigration, newStack } from '../fixture';

const ARN = 'arn:aws:lambda:eu-central-1:111122223333:function:state';

function plan(state: StateTransfer, hook?: SwitchHook): CutoverPlan {
  return CutoverPlan.drainThenShift({ pointOfNoReturn: PointOfNoReturn.SHARED, state, hook });
}

const render = (of: CutoverPlan) => of._toJson({ source: 100, target: 0 }) as { switch: { state: object } };

test('default: a path of the backends, with the limits of the plan', () => {
  expect(render(plan(StateTransfer.http({ path: '/state' })))).toEqual(
    parsePlan({
      strategy: 'drainThenShift',
      switch: { pointOfNoReturn: 'shared', state: { http: { path: '/state' } } },
    }),
  );
});

test('custom: every prop arrives where the steps read it', () => {
  const state = StateTransfer.http({
    path: '/state',
    prepareTimeout: Duration.minutes(1),
    maxSize: Size.mebibytes(100),
    probeWrite: { path: '/probe' },
    timeouts: { transfer: Duration.seconds(2) },
  });
  expect(render(plan(state)).switch.state).toMatchObject({
    ...{ http: { path: '/state' }, prepareSeconds: 60, maxBytes: 104_857_600 },
    ...{ probeWrite: { method: 'POST', path: '/probe' }, timeoutMs: { freeze: 1_000, transfer: 2_000 } },
  });
});

test('stores are copied unless a plan says that one replicates the other', () => {
  const stores = { source: { url: 'redis://old.example' }, target: { url: 'redis://new.example' } };
  const method = (more: object) => render(plan(StateTransfer.valkey({ ...stores, ...more }))).switch.state;
  expect(method({})).toMatchObject({ valkey: { method: 'copy' } });
  expect(method({ method: ValkeyMethod.REPLICATE })).toMatchObject({ valkey: { method: 'replicate' } });
  expect(() => method({ method: ValkeyMethod.REPLICATE, keys: 'app:*' })).toThrow(
    "'switch.state.valkey.keys' must be absent",
  );
});

test.each<[string, () => CutoverPlan, string]>([
  [
    'no path',
    () => plan(StateTransfer.http({ path: 'state' })),
    "'switch.state.http.path' must be a path that starts with '/'",
  ],
  ['a misspelt prop', () => plan(StateTransfer.http({ paht: '/s' } as never)), "'paht' must be one of"],
  [
    'a hook beside it',
    () => plan(StateTransfer.http({ path: '/s' }), SwitchHook.http({ verify: '/v' })),
    "'switch.state' must be absent",
  ],
])('%s is rejected', (_, make, message) => {
  expect(() => render(make())).toThrow(message);
});

test('the steps that switch may read the secrets of its stores, and a plan has none', () => {
  const stack: Stack = newStack();
  const secret = new Secret(stack, 'Secret');
  const source = { url: 'rediss://old.example', secret };
  const valkey = StateTransfer.valkey({ source, target: { url: 'redis://new.example' }, keys: 'app:*' });
  newMigration(stack, { plan: plan(valkey) });
  const policies = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
  const id = stack.getLogicalId(secret.node.defaultChild as CfnSecret);
  const readers = policies.filter(([, policy]) => JSON.stringify(policy).includes(id)).map(([name]) => name);
  const steps = ['Doctor', 'Preflight', 'Recover', 'Rollback', 'Switch'];
  expect(readers.map((name) => steps.find((step) => name.includes(step))).sort()).toEqual(steps);
});

test('its function may be invoked by the steps that switch, and it alone', () => {
  const stack: Stack = newStack();
  const handler = Function.fromFunctionArn(stack, 'State', ARN);
  newMigration(stack, { plan: plan(StateTransfer.lambda(handler, { prepareTimeout: Duration.minutes(2) })) });
  const policies = JSON.stringify(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
  expect(policies).toContain(`"Action":"lambda:InvokeFunction","Effect":"Allow","Resource":"${ARN}"`);
});
