import { CutoverRun } from '../../../core/cutover';
import { vetoed } from '../../../lambda/step';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { preflight } from '../../../lambda/steps/preflight';
import { record } from '../../../lambda/steps/record';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { MemoryWorld, arns } from '../world';

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
  const looked = await vetoed(bake)(run, world.ports, world.nowMs);
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
  expect((await vetoed(step)(run, world.ports, world.nowMs)).verdict).toBe('rollBack');
  expect(world.calls).toEqual(calls);
});

test('an alarm without data forbids nothing', async () => {
  const world = new MemoryWorld();
  world.setAlarms('INSUFFICIENT_DATA');
  await expect(preflight(world.ready(), world.ports, world.nowMs)).resolves.toMatchObject({ verdict: 'go' });
  expect((await vetoed(bake)(await confirmed(world), world.ports, world.nowMs)).verdict).toBe('wait');
});

test('alarms that cannot be read are no permission: the step fails, and is repeated', async () => {
  const world = new MemoryWorld();
  const run = await confirmed(world);
  const ports = { ...world.ports, alarms: { names: ['a'], read: () => Promise.reject(new Error('AccessDenied')) } };
  await expect(vetoed(bake)(run, ports, world.nowMs)).rejects.toThrow('AccessDenied');
});
