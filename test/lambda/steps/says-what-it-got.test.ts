import { CutoverRun } from '../../../core/cutover/run';
import { approve } from '../../../lambda/steps/approve';
import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { record } from '../../../lambda/steps/record';
import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { MemoryCloud, arns, report, stickiness } from '../world';

const PLAN = { stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 10 }], pollSeconds: 5 };
const HOUR_MS = 3_600_000;
const SHIFTED = JSON.stringify({ groups: [{ arn: arns.target, weight: 100 }], stickiness });
const INITIAL = JSON.stringify({ groups: [{ arn: arns.source, weight: 100 }], stickiness });

async function confirmed(plan: unknown = PLAN): Promise<{ cloud: MemoryCloud; run: CutoverRun }> {
  const cloud = new MemoryCloud();
  const run = await shift(cloud.ready(plan), cloud.ports, cloud.nowMs);
  return { cloud, run: await confirm(run, cloud.ports, cloud.nowMs) };
}
/** The run that a rollback has to put back. */
const failing = (run: CutoverRun): CutoverRun => ({
  ...run,
  verdict: 'rollBack',
  failure: { code: 'BreakerTripped', message: 'too many errors' },
});

describe('weights that do not read back', () => {
  test('after a shift', async () => {
    const cloud = new MemoryCloud();
    const run = await shift(cloud.ready({ ...PLAN, confirmTimeoutSeconds: 30 }), cloud.ports, cloud.nowMs);
    cloud.staleForward = { groups: [{ arn: arns.source, weight: 100 }], stickiness };
    const { failure } = await confirm(run, cloud.ports, cloud.nowMs + 30_000);
    expect(failure?.message).toBe(`the weights must read back within 30 s, got ${INITIAL}`);
  });

  test('before the next one', async () => {
    const two = { stages: [{ weights: { source: 1, target: 1 } }, ...PLAN.stages], pollSeconds: 5 };
    const { cloud, run } = await confirmed(two);
    const groups = [
      { arn: arns.source, weight: 1 },
      { arn: arns.target, weight: 7 },
    ];
    cloud.forward = { groups, stickiness };
    const { failure } = await shift(run, cloud.ports, cloud.nowMs);
    const got = JSON.stringify({ groups, stickiness });
    expect(failure).toEqual({
      code: 'RulesChanged',
      message: `the weighted rule must be as shifted before, got ${got}`,
    });
  });

  test('in a rollback, in time', async () => {
    const { cloud, run } = await confirmed();
    const first = await rollback(failing(run), cloud.ports, cloud.nowMs);
    expect(first.verdict).toBe('restored');
    const waiting = {
      ...first,
      verdict: 'rollBack' as const,
      rollback: { ...first.rollback!, hasReadBack: undefined, restoredAt: undefined },
    };
    cloud.staleForward = { groups: [{ arn: arns.target, weight: 100 }], stickiness };
    cloud.ports.loadBalancer.setForward = async () => undefined;
    await expect(rollback(waiting, cloud.ports, cloud.nowMs + 300_000)).rejects.toMatchObject({
      code: 'RollbackNotConfirmed',
      message: `the weights must read back as ${INITIAL}, and the source respond, got ${SHIFTED}; the source serves`,
    });
  });

  test('any more, because another caller has set others', async () => {
    const { cloud, run } = await confirmed();
    const restored = await rollback(failing(run), cloud.ports, cloud.nowMs);
    const kept = { ...restored, rollback: { ...restored.rollback!, restoredAt: undefined } };
    cloud.forward = { groups: [{ arn: arns.target, weight: 100 }], stickiness };
    await expect(rollback(kept, cloud.ports, cloud.nowMs + 300_000)).rejects.toMatchObject({
      code: 'RulesChanged',
      message: `the weights must read back as ${INITIAL}, and the source respond, got ${SHIFTED}; the source serves`,
    });
  });
});

