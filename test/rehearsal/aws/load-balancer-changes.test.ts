import {
  Action,
  DeregisterTargetsCommand,
  DescribeListenersCommand,
  DescribeRulesCommand,
  DescribeTargetHealthCommand,
  ModifyListenerCommand,
  ModifyRuleCommand,
  ModifyTargetGroupAttributesCommand,
  RegisterTargetsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { ARNS, LocalCloud, nameOfFailure, startLocalCloud } from './world';

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud();
});
afterEach(() => cloud.stop());

const weighted = (source: number | undefined, target: number, stickySeconds?: number): Action => ({
  Type: 'forward',
  ForwardConfig: {
    TargetGroups: [
      { TargetGroupArn: ARNS.source, Weight: source },
      { TargetGroupArn: ARNS.target, Weight: target },
    ],
    TargetGroupStickinessConfig: { Enabled: stickySeconds !== undefined, DurationSeconds: stickySeconds },
  },
});

const modify = (...actions: Action[]) =>
  cloud.elb.send(new ModifyRuleCommand({ RuleArn: ARNS.rule, Actions: actions }));

async function actionNow(): Promise<Action | undefined> {
  const { Rules } = await cloud.elb.send(new DescribeRulesCommand({ RuleArns: [ARNS.rule] }));
  return Rules?.[0]?.Actions?.[0];
}

test('weights and stickiness of a rule read back as they were set, and its conditions stay', async () => {
  const { Rules } = await modify(weighted(90, 10, 60));
  expect(Rules?.[0]).toMatchObject({ RuleArn: ARNS.rule, Conditions: [{ Field: 'path-pattern', Values: ['/*'] }] });
  expect(await actionNow()).toEqual(weighted(90, 10, 60));
});

test('an absent weight is 1, and 0 is 0', async () => {
  await modify(weighted(undefined, 0));
  expect((await actionNow())?.ForwardConfig?.TargetGroups).toEqual([
    { TargetGroupArn: ARNS.source, Weight: 1 },
    { TargetGroupArn: ARNS.target, Weight: 0 },
  ]);
});

test('the short form names one group, and both forms are returned', async () => {
  await modify({ Type: 'forward', TargetGroupArn: ARNS.target });
  expect(await actionNow()).toMatchObject({
    TargetGroupArn: ARNS.target,
    ForwardConfig: { TargetGroups: [{ TargetGroupArn: ARNS.target, Weight: 1 }] },
  });
  expect(await nameOfFailure(modify({ ...weighted(1, 1), TargetGroupArn: ARNS.source }))).toBe('ValidationError');
});

test('a rejected change leaves the rule as it was', async () => {
  const before = await actionNow();
  const unknownGroup = { Type: 'forward', TargetGroupArn: `${ARNS.target}0` } as const;
  const rejections = [modify(weighted(1000, 0)), modify(weighted(0, 0)), modify(unknownGroup), modify()];
  expect(await Promise.all(rejections.map(nameOfFailure))).toEqual([
    'ValidationError',
    'ValidationError',
    'TargetGroupNotFoundException',
    'ValidationError',
  ]);
  expect(await actionNow()).toEqual(before);
});

test('the default rule is changed through its listener only', async () => {
  const change = { RuleArn: ARNS.defaultRule, Actions: [weighted(1, 1)] };
  expect(await nameOfFailure(cloud.elb.send(new ModifyRuleCommand(change)))).toBe('OperationNotPermittedException');
  const redirect: Action = {
    Type: 'redirect',
    RedirectConfig: { Protocol: 'HTTPS', Port: '443', StatusCode: 'HTTP_301' },
  };
  await cloud.elb.send(new ModifyListenerCommand({ ListenerArn: ARNS.listener, DefaultActions: [redirect] }));
  const { Listeners } = await cloud.elb.send(new DescribeListenersCommand({ ListenerArns: [ARNS.listener] }));
  expect(Listeners?.[0]?.DefaultActions).toEqual([redirect]);
  expect(cloud.elbModel.rule(ARNS.defaultRule).actions).toEqual([
    { type: 'redirect', redirect: { Protocol: 'HTTPS', Port: '443' }, statusCode: 301 },
  ]);
});

test('what the rehearsal cannot change is rejected, not swallowed', async () => {
  const port = cloud.elb.send(new ModifyListenerCommand({ ListenerArn: ARNS.listener, Port: 1 }));
  const Conditions = [{ Field: 'source-ip', SourceIpConfig: { Values: ['10.0.0.0/8'] } }];
  const conditions = cloud.elb.send(new ModifyRuleCommand({ RuleArn: ARNS.rule, Conditions }));
  expect(await nameOfFailure(port)).toBe('OperationNotPermittedException');
  expect(await nameOfFailure(conditions)).toBe('OperationNotPermittedException');
});

const setAttributes = (attributes: Record<string, string>) => {
  const Attributes = Object.entries(attributes).map(([Key, Value]) => ({ Key, Value }));
  return cloud.elb.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn: ARNS.source, Attributes }));
};

test('attributes of a target group are set together or not at all', async () => {
  const { Attributes } = await setAttributes({
    'deregistration_delay.timeout_seconds': '0',
    'load_balancing.algorithm.type': 'least_outstanding_requests',
  });
  expect(Attributes).toContainEqual({ Key: 'deregistration_delay.timeout_seconds', Value: '0' });
  const failure = nameOfFailure(
    setAttributes({ 'deregistration_delay.timeout_seconds': '7', 'stickiness.colour': 'red' }),
  );
  expect(await failure).toBe('ValidationError');
  expect(cloud.elbModel.targetGroup(ARNS.source).attributes.get('deregistration_delay.timeout_seconds')).toBe('0');
});

test('a group in a weighted rule cannot become sticky before the rule is', async () => {
  expect(await nameOfFailure(setAttributes({ 'stickiness.enabled': 'true' }))).toBe(
    'InvalidConfigurationRequestException',
  );
  await modify(weighted(1, 1, 60));
  await setAttributes({ 'stickiness.enabled': 'true' });
  expect(cloud.elbModel.targetGroup(ARNS.source).attributes.get('stickiness.enabled')).toBe('true');
});

test('targets are registered on the port of the group unless they name one, and deregistered', async () => {
  const Targets = [{ Id: '127.0.1.7' }, { Id: '127.0.1.8', Port: 9 }];
  await cloud.elb.send(new RegisterTargetsCommand({ TargetGroupArn: ARNS.source, Targets }));
  await cloud.elb.send(new DeregisterTargetsCommand({ TargetGroupArn: ARNS.source, Targets: [{ Id: '127.0.1.7' }] }));
  const health = await cloud.elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: ARNS.source, Targets }));
  expect(
    health.TargetHealthDescriptions?.map(({ Target, TargetHealth }) => [Target?.Port, TargetHealth?.Reason]),
  ).toEqual([
    [8443, 'Target.DeregistrationInProgress'],
    [9, 'Elb.RegistrationInProgress'],
  ]);
  const wrong = { TargetGroupArn: ARNS.source, Targets: [{ Id: 'i-0123456789' }] };
  expect(await nameOfFailure(cloud.elb.send(new RegisterTargetsCommand(wrong)))).toBe('ValidationError');
});
