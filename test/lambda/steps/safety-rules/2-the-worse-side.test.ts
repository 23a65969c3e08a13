import { CutoverRun, rollBack } from '../../../../core/cutover/run';
import { bake } from '../../../../lambda/steps/bake';
import { confirm } from '../../../../lambda/steps/confirm';
import { preflight } from '../../../../lambda/steps/preflight';
import { record } from '../../../../lambda/steps/record';
import { recover } from '../../../../lambda/steps/recover';
import { rollback } from '../../../../lambda/steps/rollback';
import { shift } from '../../../../lambda/steps/shift';
import { MemoryCloud, report } from '../../world';
import { ON_TARGET, ON_SOURCE, last, change, confirmed } from './cutover';

describe('2: traffic is never sent to a side that is worse than the one it leaves', () => {
  const deaths: [string, (cloud: MemoryCloud) => void][] = [
    ['has no healthy targets', (cloud) => (cloud.healthy.source = 0)],
    ['fails its smoke request', (cloud) => (cloud.smoke.source = 503)],
    ['does not respond', (cloud) => (cloud.smoke.source = 'connect ECONNREFUSED')],
  ];

  test.each(deaths)(
    'a rollback leaves the weights when the source %s, keeps the lock and asks a person',
    async (_, die) => {
      const cloud = new MemoryCloud();
      const run = rollBack(await confirmed(cloud), 'Aborted', 'an operator asked');
      die(cloud);
      const waiting = await rollback(run, cloud.ports, cloud.nowMs);
      expect(waiting).toMatchObject({ verdict: 'wait', rollback: { sides: { source: { serves: false } } } });
      expect(cloud.forward.groups).toEqual(ON_TARGET);
      expect(cloud.kindsNotified).toEqual(['shifted', 'stuck']);
      expect(cloud.notified.at(-1)?.text).toContain('the source does not serve');
      expect(cloud.notified.at(-1)?.text).toContain('the target serves');
      const again = await rollback(waiting, cloud.ports, (cloud.nowMs += 30_000));
      expect(cloud.kindsNotified).toEqual(['shifted', 'stuck']);
      const given = rollback(again, cloud.ports, (cloud.nowMs += 30_000));
      await expect(given).rejects.toMatchObject({ code: 'RollbackUnsafe' });
      const recorded = await record(
        { ...again, error: { Error: 'RollbackUnsafe', Cause: 'x' } },
        cloud.ports,
        cloud.nowMs,
      );
      expect(recorded).toMatchObject({ outcome: 'failed', cause: 'Aborted: an operator asked' });
      expect(cloud.forward.groups).toEqual(ON_TARGET);
      expect(cloud.lock?.execution).toBe('night');
    },
  );

  /** Nobody says anything of the source: neither the load balancer nor its smoke requests. */
  const unknownSource = (cloud: MemoryCloud) => ({
    ...cloud.ports,
    loadBalancer: { ...cloud.ports.loadBalancer, healthyTargets: () => Promise.reject(new Error('Throttling')) },
    smoke: { ...cloud.ports.smoke, probe: () => Promise.reject(new Error('Throttling')) },
  });

  test('a source of which nothing is known does not get its weight back', async () => {
    const cloud = new MemoryCloud();
    const run = rollBack(await confirmed(cloud), 'Aborted', 'an operator asked');
    const waiting = await rollback(run, unknownSource(cloud), cloud.nowMs);
    expect(waiting).toMatchObject({ verdict: 'wait', rollback: { sides: { source: { serves: 'unknown' } } } });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
  });

  test('and one that has it is not called restored before it is known to serve', async () => {
    const cloud = new MemoryCloud();
    const run = rollBack(await confirmed(cloud), 'Aborted', 'an operator asked');
    cloud.staleForward = cloud.forward;
    const set = await rollback(run, cloud.ports, cloud.nowMs);
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    cloud.staleForward = undefined;
    const waiting = await rollback(set, unknownSource(cloud), cloud.nowMs);
    expect(waiting.verdict).toBe('wait');
    expect(waiting.rollback?.restoredAt).toBeUndefined();
    expect((await rollback(waiting, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
  });

  test('it rolls back as soon as the source serves again', async () => {
    const cloud = new MemoryCloud();
    const run = rollBack(await confirmed(cloud), 'Aborted', 'an operator asked');
    cloud.healthy.source = 0;
    const waiting = await rollback(run, cloud.ports, cloud.nowMs);
    cloud.healthy.source = 1;
    expect((await rollback(waiting, cloud.ports, (cloud.nowMs += 2000))).verdict).toBe('restored');
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
  });

  test.each(deaths)(
    'a source that gets its weight back and then %s: people are notified at once, and it ends for a person',
    async (_, die) => {
      const cloud = new MemoryCloud();
      const run = rollBack(await confirmed(cloud), 'Aborted', 'an operator asked');
      const { setForward } = cloud.ports.loadBalancer;
      const dying = async (forward: Parameters<typeof setForward>[0]) => {
        await setForward(forward);
        die(cloud);
      };
      const ports = { ...cloud.ports, loadBalancer: { ...cloud.ports.loadBalancer, setForward: dying } };
      const waiting = await rollback(run, ports, cloud.nowMs);
      expect(waiting).toMatchObject({ verdict: 'wait', rollback: { sides: { source: { serves: false } } } });
      expect(cloud.kindsNotified).toEqual(['shifted', 'rollingBack', 'stuck']);
      expect(cloud.notified.at(-1)?.text).toContain(
        'The weights 100/0 are in force again, and the source does not serve',
      );
      const again = await rollback(waiting, cloud.ports, (cloud.nowMs += 299_000));
      expect(again.verdict).toBe('wait');
      const given = rollback(again, cloud.ports, (cloud.nowMs += 1_000));
      await expect(given).rejects.toMatchObject({ code: 'RollbackUnsafe' });
      expect(cloud.kindsNotified).toHaveLength(3);
      const ended = { ...again, error: { Error: 'RollbackUnsafe', Cause: 'x' } };
      expect(await record(ended, cloud.ports, cloud.nowMs)).toMatchObject({ outcome: 'failed' });
      expect(cloud.lock?.execution).toBe('night');
      expect(cloud.calls.filter((call) => call.startsWith('set')).at(-1)).toBe('set arn:source=100');
    },
  );

  test('the same report comes of a source that dies while one of its tasks cannot be asked to serve again', async () => {
    const cloud = new MemoryCloud();
    cloud.tasks.source = [report('s1'), report('s2')];
    const run = rollBack(await confirmed(cloud), 'Aborted', 'an operator asked');
    cloud.unreachable.add('s2');
    const restored = await rollback(run, cloud.ports, cloud.nowMs);
    expect(restored).toMatchObject({ verdict: 'wait', rollback: { restoredAt: expect.any(String) as string } });
    cloud.smoke.source = 503;
    const stranded = await rollback(restored, cloud.ports, (cloud.nowMs += 2_000));
    expect(cloud.kindsNotified.at(-1)).toBe('stuck');
    expect(stranded.rollback?.restoredAt).toBeUndefined();
    // A person moves the traffic: it is not moved back, whatever becomes of the source.
    cloud.forward = { ...cloud.forward, groups: ON_TARGET };
    cloud.smoke.source = 200;
    const moved = await rollback(stranded, cloud.ports, (cloud.nowMs += 2_000));
    expect(moved.verdict).toBe('wait');
    await expect(rollback(moved, cloud.ports, (cloud.nowMs += 300_000))).rejects.toMatchObject({
      code: 'RulesChanged',
    });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
    // Where no one has, it is restored once the source responds.
    cloud.forward = { ...cloud.forward, groups: ON_SOURCE };
    cloud.unreachable.clear();
    expect((await rollback(stranded, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
  });

  /** Weights that have read back, and a task of the source that cannot be told to serve again: the rollback goes on looking. */
  async function waiting(cloud: MemoryCloud): Promise<CutoverRun> {
    const run = rollBack(await confirmed(cloud), 'Aborted', 'an operator asked');
    cloud.unreachable.add('s1');
    const looked = await rollback(run, cloud.ports, cloud.nowMs);
    expect(looked).toMatchObject({ verdict: 'wait', rollback: { hasReadBack: true } });
    return looked;
  }

  test.each(deaths)('a person who sets weights away from a source that %s gets no false alarm', async (_, die) => {
    const cloud = new MemoryCloud();
    const run = await waiting(cloud);
    die(cloud);
    cloud.forward = { ...cloud.forward, groups: ON_TARGET };
    const looked = await rollback(run, cloud.ports, (cloud.nowMs += 2_000));
    expect(looked.verdict).toBe('wait');
    expect(cloud.kindsNotified).not.toContain('stuck');
    await expect(rollback(looked, cloud.ports, (cloud.nowMs += 300_000))).rejects.toMatchObject({
      code: 'RulesChanged',
    });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
  });

  test('a source that comes and goes is notified of once, and its five minutes do not start again', async () => {
    const cloud = new MemoryCloud();
    let run = await waiting(cloud);
    const since = cloud.nowMs + 2_000;
    for (const status of [503, 200, 503, 200, 503]) {
      cloud.smoke.source = status;
      run = await rollback(run, cloud.ports, (cloud.nowMs += 2_000));
    }
    expect(cloud.kindsNotified).toEqual(['shifted', 'rollingBack', 'stuck']);
    expect(run.rollback?.strandedAt).toBe(new Date(since).toISOString());
    await expect(rollback(run, cloud.ports, (cloud.nowMs = since + 300_000))).rejects.toMatchObject({
      code: 'RollbackUnsafe',
    });
  });

  test('so is one that comes and goes before the weights have read back', async () => {
    const cloud = new MemoryCloud();
    let run = rollBack(await confirmed(cloud), 'Aborted', 'an operator asked');
    cloud.staleForward = cloud.forward;
    for (const status of [503, 200, 503, 200, 503]) {
      cloud.smoke.source = status;
      run = await rollback(run, cloud.ports, (cloud.nowMs += 2_000));
    }
    expect(cloud.kindsNotified.filter((kind) => kind === 'stuck')).toHaveLength(1);
  });

  test('recover reports once a source that dies with its weight back, and gives up after five minutes', async () => {
    const cloud = new MemoryCloud();
    await confirmed(cloud);
    cloud.whilePausing = () => (cloud.healthy.source = 0);
    await expect(recover(change, cloud.ports, cloud.nowMs)).rejects.toThrow('its source serve');
    await expect(recover(change, cloud.ports, (cloud.nowMs += 180_000))).rejects.toThrow('its source serve');
    expect(cloud.kindsNotified).toEqual(['shifted', 'rollingBack', 'stuck']);
    expect(await recover(change, cloud.ports, (cloud.nowMs += 180_000))).toEqual({ recovered: false });
    expect(cloud.kindsNotified.at(-1)).toBe('failed');
    expect(cloud.lock).toBeDefined();
  });

  test('where neither side serves it waits longer for either', async () => {
    const cloud = new MemoryCloud();
    const run = rollBack(await confirmed(cloud), 'SmokeFailed', 'the target is dead');
    cloud.healthy = { source: 0, target: 0 };
    const waiting = await rollback(run, cloud.ports, cloud.nowMs);
    expect((await rollback(waiting, cloud.ports, (cloud.nowMs += 200_000))).verdict).toBe('wait');
    await expect(rollback(waiting, cloud.ports, (cloud.nowMs += 100_000))).rejects.toMatchObject({
      message: expect.stringContaining('the target does not serve') as string,
    });
    expect(cloud.forward.groups).toEqual(ON_TARGET);
  });

  test('an alarm about the source causes no rollback; it blocks one while the target serves, and not over a dead target', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.alarms = cloud.alarms.map((alarm) => (alarm.name === 'no-source' ? { ...alarm, state: 'ALARM' } : alarm));
    expect((await bake(run, cloud.ports, cloud.nowMs)).verdict).toBe('wait');
    const aborted = rollBack(run, 'Aborted', 'an operator asked');
    expect((await rollback(aborted, cloud.ports, cloud.nowMs)).verdict).toBe('wait');
    expect(cloud.forward.groups).toEqual(ON_TARGET);
    cloud.healthy.target = 0;
    expect((await rollback(aborted, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
  });

  test('recover does the same: it leaves the weights, notifies people, and does not try for hours', async () => {
    const cloud = new MemoryCloud();
    await confirmed(cloud);
    cloud.healthy.source = 0;
    // Two looks, as far apart as a step of the execution may still be at work.
    expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: false });
    expect(cloud.kindsNotified).toEqual(['shifted', 'stuck', 'failed']);
    expect(cloud.forward.groups).toEqual(ON_TARGET);
    expect(cloud.evidence).toMatchObject([{ outcome: 'failed', failure: { code: 'RollbackUnsafe' } }]);
    expect(cloud.lock).toBeDefined();
  });

  test('weights that were never moved are back, whatever the source is', async () => {
    const cloud = new MemoryCloud();
    const run = cloud.ready(last);
    cloud.forward = { ...cloud.forward, groups: ON_SOURCE };
    cloud.healthy.source = 0;
    expect((await rollback(run, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
  });

  /** A rollback of a whole side must not hang on one of its targets; a start may. */
  test('before anything moves every target must respond, and half of them later and at the rollback', async () => {
    const cloud = new MemoryCloud();
    const run = await preflight(cloud.ready(), cloud.ports, cloud.nowMs);
    expect(new Set(cloud.quorums.splice(0))).toEqual(new Set(['every']));
    await bake(
      await confirm(await shift(run, cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs),
      cloud.ports,
      cloud.nowMs,
    );
    await rollback(run, cloud.ports, cloud.nowMs);
    expect(new Set(cloud.quorums)).toEqual(new Set(['half']));
  });
});
