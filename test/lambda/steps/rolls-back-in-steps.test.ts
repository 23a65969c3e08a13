import { AnnouncementKind, buildAnnouncement } from '../../../core/cutover/announcement';
import { CutoverRun } from '../../../core/cutover/run';
import { findProgress } from '../../../core/cutover/progress';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { preflight } from '../../../lambda/steps/preflight';
import { record } from '../../../lambda/steps/record';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud, arns } from '../world';

const announcementOf = (kind: AnnouncementKind, run: CutoverRun) =>
  buildAnnouncement(kind, run, { storeBucket: 'store', weightedRuleArn: 'arn:rule' });

const PACE = { steps: [25, 50], lookSeconds: 30 };
const ALL_AT_ONCE = { stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 10 }] };

/** All traffic is on the target, and the judge has found it worse than the source. */
async function failing(cloud: MemoryCloud, pace: object = PACE): Promise<CutoverRun> {
  const ready = cloud.ready({ ...ALL_AT_ONCE, rollbackPace: pace });
  const run = await confirm(await shift(ready, cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  expect(run.verdict).toBe('confirmed');
  cloud.calls.length = 0;
  return { ...run, verdict: 'rollBack', failure: { code: 'TargetWorse', message: 'the target has more errors' } };
}

/** As the state machine does: again and again, after the wait that the step asks for. */
async function runRollback(cloud: MemoryCloud, given: CutoverRun, each: (run: CutoverRun) => void = () => undefined) {
  let run = given;
  for (let call = 0; call < 200; call += 1) {
    run = await rollback(run, cloud.ports, cloud.nowMs);
    each(run);
    if (run.verdict !== 'wait') return run;
    cloud.nowMs += run.waitSeconds * 1000;
  }
  throw new Error('it must end');
}

const sets = ({ calls }: MemoryCloud) => calls.filter((call) => call.startsWith('set') || call.startsWith('scale'));
const STEP_25 = 'set arn:source=25 arn:target=75';
const STEP_50 = 'set arn:source=50 arn:target=50';
const ALL = 'set arn:source=100';

test('the first step is set at once, the others as long as the source serves, and the evidence has each', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  const startMs = cloud.nowMs;
  const times: number[] = [];
  const { setForward } = cloud.ports.loadBalancer;
  cloud.ports.loadBalancer.setForward = async (...given) => {
    times.push(cloud.nowMs - startMs);
    await setForward(...given);
  };
  const restored = await runRollback(cloud, run);
  expect(sets(cloud)).toEqual([STEP_25, STEP_50, ALL]);
  expect(times).toEqual([0, 30_000, 60_000]);
  expect(restored).toMatchObject({ verdict: 'restored', rollback: { hasSet: true, hasReadBack: true } });
  // A cookie of a step binds nobody; the initial weights have what was in force.
  expect(cloud.forward.stickiness).toEqual({ enabled: true, seconds: 3600 });
  await record(restored, cloud.ports, cloud.nowMs);
  expect(cloud.evidence[0]).toMatchObject({
    outcome: 'rolled-back',
    rollback: {
      restoredAt: '2026-01-01T00:01:00.000Z',
      pace: {
        steps: [
          { percent: 25, at: '2026-01-01T00:00:00.000Z' },
          { percent: 50, at: '2026-01-01T00:00:30.000Z' },
          { percent: 100, at: '2026-01-01T00:01:00.000Z' },
        ],
      },
    },
  });
  const steps = cloud.evidence[0]!.timeline.filter(({ detail }) => detail.percent !== undefined);
  expect(steps.map(({ detail }) => detail.step)).toEqual([
    { source: 25, target: 75 },
    { source: 50, target: 50 },
  ]);
  expect(cloud.weighed).toEqual(expect.arrayContaining(['25/75', '50/50', '100/0']));
});

test('people are notified of it, and shown what comes next', async () => {
  const cloud = new MemoryCloud();
  const run = await rollback(await failing(cloud), cloud.ports, cloud.nowMs);
  expect(findProgress(run, cloud.nowMs)).toMatchObject({
    pace: ['25 % at 00:00:00'],
    next: { what: 'the rollback gives the source 50 %', at: '2026-01-01T00:00:30.000Z' },
  });
  const restored = await runRollback(cloud, run);
  await record(restored, cloud.ports, cloud.nowMs);
  expect(cloud.kindsNotified.slice(-2)).toEqual(['rollingBack', 'rolledBack']);
  const [begun, done] = cloud.notified.slice(-2).map(({ text }) => text);
  expect(begun).toContain(
    'in shares of the source: 25 % at 00:00:00. It goes on step by step, while the source serves.',
  );
  expect(done).toContain('in shares of the source: 25 % at 00:00:00, 50 % at 00:00:30, 100 % at 00:01:00.');
});

test('a step binds no client to the side that it leaves', async () => {
  const cloud = new MemoryCloud();
  await rollback(await failing(cloud), cloud.ports, cloud.nowMs);
  expect(cloud.forward.stickiness).toEqual({ enabled: true, seconds: 1 });
});

test.each<[string, (cloud: MemoryCloud) => void]>([
  ['does not serve', (cloud) => (cloud.smoke.target = 502)],
  ['has no healthy target', (cloud) => (cloud.healthy.target = 0)],
])('a target that %s is left at once, before any step and behind one', async (_, fail) => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  fail(cloud);
  expect((await rollback(run, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
  expect(sets(cloud)).toEqual([ALL]);

  const later = new MemoryCloud();
  const failed = await failing(later);
  later.whilePausing = () => fail(later);
  const restored = await rollback(failed, later.ports, later.nowMs);
  expect(sets(later)).toEqual([STEP_25, ALL]);
  expect(restored.rollback!.pace!.atOnce).toMatch(/^the target does not serve/);
  // The first look after it died.
  const { restoredAt, pace } = restored.rollback!;
  expect(Date.parse(restoredAt!) - Date.parse(pace!.steps[0]!.at)).toBe(2_000);
});

test('one that served nothing when it was judged is left without another look at it', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  const { probe } = cloud.ports.smoke;
  cloud.smoke.target = 502;
  const judged = await bake({ ...run, verdict: 'wait' }, cloud.ports, cloud.nowMs);
  expect(judged).toMatchObject({ verdict: 'rollBack', failure: { code: 'SmokeFailed' }, deadSide: 'target' });
  const asked: string[] = [];
  cloud.ports.smoke.probe = (side, ...rest) => {
    asked.push(side);
    return probe(side, ...rest);
  };
  const { rollback: record } = await rollback(judged, cloud.ports, cloud.nowMs);
  expect(record!.pace!.atOnce).toContain('the target does not serve (GET / on the target must return 200, got 502)');
  expect(asked).not.toContain('target');
});

test('one with fewer healthy targets than the plan wants still serves, and is left by steps', async () => {
  const cloud = new MemoryCloud();
  const plan = { ...ALL_AT_ONCE, minimumHealthyTargets: 2, rollbackPace: PACE };
  const shifted = await shift(cloud.ready(plan), cloud.ports, cloud.nowMs);
  const run = await confirm(shifted, cloud.ports, cloud.nowMs);
  cloud.healthy.target = 1;
  const judged = await bake(run, cloud.ports, cloud.nowMs);
  expect(judged).toMatchObject({ verdict: 'rollBack', failure: { code: 'TargetsUnhealthy' } });
  expect(judged.deadSide).toBeUndefined();
  cloud.calls.length = 0;
  await rollback(judged, cloud.ports, cloud.nowMs);
  expect(sets(cloud)).toEqual([STEP_25]);
});

test('a target that does not respond holds nothing up', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  const { probe } = cloud.ports.smoke;
  cloud.ports.smoke.probe = (side, ...rest) =>
    side === 'target' ? new Promise(() => undefined) : probe(side, ...rest);
  expect((await rollback(run, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
  expect(sets(cloud)).toEqual([ALL]);
});

test('a cold source that fails under its share gets no more: the weights stay, and a person is asked', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  cloud.whilePausing = () => (cloud.smoke.source = 503);
  let stuck = run;
  await expect(runRollback(cloud, run, (each) => (stuck = each))).rejects.toMatchObject({
    code: 'RollbackUnsafe',
    message: expect.stringMatching(
      /the source must serve, .* to be given more weight, got: .*The weights stay at 25\/75 \(source\/target\), as the last step/,
    ) as string,
  });
  expect(sets(cloud)).toEqual([STEP_25]);
  expect(stuck.rollback).toMatchObject({
    sides: { source: { serves: false }, target: { serves: true } },
    pace: { failedAt: expect.any(String) as string },
  });
  expect(cloud.kindsNotified).toContain('stuck');
  // It was waited for as long as it takes ECS to replace a task, from the step on.
  const seconds = (cloud.nowMs - Date.parse(stuck.rollback!.pace!.steps.at(-1)!.at)) / 1000;
  expect(seconds).toBeGreaterThanOrEqual(300);
  expect(seconds).toBeLessThan(320);
  // A person is told what is in force, and both ways out of it.
  const { text, detail } = announcementOf('stuck', stuck);
  expect(text).toContain('the weights stay at 25/75 (source/target)');
  expect(text).toContain('had before the rollback: drainshift weights set --stack STACK --source 0 --target 100.');
  expect(text).toContain('All back to the source: drainshift weights set --stack STACK --source 100 --target 0');
  expect(detail.weights).toEqual({ source: 25, target: 75 });
  expect(announcementOf('failed', stuck).text).toContain('--source 0 --target 100.');
});

test('one that is replaced within minutes gets the steps that are left', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  const startMs = cloud.nowMs;
  cloud.whilePausing = () => (cloud.smoke.source = 503);
  const restored = await runRollback(cloud, run, () => {
    const seconds = (cloud.nowMs - startMs) / 1000;
    if (seconds >= 150) [cloud.whilePausing, cloud.smoke.source] = [() => undefined, 200];
  });
  expect(restored.verdict).toBe('restored');
  expect(sets(cloud)).toEqual([STEP_25, STEP_50, ALL]);
  expect(announcementOf('rolledBack', restored).text).not.toContain('--source 0');
});

test('one that recovers must serve for the whole time again before it gets more', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  const startMs = cloud.nowMs;
  cloud.whilePausing = () => {
    const seconds = (cloud.nowMs - startMs) / 1000;
    cloud.smoke.source = seconds >= 10 && seconds < 20 ? 503 : 200;
  };
  const first = await rollback(run, cloud.ports, cloud.nowMs);
  expect(first.rollback!.pace!.failedAt).toBeDefined();
  cloud.smoke.source = 200;
  cloud.whilePausing = () => undefined;
  const restored = await runRollback(cloud, first);
  const [, second] = restored.rollback!.pace!.steps.map(({ at }) => Date.parse(at));
  expect(second! - Date.parse(first.rollback!.pace!.failedAt!)).toBeGreaterThanOrEqual(30_000);
  expect(restored.verdict).toBe('restored');
});

test('an alarm about the source stops it as well', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  cloud.whilePausing = () => {
    cloud.alarms = cloud.alarms.map((each) => (each.name === 'no-source' ? { ...each, state: 'ALARM' } : each));
  };
  const waiting = await rollback(run, cloud.ports, cloud.nowMs);
  expect(sets(cloud)).toEqual([STEP_25]);
  expect(waiting.rollback).toMatchObject({ notifiedOf: 'staying', pace: { failedAt: expect.any(String) as string } });
});

