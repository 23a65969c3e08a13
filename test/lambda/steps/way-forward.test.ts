import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { lock } from '../../../lambda/steps/lock';
import { preflight } from '../../../lambda/steps/preflight';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { ALARMS, MemoryWorld, arns, report } from '../world';

const PLAN = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
  ],
  pollSeconds: 5,
};
const later = (world: MemoryWorld, seconds: number) => (world.nowMs += seconds * 1000);
const input = (plan: unknown = PLAN) => ({
  input: { plan },
  execution: 'night',
  alarms: ALARMS,
  startedAt: '2026-01-01T00:00:00.000Z',
  defaultPlan: PLAN,
});

test('a whole cutover, step by step, ends on the target with the source at zero and the lock free', async () => {
  const world = new MemoryWorld();
  const { ports } = world;
  let run = await preflight(await lock(input(), ports, world.nowMs), ports, world.nowMs);
  for (const last of [false, true]) {
    run = await confirm(await shift(run, ports, later(world, 1)), ports, later(world, 1));
    expect(run.verdict).toBe('confirmed');
    world.tasks.target = [report('t1', { total: (world.tasks.target[0]?.requests.total ?? 0) + 50 })];
    expect((await bake(run, ports, later(world, 5))).verdict).toBe('wait');
    run = await bake(run, ports, later(world, 5));
    expect(run.verdict).toBe(last ? 'drain' : 'nextStage');
  }
  world.tasks.source = [report('s1', { active: { websocket: 2 } })];
  run = await drain(run, ports, later(world, 1));
  expect(run).toMatchObject({ verdict: 'wait', drain: { atStart: { websocket: 2 } } });
  world.tasks.source = [report('s1', { state: 'drained' })];
  run = await drain(run, ports, later(world, 5));
  expect(run.verdict).toBe('drained');
  run = await complete(await verify(run, ports, world.nowMs), ports, world.nowMs);

  expect(world.forward.groups).toEqual([{ arn: arns.target, weight: 100 }]);
  expect(world.calls).toEqual(['set arn:source=50 arn:target=50', 'set arn:target=100', 'drain s1', 'undrain s1']);
  expect(world.lock).toBeUndefined();
  expect(world.evidence).toHaveLength(1);
  expect(world.evidence[0]).toMatchObject({
    outcome: 'completed',
    stages: [
      { weights: { source: 50, target: 50 }, confirmed: true, observed: { target: 50 }, verdict: 'promote' },
      { weights: { source: 0, target: 100 }, confirmed: true, observed: { target: 50 }, verdict: 'promote' },
    ],
  });
});

test('the plan of the input goes before the deployed one, and may not be less careful', async () => {
  const world = new MemoryWorld();
  const defaultPlan = { ...PLAN, pollSeconds: 60 };
  const run = await lock({ ...input(), defaultPlan }, world.ports, world.nowMs);
  expect(run.plan.pollSeconds).toBe(5);
  const other = new MemoryWorld();
  const byDefault = await lock({ ...input(undefined), input: {}, defaultPlan }, other.ports, other.nowMs);
  expect(byDefault.plan.pollSeconds).toBe(60);
  const third = new MemoryWorld();
  const loosened = lock(input({ ...PLAN, pollSeconds: 6 }), third.ports, third.nowMs);
  await expect(loosened).rejects.toMatchObject({
    code: 'PlanInvalid',
    message: "'pollSeconds' must be at most 5, as deployed, got 6",
  });
  expect(third.lock).toBeUndefined();
});

test('parts that may not be changed are as they were deployed', async () => {
  const world = new MemoryWorld();
  const given = { ...input({ ...PLAN, pollSeconds: 4 }), changeableParts: ['stages'] as const };
  await expect(lock(given, world.ports, world.nowMs)).rejects.toThrow(
    "'pollSeconds' must be as deployed, because it may not be changed, got 4",
  );
});

test('an execution that another workflow starts brings a key of Step Functions with it', async () => {
  const world = new MemoryWorld();
  const associated = { AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: 'arn:aws:states:eu-central-1:1:execution:m:e' };
  const run = await lock({ ...input(), input: associated }, world.ports, world.nowMs);
  expect(run.plan.pollSeconds).toBe(5);
});

test('steps may be repeated: a lock that is ours, a shift, a confirm, a drain', async () => {
  const world = new MemoryWorld();
  const { ports } = world;
  const locked = await lock(input(), ports, world.nowMs);
  await expect(lock(input(), ports, world.nowMs)).resolves.toEqual(locked);
  const run = await preflight(locked, ports, world.nowMs);
  const once = await shift(run, ports, world.nowMs);
  expect(await shift(run, ports, world.nowMs)).toEqual(once);
  world.forward = { ...world.forward };
  expect(await confirm(once, ports, world.nowMs)).toEqual(await confirm(once, ports, world.nowMs));
  world.tasks.source = [report('s1', { active: { websocket: 1 } }), report('s2', { state: 'draining' })];
  await drain(once, ports, world.nowMs);
  await drain(once, ports, world.nowMs);
  expect(world.calls.filter((call) => call.startsWith('drain'))).toEqual(['drain s1']);
});

test('a lock that another cutover holds is not taken', async () => {
  const world = new MemoryWorld();
  await lock(input(), world.ports, world.nowMs);
  await expect(lock({ ...input(), execution: 'other' }, world.ports, world.nowMs)).rejects.toMatchObject({
    code: 'LockHeld',
  });
});

test('an invalid plan takes no lock', async () => {
  const world = new MemoryWorld();
  await expect(lock(input({ stages: [] }), world.ports, world.nowMs)).rejects.toMatchObject({ code: 'PlanInvalid' });
  expect(world.lock).toBeUndefined();
});
