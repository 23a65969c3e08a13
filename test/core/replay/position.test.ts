import { PositionTracker } from '../../../core/replay/position';

const start = { fromMs: -Infinity, finished: [] };

test('it goes on before the oldest request that is not finished, and knows those after it that are', () => {
  const tracker = new PositionTracker(start, 10);
  for (const n of [0, 100, 200, 300]) tracker.add(`r${n}`, n);
  tracker.finish('r200');
  tracker.finish('r0');
  expect(tracker.oldestMs).toBe(100);
  expect(tracker.position).toEqual({ fromMs: 90, finished: [['r200', 200]] });
  const next = new PositionTracker(tracker.position, 10);
  expect([next.isFinished('r200'), next.isFinished('r100')]).toEqual([true, false]);
  tracker.finish('r100');
  tracker.finish('r300');
  tracker.reach(400);
  expect(tracker.position.fromMs).toBe(390);
});

test('without anything that was read it is where it started', () => {
  expect(new PositionTracker(start, 10).position).toEqual({ fromMs: -Infinity, finished: [] });
});
