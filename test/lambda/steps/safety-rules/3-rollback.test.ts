import { rollBack } from '../../../../core/cutover/run';
import { bake } from '../../../../lambda/steps/bake';
import { record } from '../../../../lambda/steps/record';
import { rollback } from '../../../../lambda/steps/rollback';
import { shift } from '../../../../lambda/steps/shift';
import { MemoryCloud, report } from '../../world';
import { ON_SOURCE, HALF, half, shifted, confirmed } from './cutover';

describe('3: a rollback needs the API of the load balancer and nothing else', () => {
  test('the source is undrained before it gets its weight', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.tasks.source = [report('s1', { state: 'draining' })];
    await rollback(run, cloud.ports, cloud.nowMs);
    expect(cloud.calls.slice(-2)).toEqual(['undrain s1', 'set arn:source=100']);
  });

  test.each(['store', 'ecs', 'alarms'] as const)('%s is away', async (service) => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.smoke.target = 502;
    cloud.away.add(service);
    const looked = await bake(run, cloud.ports, cloud.nowMs);
    expect(looked).toMatchObject({ verdict: 'rollBack', failure: { code: 'SmokeFailed' } });
    const back = await rollback(looked, cloud.ports, cloud.nowMs);
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    expect(back.rollback?.restoredAt).toBeDefined();
    // Nobody asks the alarms about a source that serves while the target is dead.
    const notDone = service === 'alarms' ? undefined : [`${service} must respond, got 503`];
    expect(back.rollback?.notDone).toEqual(notDone);
    cloud.away.clear();
    expect((await rollback(back, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
  });

  test('what could not be done is in the evidence', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.away.add('ecs');
    const back = await rollback(run, cloud.ports, cloud.nowMs);
    const late = await rollback(back, cloud.ports, (cloud.nowMs += 300_000));
    expect(late.verdict).toBe('restored');
    await record(late, cloud.ports, cloud.nowMs);
    expect(cloud.evidence[0]?.rollback?.notDone).toEqual(['ecs must respond, got 503']);
  });

  test('one proxy of two that hangs blinds no one: the other one reports the errors', async () => {
    const cloud = new MemoryCloud();
    cloud.tasks.target = [report('t1'), report('t2')];
    const run = await confirmed(cloud);
    cloud.unreachable.add('t2');
    cloud.tasks.target = [report('t1', { total: 90, errors: 40 }), report('t2')];
    expect(await bake(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'BreakerTripped' } });
  });

  test('one of two that hangs is no blind side, however long; and nothing is promoted without it', async () => {
    const cloud = new MemoryCloud();
    cloud.tasks.target = [report('t1'), report('t2')];
    let run = await confirmed(cloud);
    cloud.unreachable.add('t2');
    cloud.tasks.target = [report('t1', { total: 500 }), report('t2')];
    for (const seconds of [5, 10, 1]) {
      run = await bake(run, cloud.ports, (cloud.nowMs += seconds * 1000));
      expect(run.verdict).toBe('wait');
      expect(run.watch?.blindSinceMs).toEqual({});
    }
    cloud.unreachable.clear();
    expect((await bake(run, cloud.ports, cloud.nowMs)).verdict).toBe('drain');
  });

  test('a store that is away for hours sends nothing back', async () => {
    const cloud = new MemoryCloud();
    let run = await confirmed(cloud, {
      stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 20_000 }],
      pollSeconds: 60,
    });
    cloud.away.add('store');
    for (let hour = 0; hour < 5; hour += 1) {
      run = await bake(run, cloud.ports, (cloud.nowMs += 3_600_000));
      expect(run.verdict).toBe('wait');
    }
  });

  test.each(['alarms', 'ecs', 'store'] as const)('the next stage waits for %s', async (service) => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud, half);
    cloud.away.add(service);
    const save = () => Promise.resolve();
    const ports = { ...cloud.ports, store: { ...cloud.ports.store, save } };
    expect((await shift(run, ports, cloud.nowMs)).verdict).toBe('wait');
    expect(cloud.forward.groups).toEqual(HALF);
  });

  test('a store that is away promotes nothing and stops nothing; the next stage waits for it', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud, half);
    cloud.tasks.target = [report('t1', { total: 500 })];
    cloud.away.add('store');
    const baked = await bake(run, cloud.ports, (cloud.nowMs += 10_000));
    expect(baked.verdict).toBe('wait');
    const waiting = await shift({ ...baked, verdict: 'nextStage' }, cloud.ports, cloud.nowMs);
    expect(waiting.verdict).toBe('wait');
    expect(cloud.forward.groups).toEqual(HALF);
    cloud.away.clear();
    expect((await bake(baked, cloud.ports, cloud.nowMs)).verdict).toBe('approve');
  });

  test('proxies of the target that no one can ask for a minute send it back', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.unreachable.add('t1');
    const blind = await bake(run, cloud.ports, cloud.nowMs);
    expect(blind.verdict).toBe('wait');
    const late = await bake(blind, cloud.ports, cloud.nowMs + 60_000);
    expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'AdminUnreachable' } });
  });

  test('after a shift a rollback sets the weights whatever a lagging API still shows', async () => {
    const cloud = new MemoryCloud();
    const run = await shifted(cloud);
    cloud.staleForward = { ...cloud.forward, groups: ON_SOURCE };
    cloud.calls = [];
    await rollback(rollBack(run, 'SmokeFailed', 'the target is dead'), cloud.ports, cloud.nowMs);
    expect(cloud.calls).toContain('set arn:source=100');
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
  });

  test('smoke requests that could not be sent are no failed ones', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    const ports = {
      ...cloud.ports,
      smoke: { ...cloud.ports.smoke, probe: () => Promise.reject(new Error('Throttling')) },
    };
    expect((await bake(run, ports, cloud.nowMs)).verdict).toBe('wait');
    expect((await rollback(rollBack(run, 'Aborted', 'asked'), ports, cloud.nowMs)).verdict).toBe('restored');
  });

  test('a shift does not wait for a store for ever', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud, half);
    const save = () => Promise.reject(new Error('SlowDown'));
    const ports = { ...cloud.ports, store: { ...cloud.ports.store, save } };
    const waiting = await shift(run, ports, cloud.nowMs);
    expect(waiting.verdict).toBe('wait');
    expect(await shift(waiting, ports, cloud.nowMs + 3_600_000)).toMatchObject({ failure: { code: 'AwsUnavailable' } });
  });
});
