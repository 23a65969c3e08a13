import { judged } from '../../../lambda/step/observe';
import { confirm } from '../../../lambda/steps/confirm';
import { shift } from '../../../lambda/steps/shift';
import { MemoryWorld } from '../world';

const PLAN = { stages: [{ weights: { source: 1, target: 1 } }, { weights: { source: 0, target: 1 } }] };

test('one answer of an API that has not caught up sends no cutover back', async () => {
  const world = new MemoryWorld();
  const before = world.forward;
  const run = await confirm(await shift(world.ready(PLAN), world.ports, world.nowMs), world.ports, world.nowMs);
  const stale = () => {
    world.staleForward = before;
    world.whilePausing = () => (world.staleForward = undefined);
  };
  stale();
  const step = judged(async (given) => ({ ...given, verdict: 'go' }), { isConfirmed: true });
  const looked = await step(run, world.ports, world.nowMs);
  expect(looked.verdict).toBe('go');
  stale();
  expect((await shift(run, world.ports, world.nowMs)).verdict).toBe('go');
});
