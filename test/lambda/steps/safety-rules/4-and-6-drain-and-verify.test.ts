import { CutoverRun, rollBack } from '../../../../core/cutover/run';
import { CutoverError } from '../../../../core/errors/errors';
import { complete } from '../../../../lambda/steps/complete';
import { drain } from '../../../../lambda/steps/drain';
import { record } from '../../../../lambda/steps/record';
import { recover } from '../../../../lambda/steps/recover';
import { rollback } from '../../../../lambda/steps/rollback';
import { verify } from '../../../../lambda/steps/verify';
import { MemoryCloud, report } from '../../world';
import { ON_TARGET, ON_SOURCE, change, confirmed } from './cutover';

describe('4: unknown is never zero', () => {
  test('a task of the source that does not respond is neither drained nor verified', async () => {
    const cloud = new MemoryCloud();
    cloud.tasks.source = [report('s1'), report('s2', { active: { websocket: 635 } })];
    const run = await confirmed(cloud);
    cloud.leaving.add('s2');
    const first = await drain(run, cloud.ports, cloud.nowMs);
    cloud.unreachable.add('s2');
    const looked = await drain(first, cloud.ports, cloud.nowMs);
    expect(looked).toMatchObject({ verdict: 'wait', drain: { unknownTasks: 1 } });
    expect((await verify(looked, cloud.ports, cloud.nowMs)).verdict).toBe('wait');
    cloud.tasks.source = [report('s1')];
    cloud.stopped.source = { s2: 137 };
    const done = await drain(looked, cloud.ports, cloud.nowMs);
    expect(done).toMatchObject({ verdict: 'drained', drain: { ended: { lost: 635 } } });
  });

  test('nor is a source that ECS alone does not list verified', async () => {
    const cloud = new MemoryCloud();
    const run = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
    const tasks = (side: 'source' | 'target') =>
      side === 'source' ? Promise.reject(new Error('503')) : cloud.ports.proxies.tasks(side);
    const ports = { ...cloud.ports, proxies: { ...cloud.ports.proxies, tasks } };
    expect((await verify(run, ports, cloud.nowMs)).verdict).toBe('wait');
  });

  test('ECS that does not list them is no empty side', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.away.add('ecs');
    expect((await drain(run, cloud.ports, cloud.nowMs)).verdict).toBe('wait');
    expect((await verify(run, cloud.ports, cloud.nowMs)).verdict).toBe('wait');
  });
});

