import { begin } from '../../../../core/cutover/run';
import { parsePlan } from '../../../../core/plan/plan';
import { storePort } from '../../../../lambda/adapters/store/store';
import type { CustomResourceEvent } from '../../../../lambda/resources/custom-resource';
import { AwsError } from '../../../../rehearsal/errors/aws-error';
import { ARNS, LocalCloud } from '../../../rehearsal/aws/world';
import { PROPERTIES, RuleSetup, startRuleSetup } from './rule-world';

let ruleSetup: RuleSetup;
let cloud: LocalCloud;
let faults: RuleSetup['faults'];
beforeEach(async () => {
  ruleSetup = await startRuleSetup();
  ({ aws: cloud, faults } = ruleSetup);
});
afterEach(() => ruleSetup.stop());

const ask = (over: Partial<CustomResourceEvent>) => ruleSetup.ask(over);
const create = (over: object = {}, more: Partial<CustomResourceEvent> = {}) => ruleSetup.create(over, more);
const update = (id: string, over: object, from: object = {}) => ruleSetup.update(id, over, from);
const remove = (id: string, over: object = {}) => ruleSetup.remove(id, over);
const rules = () => ruleSetup.rules();
const weights = () =>
  ruleSetup.groups().map(({ arn, weight }) => `${arn === ARNS.source ? 'source' : 'target'} ${weight}`);
const stickiness = () => {
  const action = rules()[0]?.action;
  return action?.type === 'forward' ? action.forward.stickiness : undefined;
};
const shift = (...groups: readonly (readonly [string, number])[]) => ruleSetup.shift(...groups);
const writes = () => cloud.calls.filter(({ action }) => /Rule|Tags/.test(action) && !action.startsWith('Describe'));
const lockBy = (execution: string) =>
  storePort('store').acquire(begin(execution, '2026-01-01T00:00:00.000Z', parsePlan({})));
const lockHolder = async () => (await storePort('store').holder())?.execution;

test('a rule is created with the initial weights, sticky to a side, and is the resource', async () => {
  const response = await create({ HostHeaders: ['shop.example.com'] });
  expect(response).toMatchObject({ Status: 'SUCCESS', Reason: expect.stringContaining('100/0') as string });
  expect(rules().map(({ arn, priority }) => [arn, priority])).toEqual([[response.PhysicalResourceId, 10]]);
  expect(weights()).toEqual(['source 100']);
  expect(stickiness()).toEqual({ enabled: true, durationSeconds: 3600 });
  expect(rules()[0]?.conditions).toEqual([
    expect.objectContaining({ field: 'path-pattern', values: ['/*'] }),
    expect.objectContaining({ field: 'host-header', values: ['shop.example.com'] }),
  ]);
});

test('a repeated creation finds the rule of the first', async () => {
  const { PhysicalResourceId } = await create();
  shift([ARNS.source, 90], [ARNS.target, 10]);
  expect(await create()).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId });
  expect(rules()).toHaveLength(1);
});

test('a creation whose response was lost is repeated, and ends with the one rule', async () => {
  const set = cloud.elbModel.rules.set.bind(cloud.elbModel.rules);
  const unwell = new AwsError('ServiceUnavailable', 'later', 503);
  cloud.elbModel.rules.set = (...rule) => {
    cloud.elbModel.rules.set = set;
    set(...rule);
    // Made with its tags, and the response is another one.
    const tags = cloud.elbModel.tags.set.bind(cloud.elbModel.tags);
    cloud.elbModel.tags.set = (...given) => {
      tags(...given);
      cloud.elbModel.tags.set = tags;
      throw unwell;
    };
    return cloud.elbModel.rules;
  };
  const response = await create();
  expect(response).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId: rules()[0]?.arn });
  expect(cloud.calls.filter(({ action }) => action === 'CreateRule')).toHaveLength(2);
  expect(rules()).toHaveLength(1);
});

test('a rule of another resource is not taken for its own', async () => {
  await create();
  const response = await create({}, { LogicalResourceId: 'Other' });
  expect(response.Status).toBe('FAILED');
  expect(response.PhysicalResourceId).toBe('Other-not-created');
  expect(rules()).toHaveLength(1);
});

