import { TargetHealth } from '../../../core/mirror/target-health';

test('after five failures in a row one trial is let through, later and later, until a response comes', () => {
  const health = new TargetHealth();
  for (let at = 0; at < 4; at += 1) health.failed(0, at);
  expect([health.isDown, health.admits(4)]).toEqual([false, true]);
  health.failed(0, 5);
  expect(health.isDown).toBe(true);
  const trials: number[] = [];
  for (let nowMs = 5; nowMs < 100_000; nowMs += 1) if (health.admits(nowMs)) trials.push(nowMs - 5);
  expect(trials).toEqual([1_000, 3_000, 7_000, 15_000, 31_000, 61_000, 91_000]);
  health.responded(100_000);
  expect([health.isDown, health.admits(100_000), health.admits(100_000)]).toEqual([false, true, true]);
});

test('a failure is a difference where others got a response lately or meanwhile, and none of a target that is away', () => {
  const health = new TargetHealth();
  expect(health.failed(0, 10)).toBe(false);
  health.responded(2_000);
  expect(health.failed(1_990, 2_010)).toBe(true);
  expect(health.failed(2_900, 2_910)).toBe(true);
  expect(health.failed(3_500, 3_510)).toBe(false);
});
