import { begin } from '../../../core/cutover/run';
import type { Evidence } from '../../../core/cutover/evidence';
import { parsePlan } from '../../../core/plan/plan';
import { metricsPort } from '../../../lambda/adapters/metrics';
import { doctor } from '../../../lambda/steps/doctor';
import { preflight } from '../../../lambda/steps/preflight';
import { ALARMS, MemoryCloud, arns, report } from '../world';

const PLAN = { stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 60 }] };

/** What a preflight of a cutover says of the same. */
async function preflightOf(cloud: MemoryCloud, plan: object = PLAN): Promise<string> {
  const run = { ...cloud.ready(plan), initial: undefined };
  const done = preflight(run, cloud.ports, cloud.nowMs);
  return done.then(
    () => '',
    (error: Error) => error.message,
  );
}

const ask = (cloud: MemoryCloud, plan: object = PLAN, isRecorded = false) =>
  doctor({ plan, alarms: ALARMS, isRecorded }, cloud.ports, cloud.nowMs);

test('of a cloud that is ready it finds nothing, and leaves nothing behind', async () => {
  const cloud = new MemoryCloud();
  expect(await ask(cloud)).toEqual({ readiness: 'ready', findings: [], notChecked: [] });
  expect([cloud.lock, cloud.evidence, cloud.kindsNotified, cloud.diagnosed]).toEqual([undefined, [], [], []]);
  expect(await cloud.switches.readRegime()).toMatchObject({ regime: { epoch: 0 } });
});

test('finds what a preflight rejects, in its words', async () => {
  const broken: ((cloud: MemoryCloud) => void)[] = [
    (cloud) => (cloud.healthy.target = 0),
    (cloud) => (cloud.smoke.target = 500),
    (cloud) => (cloud.tasks.target = []),
    (cloud) => (cloud.tasks.source = [report('s1', { state: 'draining' })]),
    (cloud) => cloud.setAlarms('ALARM', 'too slow'),
    (cloud) =>
      (cloud.forward = {
        ...cloud.forward,
        groups: [
          { arn: arns.source, weight: 1 },
          { arn: arns.target, weight: 1 },
        ],
      }),
    (cloud) => (cloud.forward = { ...cloud.forward, groups: [{ arn: 'arn:other', weight: 1 }] }),
    (cloud) => cloud.unreachable.add('t1'),
  ];
  for (const breakIt of broken) {
    const [cloud, other] = [new MemoryCloud(), new MemoryCloud()];
    breakIt(cloud);
    breakIt(other);
    const { readiness, findings } = await ask(cloud);
    const said = await preflightOf(other);
    expect(said).not.toBe('');
    expect([readiness, findings.map(({ message }) => message).join('\n')]).toEqual(['refused', said]);
  }
});

test('what cannot be read is unknown, beside what is known to be wrong it is one finding more', async () => {
  const cloud = new MemoryCloud();
  cloud.away.add('ecs');
  expect((await ask(cloud)).readiness).toBe('unknown');
  cloud.smoke.target = 500;
  expect((await ask(cloud)).readiness).toBe('refused');
  cloud.away.add('loadBalancer');
  cloud.away.add('store');
  expect(await ask(cloud)).toMatchObject({ readiness: 'unknown', findings: [{ code: 'AwsUnavailable' }] });
});

test('while a cutover is under way it looks at nothing; a lock that an ended one kept is a finding', async () => {
  const cloud = new MemoryCloud();
  cloud.lock = begin('night', '2026-01-01T00:00:00.000Z', parsePlan(PLAN));
  cloud.smoke.target = 500;
  expect(await ask(cloud)).toEqual({ readiness: 'underWay', findings: [], notChecked: [] });
  cloud.smoke.target = 200;
  cloud.evidence.push({ execution: 'night', outcome: 'failed' } as Evidence);
  expect(await ask(cloud)).toMatchObject({
    readiness: 'refused',
    findings: [
      { code: 'LockHeld', message: expect.stringMatching(/^the lock must be free, .* and has ended: /) as string },
    ],
  });
});

test('after the cutover there is nothing to do', async () => {
  const cloud = new MemoryCloud();
  cloud.forward = { ...cloud.forward, groups: [{ arn: arns.target, weight: 100 }] };
  expect((await ask(cloud)).readiness).toBe('done');
});

test('a plan that breaks a rule is a finding', async () => {
  expect(await ask(new MemoryCloud(), { pollSeconds: 0 })).toMatchObject({
    readiness: 'refused',
    findings: [{ code: 'PlanInvalid' }],
  });
});

test('asks no proxy to count by other routes, which a cutover may be judged by', async () => {
  const cloud = new MemoryCloud();
  const orders: unknown[] = [];
  const { tasks } = cloud.ports.proxies;
  Object.assign(cloud.ports.proxies, {
    tasks: (...[side, order]: Parameters<typeof tasks>) => {
      orders.push(order?.routes);
      return tasks(side, order);
    },
  });
  await ask(cloud);
  expect(orders).toEqual([undefined, undefined]);
});

test('warns, as a preflight does, of a stage that too few requests reach, and rejects nothing for that', async () => {
  const plan = { stages: [{ weights: { source: 95, target: 5 }, bakeSeconds: 300 }, ...PLAN.stages] };
  const warned = async (returning: number) => {
    const cloud = new MemoryCloud();
    cloud.arrived = { source: { returning, fresh: 0 }, target: { returning: 0, fresh: 0 } };
    const { readiness, warnings } = await ask(cloud, plan);
    const { timeline } = await preflight({ ...cloud.ready(plan), initial: undefined }, cloud.ports, cloud.nowMs);
    expect(timeline.at(-1)?.detail['warnings']).toEqual(warnings);
    return [readiness, warnings];
  };
  expect(await warned(29_000)).toEqual(['ready', undefined]);
  // One a second.
  expect(await warned(290)).toEqual([
    'ready',
    [
      expect.stringMatching(
        /^stage 1 \(5 %\) gets about 30 requests in its maximum of 10 min, at the 60 a minute of the last 5 min; proof needs 299: /,
      ) as string,
      expect.stringMatching(/^stage 2 \(100 %\) gets about 120 requests in its maximum of 2 min/) as string,
    ],
  ]);
});

test('records 1 for a rejection, 0 for none, and nothing where it is not known, with the reasons in the same line', async () => {
  const cloud = new MemoryCloud();
  await ask(cloud, PLAN, true);
  cloud.smoke.target = 500;
  await ask(cloud, PLAN, true);
  cloud.smoke.target = 200;
  cloud.away.add('ecs');
  await ask(cloud, PLAN, true);
  const written: string[] = [];
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  const metrics = metricsPort({ cutoverName: 'shop' } as Parameters<typeof metricsPort>[0]);
  for (const diagnosis of cloud.diagnosed) metrics.readiness(diagnosis, 1_000);
  write.mockRestore();
  const lines = written.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map(({ CutoverWouldBeRejected: figure }) => figure)).toEqual([0, 1, undefined]);
  expect(lines[1]).toMatchObject({
    _aws: {
      Timestamp: 1_000,
      CloudWatchMetrics: [
        {
          Namespace: 'Drainshift',
          Dimensions: [['Cutover']],
          Metrics: [{ Name: 'CutoverWouldBeRejected', Unit: 'None' }],
        },
      ],
    },
    Cutover: 'shop',
    readiness: 'refused',
    findings: [{ code: 'SmokeFailed' }],
  });
  expect(lines[2]).toMatchObject({ _aws: { CloudWatchMetrics: [] }, readiness: 'unknown' });
});
