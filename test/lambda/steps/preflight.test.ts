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
      'the target must have at least 1 healthy targets, got 0',
      'the target must have at least 1 running proxy task, got 0',
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
  expect(run.initial).toEqual({ stickiness, others: cloud.otherDigests(), ownDigest: 'own' });
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
