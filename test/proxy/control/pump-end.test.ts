import { endPumps } from '../../../proxy/control/pump-end';
import { FakeClock } from '../support/fake-clock';

/** Ends as the generation does that serves them: `lives` of them not at all. */
function begin({ pumped, lives = 0 }: { pumped: number; lives?: number }) {
  const clock = new FakeClock();
  const seen = { asked: [] as number[], begun: [] as number[], hasEnded: false, isLast: false };
  let unasked = pumped;
  const plane = {
    pumped,
    askPumpedToLeave: (count: number) => {
      const asked = Math.min(count, unasked);
      unasked -= asked;
      plane.pumped = Math.max(lives, plane.pumped - asked);
      if (asked > 0) seen.asked.push(asked);
      return unasked;
    },
  };
  const times = { fromMs: clock.nowMs() + 60_000, ratePerSecond: 10, lastMs: 5_000 };
  const told = { isLast: () => seen.isLast, begins: (count: number) => void seen.begun.push(count) };
  void endPumps(plane, { ...times, ...told }, clock).then(() => (seen.hasEnded = true));
  const pass = async (seconds: number) => {
    for (let looks = 0; looks < seconds * 5; looks += 1) {
      clock.advance(0.2);
      await Promise.resolve();
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  const add = (count: number) => {
    unasked += count;
    plane.pumped += count;
  };
  return { seen, pass, add };
}

test('none is asked to end before its time, and then no more than the rate says', async () => {
  const { seen, pass } = begin({ pumped: 30 });
  seen.isLast = true;
  await pass(59);
  expect(seen).toMatchObject({ asked: [], begun: [], hasEnded: false });
  await pass(2);
  expect(seen.begun).toEqual([30]);
  expect(Math.max(...seen.asked)).toBeLessThanOrEqual(2);
  expect(seen.asked.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(11);
  await pass(3);
  expect(seen.hasEnded).toBe(true);
});

test('one that comes when the time of all has passed is asked at the rate, too, and is waited for', async () => {
  const { seen, pass, add } = begin({ pumped: 0 });
  await pass(120);
  expect(seen).toMatchObject({ begun: [], hasEnded: false });
  add(30);
  await pass(1);
  expect(seen.begun).toEqual([30]);
  expect(seen.asked.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(11);
  await pass(5);
  expect(seen.hasEnded).toBe(false);
  seen.isLast = true;
  await pass(1);
  expect(seen.hasEnded).toBe(true);
});

test('what was asked and does not end is waited for as long as said, once no other comes', async () => {
  const { seen, pass } = begin({ pumped: 2, lives: 1 });
  await pass(120);
  expect(seen.hasEnded).toBe(false);
  seen.isLast = true;
  await pass(1);
  expect(seen.hasEnded).toBe(true);
});

test('it is over at once where there is none, and none comes', async () => {
  const { seen, pass } = begin({ pumped: 0 });
  seen.isLast = true;
  await pass(0.4);
  expect(seen.hasEnded).toBe(true);
});
