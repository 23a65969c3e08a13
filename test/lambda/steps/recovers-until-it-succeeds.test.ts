import { CutoverError } from '../../../core/errors/errors';
import { QueuedChange, RECOVERY_ATTEMPTS, recoveryCallOf } from '../../../core/cutover/recovery';
import { recover } from '../../../lambda/steps/recover';
import { shift } from '../../../lambda/steps/shift';
import { MemoryWorld, arns, report } from '../world';

const change = { detail: { name: 'night', status: 'ABORTED' } };
const queued = (attempt: number, body: unknown = { requestPayload: change }): QueuedChange => ({
  Records: [{ body: JSON.stringify(body), attributes: { ApproximateReceiveCount: String(attempt) } }],
});

/** A cutover that was stopped after its first shift, whose weights do not read back as set. */
async function stopped(): Promise<MemoryWorld> {
  const world = new MemoryWorld();
  const run = await shift(world.ready(), world.ports, world.nowMs);
  world.staleForward = run.intended;
  return world;
}
const attempt = (world: MemoryWorld, event: Parameters<typeof recover>[0]) => recover(event, world.ports, world.nowMs);

test('a change is read as EventBridge gives it, as Lambda keeps it of a failed call, and as EventBridge keeps it', () => {
  expect(recoveryCallOf(change)).toEqual({ change, isFirst: true, isLast: false });
  expect(recoveryCallOf(queued(1))).toEqual({ change, isFirst: false, isLast: false });
  expect(recoveryCallOf(queued(RECOVERY_ATTEMPTS, change))).toEqual({ change, isFirst: false, isLast: true });
  expect(() => recoveryCallOf({ Records: [] })).toThrow("'Records' must be one message, got 0");
});

test('an attempt that fails leaves the lock, and the next one puts back', async () => {
  const world = await stopped();
  await expect(attempt(world, change)).rejects.toThrow("the weights of 'night' must read back");
  expect(world.evidence).toEqual([]);
  expect(world.lock).toBeDefined();
  world.staleForward = undefined;
  expect(await attempt(world, queued(1))).toEqual({ recovered: true });
  expect(world.forward.groups).toEqual([{ arn: arns.source, weight: 100 }]);
  expect(world.evidence).toMatchObject([{ outcome: 'rolled-back', failure: { code: 'Aborted' } }]);
  expect(world.lock).toBeUndefined();
});

test('however many attempts it takes, people are told once that it goes back, and the stage is on record once', async () => {
  const world = await stopped();
  for (const event of [change, queued(1), queued(2), queued(3)]) {
    await expect(attempt(world, event)).rejects.toThrow();
    world.nowMs += 180_000;
  }
  world.staleForward = undefined;
  await attempt(world, queued(4));
  expect(world.kindsTold).toEqual(['rollingBack', 'rolledBack']);
  expect(world.evidence).toMatchObject([{ stages: [{ verdict: 'rollBack' }] }]);
});

test('a task of the source that cannot be told does not hold it up for ever', async () => {
  const world = await stopped();
  world.staleForward = undefined;
  world.tasks.source = [report('s1', { state: 'draining' })];
  world.unreachable.add('s1');
  await expect(attempt(world, change)).rejects.toThrow();
  world.nowMs += 300_000;
  expect(await attempt(world, queued(1))).toEqual({ recovered: true });
});

test('the last attempt that fails says so, and keeps the lock until somebody has looked', async () => {
  const world = await stopped();
  await expect(attempt(world, queued(RECOVERY_ATTEMPTS - 1))).rejects.toThrow();
  expect(world.evidence).toEqual([]);
  await expect(attempt(world, queued(RECOVERY_ATTEMPTS))).rejects.toThrow();
  expect(world.kindsTold).toEqual(['rollingBack', 'failed']);
  expect(world.evidence).toMatchObject([{ outcome: 'failed', failure: { code: 'RollbackNotConfirmed' } }]);
  expect(world.lock).toBeDefined();
  const calls = [...world.calls];
  expect(await attempt(world, queued(RECOVERY_ATTEMPTS + 1))).toEqual({ recovered: false });
  expect(world.calls).toEqual(calls);
});

describe('a lock that cannot be read', () => {
  const message = "'lock.json' in the store must be as drainshift wrote it, got x: look at the weights in force";
  const damaged = (world: MemoryWorld) => {
    const holder = () => Promise.reject(new CutoverError('LockDamaged', message));
    return { ...world.ports, store: { ...world.ports.store, holder } };
  };

  test('is told at once, with what to do, and again at the end; the attempts go on, and one that finds it mended puts back', async () => {
    const world = await stopped();
    world.staleForward = undefined;
    const ports = damaged(world);
    const calls = [...world.calls];
    for (const event of [change, queued(1), queued(2), queued(RECOVERY_ATTEMPTS)]) {
      await expect(recover(event, ports, world.nowMs)).rejects.toMatchObject({ code: 'LockDamaged' });
    }
    expect(world.calls).toEqual(calls);
    expect(world.kindsTold).toEqual(['failed', 'failed']);
    expect(world.told[0]?.detail.failure?.code).toBe('LockDamaged');
    const { text } = world.told[0]!;
    expect(text).toContain(`Why: LockDamaged: ${message}`);
    expect(text).toContain('list-object-versions --bucket store --prefix lock.json');
    expect(text).toContain('aws s3 rm s3://store/lock.json');
    expect(await attempt(world, queued(3))).toEqual({ recovered: true });
  });

  test('does not matter to an execution that has left its evidence', async () => {
    const world = await stopped();
    world.staleForward = undefined;
    await attempt(world, change);
    expect(await recover(change, damaged(world), world.nowMs)).toEqual({ recovered: false });
  });
});
