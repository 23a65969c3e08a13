import { CutoverRun, begin } from '../../../core/cutover/run';
import { parsePlan } from '../../../core/plan/plan';
import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { record } from '../../../lambda/steps/record';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { drain } from '../../../lambda/steps/drain';
import { lock } from '../../../lambda/steps/lock';
import { MemoryWorld, arns, report, stickiness } from '../world';

async function shifted(world: MemoryWorld, plan: unknown = {}): Promise<CutoverRun> {
  return shift(world.ready(plan), world.ports, world.nowMs);
}
const onlySource = [{ arn: arns.source, weight: 100 }];

test('errors on the target trip the breaker: the weights go back, the stage is on record, the lock is free', async () => {
  const world = new MemoryWorld();
  const run = await confirm(await shifted(world), world.ports, world.nowMs);
  world.tasks.target = [report('t1', { total: 40, errors: 20 })];
  const tripped = await bake(run, world.ports, world.nowMs);
  expect(tripped).toMatchObject({ verdict: 'rollBack', failure: { code: 'BreakerTripped' } });
  const restored = await rollback(tripped, world.ports, world.nowMs);
  expect(restored.verdict).toBe('restored');
  expect(world.forward.groups).toEqual(onlySource);
  const { outcome } = await record(restored, world.ports, world.nowMs);
  expect(outcome).toBe('rolled-back');
  expect(world.lock).toBeUndefined();
  expect(world.evidence[0]).toMatchObject({
    outcome: 'rolled-back',
    failure: { code: 'BreakerTripped' },
    stages: [{ confirmed: true, observed: { target: 40 }, errors: { target: 20 }, verdict: 'rollBack' }],
    rollback: { restoredAt: '2026-01-01T00:00:00.000Z' },
  });
});

test('weights that do not read back in time are taken back', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world, { confirmTimeoutSeconds: 30 });
  world.staleForward = { groups: onlySource, stickiness };
  expect((await confirm(run, world.ports, world.nowMs + 29_000)).verdict).toBe('wait');
  const late = await confirm(run, world.ports, world.nowMs + 30_000);
  expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'ShiftNotConfirmed' } });
});

test('a rule that somebody else changes in the middle ends the cutover, and is named', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  world.others['rule/target'] = 'changed';
  const changed = await confirm(run, world.ports, world.nowMs);
  expect(changed).toMatchObject({
    verdict: 'rollBack',
    failure: { code: 'RulesChanged', message: expect.stringContaining('rule/target') as string },
  });
});

test('an abort is seen by the next step, whatever it is', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  world.aborts.add('night');
  const aborted = await confirm(run, world.ports, world.nowMs);
  expect(aborted).toMatchObject({ verdict: 'rollBack', failure: { code: 'Aborted' } });
  world.aborts.delete('night');
  expect((await confirm(run, world.ports, world.nowMs)).verdict).toBe('confirmed');
});

test('a rollback waits for its read-back, and says so when it never comes', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  world.staleForward = run.intended;
  const waiting = await rollback(run, world.ports, world.nowMs);
  expect(waiting).toMatchObject({ verdict: 'wait', rollback: { startedAt: '2026-01-01T00:00:00.000Z' } });
  await expect(rollback(waiting, world.ports, world.nowMs + 300_000)).rejects.toMatchObject({
    code: 'RollbackNotConfirmed',
  });
  world.staleForward = undefined;
  expect((await rollback(waiting, world.ports, world.nowMs + 301_000)).verdict).toBe('restored');
});

test('every task of the source serves again: also when the drain that began is on no record, and when one cannot be told', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  world.tasks.source = ['s1', 's2', 's3'].map((name) => report(name));
  world.unreachable.add('s2');
  await drain(run, world.ports, world.nowMs);
  world.tasks.source = ['s1', 's2', 's3'].map((name) => report(name, { state: 'draining' }));
  const waiting = await rollback(run, world.ports, world.nowMs);
  expect(world.forward.groups).toEqual(onlySource);
  expect(waiting.verdict).toBe('wait');
  expect(world.tasks.source.map(({ state }) => state)).toEqual(['serving', 'draining', 'serving']);
  const late = await rollback(waiting, world.ports, world.nowMs + 300_000);
  expect(late.verdict).toBe('restored');
  expect(JSON.stringify(late.timeline)).toContain('s2 must answer, got ECONNREFUSED');
  world.unreachable.clear();
  expect((await rollback(waiting, world.ports, world.nowMs)).verdict).toBe('restored');
});

