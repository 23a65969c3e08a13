import { CutoverRun } from '../../../core/cutover';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { record } from '../../../lambda/steps/record';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { unlessAborted } from '../../../lambda/step';
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
  const aborted = await unlessAborted(confirm)(run, world.ports, world.nowMs);
  expect(aborted).toMatchObject({ verdict: 'rollBack', failure: { code: 'Aborted' } });
  world.aborts.delete('night');
  expect((await unlessAborted(confirm)(run, world.ports, world.nowMs)).verdict).toBe('confirmed');
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

test('a source that was draining serves again, and one that cannot be told does not hold the weights up', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  const drain = {
    startedAtMs: 0,
    limitMs: 0,
    atStart: report('x').active,
    active: report('x').active,
    ended: { moved: 0, closed: 0, forced: 0 },
    endedBefore: {},
  };
  world.tasks.source = [report('s1', { state: 'draining' })];
  await rollback({ ...run, drain }, world.ports, world.nowMs);
  expect(world.calls).toContain('undrain s1');
  world.unreachable = true;
  const restored = await rollback({ ...run, drain }, world.ports, world.nowMs);
  expect(restored.verdict).toBe('restored');
  expect(JSON.stringify(restored.timeline)).toContain('ECONNREFUSED');
});

test('a cutover that moved nothing is refused and frees the lock; one that could not be put back keeps it', async () => {
  const world = new MemoryWorld();
  const run = world.ready();
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
  world.forward = { groups: onlySource, stickiness };
  const looked = verify(run, world.ports, world.nowMs);
  await expect(looked).rejects.toMatchObject({ code: 'NotDrained' });
  await expect(looked).rejects.toThrow(/the weighted rule must be as shifted[^]*ledger must be at zero/);
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

  test('frees the lock when nothing had moved', async () => {
    const world = new MemoryWorld();
    world.ready();
    await recover(event('night'), world.ports, world.nowMs);
    expect(world.calls).toEqual([]);
    expect(world.lock).toBeUndefined();
  });
});
