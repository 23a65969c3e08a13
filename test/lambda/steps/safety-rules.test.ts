import { CutoverRun, rollBack } from '../../../core/cutover/run';
import { CutoverError } from '../../../core/errors/errors';
import { bake } from '../../../lambda/steps/bake';
import { approveWatched } from '../../../lambda/steps/approve';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { preflight } from '../../../lambda/steps/preflight';
import { record } from '../../../lambda/steps/record';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { Act } from '../../../lambda/step/step';
import { MemoryCloud, arns, report } from '../world';

const ON_TARGET = [{ arn: arns.target, weight: 100 }];
const ON_SOURCE = [{ arn: arns.source, weight: 100 }];
const HALF = [
  { arn: arns.source, weight: 50 },
  { arn: arns.target, weight: 50 },
];
const last = { stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 10 }], pollSeconds: 5 };
const half = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
  ],
  pollSeconds: 5,
  approval: { beforeLastStage: true, timeoutSeconds: 600 },
};
const change = { detail: { name: 'night', status: 'ABORTED' } };

async function shifted(cloud: MemoryCloud, plan: object = last): Promise<CutoverRun> {
  return shift(cloud.ready(plan), cloud.ports, cloud.nowMs);
}

async function confirmed(cloud: MemoryCloud, plan: object = last): Promise<CutoverRun> {
  return confirm(await shifted(cloud, plan), cloud.ports, cloud.nowMs);
}

type Step = Act<CutoverRun, CutoverRun>;
const PHASES: [string, (cloud: MemoryCloud) => Promise<CutoverRun>, Step][] = [
  ['confirm', (cloud) => shifted(cloud), confirm],
  ['bake', (cloud) => confirmed(cloud), bake],
  ['approval', async (cloud) => ({ ...(await confirmed(cloud, half)), verdict: 'approve' }), approveWatched],
  ['the next shift', (cloud) => confirmed(cloud, half), shift],
  ['drain', (cloud) => confirmed(cloud), drain],
  ['verify', (cloud) => confirmed(cloud), verify],
];

describe('1: both sides are judged at every poll, from the first shift to Complete', () => {
  describe.each(PHASES)('%s', (_, arrange, step) => {
    test.each<[string, (cloud: MemoryCloud) => void, string]>([
      ['has no healthy targets', (cloud) => (cloud.healthy.target = 0), 'TargetsUnhealthy'],
      ['fails its smoke request', (cloud) => (cloud.smoke.target = 502), 'SmokeFailed'],
      ['hangs', (cloud) => (cloud.smoke.target = 'no response within 5 s'), 'SmokeFailed'],
      [
        'answers with errors',
        (cloud) => (cloud.tasks.target = [report('t1', { total: 90, errors: 40 })]),
        'BreakerTripped',
      ],
      ['has an alarm', (cloud) => cloud.setAlarms('ALARM'), 'AlarmRaised'],
    ])('rolls back when the target %s', async (__, happen, code) => {
      const cloud = new MemoryCloud();
      const run = await arrange(cloud);
      happen(cloud);
      const looked = await step(run, cloud.ports, (cloud.nowMs += 5000));
      expect(looked).toMatchObject({ verdict: 'rollBack', failure: { code } });
      expect((await rollback(looked, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
      expect(cloud.forward.groups).toEqual(ON_SOURCE);
    });
  });

  test('a source that fails with weight on it ends the cutover; one without weight only forbids going back', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud, half);
    cloud.smoke.source = 503;
    expect(await bake(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'SmokeFailed' } });
    const other = new MemoryCloud();
    const onTarget = await confirmed(other);
    other.smoke.source = 503;
    other.healthy.source = 0;
    expect((await bake(onTarget, other.ports, other.nowMs)).verdict).toBe('wait');
    expect((await drain(onTarget, other.ports, other.nowMs)).verdict).toBe('drained');
  });
});

