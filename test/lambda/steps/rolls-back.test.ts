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
import { MemoryCloud, arns, report, stickiness } from '../world';

async function shifted(cloud: MemoryCloud, plan: unknown = {}): Promise<CutoverRun> {
  return shift(cloud.ready(plan), cloud.ports, cloud.nowMs);
}
function promised(): [promise: Promise<void>, resolve: () => void] {
  let resolve = () => {};
  return [new Promise<void>((resolved) => (resolve = resolved)), () => resolve()];
}
const onlySource = [{ arn: arns.source, weight: 100 }];

test('errors on the target trip the breaker: the weights roll back, the stage is on record, the lock is free', async () => {
  const cloud = new MemoryCloud();
  const run = await confirm(await shifted(cloud), cloud.ports, cloud.nowMs);
  cloud.tasks.target = [report('t1', { total: 40, errors: 20 })];
  const tripped = await bake(run, cloud.ports, cloud.nowMs);
  expect(tripped).toMatchObject({ verdict: 'rollBack', failure: { code: 'BreakerTripped' } });
  const restored = await rollback(tripped, cloud.ports, cloud.nowMs);
  expect(restored.verdict).toBe('restored');
  expect(cloud.forward.groups).toEqual(onlySource);
  const { outcome } = await record(restored, cloud.ports, cloud.nowMs);
  expect(outcome).toBe('rolled-back');
  expect(cloud.lock).toBeUndefined();
  expect(cloud.evidence[0]).toMatchObject({
    outcome: 'rolled-back',
    failure: { code: 'BreakerTripped' },
    stages: [{ confirmed: true, observed: { target: 40 }, errors: { target: 20 }, verdict: 'rollBack' }],
    rollback: { decidedAt: '2026-01-01T00:00:00.000Z', restoredAt: '2026-01-01T00:00:00.000Z' },
  });
});

test('weights that do not read back in time are taken back', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud, { confirmTimeoutSeconds: 30 });
  cloud.staleForward = { groups: onlySource, stickiness };
  expect((await confirm(run, cloud.ports, cloud.nowMs + 29_000)).verdict).toBe('wait');
  const late = await confirm(run, cloud.ports, cloud.nowMs + 30_000);
  expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'ShiftNotConfirmed' } });
});

test('a rule that someone else changes in the middle ends the cutover, and is named', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  cloud.others['rule/target'] = 'changed';
  const changed = await confirm(run, cloud.ports, cloud.nowMs);
  expect(changed).toMatchObject({
    verdict: 'rollBack',
    failure: { code: 'RulesChanged', message: expect.stringContaining('rule/target') as string },
  });
});

test('an abort is seen by the next step, whatever it is', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  cloud.aborts.add('night');
  const aborted = await confirm(run, cloud.ports, cloud.nowMs);
  expect(aborted).toMatchObject({ verdict: 'rollBack', failure: { code: 'Aborted' } });
  cloud.aborts.delete('night');
  expect((await confirm(run, cloud.ports, cloud.nowMs)).verdict).toBe('confirmed');
});

test('a rollback waits for its read-back, and says so when it never comes', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  cloud.staleForward = run.intended;
  const waiting = await rollback(run, cloud.ports, cloud.nowMs);
  expect(waiting).toMatchObject({ verdict: 'wait', rollback: { startedAt: '2026-01-01T00:00:00.000Z' } });
  await expect(rollback(waiting, cloud.ports, cloud.nowMs + 300_000)).rejects.toMatchObject({
    code: 'RollbackNotConfirmed',
  });
  cloud.staleForward = undefined;
  expect((await rollback(waiting, cloud.ports, cloud.nowMs + 301_000)).verdict).toBe('restored');
});

test('every task of the source serves again: also when the drain that began is on no record, and when one cannot be reached', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  cloud.tasks.source = ['s1', 's2', 's3'].map((name) => report(name));
  cloud.unreachable.add('s2');
  await drain(run, cloud.ports, cloud.nowMs);
  cloud.tasks.source = ['s1', 's2', 's3'].map((name) => report(name, { state: 'draining' }));
  const waiting = await rollback(run, cloud.ports, cloud.nowMs);
  expect(cloud.forward.groups).toEqual(onlySource);
  expect(waiting.verdict).toBe('wait');
  expect(cloud.tasks.source.map(({ state }) => state)).toEqual(['serving', 'draining', 'serving']);
  const late = await rollback(waiting, cloud.ports, cloud.nowMs + 300_000);
  expect(late.verdict).toBe('restored');
  expect(JSON.stringify(late.timeline)).toContain('s2 must respond, got ECONNREFUSED');
  cloud.unreachable.clear();
  expect((await rollback(waiting, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
});

test('a task that ECS is stopping is counted and left alone', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  cloud.tasks.source = [report('s1', { state: 'drained' }), report('s2', { active: { websocket: 1 } })];
  cloud.leaving.add('s2');
  expect((await drain(run, cloud.ports, cloud.nowMs)).verdict).toBe('wait');
  await rollback(run, cloud.ports, cloud.nowMs);
  expect(cloud.calls.filter((call) => call.endsWith('s2'))).toEqual([]);
});

test('weights that a person changed are not fought over: the next poll rolls back', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud, {
    stages: [{ weights: { source: 1, target: 1 } }, { weights: { source: 0, target: 1 } }],
  });
  cloud.forward = { groups: onlySource, stickiness };
  const looked = await bake(run, cloud.ports, cloud.nowMs);
  expect(looked).toMatchObject({ verdict: 'rollBack', failure: { code: 'RulesChanged' } });
  const next = await shift({ ...run, stage: run.stage && { ...run.stage } }, cloud.ports, cloud.nowMs);
  expect(next).toMatchObject({ verdict: 'rollBack', failure: { code: 'RulesChanged' } });
  expect(cloud.forward.groups).toEqual(onlySource);
});