describe('a rollback', () => {
  test('is in the timeline with its reason, and with the weights that are in force again', async () => {
    const { cloud, run } = await confirmed();
    const { timeline } = await rollback(failing(run), cloud.ports, cloud.nowMs);
    expect(timeline.slice(-2)).toMatchObject([
      { state: 'Rollback', detail: { because: { code: 'BreakerTripped', message: 'too many errors' } } },
      { state: 'Rollback', detail: { weights: { source: 100, target: 0 } } },
    ]);
  });

  test('that has lost the lock goes on to the record, and says so', async () => {
    const { cloud, run } = await confirmed();
    cloud.lock = undefined;
    expect(await rollback(failing(run), cloud.ports, cloud.nowMs)).toMatchObject({
      verdict: 'go',
      failure: {
        code: 'LockLost',
        message: "the lock must be held by 'night' to put its weights back, got another or none",
      },
    });
  });

  test('whose source dies with its weight back says what each side is, and waits five minutes', async () => {
    const { cloud, run } = await confirmed();
    cloud.ports.loadBalancer.setForward = async (forward) => {
      cloud.forward = forward;
      cloud.healthy.source = 0;
    };
    const dead = await rollback(failing(run), cloud.ports, cloud.nowMs);
    expect(dead).toMatchObject({ verdict: 'wait', rollback: { notifiedOf: 'stranded' } });
    cloud.nowMs += 299_000;
    const waiting = await rollback(dead, cloud.ports, cloud.nowMs);
    expect(waiting.verdict).toBe('wait');
    cloud.nowMs += 1_000;
    await expect(rollback(waiting, cloud.ports, cloud.nowMs)).rejects.toMatchObject({
      code: 'RollbackUnsafe',
      message:
        'the source must serve within 300 s with its weight back, got: the source does not serve (the source must have at least 1 healthy targets, got 0); the target serves. The weights stay as they are',
    });
    expect(cloud.kindsNotified.filter((kind) => kind === 'stuck')).toHaveLength(1);
  });

  test('that stays reports once what it could not do: to undrain a task, and to mark the rule', async () => {
    const { cloud, run } = await confirmed();
    cloud.healthy.source = 0;
    cloud.unreachable.add('s1');
    cloud.ports.loadBalancer.mark = () => Promise.reject(new Error('the rule must take a tag, got none'));
    const staying = await rollback(failing(run), cloud.ports, cloud.nowMs);
    expect(staying.rollback).toMatchObject({
      notifiedOf: 'staying',
      notDone: ['s1 must respond, got ECONNREFUSED', 'the rule must take a tag, got none'],
    });
  });

  test('before the last stage marks no rule: no reader takes its cutover for completed', async () => {
    const two = { stages: [{ weights: { source: 1, target: 1 } }, ...PLAN.stages], pollSeconds: 5 };
    const { cloud, run } = await confirmed(two);
    cloud.healthy.source = 0;
    const staying = await rollback(failing(run), cloud.ports, cloud.nowMs);
    expect(staying.rollback).toMatchObject({ notifiedOf: 'staying' });
    expect(staying.rollback?.notDone).toBeUndefined();
    expect(cloud.marks).toEqual({});
  });
});