describe('6: after Verify the target is the safe side', () => {
  async function verified(cloud: MemoryCloud): Promise<CutoverRun> {
    return verify(await drain(await confirmed(cloud), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  }

  test('what Verify found is written down before anything else is done', async () => {
    const cloud = new MemoryCloud();
    const run = await verified(cloud);
    expect(run).toMatchObject({ verdict: 'verified', isVerified: true });
    expect(cloud.lock).toMatchObject({ isVerified: true });
  });

  test('while Verify cannot be written down it goes on judging', async () => {
    const cloud = new MemoryCloud();
    const run = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
    cloud.away.add('store');
    const mark = () => Promise.reject(new Error('AccessDenied'));
    const ports = { ...cloud.ports, loadBalancer: { ...cloud.ports.loadBalancer, mark } };
    const waiting = await verify(run, ports, cloud.nowMs);
    expect(waiting.verdict).toBe('wait');
    expect(waiting.isVerified).toBeUndefined();
    cloud.smoke.target = 502;
    expect((await verify(waiting, ports, cloud.nowMs)).verdict).toBe('rollBack');
  });

  describe('a store that is away from before Verify on', () => {
    async function finished(cloud: MemoryCloud): Promise<CutoverRun> {
      const run = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
      cloud.away.add('store');
      const done = await verify(run, cloud.ports, cloud.nowMs);
      expect(done).toMatchObject({ verdict: 'verified', isVerified: true });
      await expect(complete(done, cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'AwsUnavailable' });
      cloud.away.clear();
      expect(cloud.lock?.isVerified).toBeUndefined();
      return done;
    }

    test('moves no weights when it is back: the rule says that it is finished', async () => {
      const cloud = new MemoryCloud();
      await finished(cloud);
      expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
      expect(cloud.forward.groups).toEqual(ON_TARGET);
      expect(cloud.evidence).toMatchObject([{ outcome: 'completed' }]);
      expect(cloud.lock).toBeUndefined();
    });

    test('and what no one has on record of its drain is unknown in its evidence', async () => {
      const cloud = new MemoryCloud();
      cloud.tasks.source = [report('s1', { active: { websocket: 7 } })];
      const first = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
      cloud.away.add('store');
      cloud.tasks.source = [report('s1', { state: 'drained' })];
      const done = await drain(first, cloud.ports, cloud.nowMs);
      await verify(done, cloud.ports, cloud.nowMs);
      cloud.away.clear();
      await recover(change, cloud.ports, cloud.nowMs);
      expect(cloud.evidence[0]?.drain).toMatchObject({ completed: 0, unknown: 7, source: { websocket: 0 } });
    });

    test('nor while the rule cannot be asked: it is asked again', async () => {
      const cloud = new MemoryCloud();
      await finished(cloud);
      const marks = () => Promise.reject(new Error('Throttling'));
      const ports = { ...cloud.ports, loadBalancer: { ...cloud.ports.loadBalancer, marks } };
      await expect(recover(change, ports, cloud.nowMs)).rejects.toThrow('Throttling');
      expect(cloud.forward.groups).toEqual(ON_TARGET);
    });

    test.each<[string, (cloud: MemoryCloud) => void]>([
      ['another cutover', (cloud) => (cloud.marks.verified = 'night 2025-01-01T00:00:00.000Z')],
      ['nothing', (cloud) => (cloud.marks.verified = undefined)],
    ])('but a rule that reports %s is no reason to leave one unfinished', async (_, happen) => {
      const cloud = new MemoryCloud();
      await finished(cloud);
      happen(cloud);
      expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
      expect(cloud.forward.groups).toEqual(ON_SOURCE);
      expect(cloud.evidence).toMatchObject([{ outcome: 'rolled-back' }]);
    });

    test('nor where a recovery has begun to put it back', async () => {
      const cloud = new MemoryCloud();
      await finished(cloud);
      cloud.lock = { ...cloud.lock!, verdict: 'rollBack' };
      expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
      expect(cloud.evidence).toMatchObject([{ outcome: 'rolled-back' }]);
    });

    test('nor one that has gone back since', async () => {
      const cloud = new MemoryCloud();
      await finished(cloud);
      cloud.forward = { ...cloud.forward, groups: ON_SOURCE };
      expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
      expect(cloud.evidence).toMatchObject([{ outcome: 'rolled-back' }]);
    });
  });

  test('a store that fails from Complete on moves no weights: not now, and not when it is back', async () => {
    const cloud = new MemoryCloud();
    const run = await verified(cloud);
    cloud.away.add('store');
    await expect(complete(run, cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'AwsUnavailable' });
    await expect(record({ ...run, error: { Error: 'x', Cause: 'y' } }, cloud.ports, cloud.nowMs)).rejects.toBeDefined();
    cloud.away.clear();
    expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
    expect(cloud.evidence).toMatchObject([{ outcome: 'completed' }]);
    expect(cloud.lock).toBeUndefined();
    expect(cloud.kindsNotified.at(-1)).toBe('completed');
  });

  test('a Verify whose response was lost, and that rolled back, is not called completed by the recovery', async () => {
    const cloud = new MemoryCloud();
    const run = await verified(cloud);
    const before = { ...run, isVerified: undefined };
    await rollback(rollBack(before, 'SmokeFailed', 'the target is dead'), cloud.ports, cloud.nowMs);
    expect(cloud.lock).toMatchObject({ isVerified: true });
    expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    expect(cloud.evidence).toMatchObject([{ outcome: 'rolled-back' }]);
  });

  describe('a Verify that was written down, and did not learn of it', () => {
    /** Away from the save on: whether the rule or the lock took it, no one heard. */
    const LOST: [string, (cloud: MemoryCloud) => CutoverRun | undefined][] = [
      ['at the rule', () => undefined],
      ['into the lock', (cloud) => (cloud.lock = { ...cloud.lock!, isVerified: true })],
    ];

    async function lost(cloud: MemoryCloud, write: (typeof LOST)[0][1]): Promise<CutoverRun> {
      const run = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
      cloud.away.add('store');
      const written = write(cloud);
      const mark = async (...args: Parameters<typeof cloud.ports.loadBalancer.mark>) => {
        if (!written) await cloud.ports.loadBalancer.mark(...args);
        throw new Error('no response within 6 s');
      };
      const ports = { ...cloud.ports, loadBalancer: { ...cloud.ports.loadBalancer, mark } };
      const looked = await verify(run, ports, cloud.nowMs);
      expect(looked.verdict).toBe('wait');
      return looked;
    }

    /** Rolls back until it ends for a person, whose store takes no evidence. */
    async function failed(cloud: MemoryCloud, run: CutoverRun): Promise<void> {
      const stuck = await rollback(run, cloud.ports, cloud.nowMs);
      expect(stuck.verdict).toBe('wait');
      const given = rollback(stuck, cloud.ports, (cloud.nowMs += 400_000));
      await expect(given).rejects.toMatchObject({ code: 'RollbackUnsafe' });
      cloud.away.clear();
    }

    test.each(LOST)('%s, rolled back and could not: recover does not call it completed', async (_, write) => {
      const cloud = new MemoryCloud();
      const looked = await lost(cloud, write);
      cloud.smoke = { source: 503, target: 502 };
      const back = await verify(looked, cloud.ports, cloud.nowMs);
      expect(back).toMatchObject({ verdict: 'rollBack', failure: { code: 'SmokeFailed' } });
      await failed(cloud, back);
      for (let call = 1; cloud.evidence.length === 0; call += 1) {
        await recover(change, cloud.ports, (cloud.nowMs += 180_000)).catch(() => undefined);
        expect(call).toBeLessThan(5);
      }
      expect(cloud.evidence).toMatchObject([{ outcome: 'failed', failure: { code: 'RollbackUnsafe' } }]);
      expect(cloud.lock?.execution).toBe('night');
      expect(cloud.kindsNotified).not.toContain('completed');
      expect(cloud.forward.groups).toEqual(ON_TARGET);
    });

    test.each(LOST)('%s: nor where its target responds, and an alarm sent it back', async (_, write) => {
      const cloud = new MemoryCloud();
      const looked = await lost(cloud, write);
      cloud.setAlarms('ALARM');
      cloud.smoke.source = 503;
      await failed(cloud, await verify(looked, cloud.ports, cloud.nowMs));
      cloud.smoke.source = 200;
      expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
      expect(cloud.evidence).toMatchObject([{ outcome: 'rolled-back' }]);
      expect(cloud.forward.groups).toEqual(ON_SOURCE);
    });

    test.each(LOST)(
      '%s, and was stopped before it looked again: its target serves, so it is completed',
      async (_, write) => {
        const cloud = new MemoryCloud();
        await lost(cloud, write);
        cloud.away.clear();
        expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
        expect(cloud.evidence).toMatchObject([{ outcome: 'completed' }]);
        expect(cloud.forward.groups).toEqual(ON_TARGET);
      },
    );
  });

  test('a target that died after Verify is not called completed: the weights stay, the lock too, and a person is notified', async () => {
    const cloud = new MemoryCloud();
    await verified(cloud);
    cloud.smoke.target = 502;
    expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: false });
    expect(cloud.evidence).toMatchObject([{ outcome: 'failed', failure: { code: 'SmokeFailed' } }]);
    expect(cloud.forward.groups).toEqual(ON_TARGET);
    expect(cloud.lock?.execution).toBe('night');
    expect(cloud.notified.at(-1)?.text).toContain(
      'the target, which has passed Verify and has the traffic, must serve',
    );
  });

  test('one failed look at it is none, and one that no one can ask for is asked again', async () => {
    const cloud = new MemoryCloud();
    await verified(cloud);
    const probe = () => Promise.reject(new Error('Throttling'));
    const healthyTargets = () => Promise.reject(new Error('Throttling'));
    const { smoke, loadBalancer } = cloud.ports;
    const blind = { ...cloud.ports, smoke: { ...smoke, probe }, loadBalancer: { ...loadBalancer, healthyTargets } };
    await expect(recover(change, blind, cloud.nowMs)).rejects.toMatchObject({ code: 'AwsUnavailable' });
    cloud.smoke.target = 502;
    cloud.whilePausing = () => (cloud.smoke.target = 200);
    expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
    expect(cloud.evidence).toMatchObject([{ outcome: 'completed' }]);
  });

  test('a record that is late is still one of a completed cutover', async () => {
    const cloud = new MemoryCloud();
    const late = { ...(await verified(cloud)), error: { Error: 'AwsUnavailable', Cause: 'S3 must respond' } };
    expect((await record(late, cloud.ports, cloud.nowMs)).outcome).toBe('completed');
  });

  test('a store that reads and does not write is done without: that Verify has passed is at the rule', async () => {
    const cloud = new MemoryCloud();
    const run = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
    const save = () => Promise.reject(new Error('SlowDown'));
    const ports = { ...cloud.ports, store: { ...cloud.ports.store, save } };
    expect(await verify(run, ports, cloud.nowMs)).toMatchObject({ verdict: 'verified', isVerified: true });
    expect(cloud.marks.verified).toBe('night 2026-01-01T00:00:00.000Z');
  });

  test('while neither the store nor the rule takes it, Verify has not passed; and it does not wait for ever', async () => {
    const cloud = new MemoryCloud();
    const run = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
    const reject = () => Promise.reject(new Error('SlowDown'));
    const { store, loadBalancer } = cloud.ports;
    const ports = {
      ...cloud.ports,
      store: { ...store, save: reject },
      loadBalancer: { ...loadBalancer, mark: reject },
    };
    const waiting = await verify(run, ports, cloud.nowMs);
    expect(waiting).toMatchObject({ verdict: 'wait', waitSeconds: 60 });
    expect(waiting.isVerified).toBeUndefined();
    const late = await verify(waiting, ports, cloud.nowMs + 10_800_000);
    expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'AwsUnavailable' } });
  });

  test('a lock that is put back meanwhile is no store that is away: nothing is written at the rule', async () => {
    const cloud = new MemoryCloud();
    const run = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
    const lost = () => Promise.reject(new CutoverError('LockLost', 'put back'));
    const ports = { ...cloud.ports, store: { ...cloud.ports.store, save: lost } };
    expect((await verify(run, ports, cloud.nowMs)).verdict).toBe('wait');
    expect(cloud.marks.verified).toBeUndefined();
  });
});