test('a target without healthy targets ends the bake at once', async () => {
  const cloud = new MemoryCloud();
  const run = await confirm(await shifted(cloud), cloud.ports, cloud.nowMs);
  cloud.healthy.target = 0;
  expect(await bake(run, cloud.ports, cloud.nowMs)).toMatchObject({
    verdict: 'rollBack',
    failure: { code: 'TargetsUnhealthy' },
  });
});

test('the one who has lost the lock touches nothing any more', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  cloud.lock = { ...run, execution: 'another' };
  const calls = [...cloud.calls];
  const lost = await confirm(run, cloud.ports, cloud.nowMs);
  expect(lost).toMatchObject({ verdict: 'rollBack', failure: { code: 'LockLost' } });
  const back = await rollback(lost, cloud.ports, cloud.nowMs);
  expect(back.failure?.code).toBe('LockLost');
  expect((await record(back, cloud.ports, cloud.nowMs)).outcome).toBe('failed');
  expect(cloud.calls).toEqual(calls);
  expect(cloud.lock.execution).toBe('another');
});

test('weights that cannot be set are reported at once and once, and set as soon as they can be', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  cloud.notified.length = 0;
  cloud.away.add('loadBalancer');
  const first = await rollback(run, cloud.ports, cloud.nowMs);
  expect(first).toMatchObject({ verdict: 'wait', rollback: { notMoved: 'loadBalancer must respond, got 503' } });
  const second = await rollback(first, cloud.ports, cloud.nowMs + 2_000);
  expect(second).toMatchObject({ verdict: 'wait' });
  expect(cloud.kindsNotified).toEqual(['stuck']);
  expect(cloud.notified[0]?.text).toContain('could not be put back to 100/0: loadBalancer must respond, got 503');
  // From then on the state machine repeats it, at its pace.
  cloud.nowMs += 300_000;
  await expect(rollback(second, cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'AwsUnavailable' });
  cloud.away.clear();
  const restored = await rollback(second, cloud.ports, cloud.nowMs);
  expect(restored.verdict).toBe('restored');
  expect(restored.rollback?.notMoved).toBeUndefined();
  expect(cloud.forward.groups).toEqual(onlySource);
});

test('a shift that was cut short behind its effect is known by the lock, whatever an API that lags behind says', async () => {
  const cloud = new MemoryCloud();
  const ready = cloud.ready();
  await shift(ready, cloud.ports, cloud.nowMs);
  // The state machine hands on what the shift was given.
  cloud.staleForward = { groups: onlySource, stickiness };
  cloud.calls.length = 0;
  await rollback(ready, cloud.ports, cloud.nowMs);
  expect(cloud.forward.groups).toEqual(onlySource);
});

test('what it reads waits for no lock; what it changes does', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  const { store, loadBalancer } = cloud.ports;
  const [read, wasRead] = promised();
  const [responds, respond] = promised();
  const holder = () => responds.then(() => store.holder());
  const rules = () => {
    wasRead();
    return loadBalancer.rules();
  };
  const ports = { ...cloud.ports, store: { ...store, holder }, loadBalancer: { ...loadBalancer, rules } };
  const calls = [...cloud.calls];
  const restoring = rollback(run, ports, cloud.nowMs);
  await read;
  expect(cloud.calls).toEqual(calls);
  respond();
  expect((await restoring).verdict).toBe('restored');
});

test('an input that is not {} or {"plan": …} starts nothing', async () => {
  const cloud = new MemoryCloud();
  const start = (input: unknown) =>
    lock(
      { input, execution: 'night', startedAt: '2026-01-01T00:00:00.000Z', defaultPlan: {} },
      cloud.ports,
      cloud.nowMs,
    );
  await expect(start({ stages: [] })).rejects.toMatchObject({ code: 'PlanInvalid' });
  await expect(start({ plan: null })).rejects.toMatchObject({ code: 'PlanInvalid' });
  expect(cloud.lock).toBeUndefined();
});