describe('Verify', () => {
  test.each<[string, (cloud: MemoryCloud) => void]>([
    ['the alarms', (cloud) => cloud.away.add('alarms')],
    ['the load balancer', (cloud) => cloud.away.add('loadBalancer')],
    ['the tasks of the target', (cloud) => cloud.unreachable.add('t1')],
    ['the tasks of both sides', (cloud) => cloud.away.add('ecs')],
  ])('does not pass without %s, and rolls nothing back at once', async (_, takeAway) => {
    const { cloud, run } = await confirmed();
    takeAway(cloud);
    const next = await verify(run, cloud.ports, cloud.nowMs);
    expect(next).toMatchObject({ verdict: 'wait', waitSeconds: 5 });
    expect(next.isVerified).toBeUndefined();
  });

  test('has the last word on how the connections of the source ended', async () => {
    const { cloud, run } = await confirmed();
    cloud.tasks.source = [report('s1', { active: { websocket: 3 } })];
    const draining = await drain(run, cloud.ports, cloud.nowMs);
    cloud.tasks.source = [];
    cloud.stopped.source = { s1: 0 };
    const verified = await verify(draining, cloud.ports, cloud.nowMs);
    expect(verified).toMatchObject({ verdict: 'verified', isVerified: true, drain: { ended: { unknown: 3 } } });
    // Of a cutover whose drain is on no record there is none to tell of.
    expect(await verify({ ...draining, drain: undefined }, cloud.ports, cloud.nowMs)).toMatchObject({
      verdict: 'verified',
      drain: undefined,
    });
  });

  test('waits five minutes for a source that is not at zero, and says what is live', async () => {
    const { cloud, run } = await confirmed();
    cloud.tasks.source = [report('s1', { active: { websocket: 1 } })];
    const since = await verify(run, cloud.ports, cloud.nowMs);
    expect(await verify(since, cloud.ports, cloud.nowMs + 299_000)).toMatchObject({ verdict: 'wait' });
    expect((await verify(since, cloud.ports, cloud.nowMs + 300_000)).failure).toEqual({
      code: 'NotDrained',
      message: 'the source must be at zero, got 1 websocket',
    });
  });

  test('waits as long for tasks of the source that cannot be listed', async () => {
    const { cloud, run } = await confirmed();
    const { tasks } = cloud.ports.proxies;
    cloud.ports.proxies.tasks = (side, order) =>
      side === 'source' ? Promise.reject(new Error('ecs')) : tasks(side, order);
    const since = await verify(run, cloud.ports, cloud.nowMs);
    expect(await verify(since, cloud.ports, cloud.nowMs + 299_000)).toMatchObject({ verdict: 'wait' });
    expect((await verify(since, cloud.ports, cloud.nowMs + 300_000)).failure).toEqual({
      code: 'NotDrained',
      message: 'the tasks of the source must be listed, got no response of ECS',
    });
  });

  test('waits three hours for somewhere to write down that it has passed', async () => {
    const { cloud, run } = await confirmed();
    cloud.away.add('store');
    cloud.ports.loadBalancer.mark = () => Promise.reject(new Error('no'));
    const since = await verify(run, cloud.ports, cloud.nowMs);
    expect(since).toMatchObject({ verdict: 'wait', waitSeconds: 60 });
    expect((await verify(since, cloud.ports, cloud.nowMs + 3 * HOUR_MS - 1)).verdict).toBe('wait');
    expect((await verify(since, cloud.ports, cloud.nowMs + 3 * HOUR_MS)).failure).toEqual({
      code: 'AwsUnavailable',
      message: 'that Verify has passed must be written into the store or at the rule within 10800 s, got neither',
    });
  });
});

describe('a bake', () => {
  const ended = (cloud: MemoryCloud) => (cloud.tasks.target = [report('t1', { total: 300 })]);

  test('that goes on is no news', async () => {
    const { cloud, run } = await confirmed();
    const waiting = await bake(run, cloud.ports, cloud.nowMs);
    expect(waiting).toMatchObject({ verdict: 'wait', waitSeconds: 5, timeline: run.timeline });
  });

  test('promotes without the figures of the source, and with a task of the target that ends', async () => {
    const { cloud, run } = await confirmed();
    ended(cloud);
    cloud.tasks.target = [...cloud.tasks.target, report('t2')];
    cloud.leaving.add('t2');
    cloud.unreachable.add('t2').add('s1');
    expect((await bake(run, cloud.ports, cloud.nowMs + 10_000)).verdict).toBe('drain');
  });

  test.each<[string, (cloud: MemoryCloud) => void]>([
    ['no task that is to stay', (cloud) => cloud.leaving.add('t1')],
    [
      'one that does not respond beside one that does',
      (cloud) => {
        cloud.tasks.target = [...cloud.tasks.target, report('t2')];
        cloud.unreachable.add('t2');
      },
    ],
    ['tasks that cannot be listed', (cloud) => cloud.away.add('ecs')],
  ])('of a target with %s promotes nothing', async (_, happen) => {
    const { cloud, run } = await confirmed();
    ended(cloud);
    const seen = await bake(run, cloud.ports, cloud.nowMs);
    happen(cloud);
    expect((await bake(seen, cloud.ports, cloud.nowMs + 10_000)).verdict).toBe('wait');
  });
});

