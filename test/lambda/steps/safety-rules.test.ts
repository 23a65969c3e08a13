import { CutoverRun, retreat } from '../../../core/cutover/run';
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
import { MemoryWorld, arns, report } from '../world';

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

async function shifted(world: MemoryWorld, plan: object = last): Promise<CutoverRun> {
  return shift(world.ready(plan), world.ports, world.nowMs);
}

async function confirmed(world: MemoryWorld, plan: object = last): Promise<CutoverRun> {
  return confirm(await shifted(world, plan), world.ports, world.nowMs);
}

type Step = Act<CutoverRun, CutoverRun>;
const PHASES: [string, (world: MemoryWorld) => Promise<CutoverRun>, Step][] = [
  ['confirm', (world) => shifted(world), confirm],
  ['bake', (world) => confirmed(world), bake],
  ['approval', async (world) => ({ ...(await confirmed(world, half)), verdict: 'approve' }), approveWatched],
  ['the next shift', (world) => confirmed(world, half), shift],
  ['drain', (world) => confirmed(world), drain],
  ['verify', (world) => confirmed(world), verify],
];

describe('1: both sides are judged at every poll, from the first shift to Complete', () => {
  describe.each(PHASES)('%s', (_, arrange, step) => {
    test.each<[string, (world: MemoryWorld) => void, string]>([
      ['has no healthy targets', (world) => (world.healthy.target = 0), 'TargetsUnhealthy'],
      ['fails its smoke request', (world) => (world.smoke.target = 502), 'SmokeFailed'],
      ['hangs', (world) => (world.smoke.target = 'no response within 5 s'), 'SmokeFailed'],
      [
        'answers with errors',
        (world) => (world.tasks.target = [report('t1', { total: 90, errors: 40 })]),
        'BreakerTripped',
      ],
      ['has an alarm', (world) => world.setAlarms('ALARM'), 'AlarmRaised'],
    ])('rolls back when the target %s', async (__, happen, code) => {
      const world = new MemoryWorld();
      const run = await arrange(world);
      happen(world);
      const looked = await step(run, world.ports, (world.nowMs += 5000));
      expect(looked).toMatchObject({ verdict: 'rollBack', failure: { code } });
      expect((await rollback(looked, world.ports, world.nowMs)).verdict).toBe('restored');
      expect(world.forward.groups).toEqual(ON_SOURCE);
    });
  });

  test('a source that fails with weight on it ends the cutover; one without weight only forbids going back', async () => {
    const world = new MemoryWorld();
    const run = await confirmed(world, half);
    world.smoke.source = 503;
    expect(await bake(run, world.ports, world.nowMs)).toMatchObject({ failure: { code: 'SmokeFailed' } });
    const other = new MemoryWorld();
    const onTarget = await confirmed(other);
    other.smoke.source = 503;
    other.healthy.source = 0;
    expect((await bake(onTarget, other.ports, other.nowMs)).verdict).toBe('wait');
    expect((await drain(onTarget, other.ports, other.nowMs)).verdict).toBe('drained');
  });
});

