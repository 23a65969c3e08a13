import { recover } from '../../../lambda/steps/recover';
import { rollback } from '../../../lambda/steps/rollback';
import { shift } from '../../../lambda/steps/shift';
import { MemoryWorld, arns, report, stickiness } from '../world';

const byHand = { groups: [{ arn: arns.target, weight: 7 }], stickiness };
const change = { detail: { name: 'night', status: 'ABORTED' } };

/** After a shift, with a task of the source that cannot be told to serve again: the way back takes several calls. */
async function withDeafTask(): Promise<MemoryWorld> {
  const world = new MemoryWorld();
  await shift(world.ready(), world.ports, world.nowMs);
  world.tasks.source = [report('s1', { state: 'draining' })];
  world.unreachable.add('s1');
  return world;
}

test('a rollback does not set the weights again once they have read back', async () => {
  const world = await withDeafTask();
  const run = world.lock;
  if (!run) throw new Error('no lock');
  const waiting = await rollback(run, world.ports, world.nowMs);
  expect(waiting).toMatchObject({ verdict: 'wait', rollback: { restoredAt: '2026-01-01T00:00:00.000Z' } });
  world.forward = byHand;
  world.unreachable.clear();
  expect((await rollback(waiting, world.ports, world.nowMs)).verdict).toBe('restored');
  expect(world.forward).toEqual(byHand);
});

test('nor does a recovery that is called again, for a task or for its evidence', async () => {
  const world = await withDeafTask();
  await expect(recover(change, world.ports, world.nowMs)).rejects.toThrow(
    "'night' must read back, and its source serve",
  );
  world.forward = byHand;
  world.unreachable.clear();
  const { store } = world.ports;
  const putEvidence = async () => Promise.reject(new Error('no store'));
  const unwell = { ...world.ports, store: { ...store, putEvidence } };
  await expect(recover(change, unwell, world.nowMs)).rejects.toThrow('no store');
  expect(await recover(change, world.ports, world.nowMs)).toEqual({ recovered: true });
  expect(world.forward).toEqual(byHand);
  expect(world.kindsTold).toEqual(['rollingBack', 'rolledBack']);
});
