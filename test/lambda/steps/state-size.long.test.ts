import { buildEvidence } from '../../../core/cutover/evidence';
import { CutoverRun } from '../../../core/cutover/run';
import { eachKind } from '../../../core/proxy/connections';
import { Side } from '../../../core/traffic/weights';
import { Act } from '../../../lambda/shared/step';
import { approveWatched } from '../../../lambda/steps/approve';
import { bake } from '../../../lambda/steps/bake';
import { complete } from '../../../lambda/steps/complete';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { preflight } from '../../../lambda/steps/preflight';
import { record } from '../../../lambda/steps/record';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { MemoryCloud, arns, report } from '../world';

/** Step Functions' limit of a state, and Lambda's of a response to it. */
const LIMIT_BYTES = 262_144;
const bytes = (run: unknown) => Buffer.byteLength(JSON.stringify(run));

/** Tasks that have served for weeks, each with a name as random as a real one. */
function busyTasks(side: Side, count: number, counted = 123_456_789) {
  return Array.from({ length: count }, (_, index) => {
    const id = `${side === 'source' ? 'a' : 'b'}${index.toString(16).padStart(11, '0')}`;
    return {
      ...report(id, { total: counted + index, errors: 12_345, active: { websocket: 1_234, http: 56 } }),
      identity: id,
    };
  });
}

function fill(cloud: MemoryCloud, perSide: number, counted?: number): void {
  for (const side of ['source', 'target'] as const) cloud.tasks[side] = busyTasks(side, perSide, counted);
}

test('the state of a cutover with 1,000 busy tasks a side, scaled out after preflight, fits in every step', async () => {
  const cloud = new MemoryCloud();
  fill(cloud, 2);
  const stages = Array.from({ length: 10 }, (_, index) => ({
    weights: { source: 9 - index, target: 1 + index },
    bakeSeconds: 60,
  }));
  let run = await preflight(cloud.ready({ stages, judge: { errorBudget: 1 } }), cloud.ports, cloud.nowMs);
  const step = async (act: Act<CutoverRun, CutoverRun>): Promise<CutoverRun> => {
    run = await act(run, cloud.ports, (cloud.nowMs += 60_000));
    expect(run.failure).toBeUndefined();
    expect(bytes(run)).toBeLessThan(LIMIT_BYTES);
    return run;
  };
  await step(shift);
  fill(cloud, 1_000);
  for (let stage = 1; stage < stages.length; stage += 1) {
    await step(confirm);
    await step(bake);
    fill(cloud, 1_000, 123_456_789 + stage);
    await step(bake);
    expect(run.verdict).toBe('nextStage');
    await step(shift);
  }
  await step(confirm);
  fill(cloud, 1_000, 123_456_799);
  await step(bake);
  await step(drain);
  cloud.tasks.source = cloud.tasks.source.map((each) => ({ ...each, active: report('x').active }));
  await step(drain);
  await step(verify);
  expect(run.verdict).toBe('verified');
  // None of them can be told to serve again: that is no line for each.
  cloud.tasks.source.forEach(({ instance }) => cloud.unreachable.add(instance));
  await step(complete);
});

const STEPS: [string, Act<CutoverRun, CutoverRun>][] = [
  ['confirm', confirm],
  ['bake', bake],
  ['approve', approveWatched],
  ['shift', shift],
  ['drain', drain],
  ['verify', verify],
];

const half = {
  stages: [{ weights: { source: 1, target: 1 } }, { weights: { source: 0, target: 1 } }],
  approval: { beforeLastStage: true },
};

test.each(STEPS)('%s of a cutover that outgrows it rolls back, in a state that fits', async (_, act) => {
  const cloud = new MemoryCloud();
  let run = await confirm(await shift(cloud.ready(half), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  fill(cloud, 4_000);
  run = await act(run, cloud.ports, (cloud.nowMs += 10_000));
  expect(run).toMatchObject({ verdict: 'rollBack', failure: { code: 'TooManyTasks' } });
  expect(run.failure?.message).toMatch(/at most 220000 bytes, got more with 8002 proxy tasks$/);
  cloud.tasks.source.forEach(({ instance }) => cloud.unreachable.add(instance));
  run = await rollback(run, cloud.ports, cloud.nowMs);
  expect(bytes(run)).toBeLessThan(LIMIT_BYTES / 4);
  expect(run.rollback?.notDone).toHaveLength(21);
  expect(cloud.forward.groups).toEqual([{ arn: arns.source, weight: 100 }]);
  run = await rollback(run, cloud.ports, (cloud.nowMs += 300_000));
  expect((await record(run, cloud.ports, cloud.nowMs)).outcome).toBe('rolled-back');
});

test('so does one that rolls back for another reason, and one that was scaled out before its first shift moves nothing', async () => {
  const cloud = new MemoryCloud();
  const run = await confirm(await shift(cloud.ready(half), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  fill(cloud, 4_000);
  cloud.smoke.target = 502;
  const looked = await bake(run, cloud.ports, cloud.nowMs);
  expect(looked.failure?.code).toBe('SmokeFailed');
  expect(bytes(looked)).toBeLessThan(LIMIT_BYTES / 4);
  const early = new MemoryCloud();
  const ready = early.ready(half);
  fill(early, 4_000);
  const shifted = await shift(ready, early.ports, early.nowMs);
  expect(shifted).toMatchObject({ verdict: 'rollBack', failure: { code: 'TooManyTasks' } });
  expect(early.calls).toEqual([]);
});

test('what each of 1,000 tasks holds of each kind is given up before a cutover is, and is unknown then', async () => {
  const cloud = new MemoryCloud();
  fill(cloud, 1_000);
  let run = await confirm(await shift(cloud.ready(last), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  expect(Object.values(run.watch!.tallies.source.tasks)[0]).toHaveLength(13);
  expect(Object.values(run.watch!.tallies.target.tasks)[0]).toHaveLength(12);
  const busy = eachKind(() => ({ completed: 98_765, moved: 9_876, closed: 98_765, forced: 21 }));
  cloud.tasks.source = cloud.tasks.source.map((each) => ({
    ...{ ...each, ended: busy, drainForcedByKind: eachKind(() => 9_876) },
    active: eachKind(() => 98_765),
  }));
  run = await drain(run, cloud.ports, (cloud.nowMs += 10_000));
  expect(run.failure).toBeUndefined();
  expect(bytes(run)).toBeLessThan(LIMIT_BYTES);
  expect(run.watch?.tallies.source).not.toHaveProperty('kinds');
  expect(buildEvidence(run, 'completed', cloud.nowMs).drain.byKind).toBeUndefined();
});

const last = { stages: [{ weights: { source: 0, target: 1 } }] };