describe('2: traffic is never sent to a side that is worse than the one it leaves', () => {
  const deaths: [string, (world: MemoryWorld) => void][] = [
    ['has no healthy targets', (world) => (world.healthy.source = 0)],
    ['fails its smoke request', (world) => (world.smoke.source = 503)],
    ['does not answer', (world) => (world.smoke.source = 'connect ECONNREFUSED')],
  ];

  test.each(deaths)(
    'a rollback leaves the weights when the source %s, keeps the lock and asks a person',
    async (_, die) => {
      const world = new MemoryWorld();
      const run = retreat(await confirmed(world), 'Aborted', 'an operator asked');
      die(world);
      const waiting = await rollback(run, world.ports, world.nowMs);
      expect(waiting).toMatchObject({ verdict: 'wait', rollback: { sides: { source: { serves: false } } } });
      expect(world.forward.groups).toEqual(ON_TARGET);
      expect(world.kindsTold).toEqual(['shifted', 'stuck']);
      expect(world.told.at(-1)?.text).toContain('the source does not serve');
      expect(world.told.at(-1)?.text).toContain('the target serves');
      const again = await rollback(waiting, world.ports, (world.nowMs += 30_000));
      expect(world.kindsTold).toEqual(['shifted', 'stuck']);
      const given = rollback(again, world.ports, (world.nowMs += 30_000));
      await expect(given).rejects.toMatchObject({ code: 'RollbackUnsafe' });
      const recorded = await record(
        { ...again, error: { Error: 'RollbackUnsafe', Cause: 'x' } },
        world.ports,
        world.nowMs,
      );
      expect(recorded).toMatchObject({ outcome: 'failed', cause: 'Aborted: an operator asked' });
      expect(world.forward.groups).toEqual(ON_TARGET);
      expect(world.lock?.execution).toBe('night');
    },
  );

  /** Nobody says anything of the source: neither the load balancer nor its smoke requests. */
  const unknownSource = (world: MemoryWorld) => ({
    ...world.ports,
    loadBalancer: { ...world.ports.loadBalancer, healthyTargets: () => Promise.reject(new Error('Throttling')) },
    smoke: { ...world.ports.smoke, probe: () => Promise.reject(new Error('Throttling')) },
  });

  test('a source of which nothing is known does not get its weight back', async () => {
    const world = new MemoryWorld();
    const run = retreat(await confirmed(world), 'Aborted', 'an operator asked');
    const waiting = await rollback(run, unknownSource(world), world.nowMs);
    expect(waiting).toMatchObject({ verdict: 'wait', rollback: { sides: { source: { serves: 'unknown' } } } });
    expect(world.forward.groups).toEqual(ON_TARGET);
  });

  test('and one that has it is not called restored before it is known to serve', async () => {
    const world = new MemoryWorld();
    const run = retreat(await confirmed(world), 'Aborted', 'an operator asked');
    world.staleForward = world.forward;
    const set = await rollback(run, world.ports, world.nowMs);
    expect(world.forward.groups).toEqual(ON_SOURCE);
    world.staleForward = undefined;
    const waiting = await rollback(set, unknownSource(world), world.nowMs);
    expect(waiting.verdict).toBe('wait');
    expect(waiting.rollback?.restoredAt).toBeUndefined();
    expect((await rollback(waiting, world.ports, world.nowMs)).verdict).toBe('restored');
  });

  test('it goes back as soon as the source serves again', async () => {
    const world = new MemoryWorld();
    const run = retreat(await confirmed(world), 'Aborted', 'an operator asked');
    world.healthy.source = 0;
    const waiting = await rollback(run, world.ports, world.nowMs);
    world.healthy.source = 1;
    expect((await rollback(waiting, world.ports, (world.nowMs += 2000))).verdict).toBe('restored');
    expect(world.forward.groups).toEqual(ON_SOURCE);
  });

  test.each(deaths)(
    'a source that gets its weight back and then %s: people are told at once, and it ends for a person',
    async (_, die) => {
      const world = new MemoryWorld();
      const run = retreat(await confirmed(world), 'Aborted', 'an operator asked');
      const { setForward } = world.ports.loadBalancer;
      const dying = async (forward: Parameters<typeof setForward>[0]) => {
        await setForward(forward);
        die(world);
      };
      const ports = { ...world.ports, loadBalancer: { ...world.ports.loadBalancer, setForward: dying } };
      const waiting = await rollback(run, ports, world.nowMs);
      expect(waiting).toMatchObject({ verdict: 'wait', rollback: { sides: { source: { serves: false } } } });
      expect(world.kindsTold).toEqual(['shifted', 'rollingBack', 'stuck']);
      expect(world.told.at(-1)?.text).toContain('The weights 100/0 are in force again, and the source does not serve');
      const again = await rollback(waiting, world.ports, (world.nowMs += 299_000));
      expect(again.verdict).toBe('wait');
      const given = rollback(again, world.ports, (world.nowMs += 1_000));
      await expect(given).rejects.toMatchObject({ code: 'RollbackUnsafe' });
      expect(world.kindsTold).toHaveLength(3);
      const ended = { ...again, error: { Error: 'RollbackUnsafe', Cause: 'x' } };
      expect(await record(ended, world.ports, world.nowMs)).toMatchObject({ outcome: 'failed' });
      expect(world.lock?.execution).toBe('night');
      expect(world.calls.filter((call) => call.startsWith('set')).at(-1)).toBe('set arn:source=100');
    },
  );

  test('so it is told of a source that dies while one of its tasks cannot be told to serve again', async () => {
    const world = new MemoryWorld();
    world.tasks.source = [report('s1'), report('s2')];
    const run = retreat(await confirmed(world), 'Aborted', 'an operator asked');
    world.unreachable.add('s2');
    const restored = await rollback(run, world.ports, world.nowMs);
    expect(restored).toMatchObject({ verdict: 'wait', rollback: { restoredAt: expect.any(String) as string } });
    world.smoke.source = 503;
    const stranded = await rollback(restored, world.ports, (world.nowMs += 2_000));
    expect(world.kindsTold.at(-1)).toBe('stuck');
    expect(stranded.rollback?.restoredAt).toBeUndefined();
    // A person moves the traffic: it is not moved back, whatever becomes of the source.
    world.forward = { ...world.forward, groups: ON_TARGET };
    world.smoke.source = 200;
    const moved = await rollback(stranded, world.ports, (world.nowMs += 2_000));
    expect(moved.verdict).toBe('wait');
    await expect(rollback(moved, world.ports, (world.nowMs += 300_000))).rejects.toMatchObject({
      code: 'RulesChanged',
    });
    expect(world.forward.groups).toEqual(ON_TARGET);
    // Where nobody has, it is restored once the source answers.
    world.forward = { ...world.forward, groups: ON_SOURCE };
    world.unreachable.clear();
    expect((await rollback(stranded, world.ports, world.nowMs)).verdict).toBe('restored');
  });

  test('recover tells once of a source that dies with its weight back, and gives up after five minutes', async () => {
    const world = new MemoryWorld();
    await confirmed(world);
    world.whilePausing = () => (world.healthy.source = 0);
    await expect(recover(change, world.ports, world.nowMs)).rejects.toThrow('its source serve');
    await expect(recover(change, world.ports, (world.nowMs += 180_000))).rejects.toThrow('its source serve');
    expect(world.kindsTold).toEqual(['shifted', 'rollingBack', 'stuck']);
    expect(await recover(change, world.ports, (world.nowMs += 180_000))).toEqual({ recovered: false });
    expect(world.kindsTold.at(-1)).toBe('failed');
    expect(world.lock).toBeDefined();
  });

  test('where neither side serves it waits longer for either', async () => {
    const world = new MemoryWorld();
    const run = retreat(await confirmed(world), 'SmokeFailed', 'the target is dead');
    world.healthy = { source: 0, target: 0 };
    const waiting = await rollback(run, world.ports, world.nowMs);
    expect((await rollback(waiting, world.ports, (world.nowMs += 200_000))).verdict).toBe('wait');
    await expect(rollback(waiting, world.ports, (world.nowMs += 100_000))).rejects.toMatchObject({
      message: expect.stringContaining('the target does not serve') as string,
    });
    expect(world.forward.groups).toEqual(ON_TARGET);
  });

  test('an alarm about the source causes no rollback; it forbids one while the target serves, and not over a dead target', async () => {
    const world = new MemoryWorld();
    const run = await confirmed(world);
    world.alarms = world.alarms.map((alarm) => (alarm.name === 'no-source' ? { ...alarm, state: 'ALARM' } : alarm));
    expect((await bake(run, world.ports, world.nowMs)).verdict).toBe('wait');
    const aborted = retreat(run, 'Aborted', 'an operator asked');
    expect((await rollback(aborted, world.ports, world.nowMs)).verdict).toBe('wait');
    expect(world.forward.groups).toEqual(ON_TARGET);
    world.healthy.target = 0;
    expect((await rollback(aborted, world.ports, world.nowMs)).verdict).toBe('restored');
    expect(world.forward.groups).toEqual(ON_SOURCE);
  });

  test('recover does the same: it leaves the weights, tells people, and does not try for hours', async () => {
    const world = new MemoryWorld();
    await confirmed(world);
    world.healthy.source = 0;
    await expect(recover(change, world.ports, world.nowMs)).rejects.toThrow('its source serve');
    expect(world.kindsTold).toEqual(['shifted', 'stuck']);
    expect(await recover(change, world.ports, (world.nowMs += 180_000))).toEqual({ recovered: false });
    expect(world.forward.groups).toEqual(ON_TARGET);
    expect(world.evidence).toMatchObject([{ outcome: 'failed', failure: { code: 'RollbackUnsafe' } }]);
    expect(world.lock).toBeDefined();
  });

  test('weights that were never moved are back, whatever the source is', async () => {
    const world = new MemoryWorld();
    const run = world.ready(last);
    world.forward = { ...world.forward, groups: ON_SOURCE };
    world.healthy.source = 0;
    expect((await rollback(run, world.ports, world.nowMs)).verdict).toBe('restored');
  });
});

