import { CutoverRun, rollBack } from '../../../core/cutover/run';
import { LOOKING_SECONDS } from '../../../core/plan/plan';
import { withTimeLeft } from '../../../lambda/contract/time-left';
import { lookOften } from '../../../lambda/shared/looks';
import type { Act } from '../../../lambda/shared/step';
import { MemoryCloud } from '../world';

/** When each look began, in seconds, and what came of it: each takes so long, and the last one has a verdict. */
async function watchLooks({
  takes = 0,
  waitSeconds = 15,
  until = Infinity,
  timeLeft = Infinity,
  isShifted = true,
}: {
  takes?: number;
  waitSeconds?: number;
  until?: number;
  timeLeft?: number;
  isShifted?: boolean;
} = {}): Promise<{ at: number[]; run: CutoverRun }> {
  const cloud = new MemoryCloud();
  const beganMs = cloud.nowMs;
  const at: number[] = [];
  const act: Act<CutoverRun, CutoverRun> = (run, _, nowMs) => {
    const second = (nowMs - beganMs) / 1000;
    at.push(second);
    cloud.nowMs += takes * 1000;
    if (second >= until) return Promise.resolve(rollBack(run, 'BreakerTripped', 'errors'));
    return Promise.resolve({ ...run, verdict: 'wait', waitSeconds });
  };
  const stage = isShifted ? { stage: { index: 0, shiftedAtMs: beganMs } } : {};
  const given = { ...cloud.ready(), ...stage };
  const leftMs = () => timeLeft * 1000 - (cloud.nowMs - beganMs);
  const run = await withTimeLeft(leftMs, () => lookOften(act)(given, cloud.ports, cloud.nowMs));
  return { at, run };
}

test('one invocation checks every two seconds, and leaves the rest of the wait to the state machine', async () => {
  const { at, run } = await watchLooks();
  expect(at).toEqual([0, 2, 4, 6, 8, 10, 12, 14]);
  expect(run).toMatchObject({ verdict: 'wait', waitSeconds: 1 });
});

test('it returns at once when a check has a verdict', async () => {
  const { at, run } = await watchLooks({ until: 5 });
  expect(at).toEqual([0, 2, 4, 6]);
  expect(run).toMatchObject({ verdict: 'rollBack', failure: { code: 'BreakerTripped' } });
});

test('a slow check is followed by the next one after twice its time', async () => {
  expect((await watchLooks({ takes: 3 })).at).toEqual([0, 6, 12]);
});

test('of a long wait it checks for a part, and the waits together are as long', async () => {
  const { at, run } = await watchLooks({ waitSeconds: 120 });
  expect(at.at(-1)).toBe(LOOKING_SECONDS - 2);
  expect(run.waitSeconds).toBe(120 - (LOOKING_SECONDS - 2));
});

test('no check starts that the time of the function would cut short', async () => {
  expect((await watchLooks({ timeLeft: 33 })).at).toEqual([0, 2, 4]);
  expect((await watchLooks({ timeLeft: 29 })).at).toEqual([0]);
});

test('a step that waits as briefly checks once, and so does one before anything has moved', async () => {
  expect((await watchLooks({ waitSeconds: 2 })).at).toEqual([0]);
  expect((await watchLooks({ isShifted: false })).at).toEqual([0]);
});
