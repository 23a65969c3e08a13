import { CutoverError } from '../../../core/errors/errors';
import { QueuedChange, RECOVERY_ATTEMPTS, buildRecoveryCall } from '../../../core/cutover/recovery';
import { recover } from '../../../lambda/steps/recover';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud, arns, report } from '../world';

const change = { detail: { name: 'night', status: 'ABORTED' } };
const queued = (attempt: number, body: unknown = { requestPayload: change }): QueuedChange => ({
  Records: [{ body: JSON.stringify(body), attributes: { ApproximateReceiveCount: String(attempt) } }],
});

/** A cutover that was stopped after its first shift, whose weights do not read back as set. */
async function stopped(): Promise<MemoryCloud> {
  const cloud = new MemoryCloud();
  const run = await shift(cloud.ready(), cloud.ports, cloud.nowMs);
  cloud.staleForward = run.intended;
  return cloud;
}
const attempt = (cloud: MemoryCloud, event: Parameters<typeof recover>[0]) => recover(event, cloud.ports, cloud.nowMs);

test('a change is read as EventBridge gives it, as Lambda keeps it of a failed call, and as EventBridge keeps it', () => {
  expect(buildRecoveryCall(change)).toEqual({ change, isLast: false });
  expect(buildRecoveryCall(queued(1))).toEqual({ change, isLast: false });
  expect(buildRecoveryCall(queued(RECOVERY_ATTEMPTS, change))).toEqual({ change, isLast: true });
  expect(() => buildRecoveryCall({ Records: [] })).toThrow("'Records' must be one message, got 0");
});

test('an attempt that fails leaves the lock, and the next one puts back', async () => {
  const cloud = await stopped();
  await expect(attempt(cloud, change)).rejects.toThrow("the weights of 'night' must read back");
  expect(cloud.evidence).toEqual([]);
  expect(cloud.lock).toBeDefined();
  cloud.staleForward = undefined;
  expect(await attempt(cloud, queued(1))).toEqual({ recovered: true });
  expect(cloud.forward.groups).toEqual([{ arn: arns.source, weight: 100 }]);
  expect(cloud.evidence).toMatchObject([{ outcome: 'rolled-back', failure: { code: 'Aborted' } }]);
  expect(cloud.lock).toBeUndefined();
});

test('however many attempts it takes, people are notified once that it rolls back, and the stage is on record once', async () => {
  const cloud = await stopped();
  for (const event of [change, queued(1), queued(2), queued(3)]) {
    await expect(attempt(cloud, event)).rejects.toThrow();
    cloud.nowMs += 180_000;
  }
  cloud.staleForward = undefined;
  await attempt(cloud, queued(4));
  expect(cloud.kindsNotified).toEqual(['rollingBack', 'rolledBack']);
  expect(cloud.evidence).toMatchObject([{ stages: [{ verdict: 'rollBack' }] }]);
});

test('a task of the source that cannot be reached does not hold it up for ever', async () => {
  const cloud = await stopped();
  cloud.staleForward = undefined;
  cloud.tasks.source = [report('s1', { state: 'draining' })];
  cloud.unreachable.add('s1');
  await expect(attempt(cloud, change)).rejects.toThrow();
  cloud.nowMs += 300_000;
  expect(await attempt(cloud, queued(1))).toEqual({ recovered: true });
});

test('the last attempt that fails says so, and keeps the lock until someone has looked', async () => {
  const cloud = await stopped();
  await expect(attempt(cloud, queued(RECOVERY_ATTEMPTS - 1))).rejects.toThrow();
  expect(cloud.evidence).toEqual([]);
  await expect(attempt(cloud, queued(RECOVERY_ATTEMPTS))).rejects.toThrow();
  expect(cloud.kindsNotified).toEqual(['rollingBack', 'failed']);
  expect(cloud.evidence).toMatchObject([{ outcome: 'failed', failure: { code: 'RollbackNotConfirmed' } }]);
  expect(cloud.lock).toBeDefined();
  const calls = [...cloud.calls];
  expect(await attempt(cloud, queued(RECOVERY_ATTEMPTS + 1))).toEqual({ recovered: false });
  expect(cloud.calls).toEqual(calls);
});

