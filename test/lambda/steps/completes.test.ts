import { NO_CONNECTIONS } from '../../../core/proxy/connections';
import { estimateSeconds, parsePlan } from '../../../core/plan/plan';
import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { lock } from '../../../lambda/steps/lock';
import { preflight } from '../../../lambda/steps/preflight';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { ALARMS, MemoryCloud, arns, report } from '../world';

const PLAN = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
  ],
  pollSeconds: 5,
  // Fifty requests prove a stage.
  judge: { errorBudget: 0.06 },
};
const later = (cloud: MemoryCloud, seconds: number) => (cloud.nowMs += seconds * 1000);
const input = (plan: unknown = PLAN) => ({
  input: { plan },
  execution: 'night',
  alarms: ALARMS,
  startedAt: '2026-01-01T00:00:00.000Z',
  defaultPlan: PLAN,
});

const nothing = { source: 0, target: 0 };
const baked = { observed: { source: 0, target: 50 }, errors: nothing, lost: nothing, tasksLost: nothing };
const ended = { moved: 0, closed: 0, forced: 0, lost: 0, unknown: 0 };
/** What the evidence tells of it, step by step. */
const TIMELINE = [
  ['Lock', estimateSeconds(parsePlan(PLAN))],
  ['Preflight', { weights: { source: 100, target: 0 } }],
  ['Shift', { stage: 1, weights: { source: 50, target: 50 } }],
  ['Confirm', { stage: 1, seconds: 1 }],
  ['Bake', { stage: 1, verdict: 'promote', ...baked }],
  ['Shift', { stage: 2, weights: { source: 0, target: 100 } }],
  ['Confirm', { stage: 2, seconds: 1 }],
  ['Bake', { stage: 2, verdict: 'promote', ...baked }],
  ['Drain', { active: { ...NO_CONNECTIONS, websocket: 2 }, limitSeconds: 316 }],
  ['Drain', { verdict: 'drained', active: NO_CONNECTIONS, unknownTasks: 0, ended }],
  ['Verify', { source: NO_CONNECTIONS }],
  ['Complete', {}],
];

test('a whole cutover, step by step, ends on the target with the source at zero and the lock free', async () => {
  const cloud = new MemoryCloud();
  const { ports } = cloud;
  let run = await preflight(await lock(input(), ports, cloud.nowMs), ports, cloud.nowMs);
  for (const last of [false, true]) {
    run = await confirm(await shift(run, ports, later(cloud, 1)), ports, later(cloud, 1));
    expect(run.verdict).toBe('confirmed');
    cloud.tasks.target = [report('t1', { total: (cloud.tasks.target[0]?.requests.total ?? 0) + 50 })];
    expect((await bake(run, ports, later(cloud, 5))).verdict).toBe('wait');
    run = await bake(run, ports, later(cloud, 5));
    expect(run.verdict).toBe(last ? 'drain' : 'nextStage');
  }
  cloud.tasks.source = [report('s1', { active: { websocket: 2 } })];
  run = await drain(run, ports, later(cloud, 1));
  expect(run).toMatchObject({ verdict: 'wait', drain: { atStart: { websocket: 2 } } });
  cloud.tasks.source = [report('s1', { state: 'drained' })];
  run = await drain(run, ports, later(cloud, 5));
  expect(run.verdict).toBe('drained');
  run = await complete(await verify(run, ports, cloud.nowMs), ports, cloud.nowMs);

  expect(cloud.forward.groups).toEqual([{ arn: arns.target, weight: 100 }]);
  expect(cloud.calls).toEqual(['set arn:source=50 arn:target=50', 'set arn:target=100', 'drain s1', 'undrain s1']);
  expect(cloud.lock).toBeUndefined();
  expect(cloud.evidence).toHaveLength(1);
  expect(cloud.evidence[0]).toMatchObject({
    outcome: 'completed',
    stages: [
      { weights: { source: 50, target: 50 }, confirmed: true, observed: { target: 50 }, verdict: 'promote' },
      { weights: { source: 0, target: 100 }, confirmed: true, observed: { target: 50 }, verdict: 'promote' },
    ],
  });
  expect(cloud.evidence[0]!.timeline.map(({ state, detail }) => [state, detail])).toEqual(TIMELINE);
});

test('the plan of the input goes before the deployed one, and may not be less careful', async () => {
  const cloud = new MemoryCloud();
  const defaultPlan = { ...PLAN, pollSeconds: 60 };
  const run = await lock({ ...input(), defaultPlan }, cloud.ports, cloud.nowMs);
  expect(run.plan.pollSeconds).toBe(5);
  const other = new MemoryCloud();
  const byDefault = await lock({ ...input(undefined), input: {}, defaultPlan }, other.ports, other.nowMs);
  expect(byDefault.plan.pollSeconds).toBe(60);
  const third = new MemoryCloud();
  const loosened = lock(input({ ...PLAN, pollSeconds: 6 }), third.ports, third.nowMs);
  await expect(loosened).rejects.toMatchObject({
    code: 'PlanInvalid',
    message: "'pollSeconds' must be at most 5, as deployed, got 6",
  });
  expect(third.lock).toBeUndefined();
});

test('parts that may not be changed are as they were deployed', async () => {
  const cloud = new MemoryCloud();
  const given = { ...input({ ...PLAN, pollSeconds: 4 }), changeableParts: ['stages'] as const };
  await expect(lock(given, cloud.ports, cloud.nowMs)).rejects.toThrow(
    "'pollSeconds' must be as deployed, because it may not be changed, got 4",
  );
});

test('an execution that another workflow starts brings a key of Step Functions with it', async () => {
  const cloud = new MemoryCloud();
  const associated = { AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: 'arn:aws:states:eu-central-1:1:execution:m:e' };
  const run = await lock({ ...input(), input: associated }, cloud.ports, cloud.nowMs);
  expect(run.plan.pollSeconds).toBe(5);
});

test('steps may be repeated: a lock that is ours, a shift, a confirm, a drain', async () => {
  const cloud = new MemoryCloud();
  const { ports } = cloud;
  const locked = await lock(input(), ports, cloud.nowMs);
  await expect(lock(input(), ports, cloud.nowMs)).resolves.toEqual(locked);
  const run = await preflight(locked, ports, cloud.nowMs);
  const once = await shift(run, ports, cloud.nowMs);
  expect(await shift(run, ports, cloud.nowMs)).toEqual(once);
  cloud.forward = { ...cloud.forward };
  expect(await confirm(once, ports, cloud.nowMs)).toEqual(await confirm(once, ports, cloud.nowMs));
  cloud.tasks.source = [report('s1', { active: { websocket: 1 } }), report('s2', { state: 'draining' })];
  await drain(once, ports, cloud.nowMs);
  await drain(once, ports, cloud.nowMs);
  expect(cloud.calls.filter((call) => call.startsWith('drain'))).toEqual(['drain s1']);
});

test('a lock that another cutover holds is not taken', async () => {
  const cloud = new MemoryCloud();
  await lock(input(), cloud.ports, cloud.nowMs);
  await expect(lock({ ...input(), execution: 'other' }, cloud.ports, cloud.nowMs)).rejects.toMatchObject({
    code: 'LockHeld',
  });
});

test('an invalid plan takes no lock', async () => {
  const cloud = new MemoryCloud();
  await expect(lock(input({ stages: [] }), cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'PlanInvalid' });
  expect(cloud.lock).toBeUndefined();
});
