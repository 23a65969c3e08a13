import { CaptureReport, NO_CAPTURE } from '../../../core/capture/capture-report';
import type { CutoverRun } from '../../../core/cutover/run';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud, report } from '../world';

const PLAN = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
  ],
  capture: { maxPendingSeconds: 30 },
};

function says(cloud: MemoryCloud, capture: Partial<CaptureReport> | undefined): void {
  cloud.tasks.source = [{ ...report('s1'), ...(capture && { capture: { ...NO_CAPTURE, ...capture } }) }];
}

const fresh = (cloud: MemoryCloud, plan: object = PLAN) =>
  ({ ...cloud.ready(plan), initial: undefined }) as unknown as CutoverRun;

test('preflight rejects a source that records nothing, or not all, and a cutover that does not ask goes on', async () => {
  const cloud = new MemoryCloud();
  const look = (plan?: object) => preflight(fresh(cloud, plan), cloud.ports, cloud.nowMs);
  await expect(look()).rejects.toMatchObject({
    code: 'CaptureIncomplete',
    message: expect.stringContaining('got none') as string,
  });
  says(cloud, { unrecorded: 1 });
  await expect(look()).rejects.toMatchObject({
    code: 'CaptureIncomplete',
    message: expect.stringContaining('got 1') as string,
  });
  says(cloud, { pendingMs: 31_000 });
  await expect(look()).rejects.toMatchObject({
    code: 'CaptureIncomplete',
    message: expect.stringContaining('got 31 s') as string,
  });
  says(cloud, { recorded: 9, refused: 3 });
  expect(await look()).toMatchObject({ verdict: 'go' });
  says(cloud, { unrecorded: 1 });
  expect(await look({ ...PLAN, capture: undefined })).toMatchObject({ verdict: 'go' });
});

/** Before its second stage. */
async function afterStage(cloud: MemoryCloud): Promise<CutoverRun> {
  says(cloud, {});
  return confirm(await shift(cloud.ready(PLAN), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
}

test('a further stage rolls back for a request without a record', async () => {
  const cloud = new MemoryCloud();
  const run = await afterStage(cloud);
  says(cloud, { unrecorded: 2 });
  const next = await shift(run, cloud.ports, cloud.nowMs);
  expect(next).toMatchObject({ verdict: 'rollBack', failure: { code: 'CaptureIncomplete' } });
  expect(cloud.forward.groups.map(({ weight }) => weight)).toEqual([50, 50]);
});

test('a further stage waits while records are late, and goes on when they are written; not for more than an hour', async () => {
  const cloud = new MemoryCloud();
  const run = await afterStage(cloud);
  says(cloud, { isFailing: true });
  const waiting = await shift(run, cloud.ports, cloud.nowMs);
  expect(waiting).toMatchObject({ verdict: 'wait' });
  expect(cloud.forward.groups.map(({ weight }) => weight)).toEqual([50, 50]);
  const hour = cloud.nowMs + 3_600_000;
  expect(await shift(waiting, cloud.ports, hour)).toMatchObject({
    verdict: 'rollBack',
    failure: { code: 'CaptureIncomplete' },
  });
  says(cloud, {});
  expect(await shift(waiting, cloud.ports, cloud.nowMs)).toMatchObject({ verdict: 'go' });
  expect(cloud.forward.groups.at(-1)).toMatchObject({ weight: 100 });
});
