import { Act } from '../../../lambda/shared/step';
import { approve, approveWatched } from '../../../lambda/steps/approve';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { CutoverRun } from '../../../core/cutover/run';
import { MemoryCloud } from '../world';

/** The run after its first shift is confirmed, and the cloud that it is in. */
async function confirmed(plan: unknown = {}): Promise<{ cloud: MemoryCloud; run: CutoverRun }> {
  const cloud = new MemoryCloud();
  const run = await shift(cloud.ready(plan), cloud.ports, cloud.nowMs);
  return { cloud, run: await confirm(run, cloud.ports, cloud.nowMs) };
}

test.each<[string, Act<CutoverRun, CutoverRun>, Partial<CutoverRun>, string]>([
  ['a bake without a stage', bake, { stage: undefined }, "'bake' must follow a confirmed shift, got none"],
  [
    'a bake of a stage that is not confirmed',
    bake,
    { stage: { index: 0, shiftedAtMs: 0 } },
    "'bake' must follow a confirmed shift, got none",
  ],
  [
    'a bake of a stage that the plan does not have',
    bake,
    { stage: { index: 9, shiftedAtMs: 0, confirmedAtMs: 0 } },
    "'bake' must follow a confirmed shift, got none",
  ],
  ['a read-back without a stage', confirm, { stage: undefined }, "'confirm' must follow a shift, got none"],
  ['a read-back of nothing', confirm, { intended: undefined }, "'confirm' must follow a shift, got none"],
  [
    'a shift beyond the last stage',
    shift,
    { stage: { index: 3, shiftedAtMs: 0 } },
    "'stage' must be one of the plan's 4, after preflight, got 4",
  ],
  [
    'a shift without a preflight',
    shift,
    { stage: undefined, initial: undefined },
    "'stage' must be one of the plan's 4, after preflight, got 0",
  ],
  ['a rollback without a preflight', rollback, { initial: undefined }, "'rollback' must follow a preflight, got none"],
  ['an approval that no plan asks for', approve, {}, "'approve' must come before a gate of the plan, got none"],
  [
    'an approval before anything moved that no plan asks for',
    approveWatched,
    { stage: undefined },
    "'approve' must come before a gate of the plan, got none",
  ],
])('%s says what is missing, and touches nothing', async (_, step, over, message) => {
  const { cloud, run } = await confirmed();
  const calls = [...cloud.calls];
  await expect(step({ ...run, ...over }, cloud.ports, cloud.nowMs)).rejects.toThrow(new Error(message));
  expect(cloud.calls).toEqual(calls);
});
