import { firstWindowLooks, windowLooks, windowPollSeconds } from '../../../core/plan/plan';
import { CutoverRun } from '../../../core/cutover/run';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { lookOften } from '../../../lambda/shared/looks';
import { MemoryCloud, arns } from '../world';

const PLAN = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
  ],
  pollSeconds: 5,
  windows: [{ from: '01:00', to: '05:00' }],
};
const later = (cloud: MemoryCloud, seconds: number) => (cloud.nowMs += seconds * 1000);
const HOUR = 3600;

/** The run whose first stage was confirmed at 1 o'clock; then it is so many hours later. */
async function afterStage(cloud: MemoryCloud, hours: number, plan: object = PLAN): Promise<CutoverRun> {
  later(cloud, HOUR);
  const run = await confirm(await shift(cloud.ready(plan), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  later(cloud, hours * HOUR);
  return run;
}

describe('before the first shift', () => {
  const fresh = (cloud: MemoryCloud) => ({ ...cloud.ready(PLAN), initial: undefined }) as unknown as CutoverRun;

  test('everything is checked at once, and again when the window opens', async () => {
    const cloud = new MemoryCloud();
    const waiting = await preflight(fresh(cloud), cloud.ports, cloud.nowMs);
    expect(waiting).toMatchObject({ verdict: 'wait', window: { opensAt: '2026-01-01T01:00:00.000Z' } });
    expect(waiting.waitSeconds).toBeLessThanOrEqual(HOUR);
    expect(waiting.timeline.map(({ state }) => state)).toEqual(['Window', 'Preflight']);
    // What is wrong for a moment meanwhile ends nothing; what is wrong then does.
    cloud.healthy.target = 0;
    const still = await preflight(waiting, cloud.ports, later(cloud, 1800));
    expect(still).toMatchObject({ verdict: 'wait', initial: undefined });
    await expect(preflight(still, cloud.ports, later(cloud, 1800))).rejects.toMatchObject({ code: 'TargetsUnhealthy' });
    cloud.healthy.target = 2;
    expect(await preflight(still, cloud.ports, cloud.nowMs)).toMatchObject({ verdict: 'go' });
  });

  test('an abort is seen within a quarter of a minute in a wait of a week, and the polls of it fit into the history', async () => {
    const cloud = new MemoryCloud();
    const weekly = { ...PLAN, windows: [{ days: ['sun'], from: '01:00', to: '05:00' }] };
    cloud.nowMs = Date.parse('2026-01-04T05:00:00Z');
    const look = lookOften(preflight);
    let run = { ...cloud.ready(weekly), initial: undefined } as unknown as CutoverRun;
    // A part of it.
    const [beganMs, seconds] = [cloud.nowMs, 5_000];
    let polls = 0;
    let longestMs = 0;
    let lastMs = cloud.nowMs;
    // Each look is one for an abort.
    const { abortRequested } = cloud.ports.store;
    const store = {
      ...cloud.ports.store,
      abortRequested: (execution: string) => {
        longestMs = Math.max(longestMs, cloud.nowMs - lastMs);
        lastMs = cloud.nowMs;
        return abortRequested(execution);
      },
    };
    const ports = { ...cloud.ports, store };
    while (cloud.nowMs < beganMs + seconds * 1000) {
      run = await look(run, ports, cloud.nowMs);
      polls += 1;
      if (run.verdict === 'wait') later(cloud, run.waitSeconds);
    }
    const aSecond = firstWindowLooks(run.plan) / (164 * HOUR);
    expect(polls).toBeLessThanOrEqual(seconds * aSecond + 3);
    expect(longestMs).toBeLessThanOrEqual(20_000);
    cloud.aborts.add('night');
    await expect(look(run, ports, cloud.nowMs)).rejects.toMatchObject({ code: 'Aborted' });
  });

  test('an abort is seen while it waits', async () => {
    const cloud = new MemoryCloud();
    const waiting = await preflight(fresh(cloud), cloud.ports, cloud.nowMs);
    cloud.aborts.add('night');
    await expect(preflight(waiting, cloud.ports, later(cloud, 10))).rejects.toMatchObject({ code: 'Aborted' });
  });
});

describe('before a further shift', () => {
  test('both sides are looked at all the time in a wait of days', async () => {
    const cloud = new MemoryCloud();
    const weekly = { ...PLAN, windows: [{ days: ['thu'], from: '01:00', to: '05:00' }] };
    let run = await afterStage(cloud, 4, weekly);
    const { read } = cloud.ports.alarms;
    let [lastMs, longestMs] = [cloud.nowMs, 0];
    const alarms = {
      read: (...asked: Parameters<typeof read>) => {
        longestMs = Math.max(longestMs, cloud.nowMs - lastMs);
        lastMs = cloud.nowMs;
        return read(...asked);
      },
    };
    // A part of it.
    const endMs = cloud.nowMs + 2_000 * 1000;
    let polls = 0;
    while (cloud.nowMs < endMs) {
      run = await lookOften(shift)(run, { ...cloud.ports, alarms }, cloud.nowMs);
      expect(run.verdict).toBe('wait');
      polls += 1;
      later(cloud, run.waitSeconds);
    }
    expect(longestMs).toBeLessThanOrEqual(2_000);
    expect(polls).toBeLessThanOrEqual(2_000 / windowPollSeconds(run.plan) + 3);
    expect(run.window!.looks).toBeLessThanOrEqual(polls);
  });

  test('the end of a wait takes no more polls than are counted', async () => {
    const cloud = new MemoryCloud();
    const weekly = { ...PLAN, windows: [{ days: ['thu'], from: '01:00', to: '05:00' }] };
    let run = await afterStage(cloud, 4, weekly);
    run = await lookOften(shift)(run, cloud.ports, cloud.nowMs);
    const { paceSeconds, opensAt, looks } = run.window!;
    // The last two polls of it.
    cloud.nowMs = Date.parse(opensAt) - 2 * paceSeconds * 1000;
    let polls = 0;
    while (run.verdict === 'wait' && cloud.nowMs < Date.parse(opensAt)) {
      run = await lookOften(shift)(run, cloud.ports, cloud.nowMs);
      polls += 1;
      if (run.verdict === 'wait') later(cloud, run.waitSeconds);
    }
    expect(cloud.nowMs).toBeGreaterThanOrEqual(Date.parse(opensAt));
    expect(polls).toBeLessThanOrEqual(run.window!.looks - looks + 1);
  });

  test('what it could not read an hour ago, and could since, does not count against it', async () => {
    const cloud = new MemoryCloud();
    const run = await afterStage(cloud, 4);
    const blink = async (from: CutoverRun) => {
      cloud.away.add('store');
      const seen = await shift(from, cloud.ports, cloud.nowMs);
      cloud.away.clear();
      return seen;
    };
    const first = await blink(run);
    expect(first).toMatchObject({ verdict: 'wait', unsavedSinceMs: cloud.nowMs });
    const waiting = await shift(first, cloud.ports, later(cloud, 10));
    expect(waiting.unsavedSinceMs).toBeUndefined();
    later(cloud, HOUR);
    expect((await blink(waiting)).verdict).toBe('wait');
  });

  test('it waits until the window opens, and shifts then', async () => {
    const cloud = new MemoryCloud();
    let run = await shift(await afterStage(cloud, 4), cloud.ports, cloud.nowMs);
    expect(run).toMatchObject({ verdict: 'wait', window: { opensAt: '2026-01-02T01:00:00.000Z' } });
    expect(cloud.calls).toHaveLength(1);
    // As often as the history allows, and the last time just then.
    expect(run.waitSeconds).toBe(windowPollSeconds(run.plan));
    expect(run.waitSeconds).toBeLessThan(60);
    run = await shift(run, cloud.ports, later(cloud, 20 * HOUR - 30));
    expect(run).toMatchObject({ verdict: 'wait', waitSeconds: 30 });
    run = await shift(run, cloud.ports, later(cloud, 30));
    expect(cloud.forward.groups).toEqual([{ arn: arns.target, weight: 100 }]);
    expect(run.timeline.filter(({ state }) => state === 'Window')).toHaveLength(1);
  });

  test('in a window it does not wait', async () => {
    const cloud = new MemoryCloud();
    await shift(await afterStage(cloud, 3), cloud.ports, cloud.nowMs);
    expect(cloud.forward.groups).toEqual([{ arn: arns.target, weight: 100 }]);
  });

  test('both sides are judged meanwhile, and a rollback waits for no window', async () => {
    const cloud = new MemoryCloud();
    const waiting = await shift(await afterStage(cloud, 4), cloud.ports, cloud.nowMs);
    cloud.smoke.target = 502;
    const bad = await shift(waiting, cloud.ports, later(cloud, HOUR));
    expect(bad).toMatchObject({ verdict: 'rollBack', failure: { code: 'SmokeFailed' } });
    expect((await rollback(bad, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
    expect(cloud.forward.groups).toEqual([{ arn: arns.source, weight: 100 }]);
  });

  test('weights that were set by hand meanwhile are found', async () => {
    const cloud = new MemoryCloud();
    const waiting = await shift(await afterStage(cloud, 4), cloud.ports, cloud.nowMs);
    cloud.forward = { ...cloud.forward, groups: [{ arn: arns.source, weight: 7 }] };
    const found = await shift(waiting, cloud.ports, later(cloud, HOUR));
    expect(found).toMatchObject({ verdict: 'rollBack', failure: { code: 'RulesChanged' } });
  });

  test('a shift that was cut short behind its effect has begun, and goes on', async () => {
    const cloud = new MemoryCloud();
    const run = await afterStage(cloud, 3.999);
    await shift(run, cloud.ports, cloud.nowMs);
    expect((await shift(run, cloud.ports, later(cloud, HOUR))).verdict).toBe('go');
  });

  test('all waits together are no more looks than the history has room for', async () => {
    const cloud = new MemoryCloud();
    let run: CutoverRun = { ...(await afterStage(cloud, 4)), window: { opensAt: '', looks: 0, paceSeconds: 1 } };
    let looks = 0;
    for (let night = 0; night < 12; night += 1) {
      for (;;) {
        run = await shift(run, cloud.ports, cloud.nowMs);
        if (run.verdict !== 'wait') break;
        looks += 1;
        later(cloud, run.waitSeconds);
      }
      // As if there were further stages.
      run = await confirm(run, cloud.ports, cloud.nowMs);
      run = { ...run, stage: { ...run.stage!, index: 0 } };
      cloud.forward = run.intended!;
      later(cloud, 4 * HOUR);
    }
    expect(looks).toBeGreaterThan(300);
    expect(looks).toBeLessThanOrEqual(firstWindowLooks(run.plan) + windowLooks(run.plan) + 12);
  });

  test('of several waits in a plan none is looked at less often than the first', async () => {
    const cloud = new MemoryCloud();
    const stages = [10, 20, 50, 100].map((target) => ({
      weights: { source: 100 - target, target },
      // The next night each.
      bakeSeconds: 6 * HOUR,
      maximumBakeSeconds: 6 * HOUR,
    }));
    let run = await afterStage(cloud, 6, { ...PLAN, pollSeconds: 120, stages });
    const paces: number[] = [];
    while (run.stage!.index < 3) {
      run = await shift(run, cloud.ports, cloud.nowMs);
      if (run.verdict === 'wait') paces.push(run.window!.paceSeconds);
      later(cloud, run.verdict === 'wait' ? run.waitSeconds : 0);
      if (run.verdict !== 'go') continue;
      run = await confirm(run, cloud.ports, cloud.nowMs);
      later(cloud, 6 * HOUR);
    }
    expect(new Set(paces)).toEqual(new Set([windowPollSeconds(run.plan)]));
    expect(paces[0]).toBeLessThanOrEqual(600);
  });
});
