import { judged } from '../../../lambda/shared/observe';
import { confirm } from '../../../lambda/steps/confirm';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud } from '../world';

const PLAN = { stages: [{ weights: { source: 1, target: 1 } }, { weights: { source: 0, target: 1 } }] };

test('one response of an API that has not caught up sends no cutover back', async () => {
  const cloud = new MemoryCloud();
  const before = cloud.forward;
  const run = await confirm(await shift(cloud.ready(PLAN), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  const stale = () => {
    cloud.staleForward = before;
    cloud.whilePausing = () => (cloud.staleForward = undefined);
  };
  stale();
  const step = judged(async (given) => ({ ...given, verdict: 'go' }), { isConfirmed: true, resume: 'confirmed' });
  const looked = await step(run, cloud.ports, cloud.nowMs);
  expect(looked.verdict).toBe('go');
  stale();
  expect((await shift(run, cloud.ports, cloud.nowMs)).verdict).toBe('go');
});
