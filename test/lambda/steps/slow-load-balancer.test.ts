import { CutoverRun, rollBack } from '../../../core/cutover/run';
import { Act } from '../../../lambda/step/step';
import { approveWatched } from '../../../lambda/steps/approve';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { withTimeLeft } from '../../../lambda/contract/time-left';
import type { Ports } from '../../../lambda/contract/ports';
import { MemoryCloud, arns } from '../world';

/** A step has 30 s, less what its answer takes. */
const STEP_MS = 28_000;
const ON_SOURCE = [{ arn: arns.source, weight: 100 }];
const half = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 600 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 600 },
  ],
  approval: { beforeLastStage: true, timeoutSeconds: 600 },
};

/** Calls that begin together take as long as the longest. */
function slowly(cloud: MemoryCloud, milliseconds: { readonly call: number; readonly smoke: number }): Ports {
  const slow =
    <Args extends unknown[], T>(wait: number, call: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      const endsMs = cloud.nowMs + wait;
      const result = await call(...args);
      cloud.nowMs = Math.max(cloud.nowMs, endsMs);
      return result;
    };
  const { loadBalancer, smoke } = cloud.ports;
  return {
    ...cloud.ports,
    loadBalancer: {
      ...loadBalancer,
      rules: slow(milliseconds.call, loadBalancer.rules),
      setForward: slow(milliseconds.call, loadBalancer.setForward),
      healthyTargets: slow(milliseconds.call, loadBalancer.healthyTargets),
    },
    smoke: { ...smoke, probe: slow(milliseconds.call + milliseconds.smoke, smoke.probe) },
  };
}

async function timed(cloud: MemoryCloud, step: () => Promise<CutoverRun>): Promise<[CutoverRun, number]> {
  const beganMs = cloud.nowMs;
  const run = await withTimeLeft(() => STEP_MS - (cloud.nowMs - beganMs), step);
  return [run, cloud.nowMs - beganMs];
}

test.each<[string, { call: number; smoke: number }, boolean]>([
  ['takes 4 s a call', { call: 4_000, smoke: 0 }, false],
  ['takes 4 s a call and lags behind', { call: 4_000, smoke: 0 }, true],
  ['takes 4 s a call, and a smoke request 3 s', { call: 4_000, smoke: 3_000 }, true],
  ['takes as long as a call may', { call: 6_000, smoke: 5_900 }, true],
])('a rollback whose load balancer %s ends in time at every look, and ends restored', async (_, slowness, lags) => {
  const cloud = new MemoryCloud();
  const shifted = await shift(cloud.ready(), cloud.ports, cloud.nowMs);
  const ports = slowly(cloud, slowness);
  if (lags) cloud.staleForward = cloud.forward;
  let run = rollBack(shifted, 'Aborted', 'an operator asked');
  for (let look = 1; look === 1 || run.verdict === 'wait'; look += 1) {
    const [next, ms] = await timed(cloud, () => rollback(run, ports, cloud.nowMs));
    expect(ms).toBeLessThan(STEP_MS);
    // The weights are set at the first look, and what it did not see is seen later.
    expect(cloud.forward.groups).toEqual(ON_SOURCE);
    cloud.staleForward = undefined;
    run = next;
  }
  expect(run.verdict).toBe('restored');
  expect(cloud.calls.filter((call) => call.startsWith('set'))).toHaveLength(2);
});

test('so does one whose source is not given its weight back', async () => {
  const cloud = new MemoryCloud();
  const run = rollBack(await shift(cloud.ready(), cloud.ports, cloud.nowMs), 'Aborted', 'an operator asked');
  cloud.smoke = { source: 'no answer within 5 s', target: 'no answer within 5 s' };
  const [waiting, ms] = await timed(cloud, () =>
    rollback(run, slowly(cloud, { call: 4_000, smoke: 5_900 }), cloud.nowMs),
  );
  expect(waiting.verdict).toBe('wait');
  expect(cloud.kindsNotified).toEqual(['stuck']);
  expect(ms).toBeLessThan(STEP_MS);
});

const STEPS: [string, Act<CutoverRun, CutoverRun>][] = [
  ['confirm', confirm],
  ['bake', bake],
  ['approve', approveWatched],
  ['shift', shift],
  ['drain', drain],
  ['verify', verify],
];

test.each(STEPS)('%s ends in time when the load balancer takes 4 s a call and lags behind', async (_, step) => {
  const cloud = new MemoryCloud();
  const run = await confirm(await shift(cloud.ready(half), cloud.ports, cloud.nowMs), cloud.ports, cloud.nowMs);
  cloud.staleForward = { groups: ON_SOURCE, stickiness: run.initial!.stickiness };
  const [, ms] = await timed(cloud, () => step(run, slowly(cloud, { call: 4_000, smoke: 5_900 }), cloud.nowMs));
  expect(ms).toBeLessThan(STEP_MS);
});
