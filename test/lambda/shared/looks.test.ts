import { CutoverRun, rollBack } from '../../../core/cutover/run';
import { keepLook } from '../../../core/cutover/looks';
import { CutoverError } from '../../../core/errors/errors';
import { NO_COUNTS } from '../../../core/judge/tally';
import { beginWatch } from '../../../core/judge/watch';
import { MAX_LOOKING_SECONDS } from '../../../core/plan/looking';
import { STEP_SECONDS, findLookingSeconds, grantTask } from '../../../core/cutover/step-limits';
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
  ...granted
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
  /** What the state machine grants. @default - as at the beginning */
  taskSeconds?: number | undefined;
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
  const given = { ...cloud.ready(), ...stage, ...granted };
  if (given.taskSeconds === undefined) delete given.taskSeconds;
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

test('of a long wait the first invocation checks for what it was granted, and the next one for all of it', async () => {
  const first = await watchLooks({ waitSeconds: 600 });
  expect([first.at.at(-1), first.run.waitSeconds]).toEqual([58, 1]);
  const next = await watchLooks({ waitSeconds: 600, taskSeconds: first.run.taskSeconds });
  expect([next.at.length, next.at.at(-1), next.run.waitSeconds]).toEqual([300, 598, 2]);
  expect(findLookingSeconds(next.run)).toBe(600);
  // What follows the wait is not granted as much: one that hangs is to be found soon.
  const promoted = await watchLooks({ waitSeconds: 600, taskSeconds: first.run.taskSeconds, until: 100 });
  expect(promoted.run.taskSeconds).toBe(grantTask(0));
});

test.each([1, 15, 60, 61, 78, 100, 599, MAX_LOOKING_SECONDS])(
  'polls that are %p s apart leave no time in which nothing checks',
  async (waitSeconds) => {
    let taskSeconds: number | undefined = grantTask(0);
    let endedAt = 0;
    const gaps: number[] = [];
    for (let invocation = 0; invocation < 3; invocation += 1) {
      const { at, run } = await watchLooks({ waitSeconds, taskSeconds });
      gaps.push(...at.slice(1).map((second, index) => second - at[index]!));
      taskSeconds = run.taskSeconds;
      endedAt = at.at(-1)!;
      gaps.push(run.waitSeconds);
      expect(endedAt + STEP_SECONDS).toBeLessThanOrEqual(taskSeconds!);
    }
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2);
  },
);

test('an execution that an older version began is granted what it always was', async () => {
  const { at, run } = await watchLooks({ waitSeconds: 600, taskSeconds: undefined });
  expect([at.at(-1), run.waitSeconds]).toEqual([58, 542]);
  expect(run).not.toHaveProperty('taskSeconds');
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
  // The next invocation does not wait for the rest.
  expect((await watchLooks({ waitSeconds: 600, taskSeconds: grantTask(600), blindFrom: 0 })).run.waitSeconds).toBe(15);
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
  expect((await watchLooks({ errorsFrom: 0 })).at.at(-1)).toBeLessThan(60);
});

test('what a check could not read is asked for again at once, however rarely the step checks', async () => {
  expect((await watchLooks({ blindUntil: 3, waitSeconds: 1 })).at).toEqual([0, 2, 4]);
  expect((await watchLooks({ blindUntil: 1_000, waitSeconds: 1 })).at.at(-1)).toBe(18);
});

test('a step that waits as briefly checks once, and so does one before anything has moved', async () => {
  expect((await watchLooks({ waitSeconds: 2 })).at).toEqual([0]);
});

test('before anything has moved it checks for an abort alone, every 15 seconds', async () => {
  expect((await watchLooks({ isShifted: false })).at).toEqual([0]);
  expect((await watchLooks({ isShifted: false, waitSeconds: 60 })).at).toEqual([0, 15, 30, 45]);
});

test('before anything has moved a store that is away ends no wait, and an abort does', async () => {
  const cloud = new MemoryCloud();
  const beganMs = cloud.nowMs;
  const at: number[] = [];
  const act: Act<CutoverRun, CutoverRun> = (run, _, nowMs) => {
    at.push((nowMs - beganMs) / 1000);
    if (at.length === 2 || at.length === 3) throw new CutoverError('AwsUnavailable', 'S3 must respond, got nothing');
    if (at.length === 4) throw new TypeError('fetch failed');
    if (at.length === 6) throw new CutoverError('Aborted', 'an operator asked to stop');
    return Promise.resolve({ ...run, verdict: 'wait', waitSeconds: 600 });
  };
  const given = { ...cloud.ready(), stage: undefined, taskSeconds: grantTask(600) } as unknown as CutoverRun;
  await expect(lookOften(act)(given, cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'Aborted' });
  expect(at).toEqual([0, 15, 30, 45, 60, 75]);
});

test('what cannot be read at the first check is for the state machine to repeat', async () => {
  const cloud = new MemoryCloud();
  const act = () => Promise.reject(new CutoverError('AwsUnavailable', 'S3 must respond, got nothing'));
  await expect(lookOften(act)(cloud.ready(), cloud.ports, cloud.nowMs)).rejects.toMatchObject({
    code: 'AwsUnavailable',
  });
});