describe('3: a rollback needs the API of the load balancer and nothing else', () => {
  test('the source is undrained before it gets its weight', async () => {
    const world = new MemoryWorld();
    const run = await confirmed(world);
    world.tasks.source = [report('s1', { state: 'draining' })];
    await rollback(run, world.ports, world.nowMs);
    expect(world.calls.slice(-2)).toEqual(['undrain s1', 'set arn:source=100']);
  });

  test.each(['store', 'ecs', 'alarms'] as const)('%s is away', async (service) => {
    const world = new MemoryWorld();
    const run = await confirmed(world);
    world.smoke.target = 502;
    world.away.add(service);
    const looked = await bake(run, world.ports, world.nowMs);
    expect(looked).toMatchObject({ verdict: 'rollBack', failure: { code: 'SmokeFailed' } });
    const back = await rollback(looked, world.ports, world.nowMs);
    expect(world.forward.groups).toEqual(ON_SOURCE);
    expect(back.rollback?.restoredAt).toBeDefined();
    // Nobody asks the alarms about a source that serves while the target is dead.
    const notDone = service === 'alarms' ? undefined : [`${service} must respond, got 503`];
    expect(back.rollback?.notDone).toEqual(notDone);
    world.away.clear();
    expect((await rollback(back, world.ports, world.nowMs)).verdict).toBe('restored');
  });

  test('what could not be done is in the evidence', async () => {
    const world = new MemoryWorld();
    const run = await confirmed(world);
    world.away.add('ecs');
    const back = await rollback(run, world.ports, world.nowMs);
    const late = await rollback(back, world.ports, (world.nowMs += 300_000));
    expect(late.verdict).toBe('restored');
    await record(late, world.ports, world.nowMs);
    expect(world.evidence[0]?.rollback?.notDone).toEqual(['ecs must respond, got 503']);
  });

  test('one proxy of two that hangs blinds nobody: the other one tells of the errors', async () => {
    const world = new MemoryWorld();
    world.tasks.target = [report('t1'), report('t2')];
    const run = await confirmed(world);
    world.unreachable.add('t2');
    world.tasks.target = [report('t1', { total: 90, errors: 40 }), report('t2')];
    expect(await bake(run, world.ports, world.nowMs)).toMatchObject({ failure: { code: 'BreakerTripped' } });
  });

  test('one of two that hangs is no blind side, however long; and nothing is promoted without it', async () => {
    const world = new MemoryWorld();
    world.tasks.target = [report('t1'), report('t2')];
    let run = await confirmed(world);
    world.unreachable.add('t2');
    world.tasks.target = [report('t1', { total: 500 }), report('t2')];
    for (const seconds of [5, 10, 1]) {
      run = await bake(run, world.ports, (world.nowMs += seconds * 1000));
      expect(run.verdict).toBe('wait');
      expect(run.watch?.blindSinceMs).toEqual({});
    }
    world.unreachable.clear();
    expect((await bake(run, world.ports, world.nowMs)).verdict).toBe('drain');
  });

  test('a store that is away for hours sends nothing back', async () => {
    const world = new MemoryWorld();
    let run = await confirmed(world, {
      stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 20_000 }],
      pollSeconds: 60,
    });
    world.away.add('store');
    for (let hour = 0; hour < 5; hour += 1) {
      run = await bake(run, world.ports, (world.nowMs += 3_600_000));
      expect(run.verdict).toBe('wait');
    }
  });

  test.each(['alarms', 'ecs', 'store'] as const)('the next stage waits for %s', async (service) => {
    const world = new MemoryWorld();
    const run = await confirmed(world, half);
    world.away.add(service);
    const save = () => Promise.resolve();
    const ports = { ...world.ports, store: { ...world.ports.store, save } };
    expect((await shift(run, ports, world.nowMs)).verdict).toBe('wait');
    expect(world.forward.groups).toEqual(HALF);
  });

  test('a store that is away promotes nothing and stops nothing; the next stage waits for it', async () => {
    const world = new MemoryWorld();
    const run = await confirmed(world, half);
    world.tasks.target = [report('t1', { total: 500 })];
    world.away.add('store');
    const baked = await bake(run, world.ports, (world.nowMs += 10_000));
    expect(baked.verdict).toBe('wait');
    const waiting = await shift({ ...baked, verdict: 'nextStage' }, world.ports, world.nowMs);
    expect(waiting.verdict).toBe('wait');
    expect(world.forward.groups).toEqual(HALF);
    world.away.clear();
    expect((await bake(baked, world.ports, world.nowMs)).verdict).toBe('approve');
  });

  test('proxies of the target that nobody can ask for a minute send it back', async () => {
    const world = new MemoryWorld();
    const run = await confirmed(world);
    world.unreachable.add('t1');
    const blind = await bake(run, world.ports, world.nowMs);
    expect(blind.verdict).toBe('wait');
    const late = await bake(blind, world.ports, world.nowMs + 60_000);
    expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'AdminUnreachable' } });
  });
});

