import { preflight } from '../../../lambda/steps/preflight';
import { MemoryWorld, arns, report, stickiness } from '../world';

test('everything that is not as it must be is said at once, and nothing moves', async () => {
  const world = new MemoryWorld();
  world.forward = {
    groups: [
      { arn: arns.source, weight: 50 },
      { arn: arns.target, weight: 50 },
    ],
    stickiness,
  };
  world.healthy.target = 0;
  world.smoke = { source: 200, target: 'connect ECONNREFUSED' };
  world.tasks.target = [];
  const failed = preflight(world.ready(), world.ports, world.nowMs);
  await expect(failed).rejects.toMatchObject({ code: 'WeightsUnexpected' });
  await expect(failed).rejects.toThrow(
    [
      'the weights in force must be 100/0, got 50/50',
      'the target must have at least 1 healthy targets, got 0',
      'the target must have at least 1 running proxy task, got 0',
    ].join('\n'),
  );
  expect(world.calls).toEqual([]);
});

test('an admin port that does not answer is found before anything moves', async () => {
  const world = new MemoryWorld();
  world.unreachable.add('t1');
  await expect(preflight(world.ready(), world.ports, world.nowMs)).rejects.toMatchObject({ code: 'AdminUnreachable' });
});

test('a rule that forwards elsewhere is not ours to move', async () => {
  const world = new MemoryWorld();
  world.forward = { groups: [{ arn: 'arn:third', weight: 1 }], stickiness };
  await expect(preflight(world.ready(), world.ports, world.nowMs)).rejects.toMatchObject({ code: 'RuleNotWeighted' });
});

test('a side that is out of the action counts as weight 0', async () => {
  const world = new MemoryWorld();
  world.forward = { groups: [{ arn: arns.source, weight: 100 }], stickiness };
  const run = await preflight(world.ready(), world.ports, world.nowMs);
  expect(run.initial).toEqual({ stickiness, others: world.otherDigests(), ownDigest: 'own' });
  expect(world.lock).toEqual(run);
});

test('a proxy that is draining already would refuse new WebSockets: it is found before anything moves', async () => {
  const world = new MemoryWorld();
  world.tasks.target = [report('t1', { state: 'drained' })];
  await expect(preflight(world.ready(), world.ports, world.nowMs)).rejects.toMatchObject({ code: 'ProxyDraining' });
});

test('a proxy that says its upstream leads back to it is a forwarding loop, not just any failed smoke request', async () => {
  const world = new MemoryWorld();
  world.smoke = { source: 502, target: 508 };
  const failed = preflight(world.ready(), world.ports, world.nowMs);
  await expect(failed).rejects.toThrow(
    /GET \/ on the target must return 200, got 508 \(a forwarding loop: .*the target leads back/,
  );
  world.smoke = { source: 200, target: 508 };
  await expect(preflight(world.ready(), world.ports, world.nowMs)).rejects.toMatchObject({ code: 'ForwardingLoop' });
  world.smoke = { source: 508, target: 502 };
  await expect(preflight(world.ready(), world.ports, world.nowMs)).rejects.toMatchObject({ code: 'ForwardingLoop' });
  expect(world.calls).toEqual([]);
});
