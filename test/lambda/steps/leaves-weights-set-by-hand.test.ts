import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { MemoryCloud, arns, report, stickiness } from '../world';

const byHand = { groups: [{ arn: arns.target, weight: 7 }], stickiness };
const change = { detail: { name: 'night', status: 'ABORTED' } };

/** After a shift, with a task of the source that cannot be told to serve again: the way back takes several calls. */
async function withDeafTask(): Promise<MemoryCloud> {
  const cloud = new MemoryCloud();
  await shift(cloud.ready(), cloud.ports, cloud.nowMs);
  cloud.tasks.source = [report('s1', { state: 'draining' })];
  cloud.unreachable.add('s1');
  return cloud;
}

test('a rollback does not set the weights again once they have read back', async () => {
  const cloud = await withDeafTask();
  const run = cloud.lock;
  if (!run) throw new Error('no lock');
  const waiting = await rollback(run, cloud.ports, cloud.nowMs);
  expect(waiting).toMatchObject({ verdict: 'wait', rollback: { restoredAt: '2026-01-01T00:00:00.000Z' } });
  cloud.forward = byHand;
  cloud.unreachable.clear();
  expect((await rollback(waiting, cloud.ports, cloud.nowMs)).verdict).toBe('restored');
  expect(cloud.forward).toEqual(byHand);
});

test('nor does a recovery that is called again, for a task or for its evidence', async () => {
  const cloud = await withDeafTask();
  await expect(recover(change, cloud.ports, cloud.nowMs)).rejects.toThrow(
    "'night' must read back, and its source serve",
  );
  cloud.forward = byHand;
  cloud.unreachable.clear();
  const { store } = cloud.ports;
  const putEvidence = async () => Promise.reject(new Error('no store'));
  const unwell = { ...cloud.ports, store: { ...store, putEvidence } };
  await expect(recover(change, unwell, cloud.nowMs)).rejects.toThrow('no store');
  expect(await recover(change, cloud.ports, cloud.nowMs)).toEqual({ recovered: true });
  expect(cloud.forward).toEqual(byHand);
  expect(cloud.kindsNotified).toEqual(['rollingBack', 'rolledBack']);
});