/** A rollback of a whole side must not hang on one of its targets; a start may. */
test('2: before anything moves every target must respond, and half of them later and on the way back', async () => {
  const world = new MemoryWorld();
  const run = await preflight(world.ready(), world.ports, world.nowMs);
  expect(new Set(world.quorums.splice(0))).toEqual(new Set(['every']));
  await bake(
    await confirm(await shift(run, world.ports, world.nowMs), world.ports, world.nowMs),
    world.ports,
    world.nowMs,
  );
  await rollback(run, world.ports, world.nowMs);
  expect(new Set(world.quorums)).toEqual(new Set(['half']));
});

test('3: after a shift a rollback sets the weights whatever a lagging API still shows', async () => {
  const world = new MemoryWorld();
  const run = await shifted(world);
  world.staleForward = { ...world.forward, groups: ON_SOURCE };
  world.calls = [];
  await rollback(retreat(run, 'SmokeFailed', 'the target is dead'), world.ports, world.nowMs);
  expect(world.calls).toContain('set arn:source=100');
  expect(world.forward.groups).toEqual(ON_SOURCE);
});

test('3: smoke requests that could not be sent are no failed ones', async () => {
  const world = new MemoryWorld();
  const run = await confirmed(world);
  const ports = {
    ...world.ports,
    smoke: { ...world.ports.smoke, probe: () => Promise.reject(new Error('Throttling')) },
  };
  expect((await bake(run, ports, world.nowMs)).verdict).toBe('wait');
  expect((await rollback(retreat(run, 'Aborted', 'asked'), ports, world.nowMs)).verdict).toBe('restored');
});

