import { CutoverRun } from '../../../core/cutover/run';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { preflight } from '../../../lambda/steps/preflight';
import { record } from '../../../lambda/steps/record';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud, arns, report } from '../world';

async function confirmed(cloud: MemoryCloud): Promise<CutoverRun> {
  return confirm(await shift(cloud.ready(), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
}

test('nothing starts while an alarm is in ALARM, or gone', async () => {
  const cloud = new MemoryCloud();
  cloud.setAlarms('ALARM', '12 datapoints over 5');
  const started = preflight(cloud.ready(), cloud.ports, cloud.nowMs);
  await expect(started).rejects.toMatchObject({ code: 'AlarmRaised' });
  await expect(started).rejects.toThrow("the alarm 'checkout-5xx' must not be in ALARM, got 12 datapoints over 5");
  cloud.alarms = [];
  await expect(preflight(cloud.ready(), cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'AlarmMissing' });
});

test('a poll of a bake that finds an alarm rolls back, and the cause names it', async () => {
  const cloud = new MemoryCloud();
  const run = await confirmed(cloud);
  cloud.setAlarms('ALARM', '12 datapoints over 5');
  const looked = await bake(run, cloud.ports, cloud.nowMs);
  expect(looked).toMatchObject({ verdict: 'rollBack', failure: { code: 'AlarmRaised' } });
  const restored = await rollback(looked, cloud.ports, cloud.nowMs);
  expect(cloud.forward.groups).toEqual([{ arn: arns.source, weight: 100 }]);
  expect((await record(restored, cloud.ports, cloud.nowMs)).cause).toBe(
    "AlarmRaised: the alarm 'checkout-5xx' must not be in ALARM, got 12 datapoints over 5",
  );
});

test.each([
  ['shift', shift],
  ['drain', drain],
])('a %s that finds an alarm touches nothing', async (_, step) => {
  const cloud = new MemoryCloud();
  const run = await confirmed(cloud);
  const calls = [...cloud.calls];
  cloud.setAlarms('ALARM');
  expect((await step(run, cloud.ports, cloud.nowMs)).verdict).toBe('rollBack');
  expect(cloud.calls).toEqual(calls);
});

test('an alarm without data blocks nothing', async () => {
  const cloud = new MemoryCloud();
  cloud.setAlarms('INSUFFICIENT_DATA');
  await expect(preflight(cloud.ready(), cloud.ports, cloud.nowMs)).resolves.toMatchObject({ verdict: 'go' });
  expect((await bake(await confirmed(cloud), cloud.ports, cloud.nowMs)).verdict).toBe('wait');
});

test('alarms that cannot be read are no permission: nothing is promoted, and in the end it rolls back', async () => {
  const cloud = new MemoryCloud();
  const run = await confirmed(cloud);
  cloud.tasks.target = [report('t1', { total: 5000 })];
  cloud.away.add('alarms');
  const blind = await bake(run, cloud.ports, cloud.nowMs + 301_000);
  expect(blind.verdict).toBe('wait');
  const late = await bake(blind, cloud.ports, cloud.nowMs + 602_000);
  expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'AwsUnavailable' } });
  expect(late.failure?.message).toContain('the alarms must be readable within 300 s');
});