test('a call that was cut short behind its effect is made again, and gives the step its time', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  await rollback(run, cloud.ports, cloud.nowMs);
  cloud.calls.length = 0;
  const restored = await runRollback(cloud, run);
  expect(sets(cloud)).toEqual([STEP_25, STEP_50, ALL]);
  expect(restored.verdict).toBe('restored');
});

test('a call of AWS that fails behind a step loses nothing of the pace', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  cloud.whilePausing = () => cloud.away.add('loadBalancer');
  const waiting = await rollback(run, cloud.ports, cloud.nowMs);
  expect(waiting).toMatchObject({ verdict: 'wait', rollback: { pace: { steps: [{ percent: 25 }] } } });
  const failed = await rollback(waiting, cloud.ports, cloud.nowMs);
  expect(failed.rollback).toMatchObject({
    notMoved: 'loadBalancer must respond, got 503',
    pace: waiting.rollback!.pace,
  });
});

test('one that has lost the lock meanwhile touches nothing', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  cloud.whilePausing = () => (cloud.lock = { ...cloud.lock!, execution: 'another' });
  expect(await rollback(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'LockLost' } });
  expect(sets(cloud)).toEqual([STEP_25]);
});

describe('a source that was scaled in', () => {
  const capacity = (more: object) => ({ ...PACE, lookSeconds: 10, minimumHealthyTargets: 2, waitSeconds: 60, ...more });

  test('is waited for, and then given its steps', async () => {
    const cloud = new MemoryCloud();
    const run = await failing(cloud, capacity({ capacity: 'wait' }));
    cloud.healthy.source = 1;
    const waiting = await rollback(run, cloud.ports, cloud.nowMs);
    expect(sets(cloud)).toEqual([]);
    expect(waiting.rollback).toMatchObject({ pace: { capacity: { needed: 2, healthy: 1, seconds: 20 } } });
    cloud.healthy.source = 2;
    const restored = await runRollback(cloud, waiting);
    expect(sets(cloud)).toEqual([STEP_25, STEP_50, ALL]);
    expect(restored.rollback).toMatchObject({ pace: { capacity: { needed: 2, healthy: 2 } } });
    expect(restored.rollback!.pace!.capacity!.isLacking).toBeUndefined();
  });

  test('that stays so is given them all the same, and the record says it', async () => {
    const cloud = new MemoryCloud();
    const run = await failing(cloud, capacity({ capacity: 'wait' }));
    cloud.healthy.source = 1;
    const restored = await runRollback(cloud, run);
    expect(restored.rollback).toMatchObject({ pace: { capacity: { healthy: 1, isLacking: true } } });
    expect(sets(cloud)).toEqual([STEP_25, STEP_50, ALL]);
    await record(restored, cloud.ports, cloud.nowMs);
    expect(cloud.notified.at(-1)!.text).toContain('1 of 2 healthy targets, waited 60 s, went on all the same');
  });

  test('is scaled out once, to what preflight had counted', async () => {
    const cloud = new MemoryCloud();
    cloud.healthy.source = 3;
    const fresh = cloud.ready({ ...ALL_AT_ONCE, rollbackPace: { ...PACE, capacity: 'scaleOut' } });
    const ready = await preflight({ ...fresh, initial: undefined }, cloud.ports, cloud.nowMs);
    expect(ready.initial!.healthyTargets).toBe(3);
    const run = await confirm(await shift(ready, cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
    cloud.calls.length = 0;
    cloud.healthy.source = 1;
    let looks = 0;
    cloud.whilePausing = () => (cloud.healthy.source = (looks += 1) > 3 ? 3 : 1);
    const restored = await runRollback(cloud, { ...run, verdict: 'rollBack' });
    expect(sets(cloud)).toEqual(['scale out source to 3', STEP_25, STEP_50, ALL]);
    expect(restored.rollback).toMatchObject({ pace: { capacity: { needed: 3, healthy: 3, scaledOutTo: 3 } } });
    expect(restored.timeline).toContainEqual(
      expect.objectContaining({ detail: { scaledOut: 'source', desiredCount: 3 } }),
    );
  });

  test('is waited for where ECS is away: the evidence has it', async () => {
    const cloud = new MemoryCloud();
    const run = await failing(cloud, capacity({ capacity: 'scaleOut' }));
    cloud.healthy.source = 1;
    cloud.away.add('ecs');
    const waiting = await rollback(run, cloud.ports, cloud.nowMs);
    expect(waiting.rollback!.notDone).toContainEqual('ecs must respond, got 503');
    expect(waiting.rollback!.pace!.capacity!.scaledOutTo).toBeUndefined();
    cloud.away.clear();
    expect((await runRollback(cloud, waiting)).rollback!.pace!.capacity!.scaledOutTo).toBe(2);
  });
});

test('a recovery gives all back at once: its execution has ended', async () => {
  const cloud = new MemoryCloud();
  const run = await failing(cloud);
  cloud.lock = { ...run, verdict: 'go' };
  const event = { detail: { name: 'night', status: 'ABORTED' } };
  await recover(event, cloud.ports, cloud.nowMs);
  expect(sets(cloud)).toEqual([ALL]);
  expect(cloud.evidence[0]).toMatchObject({ rollback: { pace: { atOnce: 'the execution has ended' } } });
  expect(cloud.forward.groups).toEqual([{ arn: arns.source, weight: 100 }]);
});