test('6: a store that reads and does not write is done without: that Verify has passed is at the rule', async () => {
  const world = new MemoryWorld();
  const run = await drain(await confirmed(world), world.ports, world.nowMs);
  const save = () => Promise.reject(new Error('SlowDown'));
  const ports = { ...world.ports, store: { ...world.ports.store, save } };
  expect(await verify(run, ports, world.nowMs)).toMatchObject({ verdict: 'verified', isVerified: true });
  expect(world.mark).toBe('night 2026-01-01T00:00:00.000Z');
});

test('6: while neither the store nor the rule takes it, Verify has not passed; and it does not wait for ever', async () => {
  const world = new MemoryWorld();
  const run = await drain(await confirmed(world), world.ports, world.nowMs);
  const refuse = () => Promise.reject(new Error('SlowDown'));
  const { store, loadBalancer } = world.ports;
  const ports = {
    ...world.ports,
    store: { ...store, save: refuse },
    loadBalancer: { ...loadBalancer, markVerified: refuse },
  };
  const waiting = await verify(run, ports, world.nowMs);
  expect(waiting).toMatchObject({ verdict: 'wait', waitSeconds: 60 });
  expect(waiting.isVerified).toBeUndefined();
  const late = await verify(waiting, ports, world.nowMs + 10_800_000);
  expect(late).toMatchObject({ verdict: 'rollBack', failure: { code: 'AwsUnavailable' } });
});