describe('2: traffic is never sent to a side that is worse than the one it leaves', () => {
  const deaths: [string, (cloud: MemoryCloud) => void][] = [
    ['has no healthy targets', (cloud) => (cloud.healthy.source = 0)],
    ['fails its smoke request', (cloud) => (cloud.smoke.source = 503)],
    ['does not answer', (cloud) => (cloud.smoke.source = 'connect ECONNREFUSED')],
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

  test('it goes back as soon as the source serves again', async () => {
    const cloud = new MemoryCloud();
    const run = rollBack(await confirmed(cloud), 'Aborted', 'an operator asked');
    cloud.healthy.source = 0;
    const waiting = await rollback(run, cloud.ports, cloud.nowMs);
    cloud.healthy.source = 1;
    expect((await rollback(waiting, cloud.ports, (cloud.nowMs += 2000))).verdict).toBe('restored');
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
  });

  test.each(deaths)(
    'a source that gets its weight back and then %s: people are told at once, and it ends for a person',
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

  test('so it is told of a source that dies while one of its tasks cannot be told to serve again', async () => {
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

  test('a source that comes and goes is told of once, and its five minutes do not start again', async () => {
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

  test('recover tells once of a source that dies with its weight back, and gives up after five minutes', async () => {
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

  test('an alarm about the source causes no rollback; it forbids one while the target serves, and not over a dead target', async () => {
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

  test('recover does the same: it leaves the weights, tells people, and does not try for hours', async () => {
    const cloud = new MemoryCloud();
    await confirmed(cloud);
    cloud.healthy.source = 0;
    await expect(recover(change, cloud.ports, cloud.nowMs)).rejects.toThrow('its source serve');
    expect(cloud.kindsNotified).toEqual(['shifted', 'stuck']);
    expect(await recover(change, cloud.ports, (cloud.nowMs += 180_000))).toEqual({ recovered: false });
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
});

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

  test('one proxy of two that hangs blinds no one: the other one tells of the errors', async () => {
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
});

/** A rollback of a whole side must not hang on one of its targets; a start may. */
test('2: before anything moves every target must respond, and half of them later and on the way back', async () => {
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

test('3: after a shift a rollback sets the weights whatever a lagging API still shows', async () => {
  const cloud = new MemoryCloud();
  const run = await shifted(cloud);
  cloud.staleForward = { ...cloud.forward, groups: ON_SOURCE };
  cloud.calls = [];
  await rollback(rollBack(run, 'SmokeFailed', 'the target is dead'), cloud.ports, cloud.nowMs);
  expect(cloud.calls).toContain('set arn:source=100');
  expect(cloud.forward.groups).toEqual(ON_SOURCE);
});

test('3: smoke requests that could not be sent are no failed ones', async () => {
  const cloud = new MemoryCloud();
  const run = await confirmed(cloud);
  const ports = {
    ...cloud.ports,
    smoke: { ...cloud.ports.smoke, probe: () => Promise.reject(new Error('Throttling')) },
  };
  expect((await bake(run, ports, cloud.nowMs)).verdict).toBe('wait');
  expect((await rollback(rollBack(run, 'Aborted', 'asked'), ports, cloud.nowMs)).verdict).toBe('restored');
});

test('6: a store that reads and does not write is done without: that Verify has passed is at the rule', async () => {
  const cloud = new MemoryCloud();
  const run = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
  const save = () => Promise.reject(new Error('SlowDown'));
  const ports = { ...cloud.ports, store: { ...cloud.ports.store, save } };
  expect(await verify(run, ports, cloud.nowMs)).toMatchObject({ verdict: 'verified', isVerified: true });
  expect(cloud.marks.verified).toBe('night 2026-01-01T00:00:00.000Z');
});

test('6: while neither the store nor the rule takes it, Verify has not passed; and it does not wait for ever', async () => {
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

test('6: a lock that is put back meanwhile is no store that is away: nothing is written at the rule', async () => {
  const cloud = new MemoryCloud();
  const run = await drain(await confirmed(cloud), cloud.ports, cloud.nowMs);
  const lost = () => Promise.reject(new CutoverError('LockLost', 'put back'));
  const ports = { ...cloud.ports, store: { ...cloud.ports.store, save: lost } };
  expect((await verify(run, ports, cloud.nowMs)).verdict).toBe('wait');
  expect(cloud.marks.verified).toBeUndefined();
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

test('the evidence of a dead target has what it did until it was found', async () => {
  const cloud = new MemoryCloud();
  const run = await confirmed(cloud);
  cloud.tasks.target = [report('t1', { total: 3000, errors: 3000 })];
  cloud.smoke.target = 502;
  const back = await rollback(await bake(run, cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  expect(back.stages[0]).toMatchObject({ observed: { target: 3000 }, errors: { target: 3000 } });
});

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
    ])('but a rule that tells of %s is no reason to leave one unfinished', async (_, happen) => {
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

    test.each(LOST)('%s: nor where its target answers, and an alarm sent it back', async (_, write) => {
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

  test('a target that died after Verify is not called completed: the weights stay, the lock too, and a person is told', async () => {
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
});

describe('10: rules that cannot catch our requests are not our business', () => {
  test.each<[string, object]>([
    ['another host', { hosts: ['blog.example.com'] }],
    ['a lower priority', { priority: 20 }],
  ])('%s: noted in the evidence, and it goes on', async (_, conditions) => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.others['rule/new'] = 'x';
    cloud.conditions['rule/new'] = conditions;
    const looked = await bake(run, cloud.ports, cloud.nowMs);
    expect(looked).toMatchObject({ verdict: 'wait', otherRulesChanged: ['rule/new'] });
    const again = await bake(looked, cloud.ports, cloud.nowMs);
    expect(again.timeline.filter(({ state }) => state === 'OtherRulesChanged')).toHaveLength(1);
    await record(again, cloud.ports, cloud.nowMs);
    expect(cloud.evidence[0]?.otherRulesChanged).toEqual(['rule/new']);
  });

  test('a rule that can catch them, and another condition or rewrite of our own rule, roll back', async () => {
    const cloud = new MemoryCloud();
    const run = await confirmed(cloud);
    cloud.ownDigest = 'another';
    expect(await bake(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'RulesChanged' } });
    cloud.ownDigest = 'own';
    cloud.others['rule/new'] = 'x';
    expect(await drain(run, cloud.ports, cloud.nowMs)).toMatchObject({ failure: { code: 'RulesChanged' } });
  });
});
