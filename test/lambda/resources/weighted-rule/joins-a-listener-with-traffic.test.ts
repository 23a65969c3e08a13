import { begin } from '../../../../core/cutover/run';
import { parsePlan } from '../../../../core/plan/plan';
import { storePort } from '../../../../lambda/adapters/store/store';
import { ARNS, forward } from '../../../rehearsal/aws/world';
import { RuleSetup, startRuleSetup } from './rule-world';

const OLD = ARNS.source.replace('targetgroup/source', 'targetgroup/old');

let cloud: RuleSetup;
beforeEach(async () => {
  cloud = await startRuleSetup();
  const { elbModel } = cloud.aws;
  const group = elbModel.targetGroup(ARNS.source);
  elbModel.targetGroups.set(OLD, { ...group, arn: OLD, name: 'old', targets: new Map(group.targets) });
  behind(forward([OLD, 1]));
});
afterEach(() => cloud.stop());

function behind(action: ReturnType<typeof forward> | { type: 'fixed-response' }): void {
  const fixed = { type: 'fixed-response', statusCode: 404, contentType: 'text/plain', body: '' } as const;
  cloud.aws.elbModel.rule(ARNS.defaultRule).actions = [action.type === 'forward' ? action : fixed];
}

const groups = () => cloud.groups().map(({ arn, weight }) => [arn, weight]);

test('the rule is created so that nothing changes, and remembers where the requests went', async () => {
  const response = await cloud.create({ RequiresTargets: 'true' });
  expect(response).toMatchObject({ Status: 'SUCCESS', Reason: expect.stringContaining('drainshift adopt') as string });
  expect(groups()).toEqual([[OLD, 100]]);
  expect(cloud.aws.elbModel.tags.get(response.PhysicalResourceId)).toMatchObject({ 'drainshift:old-group': OLD });
  // Asked again.
  expect((await cloud.create()).PhysicalResourceId).toBe(response.PhysicalResourceId);
  expect(groups()).toEqual([[OLD, 100]]);
});

test('a deployment that fails after it takes it away again, and nothing has changed', async () => {
  const { PhysicalResourceId } = await cloud.create();
  expect((await cloud.remove(PhysicalResourceId)).Status).toBe('SUCCESS');
});

test('in the middle of the adoption an update keeps the share', async () => {
  const { PhysicalResourceId } = await cloud.create();
  cloud.shift([ARNS.source, 10], [OLD, 90]);
  expect((await cloud.update(PhysicalResourceId, { StickinessSeconds: '60' })).Status).toBe('SUCCESS');
  expect(groups()).toEqual([
    [ARNS.source, 10],
    [OLD, 90],
  ]);
});

test('requests that several rules share out cannot be taken by one', async () => {
  const api = { arn: `${ARNS.rule}0`, listenerArn: ARNS.listener, priority: 20, actions: [forward([OLD, 1])] };
  cloud.aws.elbModel.rules.set(api.arn, { ...api, conditions: [{ field: 'path-pattern', values: ['/api/*'] }] });
  const refused = await cloud.create();
  expect(refused).toMatchObject({
    Status: 'FAILED',
    Reason: expect.stringContaining('the rule of priority 20, which catches some of them and not all') as string,
  });
  expect(await cloud.remove(refused.PhysicalResourceId)).toMatchObject({ Status: 'SUCCESS' });
  expect((await cloud.create({ PathPatterns: ['/api/a', '/api/b*'] })).Status).toBe('SUCCESS');
});

test('where nothing served the requests the weights are the initial ones', async () => {
  behind({ type: 'fixed-response' });
  expect((await cloud.create()).Reason).toContain('created with the initial weights 100/0');
  expect(groups()).toEqual([[ARNS.source, 100]]);
});

test('completed, neither the rule nor the guard of the stack is deleted, until its requests go where the listener leads', async () => {
  const { PhysicalResourceId } = await cloud.create();
  cloud.shift([ARNS.target, 100]);
  const reason = `'Rule' must not be deleted while its requests would be served otherwise, got '${OLD}' instead of '${ARNS.target}'`;
  for (const delete_ of [() => cloud.remove(PhysicalResourceId), () => cloud.removeGuard()]) {
    const response = await delete_();
    expect(response).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining(reason) as string });
  }
  expect(groups()).toEqual([[ARNS.target, 100]]);
  // Left: the listener leads to the new backend, and so does the rule.
  behind(forward([OLD, 1]));
  cloud.shift([OLD, 100]);
  expect((await cloud.removeGuard()).Status).toBe('SUCCESS');
  expect((await cloud.remove(PhysicalResourceId)).Status).toBe('SUCCESS');
});

test('with all on the source it is deleted while the group of before serves, and not when it is dead', async () => {
  const { PhysicalResourceId } = await cloud.create();
  cloud.shift([ARNS.source, 100]);
  for (const target of cloud.aws.elbModel.targetGroup(OLD).targets.values()) target.state = 'unhealthy';
  expect(await cloud.removeGuard()).toMatchObject({
    Status: 'FAILED',
    Reason: expect.stringContaining(`got '${OLD}' without a healthy target`) as string,
  });
  for (const target of cloud.aws.elbModel.targetGroup(OLD).targets.values()) target.state = 'healthy';
  expect((await cloud.removeGuard()).Status).toBe('SUCCESS');
  expect((await cloud.remove(PhysicalResourceId)).Status).toBe('SUCCESS');
});

test('the guard rejects under the lock, too, and a rule that is gone is no reason', async () => {
  await storePort('store').acquire(begin('move-1', '2026-01-01T00:00:00.000Z', parsePlan({})));
  expect(await cloud.removeGuard()).toMatchObject({
    Status: 'FAILED',
    Reason: expect.stringContaining('move-1') as string,
  });
  await storePort('store').release('move-1');
  expect((await cloud.removeGuard()).Status).toBe('SUCCESS');
});