test.each<[string, object, () => unknown, unknown]>([
  ['the stickiness', { StickinessSeconds: '60' }, () => stickiness()?.durationSeconds, 60],
  ['the priority', { Priority: '20' }, () => rules()[0]?.priority, 20],
  ['the paths', { PathPatterns: ['/a', '/b'] }, () => rules()[0]?.conditions[0]?.values, ['/a', '/b']],
  ['the initial weights', { InitialWeights: { Source: '0', Target: '1' } }, () => writes(), []],
])('an update of %s leaves the weights as they are at that moment', async (_, change, read, expected) => {
  const { PhysicalResourceId } = await create();
  shift([ARNS.source, 70], [ARNS.target, 30]);
  const action = rules()[0]?.action;
  if (action?.type === 'forward') Object.assign(action.forward.stickiness, { enabled: true, durationSeconds: 3600 });
  cloud.calls.length = 0;
  expect(await update(PhysicalResourceId, change)).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId });
  expect(read()).toEqual(expected);
  expect(weights()).toEqual(['source 70', 'target 30']);
  expect(await lockHolder()).toBeUndefined();
});

test('while a cutover holds the lock an update is rejected, the rollback succeeds, and neither writes', async () => {
  const { PhysicalResourceId } = await create();
  shift([ARNS.source, 70], [ARNS.target, 30]);
  await lockBy('move-1');
  cloud.calls.length = 0;
  const refused = await update(PhysicalResourceId, { StickinessSeconds: '60' });
  expect(refused).toMatchObject({ Status: 'FAILED', PhysicalResourceId });
  expect(refused.Reason).toContain("held by 'move-1' since 2026-01-01T00:00:00.000Z");
  expect(await update(PhysicalResourceId, {}, { StickinessSeconds: '60' })).toMatchObject({ Status: 'SUCCESS' });
  expect(writes()).toEqual([]);
  expect(await lockHolder()).toBe('move-1');
});

test('a cutover cannot begin between the check and the write', async () => {
  const { PhysicalResourceId } = await create();
  let holder: string | undefined;
  const held = cloud.elbModel.rule.bind(cloud.elbModel);
  cloud.elbModel.rule = (arn) => {
    const lock = cloud.objects.find('store', 'lock.json');
    if (lock) holder ??= (JSON.parse(String(lock.body)) as { execution: string }).execution;
    return held(arn);
  };
  await update(PhysicalResourceId, { StickinessSeconds: '60' });
  expect(holder).toMatch(/^deploy-request-/);
  expect(await lockHolder()).toBeUndefined();
});

test('another listener gets a rule with the weights in force; then the old one is deleted', async () => {
  const old = await create();
  shift([ARNS.source, 70], [ARNS.target, 30]);
  const there = { ListenerArn: ARNS.smokeListener };
  const next = await update(old.PhysicalResourceId, there);
  expect(next.Status).toBe('SUCCESS');
  expect(next.PhysicalResourceId).not.toBe(old.PhysicalResourceId);
  const action = cloud.elbModel.rule(next.PhysicalResourceId).actions[0];
  expect(action?.type === 'forward' && action.forward.targetGroups.map(({ weight }) => weight)).toEqual([70, 30]);
  expect(await remove(old.PhysicalResourceId)).toMatchObject({ Status: 'SUCCESS' });
  expect(rules()).toEqual([]);
  expect(cloud.elbModel.rules.has(next.PhysicalResourceId)).toBe(true);
});

test('the rollback from another listener finds the old rule', async () => {
  const old = await create();
  const there = { ListenerArn: ARNS.smokeListener };
  const next = await update(old.PhysicalResourceId, there);
  expect(await update(next.PhysicalResourceId, {}, there)).toMatchObject({
    Status: 'SUCCESS',
    PhysicalResourceId: old.PhysicalResourceId,
  });
  await remove(next.PhysicalResourceId, there);
  expect(rules().map(({ arn }) => arn)).toEqual([old.PhysicalResourceId]);
});