describe('a lock that cannot be read', () => {
  const message = "'lock.json' in the store must be as drainshift wrote it, got x: look at the weights in force";
  const damaged = (cloud: MemoryCloud) => {
    const holder = () => Promise.reject(new CutoverError('LockDamaged', message));
    return { ...cloud.ports, store: { ...cloud.ports.store, holder } };
  };

  test('is reported at once, with what to do, and again at the end; the attempts go on, and one that finds it fixed puts back', async () => {
    const cloud = await stopped();
    cloud.staleForward = undefined;
    const ports = damaged(cloud);
    const calls = [...cloud.calls];
    for (const event of [change, queued(1), queued(2), queued(RECOVERY_ATTEMPTS)]) {
      await expect(recover(event, ports, cloud.nowMs)).rejects.toMatchObject({ code: 'LockDamaged' });
    }
    expect(cloud.calls).toEqual(calls);
    expect(cloud.kindsNotified).toEqual(['failed', 'failed']);
    expect(cloud.notified[0]?.detail.failure?.code).toBe('LockDamaged');
    const { text } = cloud.notified[0]!;
    expect(text).toContain(`Why: LockDamaged: ${message}`);
    expect(text).toContain('list-object-versions --bucket store --prefix lock.json');
    expect(text).toContain('aws s3 rm s3://store/lock.json');
    expect(await attempt(cloud, queued(3))).toEqual({ recovered: true });
  });

  test.each<[string, Parameters<typeof recover>[0][]]>([
    ['before which the store was away', [change, queued(1), queued(2), queued(3)]],
    ['that EventBridge could not deliver to', [queued(1, change), queued(2, change), queued(3, change)]],
  ])('is reported at once and once, also to one %s', async (_, [first, ...others]) => {
    const cloud = await stopped();
    const ports = damaged(cloud);
    if (first === change) {
      cloud.away.add('store');
      await expect(recover(change, ports, cloud.nowMs)).rejects.toMatchObject({ code: 'AwsUnavailable' });
      expect(cloud.kindsNotified).toEqual([]);
      cloud.away.clear();
    } else {
      await expect(recover(first!, ports, cloud.nowMs)).rejects.toMatchObject({ code: 'LockDamaged' });
      expect(cloud.kindsNotified).toEqual(['failed']);
    }
    for (const event of others) {
      await expect(recover(event, ports, cloud.nowMs)).rejects.toMatchObject({ code: 'LockDamaged' });
      expect(cloud.kindsNotified).toEqual(['failed']);
    }
  });

  test('is reported rather twice than never when that cannot be noted', async () => {
    const cloud = await stopped();
    const ports = damaged(cloud);
    const noteNotified = () => Promise.reject(new Error('AccessDenied'));
    for (const event of [change, queued(1)]) {
      const given = recover(event, { ...ports, store: { ...ports.store, noteNotified } }, cloud.nowMs);
      await expect(given).rejects.toMatchObject({ code: 'LockDamaged' });
    }
    expect(cloud.kindsNotified).toEqual(['failed', 'failed']);
  });

  test('is nothing to put back for an execution that ended in Lock, which has notified people', async () => {
    const cloud = new MemoryCloud();
    const ended = { detail: { name: 'night', status: 'FAILED', error: 'NotStarted' } };
    for (const event of [ended, queued(1, { requestPayload: ended }), queued(RECOVERY_ATTEMPTS, ended)])
      expect(await recover(event, damaged(cloud), cloud.nowMs)).toEqual({ recovered: false });
    expect(cloud.kindsNotified).toEqual([]);
  });

  test('may be of an execution that never held it: no one is notified that it has moved something', async () => {
    const cloud = new MemoryCloud();
    await expect(recover(change, damaged(cloud), cloud.nowMs)).rejects.toMatchObject({ code: 'LockDamaged' });
    expect(cloud.notified[0]?.text).toContain('Whether this execution ever held the lock');
  });

  test('does not matter to an execution that has left its evidence', async () => {
    const cloud = await stopped();
    cloud.staleForward = undefined;
    await attempt(cloud, change);
    expect(await recover(change, damaged(cloud), cloud.nowMs)).toEqual({ recovered: false });
  });
});