test('6: a lock that is put back meanwhile is no store that is away: nothing is written at the rule', async () => {
  const world = new MemoryWorld();
  const run = await drain(await confirmed(world), world.ports, world.nowMs);
  const lost = () => Promise.reject(new CutoverError('LockLost', 'put back'));
  const ports = { ...world.ports, store: { ...world.ports.store, save: lost } };
  expect((await verify(run, ports, world.nowMs)).verdict).toBe('wait');
  expect(world.mark).toBeUndefined();
});

test('a shift does not wait for a store for ever', async () => {
  const world = new MemoryWorld();
  const run = await confirmed(world, half);
  const save = () => Promise.reject(new Error('SlowDown'));
  const ports = { ...world.ports, store: { ...world.ports.store, save } };
  const waiting = await shift(run, ports, world.nowMs);
  expect(waiting.verdict).toBe('wait');
  expect(await shift(waiting, ports, world.nowMs + 3_600_000)).toMatchObject({ failure: { code: 'AwsUnavailable' } });
});

test('the evidence of a dead target has what it did until it was found', async () => {
  const world = new MemoryWorld();
  const run = await confirmed(world);
  world.tasks.target = [report('t1', { total: 3000, errors: 3000 })];
  world.smoke.target = 502;
  const back = await rollback(await bake(run, world.ports, world.nowMs), world.ports, world.nowMs);
  expect(back.stages[0]).toMatchObject({ observed: { target: 3000 }, errors: { target: 3000 } });
});

describe('4: unknown is never zero', () => {
  test('a task of the source that does not answer is neither drained nor verified', async () => {
    const world = new MemoryWorld();
    world.tasks.source = [report('s1'), report('s2', { active: { websocket: 635 } })];
    const run = await confirmed(world);
    world.leaving.add('s2');
    const first = await drain(run, world.ports, world.nowMs);
    world.unreachable.add('s2');
    const looked = await drain(first, world.ports, world.nowMs);
    expect(looked).toMatchObject({ verdict: 'wait', drain: { unknownTasks: 1 } });
    expect((await verify(looked, world.ports, world.nowMs)).verdict).toBe('wait');
    world.tasks.source = [report('s1')];
    world.stopped.source = { s2: 137 };
    const done = await drain(looked, world.ports, world.nowMs);
    expect(done).toMatchObject({ verdict: 'drained', drain: { ended: { lost: 635 } } });
  });

  test('nor is a source that ECS alone does not list verified', async () => {
    const world = new MemoryWorld();
    const run = await drain(await confirmed(world), world.ports, world.nowMs);
    const tasks = (side: 'source' | 'target') =>
      side === 'source' ? Promise.reject(new Error('503')) : world.ports.proxies.tasks(side);
    const ports = { ...world.ports, proxies: { ...world.ports.proxies, tasks } };
    expect((await verify(run, ports, world.nowMs)).verdict).toBe('wait');
  });

  test('ECS that does not list them is no empty side', async () => {
    const world = new MemoryWorld();
    const run = await confirmed(world);
    world.away.add('ecs');
    expect((await drain(run, world.ports, world.nowMs)).verdict).toBe('wait');
    expect((await verify(run, world.ports, world.nowMs)).verdict).toBe('wait');
  });
});