test('a task that ECS is stopping is counted and left alone', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  world.tasks.source = [report('s1', { state: 'drained' }), report('s2', { active: { websocket: 1 } })];
  world.leaving.add('s2');
  expect((await drain(run, world.ports, world.nowMs)).verdict).toBe('wait');
  await rollback(run, world.ports, world.nowMs);
  expect(world.calls.filter((call) => call.endsWith('s2'))).toEqual([]);
});

test('weights that a person changed are not fought over: the next look goes back', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world, {
    stages: [{ weights: { source: 1, target: 1 } }, { weights: { source: 0, target: 1 } }],
  });
  world.forward = { groups: onlySource, stickiness };
  const looked = await bake(run, world.ports, world.nowMs);
  expect(looked).toMatchObject({ verdict: 'rollBack', failure: { code: 'RulesChanged' } });
  const next = await shift({ ...run, stage: run.stage && { ...run.stage } }, world.ports, world.nowMs);
  expect(next).toMatchObject({ verdict: 'rollBack', failure: { code: 'RulesChanged' } });
  expect(world.forward.groups).toEqual(onlySource);
});

test('a target without healthy targets ends the bake at once', async () => {
  const world = new MemoryWorld();
  const run = await confirm(await shifted(world), world.ports, world.nowMs);
  world.healthy.target = 0;
  expect(await bake(run, world.ports, world.nowMs)).toMatchObject({
    verdict: 'rollBack',
    failure: { code: 'TargetsUnhealthy' },
  });
});

test('whoever has lost the lock touches nothing any more', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  world.lock = { ...run, execution: 'another' };
  const calls = [...world.calls];
  const lost = await confirm(run, world.ports, world.nowMs);
  expect(lost).toMatchObject({ verdict: 'rollBack', failure: { code: 'LockLost' } });
  const back = await rollback(lost, world.ports, world.nowMs);
  expect(back.failure?.code).toBe('LockLost');
  expect((await record(back, world.ports, world.nowMs)).outcome).toBe('failed');
  expect(world.calls).toEqual(calls);
  expect(world.lock.execution).toBe('another');
});

test('an input that is not {} or {"plan": …} starts nothing', async () => {
  const world = new MemoryWorld();
  const start = (input: unknown) =>
    lock(
      { input, execution: 'night', startedAt: '2026-01-01T00:00:00.000Z', defaultPlan: {} },
      world.ports,
      world.nowMs,
    );
  await expect(start({ stages: [] })).rejects.toMatchObject({ code: 'PlanInvalid' });
  await expect(start({ plan: null })).rejects.toMatchObject({ code: 'PlanInvalid' });
  expect(world.lock).toBeUndefined();
});

test('a name that has left its evidence starts nothing: what it left would count for the new cutover', async () => {
  const world = new MemoryWorld();
  await record(world.ready(), world.ports, world.nowMs);
  world.lock = undefined;
  const input = { input: {}, execution: 'night', startedAt: '2026-01-01T00:00:00.000Z', defaultPlan: {} };
  await expect(lock(input, world.ports, world.nowMs)).rejects.toMatchObject({
    code: 'NameUsed',
    message: "'execution' must be a name without evidence, got 'night'",
  });
  expect(world.lock).toBeUndefined();
});

test('a cutover that moved nothing is refused and frees the lock; one that could not be put back keeps it', async () => {
  const world = new MemoryWorld();
  const run = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));
  world.lock = run;
  expect((await record(run, world.ports, world.nowMs)).outcome).toBe('refused');
  expect(world.lock).toBeUndefined();
  const moved = await shifted(world);
  expect((await record({ ...moved, error: { Error: 'X', Cause: 'y' } }, world.ports, world.nowMs)).outcome).toBe(
    'failed',
  );
  expect(world.lock).toBeDefined();
});