test('a name that has left its evidence starts nothing: what it left would count for the new cutover', async () => {
  const cloud = new MemoryCloud();
  await record(cloud.ready(), cloud.ports, cloud.nowMs);
  cloud.lock = undefined;
  const input = { input: {}, execution: 'night', startedAt: '2026-01-01T00:00:00.000Z', defaultPlan: {} };
  await expect(lock(input, cloud.ports, cloud.nowMs)).rejects.toMatchObject({
    code: 'NameUsed',
    message: "'execution' must be a name without evidence, got 'night'",
  });
  expect(cloud.lock).toBeUndefined();
});

test('a cutover that moved nothing is rejected and frees the lock; one that could not be put back keeps it', async () => {
  const cloud = new MemoryCloud();
  const run = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));
  cloud.lock = run;
  expect((await record(run, cloud.ports, cloud.nowMs)).outcome).toBe('refused');
  expect(cloud.lock).toBeUndefined();
  const moved = await shifted(cloud);
  expect((await record({ ...moved, error: { Error: 'X', Cause: 'y' } }, cloud.ports, cloud.nowMs)).outcome).toBe(
    'failed',
  );
  expect(cloud.lock).toBeDefined();
});

test('the last poll rejects a source that is not at zero, and weights that are not as shifted', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  await expect(verify(run, cloud.ports, cloud.nowMs)).resolves.toBeDefined();
  cloud.tasks.source = [report('s1', { active: { http: 1 } })];
  // May pass by itself, so it looks again, and rolls back when it does not.
  const waiting = await verify(run, cloud.ports, cloud.nowMs);
  expect(waiting.verdict).toBe('wait');
  const late = await verify(waiting, cloud.ports, cloud.nowMs + 300_000);
  expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'NotDrained' } });
  cloud.forward = { groups: onlySource, stickiness };
  expect(await verify(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'RulesChanged' } });
  cloud.aborts.add('night');
  expect(await verify(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'Aborted' } });
});

describe('an execution that was stopped by hand, past every Catch', () => {
  const event = (name: string) => ({ detail: { name, status: 'ABORTED' } });

  test('is put back from what the lock holds', async () => {
    const cloud = new MemoryCloud();
    await shifted(cloud);
    expect(await recover(event('night'), cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
    expect(cloud.forward.groups).toEqual(onlySource);
    expect(cloud.lock).toBeUndefined();
    expect(cloud.evidence[0]).toMatchObject({ outcome: 'rolled-back', failure: { code: 'Aborted' } });
  });

  test('is left alone when it is not the one that holds the lock', async () => {
    const cloud = new MemoryCloud();
    await shifted(cloud);
    expect(await recover(event('another'), cloud.ports, cloud.nowMs)).toEqual({ recovered: false });
    expect(cloud.lock).toBeDefined();
  });

  test('is put back again when its last step was still at work, and no step of it gets through meanwhile', async () => {
    const cloud = new MemoryCloud();
    const run = await shifted(cloud);
    cloud.whilePausing = () => {
      cloud.whilePausing = () => undefined;
      // ModifyRule of the stopped Shift, which was on its way.
      cloud.forward = run.intended ?? cloud.forward;
      void expect(cloud.ports.store.save(run)).rejects.toThrow(/not ours/);
    };
    await recover(event('night'), cloud.ports, cloud.nowMs);
    expect(cloud.forward.groups).toEqual(onlySource);
    expect(cloud.evidence).toHaveLength(1);
  });

  test('does not complete while it is put back; repeated after it has completed, it does', async () => {
    const cloud = new MemoryCloud();
    const run = await shifted(cloud);
    cloud.lock = { ...run, verdict: 'rollBack' };
    await expect(complete(run, cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'LockLost' });
    expect(cloud.evidence).toEqual([]);
    cloud.lock = run;
    await complete(run, cloud.ports, cloud.nowMs);
    expect(cloud.lock).toBeUndefined();
    await expect(complete(run, cloud.ports, cloud.nowMs)).resolves.toBeDefined();
  });

  test('is put back and reported once, although its event comes twice', async () => {
    const cloud = new MemoryCloud();
    await shifted(cloud);
    const pause = async () => void (await recover(event('night'), cloud.ports, cloud.nowMs));
    const slower = await recover(event('night'), { ...cloud.ports, pause }, cloud.nowMs);
    expect(slower).toEqual({ recovered: false });
    expect(cloud.kindsNotified).toEqual(['rollingBack', 'rolledBack']);
    expect(cloud.evidence).toMatchObject([{ outcome: 'rolled-back', failure: { code: 'Aborted' } }]);
  });

  test('needs nothing when it has left its evidence', async () => {
    const cloud = new MemoryCloud();
    const failed = await shifted(cloud);
    await record({ ...failed, error: { Error: 'X', Cause: 'y' } }, cloud.ports, cloud.nowMs);
    const calls = [...cloud.calls];
    expect(await recover(event('night'), cloud.ports, cloud.nowMs)).toEqual({ recovered: false });
    expect(cloud.calls).toEqual(calls);
  });

  test('frees the lock when nothing had moved', async () => {
    const cloud = new MemoryCloud();
    cloud.lock = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({}));
    await recover(event('night'), cloud.ports, cloud.nowMs);
    expect(cloud.calls).toEqual([]);
    expect(cloud.lock).toBeUndefined();
  });
});
