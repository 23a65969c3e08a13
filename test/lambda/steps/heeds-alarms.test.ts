import { CutoverRun } from '../../../core/cutover/run';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { preflight } from '../../../lambda/steps/preflight';
import { record } from '../../../lambda/steps/record';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { MemoryWorld, arns, report } from '../world';

async function confirmed(world: MemoryWorld): Promise<CutoverRun> {
  return confirm(await shift(world.ready(), world.ports, world.nowMs), world.ports, world.nowMs);
}

test('nothing starts while an alarm is in ALARM, or gone', async () => {
  const world = new MemoryWorld();
  world.setAlarms('ALARM', '12 datapoints over 5');
  const started = preflight(world.ready(), world.ports, world.nowMs);
  await expect(started).rejects.toMatchObject({ code: 'AlarmRaised' });
  await expect(started).rejects.toThrow("the alarm 'checkout-5xx' must not be in ALARM, got 12 datapoints over 5");
  world.alarms = [];
  await expect(preflight(world.ready(), world.ports, world.nowMs)).rejects.toMatchObject({ code: 'AlarmMissing' });
});

test('a look of a bake that finds an alarm goes back, and the cause names it', async () => {
  const world = new MemoryWorld();
  const run = await confirmed(world);
  world.setAlarms('ALARM', '12 datapoints over 5');
  const looked = await bake(run, world.ports, world.nowMs);
  expect(looked).toMatchObject({ verdict: 'rollBack', failure: { code: 'AlarmRaised' } });
  const restored = await rollback(looked, world.ports, world.nowMs);
  expect(world.forward.groups).toEqual([{ arn: arns.source, weight: 100 }]);
  expect((await record(restored, world.ports, world.nowMs)).cause).toBe(
    "AlarmRaised: the alarm 'checkout-5xx' must not be in ALARM, got 12 datapoints over 5",
  );
});

test.each([
  ['shift', shift],
  ['drain', drain],
])('a %s that finds an alarm touches nothing', async (_, step) => {
  const world = new MemoryWorld();
  const run = await confirmed(world);
  const calls = [...world.calls];
  world.setAlarms('ALARM');
  expect((await step(run, world.ports, world.nowMs)).verdict).toBe('rollBack');
  expect(world.calls).toEqual(calls);
});

test('an alarm without data blocks nothing', async () => {
  const world = new MemoryWorld();
  world.setAlarms('INSUFFICIENT_DATA');
  await expect(preflight(world.ready(), world.ports, world.nowMs)).resolves.toMatchObject({ verdict: 'go' });
  expect((await bake(await confirmed(world), world.ports, world.nowMs)).verdict).toBe('wait');
});

test('alarms that cannot be read are no permission: nothing is promoted, and in the end it rolls back', async () => {
  const world = new MemoryWorld();
  const run = await confirmed(world);
  world.tasks.target = [report('t1', { total: 5000 })];
  world.away.add('alarms');
  const blind = await bake(run, world.ports, world.nowMs + 301_000);
  expect(blind.verdict).toBe('wait');
  const late = await bake(blind, world.ports, world.nowMs + 602_000);
  expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'AwsUnavailable' } });
  expect(late.failure?.message).toContain('the alarms must be readable within 300 s');
});
