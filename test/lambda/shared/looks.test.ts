import { CutoverRun, rollBack } from '../../../core/cutover/run';
import { keepLook } from '../../../core/cutover/looks';
import { NO_COUNTS } from '../../../core/judge/tally';
import { beginWatch } from '../../../core/judge/watch';
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
  errorsFrom = Infinity,
  blindFrom = Infinity,
  blindUntil = 0,
}: {
  takes?: number;
  waitSeconds?: number;
  until?: number;
  timeLeft?: number;
  isShifted?: boolean;
  /** From this second on each look sees errors of the target. */
  errorsFrom?: number;
  /** From this second on the store does not respond. */
  blindFrom?: number;
  /** Until this second no look can read the store. */
  blindUntil?: number;
} = {}): Promise<{ at: number[]; run: CutoverRun; written: MemoryCloud['looks'] }> {
  const cloud = new MemoryCloud();
  const beganMs = cloud.nowMs;
  const at: number[] = [];
  let errors = 0;
  const act: Act<CutoverRun, CutoverRun> = (run, _, nowMs) => {
    const second = (nowMs - beganMs) / 1000;
    at.push(second);
    cloud.nowMs += takes * 1000;
    if (second >= until) return Promise.resolve(rollBack(run, 'BreakerTripped', 'errors'));
    errors += second >= errorsFrom ? 5 : 0;
    const counts = {
      source: { ...NO_COUNTS, responded: 100 * at.length },
      target: { ...NO_COUNTS, responded: 10 + errors, errors },
    };
    const before = run.watch ?? beginWatch({ source: [], target: [] }, nowMs);
    const sample = { ...counts, smoked: { source: 0, target: 0 }, pending: { source: 0, target: 0 }, atMs: nowMs };
    const blindSinceMs = second >= blindFrom || second < blindUntil ? { store: nowMs } : {};
    const watch = { ...before, blindSinceMs, samples: [...before.samples, sample] };
    const seen = keepLook(run, { kind: 'restart', at: nowMs });
    return Promise.resolve({ ...seen, watch, verdict: 'wait', waitSeconds });
  };
  const stage = isShifted ? { stage: { index: 0, shiftedAtMs: beganMs } } : {};
  const given = { ...cloud.ready(), ...stage };
  const leftMs = () => timeLeft * 1000 - (cloud.nowMs - beganMs);
  const run = await withTimeLeft(leftMs, () => lookOften(act)(given, cloud.ports, cloud.nowMs));
  return { at, run, written: cloud.looks };
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
  const { at, run } = await watchLooks({ waitSeconds: 600 });
  expect(at.at(-1)).toBe(LOOKING_SECONDS - 2);
  expect(run.waitSeconds).toBe(600 - (LOOKING_SECONDS - 2));
});

test('a wait of a minute has no gap in which nothing checks', async () => {
  const { at, run } = await watchLooks({ waitSeconds: 60 });
  expect([at.length, at.at(-1), run.waitSeconds]).toEqual([30, 58, 2]);
  // Errors late in the wait are not left to the next invocation either.
  expect((await watchLooks({ waitSeconds: 60, errorsFrom: 50, until: 51 })).at.slice(-4)).toEqual([48, 50, 50.5, 51]);
});

test('a check that could not read the lock is the last one after a while: the lock may be of another by then', async () => {
  expect((await watchLooks({ waitSeconds: 78, blindFrom: 0 })).at.at(-1)).toBe(20);
  expect((await watchLooks({ waitSeconds: 78, blindFrom: 50 })).at.at(-1)).toBe(50);
});

test('its records are written down as it checks, so that none has to go', async () => {
  const { written, run } = await watchLooks({ waitSeconds: 120 });
  expect(written.map((records) => records.length)).toEqual([20, 10]);
  expect(run.looks).toMatchObject({ records: [], written: 2, lost: 0 });
});

test('no check starts that the time of the function would cut short', async () => {
  expect((await watchLooks({ timeLeft: 33 })).at).toEqual([0, 2, 4]);
  expect((await watchLooks({ timeLeft: 29 })).at).toEqual([0]);
});

test('a check that saw errors of the target alone is followed by the next one soon, and is not left to the next invocation', async () => {
  expect((await watchLooks({ errorsFrom: 4, until: 5 })).at).toEqual([0, 2, 4, 4.5, 5]);
  expect((await watchLooks({ errorsFrom: 0, until: 1, waitSeconds: 1 })).at).toEqual([0, 0.5, 1]);
  // Never without a pause as long as itself, and not for ever.
  expect((await watchLooks({ errorsFrom: 0, takes: 1, until: 4 })).at).toEqual([0, 2, 4]);
  expect((await watchLooks({ errorsFrom: 0 })).at.at(-1)).toBeLessThan(LOOKING_SECONDS);
});

test('what a check could not read is asked for again at once, however rarely the step checks', async () => {
  expect((await watchLooks({ blindUntil: 3, waitSeconds: 1 })).at).toEqual([0, 2, 4]);
  expect((await watchLooks({ blindUntil: 1_000, waitSeconds: 1 })).at.at(-1)).toBe(18);
});

test('a step that waits as briefly checks once, and so does one before anything has moved', async () => {
  expect((await watchLooks({ waitSeconds: 2 })).at).toEqual([0]);
  expect((await watchLooks({ isShifted: false })).at).toEqual([0]);
});