describe('a drain whose tasks cannot be listed', () => {
  test('waits ten minutes from when it could not, and then rolls back', async () => {
    const { cloud, run } = await confirmed();
    cloud.ports.proxies.tasks = async (side) => {
      if (side === 'source') throw new Error('ecs');
      return [{ id: 't1', address: 't1', life: 'running', report: report('t1') }];
    };
    const since = await drain(run, cloud.ports, cloud.nowMs);
    expect(since).toMatchObject({ verdict: 'wait', waitSeconds: 5 });
    expect((await drain(since, cloud.ports, cloud.nowMs + 599_999)).verdict).toBe('wait');
    expect((await drain(since, cloud.ports, cloud.nowMs + 600_000)).failure).toEqual({
      code: 'DrainOverdue',
      message: 'the tasks of the source must be listed within 600 s of the drain, got no response of ECS',
    });
  });

  test('has its own limit once it has begun', async () => {
    const { cloud, run } = await confirmed();
    const begun = await drain({ ...run }, cloud.ports, cloud.nowMs);
    const progress = { ...begun.drain!, limitMs: 20_000 };
    cloud.ports.proxies.tasks = () => Promise.reject(new Error('ecs'));
    const at = (ms: number) => drain({ ...begun, drain: progress }, cloud.ports, progress.startedAtMs + ms);
    expect((await at(619_999)).verdict).toBe('wait');
    expect((await at(620_000)).failure?.message).toContain('must be listed within 620 s of the drain');
  });
});

test('a shift that cannot be written down waits an hour', async () => {
  const two = { stages: [{ weights: { source: 1, target: 1 } }, ...PLAN.stages], pollSeconds: 5 };
  const { cloud, run } = await confirmed(two);
  cloud.ports.store.save = () => Promise.reject(new Error('the store is read-only'));
  const since = await shift(run, cloud.ports, cloud.nowMs);
  expect(since).toMatchObject({ verdict: 'wait', waitSeconds: 5 });
  expect((await shift(since, cloud.ports, cloud.nowMs + HOUR_MS - 1)).verdict).toBe('wait');
  expect((await shift(since, cloud.ports, cloud.nowMs + HOUR_MS)).failure).toEqual({
    code: 'AwsUnavailable',
    message:
      'everything that a shift needs must be readable within 3600 s, and the store writable, got tasks or services that do not respond',
  });
  // The first one has moved nothing, and does not wait.
  const first = new MemoryCloud();
  first.ports.store.save = cloud.ports.store.save;
  await expect(shift(first.ready(PLAN), first.ports, first.nowMs)).rejects.toThrow('the store is read-only');
});

test('the figures of the source alone hold up no shift', async () => {
  const two = { stages: [{ weights: { source: 1, target: 1 } }, ...PLAN.stages], pollSeconds: 5 };
  const { cloud, run } = await confirmed(two);
  cloud.unreachable.add('s1');
  expect(await shift(run, cloud.ports, cloud.nowMs)).toMatchObject({ verdict: 'go', stage: { index: 1 } });
});

describe('at the end', () => {
  test('a task that could not be undrained is in the timeline', async () => {
    const { cloud, run } = await confirmed();
    cloud.unreachable.add('s1');
    const { timeline } = await complete(run, cloud.ports, cloud.nowMs);
    const notUndrained = ['s1 must respond, got ECONNREFUSED'];
    expect(timeline.at(-1)).toMatchObject({ state: 'Complete', detail: { notUndrained } });
  });

  test('a cutover without its lock does not complete', async () => {
    const { cloud, run } = await confirmed();
    cloud.lock = undefined;
    await expect(complete(run, cloud.ports, cloud.nowMs)).rejects.toMatchObject({
      code: 'LockLost',
      message: "the lock must be held by 'night' to complete, got another or none",
    });
  });

  test.each([
    [{ failure: { code: 'Aborted', message: 'stop' } as const }, 'Aborted: stop'],
    [{}, 'no reason is known'],
  ])('the record has its outcome and a cause: %j', async (over, cause) => {
    const { cloud, run } = await confirmed();
    const recorded = await record({ ...run, ...over }, cloud.ports, cloud.nowMs);
    expect(recorded).toMatchObject({ outcome: 'failed', cause });
    expect(recorded.timeline.at(-1)).toMatchObject({ state: 'Record', detail: { outcome: 'failed' } });
  });
});

