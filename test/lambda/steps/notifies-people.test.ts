import { CutoverRun, rollBack } from '../../../core/cutover/run';
import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { lock } from '../../../lambda/steps/lock';
import { record } from '../../../lambda/steps/record';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud } from '../world';

const started = (input: unknown, execution = 'night') => ({
  input,
  execution,
  startedAt: '2026-01-01T00:00:00.000Z',
  defaultPlan: {},
});

async function shifted(cloud: MemoryCloud): Promise<CutoverRun> {
  return shift(cloud.ready(), cloud.ports, cloud.nowMs);
}

test('a start is reported', async () => {
  const cloud = new MemoryCloud();
  await lock(started({}), cloud.ports, cloud.nowMs);
  expect(cloud.kindsNotified).toEqual(['started']);
});

test.each<[string, unknown, string]>([
  ['a plan that breaks a rule', { plan: { stages: [] } }, "PlanInvalid: 'stages' must be"],
  ['a lock that another holds', {}, "LockHeld: held by 'other'"],
])('a start that fails is reported, with the reason: %s', async (_, input, reason) => {
  const cloud = new MemoryCloud();
  cloud.lock = { ...cloud.ready(), execution: 'other' };
  await expect(lock(started(input), cloud.ports, cloud.nowMs)).rejects.toBeDefined();
  expect(cloud.kindsNotified).toEqual(['notStarted']);
  expect(cloud.notified[0]?.text).toContain(`Why: ${reason}`);
});

test('a start that is tried again is reported when it has ended, by the call that puts back what an execution left', async () => {
  const cloud = new MemoryCloud();
  cloud.away.add('store');
  await expect(lock(started({}), cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'AwsUnavailable' });
  expect(cloud.kindsNotified).toEqual([]);
  cloud.away.clear();
  const ended = (cause?: object) => ({
    detail: { name: 'night', status: 'FAILED', error: 'NotStarted', cause: cause && JSON.stringify(cause) },
  });
  // Lock itself has told of this one.
  await recover(ended({ errorType: 'LockHeld', errorMessage: 'held' }), cloud.ports, cloud.nowMs);
  expect(cloud.kindsNotified).toEqual([]);
  await recover(ended({ errorType: 'AwsUnavailable', errorMessage: 'S3 must respond' }), cloud.ports, cloud.nowMs);
  expect(cloud.kindsNotified).toEqual(['notStarted']);
  expect(cloud.notified[0]?.text).toContain('Why: AwsUnavailable: S3 must respond');
  await recover(ended(), cloud.ports, cloud.nowMs);
  expect(cloud.notified[1]?.text).toContain("'Lock' must end, got no cause");
});

test('a shift is reported once it reads back, and not before', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  cloud.staleForward = { groups: [], stickiness: { enabled: false, seconds: 0 } };
  await confirm(run, cloud.ports, cloud.nowMs);
  expect(cloud.kindsNotified).toEqual([]);
  cloud.staleForward = undefined;
  await confirm(run, cloud.ports, cloud.nowMs);
  expect(cloud.notified.map(({ detail }) => [detail.kind, detail.weights])).toEqual([
    ['shifted', { source: 90, target: 10 }],
  ]);
});

test('the rollback is reported when the weights are set, once, and again at its end', async () => {
  const cloud = new MemoryCloud();
  const run = rollBack(await shifted(cloud), 'BreakerTripped', 'as told');
  const intended = run.intended;
  cloud.staleForward = intended;
  const waiting = await rollback(run, cloud.ports, cloud.nowMs);
  expect(cloud.kindsNotified).toEqual(['rollingBack']);
  expect(cloud.calls).toContain('set arn:source=100');
  cloud.staleForward = undefined;
  const restored = await rollback(waiting, cloud.ports, cloud.nowMs);
  await record(restored, cloud.ports, cloud.nowMs);
  expect(cloud.kindsNotified).toEqual(['rollingBack', 'rolledBack']);
  expect(cloud.notified[1]?.text).toContain('Why: BreakerTripped: as told');
});

test.each<[string, (run: CutoverRun) => CutoverRun, string]>([
  ['refused', (run) => ({ ...run, initial: undefined }), 'refused'],
  ['failed', (run) => run, 'failed'],
])('an end as %s is reported', async (_, change, kind) => {
  const cloud = new MemoryCloud();
  await record({ ...change(cloud.ready()), error: { Error: 'X', Cause: 'y' } }, cloud.ports, cloud.nowMs);
  expect(cloud.kindsNotified).toEqual([kind]);
  expect(cloud.notified[0]?.text).toContain('Why: X: y');
});

test('a good end is reported when the lock is free', async () => {
  const cloud = new MemoryCloud();
  await complete(cloud.ready(), cloud.ports, cloud.nowMs);
  expect(cloud.kindsNotified).toEqual(['completed']);
  expect(cloud.lock).toBeUndefined();
});

test('the weights in force are a metric: at a shift, at every poll of a bake, and when they are back', async () => {
  const cloud = new MemoryCloud();
  const run = await confirm(await shifted(cloud), cloud.ports, cloud.nowMs);
  await bake(run, cloud.ports, cloud.nowMs);
  await rollback(run, cloud.ports, cloud.nowMs);
  expect(cloud.weighed).toEqual(['90/10', '90/10', '100/0']);
});
