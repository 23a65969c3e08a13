import { CutoverRun, retreat } from '../../../core/cutover/run';
import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { lock } from '../../../lambda/steps/lock';
import { record } from '../../../lambda/steps/record';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { MemoryWorld } from '../world';

const started = (input: unknown, execution = 'night') => ({
  input,
  execution,
  startedAt: '2026-01-01T00:00:00.000Z',
  defaultPlan: {},
});

async function shifted(world: MemoryWorld): Promise<CutoverRun> {
  return shift(world.ready(), world.ports, world.nowMs);
}

test('a start is told', async () => {
  const world = new MemoryWorld();
  await lock(started({}), world.ports, world.nowMs);
  expect(world.kindsTold).toEqual(['started']);
});

test.each<[string, unknown, string]>([
  ['a plan that breaks a rule', { plan: { stages: [] } }, "PlanInvalid: 'stages' must be"],
  ['a lock that another holds', {}, "LockHeld: held by 'other'"],
])('a start that fails is told, with the reason: %s', async (_, input, reason) => {
  const world = new MemoryWorld();
  world.lock = { ...world.ready(), execution: 'other' };
  await expect(lock(started(input), world.ports, world.nowMs)).rejects.toBeDefined();
  expect(world.kindsTold).toEqual(['notStarted']);
  expect(world.told[0]?.text).toContain(`Why: ${reason}`);
});

test('a shift is told once it reads back, and not before', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  world.staleForward = { groups: [], stickiness: { enabled: false, seconds: 0 } };
  await confirm(run, world.ports, world.nowMs);
  expect(world.kindsTold).toEqual([]);
  world.staleForward = undefined;
  await confirm(run, world.ports, world.nowMs);
  expect(world.told.map(({ detail }) => [detail.kind, detail.weights])).toEqual([
    ['shifted', { source: 90, target: 10 }],
  ]);
});

test('the way back is told when the weights are set, once, and again at its end', async () => {
  const world = new MemoryWorld();
  const run = retreat(await shifted(world), 'BreakerTripped', 'as told');
  const intended = run.intended;
  world.staleForward = intended;
  const waiting = await rollback(run, world.ports, world.nowMs);
  expect(world.kindsTold).toEqual(['rollingBack']);
  expect(world.calls).toContain('set arn:source=100');
  world.staleForward = undefined;
  const restored = await rollback(waiting, world.ports, world.nowMs);
  await record(restored, world.ports, world.nowMs);
  expect(world.kindsTold).toEqual(['rollingBack', 'rolledBack']);
  expect(world.told[1]?.text).toContain('Why: BreakerTripped: as told');
});

test.each<[string, (run: CutoverRun) => CutoverRun, string]>([
  ['refused', (run) => ({ ...run, initial: undefined }), 'refused'],
  ['failed', (run) => run, 'failed'],
])('an end as %s is told', async (_, change, kind) => {
  const world = new MemoryWorld();
  await record({ ...change(world.ready()), error: { Error: 'X', Cause: 'y' } }, world.ports, world.nowMs);
  expect(world.kindsTold).toEqual([kind]);
  expect(world.told[0]?.text).toContain('Why: X: y');
});

test('a good end is told when the lock is free', async () => {
  const world = new MemoryWorld();
  await complete(world.ready(), world.ports, world.nowMs);
  expect(world.kindsTold).toEqual(['completed']);
  expect(world.lock).toBeUndefined();
});

test('the weights in force are a metric: at a shift, at every look of a bake, and when they are back', async () => {
  const world = new MemoryWorld();
  const run = await confirm(await shifted(world), world.ports, world.nowMs);
  await bake(run, world.ports, world.nowMs);
  await rollback(run, world.ports, world.nowMs);
  expect(world.weighed).toEqual(['90/10', '90/10', '100/0']);
});