describe('an execution that ended past every Catch', () => {
  const change = { detail: { name: 'night', status: 'TIMED_OUT' } };

  test('is rolled back with how it ended', async () => {
    const { cloud } = await confirmed();
    await recover(change, cloud.ports, cloud.nowMs);
    expect(cloud.evidence).toMatchObject([{ failure: { message: "the execution 'night' ended as TIMED_OUT" } }]);
  });

  test('after Verify is completed, with what was live in the last record as unknown, and with the task that could not be undrained', async () => {
    const { cloud, run } = await confirmed();
    cloud.tasks.source = [report('s1', { active: { websocket: 3 } })];
    const draining = await drain(run, cloud.ports, cloud.nowMs);
    cloud.unreachable.add('s1');
    cloud.lock = { ...draining, isVerified: true };
    await recover(change, cloud.ports, cloud.nowMs);
    const [known] = cloud.evidence;
    expect(known).toMatchObject({ outcome: 'completed', drain: { unknown: 0 } });
    expect(known?.timeline.at(-2)).toMatchObject({
      state: 'Complete',
      detail: { notUndrained: ['s1 must respond, got ECONNREFUSED'] },
    });

    cloud.evidence = [];
    cloud.unreachable.clear();
    cloud.lock = draining;
    cloud.marks = { verified: 'night 2026-01-01T00:00:00.000Z' };
    await recover(change, cloud.ports, cloud.nowMs);
    expect(cloud.evidence).toMatchObject([{ outcome: 'completed', drain: { unknown: 3 } }]);
    expect(cloud.evidence[0]?.timeline.map(({ state }) => state)).not.toContain('Complete');
  });

  test('whose last attempt fails says why', async () => {
    const { cloud } = await confirmed();
    cloud.ports.loadBalancer.rules = () => Promise.reject(new Error('the API is away'));
    const attributes = { ApproximateReceiveCount: '120' };
    const last = { Records: [{ body: JSON.stringify(change), attributes }] };
    await expect(recover(last, cloud.ports, cloud.nowMs)).rejects.toThrow('the API is away');
    expect(cloud.evidence).toMatchObject([
      {
        outcome: 'failed',
        failure: {
          code: 'RollbackNotConfirmed',
          message: "what 'night' has changed must be put back in 120 attempts, got Error: the API is away",
        },
      },
    ]);
  });
});

test('a store that cannot be read holds an approval up for an hour beyond its time, and no longer', async () => {
  const cloud = new MemoryCloud();
  const run = cloud.ready({ approval: { beforeFirstShift: true, timeoutSeconds: 600 } });
  cloud.away.add('store');
  const waiting = await approve(run, cloud.ports, cloud.nowMs);
  expect(waiting).toMatchObject({ verdict: 'wait', approval: { gate: 'firstShift', askedAtMs: cloud.nowMs } });
  expect(waiting.approval).not.toHaveProperty('problem');
  const at = (ms: number) => approve(waiting, cloud.ports, cloud.nowMs + 600_000 + ms);
  expect((await at(0)).verdict).toBe('wait');
  expect((await at(HOUR_MS - 1)).verdict).toBe('wait');
  expect(await at(HOUR_MS)).toMatchObject({
    verdict: 'rollBack',
    failure: {
      code: 'ApprovalOverdue',
      message: "the approval at 'firstShift' must be readable, got store must respond, got 503",
    },
  });
  expect(cloud.kindsNotified).toEqual(['waitingForApproval']);
});

test('rules that cannot be read after the weights were set are in the record, and the next call reads them', async () => {
  const { cloud, run } = await confirmed();
  const { rules, setForward } = cloud.ports.loadBalancer;
  cloud.ports.loadBalancer.setForward = async (forward) => {
    await setForward(forward);
    cloud.ports.loadBalancer.rules = () => Promise.reject(new Error('the rules must be readable, got none'));
  };
  const first = await rollback(failing(run), cloud.ports, cloud.nowMs);
  expect(first).toMatchObject({
    verdict: 'wait',
    rollback: { hasSet: true, notDone: ['the rules must be readable, got none'] },
  });
  expect(first.rollback?.hasReadBack).toBeUndefined();
  cloud.ports.loadBalancer.rules = rules;
  expect((await rollback(first, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
});

test('the last attempt of a recovery does not speak for a lock that is gone, or for a cutover with evidence', async () => {
  const attributes = { ApproximateReceiveCount: '120' };
  const change = { detail: { name: 'night', status: 'TIMED_OUT' } };
  const last = { Records: [{ body: JSON.stringify(change), attributes }] };
  for (const isTaken of [true, false]) {
    const { cloud } = await confirmed();
    const held = cloud.lock!;
    cloud.ports.loadBalancer.rules = () => {
      cloud.lock = isTaken ? { ...held, execution: 'other' } : undefined;
      return Promise.reject(new Error('the API is away'));
    };
    await expect(recover(last, cloud.ports, cloud.nowMs)).rejects.toThrow('the API is away');
    expect(cloud.evidence).toEqual([]);
  }
});
