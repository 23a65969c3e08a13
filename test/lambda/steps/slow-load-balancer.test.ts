import { CutoverRun, rollBack } from '../../../core/cutover/run';
import { Act } from '../../../lambda/shared/step';
import { approveWatched } from '../../../lambda/steps/approve';
import { bake } from '../../../lambda/steps/bake';
import { confirm } from '../../../lambda/steps/confirm';
import { drain } from '../../../lambda/steps/drain';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { verify } from '../../../lambda/steps/verify';
import { timeLeftMs, withTimeLeft } from '../../../lambda/contract/time-left';
import type { Ports } from '../../../lambda/contract/ports';
import { MemoryCloud, arns, report } from '../world';

/** A step has 30 s, less what its response takes. */
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
])('a rollback whose load balancer %s ends in time at every poll, and ends restored', async (_, slowness, lags) => {
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
  cloud.smoke = { source: 'no response within 5 s', target: 'no response within 5 s' };
  const [waiting, ms] = await timed(cloud, () =>
    rollback(run, slowly(cloud, { call: 4_000, smoke: 5_900 }), cloud.nowMs),
  );
  expect(waiting.verdict).toBe('wait');
  expect(cloud.kindsNotified).toEqual(['stuck']);
  expect(ms).toBeLessThan(STEP_MS);
});

/** Each call takes as long as it may, or as is left of the step: then it is cut, as the adapters do. */
function hanging(cloud: MemoryCloud): Ports {
  const after =
    <Args extends unknown[], T>(wait: number, call: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      const leftMs = timeLeftMs();
      const endsMs = cloud.nowMs + Math.max(0, Math.min(wait, leftMs));
      await Promise.resolve();
      cloud.nowMs = Math.max(cloud.nowMs, endsMs);
      if (leftMs < wait) throw new Error('no response');
      return call(...args);
    };
  const { loadBalancer, smoke, store, notifier } = cloud.ports;
  const findPlaces = after(5_900, () => Promise.resolve());
  return {
    ...cloud.ports,
    loadBalancer: {
      ...loadBalancer,
      rules: after(5_900, loadBalancer.rules),
      setForward: after(5_900, loadBalancer.setForward),
      healthyTargets: after(5_900, loadBalancer.healthyTargets),
      mark: after(5_900, loadBalancer.mark),
    },
    smoke: {
      ...smoke,
      probe: async (...args) => {
        await findPlaces();
        if (timeLeftMs() < 6_000) throw new Error('must begin 6 s before the end of its step');
        return after(6_000, smoke.probe)(...args);
      },
    },
    store: { ...store, holder: after(2_500, () => Promise.reject(new Error('no response'))) },
    notifier: { ...notifier, tell: (what) => after(4_000, notifier.tell)(what).catch(() => undefined) },
  };
}

describe('where the store, the load balancer, both sides and the notifications hang at once', () => {
  const HUNG = 'no response within 5 s';
  const plan = { stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 10 }] };
  const begun = async (cloud: MemoryCloud) =>
    rollBack(await shift(cloud.ready(plan), cloud.ports, cloud.nowMs), 'Aborted', 'an operator asked');

  test('a rollback that stays ends in time at each poll, reports once, marks the rule, and ends in time', async () => {
    const cloud = new MemoryCloud();
    let run = await begun(cloud);
    const ports = hanging(cloud);
    cloud.smoke = { source: HUNG, target: HUNG };
    const beganMs = cloud.nowMs;
    const all = async () => {
      for (;;) {
        const [next, ms] = await timed(cloud, () => rollback(run, ports, cloud.nowMs));
        expect(ms).toBeLessThan(STEP_MS);
        run = next;
        expect(run).toMatchObject({ verdict: 'wait', rollback: { sides: { source: { serves: false } } } });
      }
    };
    await expect(all()).rejects.toMatchObject({ code: 'RollbackUnsafe' });
    expect(cloud.nowMs - beganMs).toBeLessThan(340_000);
    expect(cloud.kindsNotified).toEqual(['stuck']);
    expect(cloud.marks.rollingBack).toBe('night 2026-01-01T00:00:00.000Z');
  });

  test('so does one whose source died with its weight back, and since when is not forgotten', async () => {
    const cloud = new MemoryCloud();
    cloud.tasks.source = [report('s1'), report('s2')];
    cloud.unreachable.add('s2');
    let run = await rollback(await begun(cloud), cloud.ports, cloud.nowMs);
    expect(run).toMatchObject({ verdict: 'wait', rollback: { hasReadBack: true } });
    const ports = hanging(cloud);
    cloud.smoke = { source: HUNG, target: HUNG };
    const since = new Set<unknown>();
    const all = async () => {
      for (;;) {
        const [next, ms] = await timed(cloud, () => rollback(run, ports, cloud.nowMs));
        expect(ms).toBeLessThan(STEP_MS);
        since.add(next.rollback?.strandedAt);
        run = next;
      }
    };
    await expect(all()).rejects.toMatchObject({ code: 'RollbackUnsafe' });
    expect(cloud.kindsNotified).toEqual(['rollingBack', 'stuck']);
    expect([...since]).toEqual([expect.any(String)]);
  });

  test('so does one that asks the target because of an alarm about the source', async () => {
    const cloud = new MemoryCloud();
    const run = await begun(cloud);
    cloud.alarms = cloud.alarms.map((alarm) => (alarm.name === 'no-source' ? { ...alarm, state: 'ALARM' } : alarm));
    cloud.smoke.target = HUNG;
    const [looked, ms] = await timed(cloud, () => rollback(run, hanging(cloud), cloud.nowMs));
    expect(ms).toBeLessThan(STEP_MS);
    expect(looked).toMatchObject({ verdict: 'wait', rollback: { hasSet: true } });
    expect(cloud.kindsNotified).toEqual(['rollingBack']);
  });

  test('a poll without the time to notify people leaves it to the next one', async () => {
    const cloud = new MemoryCloud();
    const run = await begun(cloud);
    cloud.smoke = { source: HUNG, target: HUNG };
    const hurried = await withTimeLeft(
      () => 3_000,
      () => rollback(run, cloud.ports, cloud.nowMs),
    );
    expect(hurried.verdict).toBe('wait');
    expect(cloud.kindsNotified).toEqual([]);
    await rollback(hurried, cloud.ports, cloud.nowMs);
    expect(cloud.kindsNotified).toEqual(['stuck']);
  });
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
