import { begin } from '../../../../core/cutover/run';
import { parsePlan } from '../../../../core/plan/plan';
import { storePort } from '../../../../lambda/adapters/store/store';
import { ARNS, forward } from '../../../rehearsal/aws/world';
import { RuleWorld, startRuleWorld } from './rule-world';

const OLD = ARNS.source.replace('targetgroup/source', 'targetgroup/old');

let world: RuleWorld;
beforeEach(async () => {
  world = await startRuleWorld();
  const { elbModel } = world.aws;
  const group = elbModel.targetGroup(ARNS.source);
  elbModel.targetGroups.set(OLD, { ...group, arn: OLD, name: 'old', targets: new Map(group.targets) });
  behind(forward([OLD, 1]));
});
afterEach(() => world.stop());

function behind(action: ReturnType<typeof forward> | { type: 'fixed-response' }): void {
  const fixed = { type: 'fixed-response', statusCode: 404, contentType: 'text/plain', body: '' } as const;
  world.aws.elbModel.rule(ARNS.defaultRule).actions = [action.type === 'forward' ? action : fixed];
}

const groups = () => world.groups().map(({ arn, weight }) => [arn, weight]);

test('the rule is created so that nothing changes, and remembers where the requests went', async () => {
  const answer = await world.create({ RequiresTargets: 'true' });
  expect(answer).toMatchObject({ Status: 'SUCCESS', Reason: expect.stringContaining('drainshift adopt') as string });
  expect(groups()).toEqual([[OLD, 100]]);
  expect(world.aws.elbModel.tags.get(answer.PhysicalResourceId)).toMatchObject({ 'drainshift:old-group': OLD });
  // Asked again.
  expect((await world.create()).PhysicalResourceId).toBe(answer.PhysicalResourceId);
  expect(groups()).toEqual([[OLD, 100]]);
});

test('a deployment that fails after it takes it away again, and nothing has changed', async () => {
  const { PhysicalResourceId } = await world.create();
  expect((await world.remove(PhysicalResourceId)).Status).toBe('SUCCESS');
});

test('in the middle of the adoption an update keeps the share', async () => {
  const { PhysicalResourceId } = await world.create();
  world.shift([ARNS.source, 10], [OLD, 90]);
  expect((await world.update(PhysicalResourceId, { StickinessSeconds: '60' })).Status).toBe('SUCCESS');
  expect(groups()).toEqual([
    [ARNS.source, 10],
    [OLD, 90],
  ]);
});

test('requests that several rules share out cannot be taken by one', async () => {
  const api = { arn: `${ARNS.rule}0`, listenerArn: ARNS.listener, priority: 20, actions: [forward([OLD, 1])] };
  world.aws.elbModel.rules.set(api.arn, { ...api, conditions: [{ field: 'path-pattern', values: ['/api/*'] }] });
  const refused = await world.create();
  expect(refused).toMatchObject({
    Status: 'FAILED',
    Reason: expect.stringContaining('the rule of priority 20, which catches some of them and not all') as string,
  });
  expect(await world.remove(refused.PhysicalResourceId)).toMatchObject({ Status: 'SUCCESS' });
  expect((await world.create({ PathPatterns: ['/api/a', '/api/b*'] })).Status).toBe('SUCCESS');
});

test('where nothing served the requests the weights are the initial ones', async () => {
  behind({ type: 'fixed-response' });
  expect((await world.create()).Reason).toContain('created with the initial weights 100/0');
  expect(groups()).toEqual([[ARNS.source, 100]]);
});

test('completed, neither the rule nor the guard of the stack is deleted, until its requests go where the listener leads', async () => {
  const { PhysicalResourceId } = await world.create();
  world.shift([ARNS.target, 100]);
  const reason = `'Rule' must not be deleted while its requests would be served otherwise, got '${OLD}' instead of '${ARNS.target}'`;
  for (const delete_ of [() => world.remove(PhysicalResourceId), () => world.removeGuard()]) {
    const answer = await delete_();
    expect(answer).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining(reason) as string });
  }
  expect(groups()).toEqual([[ARNS.target, 100]]);
  // Left: the listener leads to the new backend, and so does the rule.
  behind(forward([OLD, 1]));
  world.shift([OLD, 100]);
  expect((await world.removeGuard()).Status).toBe('SUCCESS');
  expect((await world.remove(PhysicalResourceId)).Status).toBe('SUCCESS');
});

test('with all on the source it is deleted while the group of before serves, and not when it is dead', async () => {
  const { PhysicalResourceId } = await world.create();
  world.shift([ARNS.source, 100]);
  for (const target of world.aws.elbModel.targetGroup(OLD).targets.values()) target.state = 'unhealthy';
  expect(await world.removeGuard()).toMatchObject({
    Status: 'FAILED',
    Reason: expect.stringContaining(`got '${OLD}' without a healthy target`) as string,
  });
  for (const target of world.aws.elbModel.targetGroup(OLD).targets.values()) target.state = 'healthy';
  expect((await world.removeGuard()).Status).toBe('SUCCESS');
  expect((await world.remove(PhysicalResourceId)).Status).toBe('SUCCESS');
});

test('the guard refuses under the lock, too, and a rule that is gone is no reason', async () => {
  await storePort('store').acquire(begin('move-1', '2026-01-01T00:00:00.000Z', parsePlan({})));
  expect(await world.removeGuard()).toMatchObject({
    Status: 'FAILED',
    Reason: expect.stringContaining('move-1') as string,
  });
  await storePort('store').release('move-1');
  expect((await world.removeGuard()).Status).toBe('SUCCESS');
});
