import { CutoverError } from '../../../core/errors/errors';
import { preflight } from '../../../lambda/steps/preflight';
import { MemoryCloud, arns, report, stickiness } from '../world';

test('everything that is not as it must be is said at once, and nothing moves', async () => {
  const cloud = new MemoryCloud();
  cloud.forward = {
    groups: [
      { arn: arns.source, weight: 50 },
      { arn: arns.target, weight: 50 },
    ],
    stickiness,
  };
  cloud.healthy.target = 0;
  cloud.smoke = { source: 200, target: 'connect ECONNREFUSED' };
  cloud.tasks.target = [];
  const failed = preflight(cloud.ready(), cloud.ports, cloud.nowMs);
  await expect(failed).rejects.toMatchObject({ code: 'WeightsUnexpected' });
  await expect(failed).rejects.toThrow(
    [
      'the weights in force must be 100/0, got 50/50',
      'the target must have at least 1 running proxy task, got 0',
      'the target must have at least 1 healthy targets, got 0',
    ].join('\n'),
  );
  expect(cloud.calls).toEqual([]);
});

test('an admin port that does not respond is found before anything moves', async () => {
  const cloud = new MemoryCloud();
  cloud.unreachable.add('t1');
  await expect(preflight(cloud.ready(), cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'AdminUnreachable' });
});

test('a rule that forwards elsewhere is not ours to move', async () => {
  const cloud = new MemoryCloud();
  cloud.forward = { groups: [{ arn: 'arn:third', weight: 1 }], stickiness };
  await expect(preflight(cloud.ready(), cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'RuleNotWeighted' });
});

test('a side that is out of the action counts as weight 0', async () => {
  const cloud = new MemoryCloud();
  cloud.forward = { groups: [{ arn: arns.source, weight: 100 }], stickiness };
  const run = await preflight(cloud.ready(), cloud.ports, cloud.nowMs);
  expect(run.initial).toEqual({ stickiness, others: cloud.otherDigests(), ownDigest: 'own', healthyTargets: 2 });
  expect(cloud.lock).toEqual(run);
});

test('a proxy that is draining already would reject new WebSockets: it is found before anything moves', async () => {
  const cloud = new MemoryCloud();
  cloud.tasks.target = [report('t1', { state: 'drained' })];
  await expect(preflight(cloud.ready(), cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'ProxyDraining' });
});

test('a proxy that says its upstream leads back to it is a forwarding loop, not just any failed smoke request', async () => {
  const cloud = new MemoryCloud();
  cloud.smoke = { source: 502, target: 508 };
  const failed = preflight(cloud.ready(), cloud.ports, cloud.nowMs);
  await expect(failed).rejects.toThrow(
    /GET \/ on the target must return 200, got 508 \(a forwarding loop: .*the target leads back/,
  );
  cloud.smoke = { source: 200, target: 508 };
  await expect(preflight(cloud.ready(), cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'ForwardingLoop' });
  cloud.smoke = { source: 508, target: 502 };
  await expect(preflight(cloud.ready(), cloud.ports, cloud.nowMs)).rejects.toMatchObject({ code: 'ForwardingLoop' });
  expect(cloud.calls).toEqual([]);
});

const manyTasks = (count: number) => Array.from({ length: count }, (_, index) => report(`t${index}`));

test.each<[string, (cloud: MemoryCloud) => void, string, string]>([
  [
    'an operator who asked to stop',
    (cloud) => cloud.aborts.add('night'),
    'Aborted',
    "an operator asked 'night' to stop",
  ],
  [
    'a rule that is not there',
    (cloud) => (cloud.ports.loadBalancer.rules = async () => []),
    'RuleNotWeighted',
    "'rule/weighted' must forward to the two target groups and to no other",
  ],
  [
    'a rule with another action',
    (cloud) => {
      const { rules } = cloud.ports.loadBalancer;
      cloud.ports.loadBalancer.rules = async () => (await rules()).map((rule) => ({ ...rule, forward: undefined }));
    },
    'RuleNotWeighted',
    "'rule/weighted' must forward to the two target groups and to no other",
  ],
  [
    'authorities that cannot be read',
    (cloud) =>
      (cloud.ports.smoke.checkTrust = () => Promise.reject(new CutoverError('AwsUnavailable', 'the secret is gone'))),
    'SmokeFailed',
    'the secret is gone',
  ],
  [
    'a service that lists no targets for the smoke requests',
    (cloud) =>
      (cloud.ports.smoke.probe = () => Promise.reject(new Error('the targets must be listed, got no response'))),
    'AwsUnavailable',
    'the targets must be listed, got no response\nthe targets must be listed, got no response',
  ],
  [
    'a service that lists no tasks',
    (cloud) => cloud.away.add('ecs'),
    'AwsUnavailable',
    'ecs must respond, got 503\necs must respond, got 503',
  ],
  [
    'a side whose tasks are all on their way out',
    (cloud) => cloud.leaving.add('s1'),
    'NoTasks',
    'the source must have at least 1 running proxy task, got 0',
  ],
  [
    'more tasks than a state can hold',
    (cloud) => (cloud.tasks.target = manyTasks(2_000)),
    'TooManyTasks',
    'both sides together must have at most 2000 proxy tasks, got 2001',
  ],
  ['a task that does not respond', (cloud) => cloud.unreachable.add('t1'), 'AdminUnreachable', 'got ECONNREFUSED'],
  [
    'a task that does not respond, and does not say why',
    (cloud) => {
      const { tasks } = cloud.ports.proxies;
      cloud.ports.proxies.tasks = async (side) =>
        (await tasks(side)).map((task) => (side === 'target' ? { ...task, report: undefined } : task));
    },
    'AdminUnreachable',
    'no response',
  ],
  [
    'tasks that drain',
    (cloud) =>
      (cloud.tasks.target = [report('t1', { state: 'draining' }), report('t2'), report('t3', { state: 'drained' })]),
    'ProxyDraining',
    'every proxy of the target must be serving, got draining t1, t3',
  ],
])('%s is found before anything moves, with its reason alone', async (_, happen, code, message) => {
  const cloud = new MemoryCloud();
  const run = cloud.ready();
  happen(cloud);
  const failed = preflight(run, cloud.ports, cloud.nowMs);
  await expect(failed).rejects.toThrow(new CutoverError(code as 'Aborted', message));
  await expect(failed).rejects.toMatchObject({ code });
  expect(cloud.calls).toEqual([]);
});

test('as many tasks as a state can hold are not too many', async () => {
  const cloud = new MemoryCloud();
  cloud.tasks.target = manyTasks(1_999);
  expect((await preflight(cloud.ready(), cloud.ports, cloud.nowMs)).verdict).toBe('go');
});

test('a task that ECS is stopping, and does not respond any more, is no reason to stay', async () => {
  const cloud = new MemoryCloud();
  cloud.tasks.target = [report('t1'), report('t2')];
  cloud.leaving.add('t2');
  cloud.unreachable.add('t2');
  expect((await preflight(cloud.ready(), cloud.ports, cloud.nowMs)).verdict).toBe('go');
});

test('where a person is asked first, it says what it saw and writes nothing down', async () => {
  const cloud = new MemoryCloud();
  const run = await preflight(cloud.ready({ approval: { beforeFirstShift: true } }), cloud.ports, cloud.nowMs);
  expect(run).toMatchObject({
    verdict: 'approve',
    timeline: [{ state: 'Preflight', detail: { weights: { source: 100 } } }],
  });
});