describe('6: after Verify the target is the safe side', () => {
  async function verified(world: MemoryWorld): Promise<CutoverRun> {
    return verify(await drain(await confirmed(world), world.ports, world.nowMs), world.ports, world.nowMs);
  }

  test('what Verify found is written down before anything else is done', async () => {
    const world = new MemoryWorld();
    const run = await verified(world);
    expect(run).toMatchObject({ verdict: 'verified', isVerified: true });
    expect(world.lock).toMatchObject({ isVerified: true });
  });

  test('while Verify cannot be written down it goes on judging', async () => {
    const world = new MemoryWorld();
    const run = await drain(await confirmed(world), world.ports, world.nowMs);
    world.away.add('store');
    const markVerified = () => Promise.reject(new Error('AccessDenied'));
    const ports = { ...world.ports, loadBalancer: { ...world.ports.loadBalancer, markVerified } };
    const waiting = await verify(run, ports, world.nowMs);
    expect(waiting.verdict).toBe('wait');
    expect(waiting.isVerified).toBeUndefined();
    world.smoke.target = 502;
    expect((await verify(waiting, ports, world.nowMs)).verdict).toBe('rollBack');
  });

  describe('a store that is away from before Verify on', () => {
    async function finished(world: MemoryWorld): Promise<CutoverRun> {
      const run = await drain(await confirmed(world), world.ports, world.nowMs);
      world.away.add('store');
      const done = await verify(run, world.ports, world.nowMs);
      expect(done).toMatchObject({ verdict: 'verified', isVerified: true });
      await expect(complete(done, world.ports, world.nowMs)).rejects.toMatchObject({ code: 'AwsUnavailable' });
      world.away.clear();
      expect(world.lock?.isVerified).toBeUndefined();
      return done;
    }

    test('moves no weights when it is back: the rule says that it is finished', async () => {
      const world = new MemoryWorld();
      await finished(world);
      expect(await recover(change, world.ports, world.nowMs)).toEqual({ recovered: true });
      expect(world.forward.groups).toEqual(ON_TARGET);
      expect(world.evidence).toMatchObject([{ outcome: 'completed' }]);
      expect(world.lock).toBeUndefined();
    });

    test('and what nobody has on record of its drain is unknown in its evidence', async () => {
      const world = new MemoryWorld();
      world.tasks.source = [report('s1', { active: { websocket: 7 } })];
      const first = await drain(await confirmed(world), world.ports, world.nowMs);
      world.away.add('store');
      world.tasks.source = [report('s1', { state: 'drained' })];
      const done = await drain(first, world.ports, world.nowMs);
      await verify(done, world.ports, world.nowMs);
      world.away.clear();
      await recover(change, world.ports, world.nowMs);
      expect(world.evidence[0]?.drain).toMatchObject({ completed: 0, unknown: 7, source: { websocket: 0 } });
    });

    test('nor while the rule cannot be asked: it is asked again', async () => {
      const world = new MemoryWorld();
      await finished(world);
      const verifiedMark = () => Promise.reject(new Error('Throttling'));
      const ports = { ...world.ports, loadBalancer: { ...world.ports.loadBalancer, verifiedMark } };
      await expect(recover(change, ports, world.nowMs)).rejects.toThrow('Throttling');
      expect(world.forward.groups).toEqual(ON_TARGET);
    });

    test.each<[string, (world: MemoryWorld) => void]>([
      ['another cutover', (world) => (world.mark = 'night 2025-01-01T00:00:00.000Z')],
      ['nothing', (world) => (world.mark = undefined)],
    ])('but a rule that tells of %s is no reason to leave one unfinished', async (_, happen) => {
      const world = new MemoryWorld();
      await finished(world);
      happen(world);
      expect(await recover(change, world.ports, world.nowMs)).toEqual({ recovered: true });
      expect(world.forward.groups).toEqual(ON_SOURCE);
      expect(world.evidence).toMatchObject([{ outcome: 'rolled-back' }]);
    });

    test('nor where a recovery has begun to put it back', async () => {
      const world = new MemoryWorld();
      await finished(world);
      world.lock = { ...world.lock!, verdict: 'rollBack' };
      expect(await recover(change, world.ports, world.nowMs)).toEqual({ recovered: true });
      expect(world.evidence).toMatchObject([{ outcome: 'rolled-back' }]);
    });

    test('nor one that has gone back since', async () => {
      const world = new MemoryWorld();
      await finished(world);
      world.forward = { ...world.forward, groups: ON_SOURCE };
      expect(await recover(change, world.ports, world.nowMs)).toEqual({ recovered: true });
      expect(world.evidence).toMatchObject([{ outcome: 'rolled-back' }]);
    });
  });

  test('a store that fails from Complete on moves no weights: not now, and not when it is back', async () => {
    const world = new MemoryWorld();
    const run = await verified(world);
    world.away.add('store');
    await expect(complete(run, world.ports, world.nowMs)).rejects.toMatchObject({ code: 'AwsUnavailable' });
    await expect(record({ ...run, error: { Error: 'x', Cause: 'y' } }, world.ports, world.nowMs)).rejects.toBeDefined();
    world.away.clear();
    expect(await recover(change, world.ports, world.nowMs)).toEqual({ recovered: true });
    expect(world.forward.groups).toEqual(ON_TARGET);
    expect(world.evidence).toMatchObject([{ outcome: 'completed' }]);
    expect(world.lock).toBeUndefined();
    expect(world.kindsTold.at(-1)).toBe('completed');
  });

  test('a Verify whose answer was lost, and that rolled back, is not called completed by the recovery', async () => {
    const world = new MemoryWorld();
    const run = await verified(world);
    const before = { ...run, isVerified: undefined };
    await rollback(retreat(before, 'SmokeFailed', 'the target is dead'), world.ports, world.nowMs);
    expect(world.lock).toMatchObject({ isVerified: true });
    expect(await recover(change, world.ports, world.nowMs)).toEqual({ recovered: true });
    expect(world.forward.groups).toEqual(ON_SOURCE);
    expect(world.evidence).toMatchObject([{ outcome: 'rolled-back' }]);
  });

  test('a record that is late is still one of a completed cutover', async () => {
    const world = new MemoryWorld();
    const late = { ...(await verified(world)), error: { Error: 'AwsUnavailable', Cause: 'S3 must respond' } };
    expect((await record(late, world.ports, world.nowMs)).outcome).toBe('completed');
  });
});

