import { CutoverRun } from '../../../core/cutover/run';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { preflight } from '../../../lambda/steps/preflight';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { MemoryCloud, arns, report, stickiness } from '../world';

const STAGES = [
  { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
  { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
];
const planWith = (given: object) => ({ stages: STAGES, pollSeconds: 5, stickiness: given });
const KEEP = planWith({ policy: 'keep', keepSeconds: 600 });
const later = (cloud: MemoryCloud, seconds: number) => (cloud.nowMs += seconds * 1000);
const BOTH = [
  { arn: arns.source, weight: 0 },
  { arn: arns.target, weight: 100 },
];
const TARGET_ALONE = [{ arn: arns.target, weight: 100 }];

function newCloud(): MemoryCloud {
  const cloud = new MemoryCloud();
  cloud.arrived = { source: { returning: 40, fresh: 0 }, target: { returning: 3, fresh: 20 } };
  return cloud;
}

/** The run when the last stage has been confirmed. */
async function atLastStage(cloud: MemoryCloud, plan: object): Promise<CutoverRun> {
  let run = await confirm(await shift(cloud.ready(plan), cloud.ports, later(cloud, 1)), cloud.ports, later(cloud, 1));
  run = { ...run, stages: [] };
  return confirm(await shift(run, cloud.ports, later(cloud, 5)), cloud.ports, later(cloud, 1));
}

/** Polls of the drain, no further apart than the proxies keep what they counted. */
async function drainFor(given: CutoverRun, cloud: MemoryCloud, seconds: number): Promise<CutoverRun> {
  let run = given;
  for (let left = seconds; left > 0; left -= 250) {
    run = await drain(run, cloud.ports, later(cloud, Math.min(250, left)));
  }
  return run;
}

test('preflight counts the requests of clients that come back, and of new ones', async () => {
  const cloud = newCloud();
  const run = { ...cloud.ready(KEEP), initial: undefined } as unknown as CutoverRun;
  expect((await preflight(run, cloud.ports, cloud.nowMs)).timeline.at(-1)).toMatchObject({
    state: 'Preflight',
    detail: { sessions: { source: { returning: 40, fresh: 0 }, target: { returning: 3, fresh: 20 } } },
  });
});

test('clients are kept at weight 0 until none has come for as long as a cookie lasts; then the source is left, and drained', async () => {
  const cloud = newCloud();
  const plan = planWith({ policy: 'keep', keepSeconds: 86_400 });
  let run = await drain(await atLastStage(cloud, plan), cloud.ports, later(cloud, 10));
  expect(cloud.forward).toEqual({ groups: BOTH, stickiness });
  expect(run).toMatchObject({ verdict: 'wait', returning: { requests: 80 } });
  expect(run.drain).toBeUndefined();
  expect(cloud.calls).not.toContain('drain s1');

  cloud.arrived.source = { returning: 0, fresh: 0 };
  run = await drainFor(run, cloud, 3599);
  expect(run).toMatchObject({ verdict: 'wait', waitSeconds: 173 });
  run = await drain(run, cloud.ports, later(cloud, 1));
  expect(cloud.forward).toEqual({ groups: TARGET_ALONE, stickiness });
  expect(run).toMatchObject({ verdict: 'wait', waitSeconds: 2 });
  expect(run.timeline.at(-1)).toMatchObject({ state: 'Leave', detail: { because: 'none returns', requests: 80 } });

  run = await drain(run, cloud.ports, later(cloud, 2));
  expect(cloud.calls.slice(-2)).toEqual(['set arn:target=100', 'drain s1']);
  expect(run.verdict).toBe('drained');
  expect((await verify(run, cloud.ports, cloud.nowMs)).verdict).toBe('verified');
});

test('one that comes again begins the wait anew, and a proxy that does not say it may have had one', async () => {
  const cloud = newCloud();
  cloud.arrived.source = { returning: 0, fresh: 0 };
  const plan = planWith({ policy: 'keep', keepSeconds: 86_400 });
  let run = await drain(await atLastStage(cloud, plan), cloud.ports, later(cloud, 3000));
  cloud.arrived.source = { returning: 1, fresh: 0 };
  run = await drain(run, cloud.ports, later(cloud, 500));
  cloud.arrived.source = { returning: 0, fresh: 0 };
  run = await drain(run, cloud.ports, later(cloud, 3000));
  cloud.arrived = {};
  run = await drain(run, cloud.ports, later(cloud, 599));
  cloud.arrived.source = { returning: 0, fresh: 0 };
  run = await drain(run, cloud.ports, later(cloud, 3000));
  expect([run.verdict, cloud.forward.groups]).toEqual(['wait', BOTH]);
});

test('one may have come in a time that no poll saw: polls that are too far apart end no sessions', async () => {
  const cloud = newCloud();
  cloud.arrived.source = { returning: 0, fresh: 0 };
  const plan = planWith({ policy: 'keep', keepSeconds: 86_400 });
  let run = await drain(await atLastStage(cloud, plan), cloud.ports, later(cloud, 10));
  for (let hour = 0; hour < 3; hour += 1) run = await drain(run, cloud.ports, later(cloud, 3_700));
  expect([run.verdict, cloud.forward.groups]).toEqual(['wait', BOTH]);
  // The last one has seen the last minutes.
  run = await drainFor(run, cloud, 3_400);
  expect(run.timeline.at(-1)).toMatchObject({ state: 'Leave', detail: { because: 'none returns' } });
  // Also where it is the bake that no poll saw.
  const other = newCloud();
  other.arrived.source = { returning: 0, fresh: 0 };
  const baked = await bake(await atLastStage(other, plan), other.ports, later(other, 3_700));
  run = await drain({ ...baked, verdict: 'wait' }, other.ports, later(other, 2));
  expect([run.returning?.requests, other.forward.groups]).toEqual([0, BOTH]);
});

test('the plan says how long they stay, also when some still come', async () => {
  const cloud = newCloud();
  let run = await drain(await atLastStage(cloud, KEEP), cloud.ports, later(cloud, 599));
  expect(cloud.forward.groups).toEqual(BOTH);
  run = await drain(run, cloud.ports, later(cloud, 1));
  expect(run.timeline.at(-1)).toMatchObject({ state: 'Leave', detail: { because: 'time has passed' } });
  expect(cloud.forward.groups).toEqual(TARGET_ALONE);
});

test.each(['bake', 'drain'] as const)(
  'a source that dies in the %s fails no client for longer: they move at once',
  async (step) => {
    const cloud = newCloud();
    const run = await atLastStage(cloud, KEEP);
    cloud.healthy.source = 0;
    cloud.smoke.source = 503;
    const act = step === 'bake' ? bake : drain;
    const left = await act(run, cloud.ports, later(cloud, 5));
    expect(left.timeline.at(-1)).toMatchObject({ state: 'Leave', detail: { because: 'the source does not serve' } });
    expect(cloud.forward.groups).toEqual(TARGET_ALONE);
    expect((await act(left, cloud.ports, later(cloud, 5))).verdict).not.toBe('rollBack');
  },
);

test('a step that was cut short after it had left the source does so again, and takes its own rule for no change by hand', async () => {
  const cloud = newCloud();
  const run = await atLastStage(cloud, KEEP);
  await drain(run, cloud.ports, later(cloud, 601));
  const again = await drain(run, cloud.ports, later(cloud, 5));
  expect(again).toMatchObject({ verdict: 'wait', left: { before: { groups: BOTH } } });
  expect(cloud.forward.groups).toEqual(TARGET_ALONE);
});

describe('the rule without the source', () => {
  async function leaving(cloud: MemoryCloud): Promise<CutoverRun> {
    const run = await atLastStage(cloud, KEEP);
    const before = cloud.forward;
    const left = await drain(run, cloud.ports, later(cloud, 601));
    cloud.staleForward = before;
    return left;
  }

  test('may read back as before for a while; nothing is drained then', async () => {
    const cloud = newCloud();
    const run = await drain(await leaving(cloud), cloud.ports, later(cloud, 60));
    expect(run).toMatchObject({ verdict: 'wait' });
    expect(run.drain).toBeUndefined();
    cloud.staleForward = undefined;
    expect((await drain(run, cloud.ports, later(cloud, 2))).drain).toBeDefined();
  });

  test('and rolls back where it never does', async () => {
    const cloud = newCloud();
    const run = await drain(await leaving(cloud), cloud.ports, later(cloud, 121));
    expect(run).toMatchObject({ verdict: 'rollBack', failure: { code: 'RulesChanged' } });
  });

  test('is not set to other weights by hand', async () => {
    const cloud = newCloud();
    const run = await leaving(cloud);
    cloud.staleForward = { groups: [{ arn: arns.source, weight: 1 }], stickiness };
    expect(await drain(run, cloud.ports, later(cloud, 2))).toMatchObject({ verdict: 'rollBack' });
  });
});

test('requests of clients that still arrive at a source without weight are no drained one, nor a verified one', async () => {
  const cloud = newCloud();
  // A trickle beside those of the target; more of them would say that the weights are not in force.
  cloud.arrived.target = { returning: 3_000, fresh: 20_000 };
  const run = await drain(await atLastStage(cloud, planWith({})), cloud.ports, later(cloud, 10));
  expect(run).toMatchObject({ verdict: 'wait', drain: { returning: 40, active: { http: 0 } } });
  const waiting = await verify(run, cloud.ports, later(cloud, 5));
  expect(waiting.verdict).toBe('wait');
  const overdue = await drain(run, cloud.ports, later(cloud, 400));
  expect(overdue.failure).toMatchObject({
    code: 'DrainOverdue',
    message: expect.stringContaining(
      'got none live, and 40 requests of clients that return since the last look',
    ) as string,
  });
  cloud.arrived.source = { returning: 0, fresh: 0 };
  expect((await drain(run, cloud.ports, later(cloud, 5))).verdict).toBe('drained');
});

test.each([
  [{ policy: 'shorten', shortenSeconds: 30 }, 30],
  [{ policy: 'endAtStage', endAtStage: 1 }, 1],
  [{ policy: 'keep' }, 3600],
])('%j: a rollback restores the stickiness that was in force', async (given, seconds) => {
  const cloud = newCloud();
  const run = await shift(cloud.ready(planWith(given)), cloud.ports, later(cloud, 1));
  expect(cloud.forward.stickiness).toEqual({ enabled: true, seconds });
  await rollback(run, cloud.ports, later(cloud, 1));
  expect(cloud.forward).toEqual({ groups: [{ arn: arns.source, weight: 100 }], stickiness });
});

test('the record of a stage counts requests of clients that come back apart from those of new ones', async () => {
  const cloud = newCloud();
  const run = await confirm(
    await shift(cloud.ready(planWith({})), cloud.ports, later(cloud, 1)),
    cloud.ports,
    later(cloud, 1),
  );
  cloud.tasks.target = [report('t1', { total: 1000 })];
  const baked = await bake(run, cloud.ports, later(cloud, 20));
  expect(baked.stages[0]?.sessions ?? baked.watch?.sessions).toEqual({
    source: { returning: 80, fresh: 0 },
    target: { returning: 6, fresh: 40 },
  });
});