test('a deletion deletes, and again succeeds; also when listener and store are gone', async () => {
  const { PhysicalResourceId } = await create();
  expect(await remove(PhysicalResourceId)).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId });
  expect(rules()).toEqual([]);
  const gone = { ListenerArn: `${ARNS.listener}0`, StoreBucket: 'no-such-store' };
  expect(await remove(PhysicalResourceId, gone)).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId });
  expect(await remove('Rule-not-created', gone)).toMatchObject({ Status: 'SUCCESS' });
});

test('a deletion with a store that is gone still deletes', async () => {
  const { PhysicalResourceId } = await create();
  expect(await remove(PhysicalResourceId, { StoreBucket: 'no-such-store' })).toMatchObject({ Status: 'SUCCESS' });
  expect(rules()).toEqual([]);
});

test('a rule whose creation never got a response is deleted by its tags', async () => {
  await create();
  expect(await remove('an id that CloudFormation made up')).toMatchObject({ Status: 'SUCCESS' });
  expect(rules()).toEqual([]);
});

test('a deletion is rejected while a cutover holds the lock', async () => {
  const { PhysicalResourceId } = await create();
  await lockBy('move-1');
  const response = await remove(PhysicalResourceId);
  expect(response).toMatchObject({ Status: 'FAILED', PhysicalResourceId });
  expect(response.Reason).toContain("'Rule' must not be deleted while the lock is held, got one held by 'move-1'");
  expect(rules()).toHaveLength(1);
});

test('the rule of a listener that was replaced is deleted, although a cutover of the new one has begun', async () => {
  const old = await create();
  await update(old.PhysicalResourceId, { ListenerArn: ARNS.smokeListener });
  const run = begin('move-1', '2026-01-01T00:00:00.000Z', parsePlan({}));
  const watching = (arn: string) => ({
    ...run,
    initial: { stickiness: { enabled: false, seconds: 0 }, others: { [arn]: '' }, ownDigest: '' },
  });
  await storePort('store').acquire(watching(ARNS.defaultRule));
  expect((await remove(old.PhysicalResourceId)).Status).toBe('FAILED');
  await storePort('store').save(watching(ARNS.smokeRule));
  expect((await remove(old.PhysicalResourceId)).Status).toBe('SUCCESS');
  expect(rules()).toEqual([]);
  expect(await lockHolder()).toBe('move-1');
});

test('a rejected creation leaves nothing, and its deletion succeeds under the lock', async () => {
  await lockBy('move-1');
  const refused = await create();
  expect(refused.Status).toBe('FAILED');
  expect(await remove(refused.PhysicalResourceId)).toMatchObject({ Status: 'SUCCESS' });
  expect(rules()).toEqual([]);
  expect(await lockHolder()).toBe('move-1');
});

test('an update that failed half-way is finished by the next one, and gives the lock back', async () => {
  const { PhysicalResourceId } = await create();
  faults.set('elasticloadbalancing:SetRulePriorities', new AwsError('AccessDenied', 'not you', 403));
  const change = { Priority: '20', StickinessSeconds: '60' };
  expect(await update(PhysicalResourceId, change)).toMatchObject({ Status: 'FAILED', PhysicalResourceId });
  expect(await lockHolder()).toBeUndefined();
  expect(await update(PhysicalResourceId, {}, change)).toMatchObject({ Status: 'SUCCESS' });
  expect([rules()[0]?.priority, stickiness()?.durationSeconds]).toEqual([10, 3600]);
});

test('an update that failed half-way is not taken for done while a cutover holds the lock', async () => {
  const { PhysicalResourceId } = await create();
  faults.set('elasticloadbalancing:SetRulePriorities', new AwsError('AccessDenied', 'not you', 403));
  const change = { Priority: '20', StickinessSeconds: '60' };
  await update(PhysicalResourceId, change);
  await lockBy('move-1');
  const back = await update(PhysicalResourceId, {}, change);
  expect(back).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining("'move-1'") as string });
  await storePort('store').release('move-1');
  expect(await update(PhysicalResourceId, {}, change)).toMatchObject({ Status: 'SUCCESS' });
  expect(stickiness()?.durationSeconds).toBe(3600);
  await lockBy('move-2');
  expect(await update(PhysicalResourceId, {}, change)).toMatchObject({ Status: 'SUCCESS' });
});