test('the last look refuses a source that is not at zero, and weights that are not as shifted', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  await expect(verify(run, world.ports, world.nowMs)).resolves.toBeDefined();
  world.tasks.source = [report('s1', { active: { http: 1 } })];
  // May pass by itself, so it looks again, and rolls back when it does not.
  const waiting = await verify(run, world.ports, world.nowMs);
  expect(waiting.verdict).toBe('wait');
  const late = await verify(waiting, world.ports, world.nowMs + 300_000);
  expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'NotDrained' } });
  world.forward = { groups: onlySource, stickiness };
  expect(await verify(run, world.ports, world.nowMs)).toMatchObject({ failure: { code: 'RulesChanged' } });
  world.aborts.add('night');
  expect(await verify(run, world.ports, world.nowMs)).toMatchObject({ failure: { code: 'Aborted' } });
});

describe('an execution that was stopped by hand, past every Catch', () => {
  const event = (name: string) => ({ detail: { name, status: 'ABORTED' } });

  test('is put back from what the lock holds', async () => {
    const world = new MemoryWorld();
    await shifted(world);
    expect(await recover(event('night'), world.ports, world.nowMs)).toEqual({ recovered: true });
    expect(world.forward.groups).toEqual(onlySource);
    expect(world.lock).toBeUndefined();
    expect(world.evidence[0]).toMatchObject({ outcome: 'rolled-back', failure: { code: 'Aborted' } });
  });

  test('is left alone when it is not the one that holds the lock', async () => {
    const world = new MemoryWorld();
    await shifted(world);
    expect(await recover(event('another'), world.ports, world.nowMs)).toEqual({ recovered: false });
    expect(world.lock).toBeDefined();
  });

  test('is put back again when its last step was still at work, and no step of it gets through meanwhile', async () => {
    const world = new MemoryWorld();
    const run = await shifted(world);
    world.whilePausing = () => {
      // ModifyRule of the stopped Shift, which was on its way.
      world.forward = run.intended ?? world.forward;
      void expect(world.ports.store.save(run)).rejects.toThrow(/not ours/);
    };
    await recover(event('night'), world.ports, world.nowMs);
    expect(world.forward.groups).toEqual(onlySource);
    expect(world.evidence).toHaveLength(1);
  });

  test('does not complete while it is put back; repeated after it has completed, it does', async () => {
    const world = new MemoryWorld();
    const run = await shifted(world);
    world.lock = { ...run, verdict: 'rollBack' };
    await expect(complete(run, world.ports, world.nowMs)).rejects.toMatchObject({ code: 'LockLost' });
    expect(world.evidence).toEqual([]);
    world.lock = run;
    await complete(run, world.ports, world.nowMs);
    expect(world.lock).toBeUndefined();
    await expect(complete(run, world.ports, world.nowMs)).resolves.toBeDefined();
  });

  test('is put back and told of once, although its event comes twice', async () => {
    const world = new MemoryWorld();
    await shifted(world);
    const pause = async () => void (await recover(event('night'), world.ports, world.nowMs));
    const slower = await recover(event('night'), { ...world.ports, pause }, world.nowMs);
    expect(slower).toEqual({ recovered: false });
    expect(world.kindsTold).toEqual(['rollingBack', 'rolledBack']);
    expect(world.evidence).toMatchObject([{ outcome: 'rolled-back', failure: { code: 'Aborted' } }]);
  });

  test('needs nothing when it has left its evidence', async () => {
    const world = new MemoryWorld();
    const failed = await shifted(world);
    await record({ ...failed, error: { Error: 'X', Cause: 'y' } }, world.ports, world.nowMs);
    const calls = [...world.calls];
    expect(await recover(event('night'), world.ports, world.nowMs)).toEqual({ recovered: false });
    expect(world.calls).toEqual(calls);
  });

  test('frees the lock when nothing had moved', async () => {
    const world = new MemoryWorld();
    world.lock = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));
    await recover(event('night'), world.ports, world.nowMs);
    expect(world.calls).toEqual([]);
    expect(world.lock).toBeUndefined();
  });
});