describe('10: rules that cannot catch our requests are not our business', () => {
  test.each<[string, object]>([
    ['another host', { hosts: ['blog.example.com'] }],
    ['a lower priority', { priority: 20 }],
  ])('%s: noted in the evidence, and it goes on', async (_, conditions) => {
    const world = new MemoryWorld();
    const run = await confirmed(world);
    world.others['rule/new'] = 'x';
    world.conditions['rule/new'] = conditions;
    const looked = await bake(run, world.ports, world.nowMs);
    expect(looked).toMatchObject({ verdict: 'wait', otherRulesChanged: ['rule/new'] });
    const again = await bake(looked, world.ports, world.nowMs);
    expect(again.timeline.filter(({ state }) => state === 'OtherRulesChanged')).toHaveLength(1);
    await record(again, world.ports, world.nowMs);
    expect(world.evidence[0]?.otherRulesChanged).toEqual(['rule/new']);
  });

  test('a rule that can catch them, and another condition or rewrite of our own rule, roll back', async () => {
    const world = new MemoryWorld();
    const run = await confirmed(world);
    world.ownDigest = 'another';
    expect(await bake(run, world.ports, world.nowMs)).toMatchObject({ failure: { code: 'RulesChanged' } });
    world.ownDigest = 'own';
    world.others['rule/new'] = 'x';
    expect(await drain(run, world.ports, world.nowMs)).toMatchObject({ failure: { code: 'RulesChanged' } });
  });
});