test('the lock of a deployment that was cut short ends by itself, and is taken over', async () => {
  const { PhysicalResourceId } = await create();
  const killed = { ...begin('deploy-old', '2026-01-01T00:00:00.000Z', parsePlan({})) };
  await storePort('store').acquire(Object.assign(killed, { expiresAt: '2099-01-01T00:00:00.000Z' }));
  const refused = await update(PhysicalResourceId, { StickinessSeconds: '60' });
  expect(refused.Reason).toMatch(/held by 'deploy-old' since 2026-01-01T00:00:00.000Z, which ends by itself at \d/);
  await storePort('store').save(Object.assign(killed, { expiresAt: '2026-01-01T00:00:00.000Z' }));
  expect(await update(PhysicalResourceId, { StickinessSeconds: '60' })).toMatchObject({ Status: 'SUCCESS' });
  expect(await lockHolder()).toBeUndefined();
});

test('a listener with traffic gets the rule only when the groups with weight have a healthy target', async () => {
  const joining = { RequiresTargets: 'true', InitialWeights: { Source: '1', Target: '1' } };
  const health = (state: string) => {
    for (const arn of [ARNS.source, ARNS.target]) {
      for (const target of cloud.elbModel.targetGroup(arn).targets.values()) Object.assign(target, { state });
    }
  };
  health('unhealthy');
  const refused = await create(joining);
  expect(refused).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining('healthy targets') as string });
  expect(rules()).toEqual([]);
  expect((await remove(refused.PhysicalResourceId)).Status).toBe('SUCCESS');
  health('healthy');
  expect((await create(joining)).Status).toBe('SUCCESS');
});

test('before the services are updated, the replacement of a group that serves is rejected; the rollback is not', async () => {
  await create();
  const withLock = { ...PROPERTIES, RuleName: 'Rule' };
  const replaced = { ...withLock, SourceGroupArn: `${ARNS.source}0` };
  const guard = { ResourceType: 'Custom::DrainshiftGroupGuard', LogicalResourceId: 'Groups' };
  const made = await ask({ ...guard, ResourceProperties: withLock });
  const updateGuard = (from: object, to: object) =>
    ask({
      ...guard,
      RequestType: 'Update',
      PhysicalResourceId: made.PhysicalResourceId,
      ResourceProperties: to,
      OldResourceProperties: from,
    });
  for (const target of cloud.elbModel.targetGroup(ARNS.source).targets.values())
    Object.assign(target, { state: 'healthy' });
  expect(await updateGuard(withLock, replaced)).toMatchObject({
    Status: 'FAILED',
    Reason: `'Rule' must have no weight on a group that is replaced, got some on '${ARNS.source}'; give the other side all of the weight first`,
  });
  expect(await updateGuard(replaced, withLock)).toMatchObject({ Status: 'SUCCESS' });
  shift([ARNS.target, 1]);
  expect(await updateGuard(withLock, replaced)).toMatchObject({ Status: 'SUCCESS' });
});

test('a deletion is rejected first by the guard', async () => {
  const guard = {
    ResourceType: 'Custom::DrainshiftGuard',
    RequestType: 'Delete',
    PhysicalResourceId: 'Guard',
  } as const;
  await lockBy('move-1');
  expect(await ask(guard)).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining("'move-1'") as string });
  await storePort('store').release('move-1');
  expect((await ask(guard)).Status).toBe('SUCCESS');
});

test('a throttled call is repeated until it succeeds', async () => {
  cloud.endpoint.faults.set({ action: 'CreateRule' }, { kind: 'throttle' }, { times: 2 });
  expect(await create()).toMatchObject({ Status: 'SUCCESS' });
});

test('properties that cannot be read are reported as a failure', async () => {
  expect(await create({ StoreBucket: undefined })).toMatchObject({
    Status: 'FAILED',
    Reason: "'StoreBucket' must be a text, got undefined",
  });
  expect(await create({ Priority: 'first' })).toMatchObject({
    Status: 'FAILED',
    Reason: '\'Priority\' must be an integer from 1 to 50000, got "first"',
  });
});
