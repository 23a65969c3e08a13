import { MachineReading, MachineTime, countedMs, shareOfTime } from '../../../../rehearsal/processes/machine-time';
import { PaceReading, nextShare } from '../../../../rehearsal/traffic/schedule/governor';
import { Pace } from '../../../../rehearsal/traffic/schedule/pace';
import { until } from '../../../support/until';

const atRest: MachineReading = { elapsedMs: 100, activeMs: 10, cpuMs: 10, runnable: 1, processors: 2 };
const waits: PaceReading = { isShort: false, backlogSeconds: 5, least: 0.1 };

describe('the share of its time that a process had', () => {
  test.each<[string, Partial<MachineReading>, number]>([
    ['at rest', {}, 1],
    ['waiting for a response that never comes', { activeMs: 0, cpuMs: 0 }, 1],
    ['busy, on a processor all the time', { activeMs: 100, cpuMs: 100 }, 1],
    ['busy, with threads that help it', { activeMs: 50, cpuMs: 150 }, 1],
    ['busy, a quarter of it on a processor', { activeMs: 80, cpuMs: 20 }, 0.25],
    ['as many threads as processors', { runnable: 2 }, 1],
    ['sixteen threads on two processors', { runnable: 16 }, 0.125],
    ['both, by the worse', { activeMs: 80, cpuMs: 40, runnable: 16 }, 0.125],
    ['a machine that does not report its threads', { runnable: undefined, activeMs: 80, cpuMs: 40 }, 0.5],
    ['hardly any, and yet time goes on', { runnable: 10_000 }, 0.05],
    ['too little work to say', { activeMs: 5, cpuMs: 0 }, 1],
  ])('%s', (_what, reading, share) => expect(shareOfTime({ ...atRest, ...reading })).toBe(share));
});

test('of a standstill two ticks count, and of what passed the share that was had', () => {
  expect(countedMs(100, 1)).toBe(100);
  expect(countedMs(60_000, 1)).toBe(200);
  expect(countedMs(100, 0.25)).toBe(25);
});

describe('the share of the traffic', () => {
  test.each<[string, number, Partial<PaceReading>, number]>([
    ['stays whole where a target hangs and the machine has time', 1, {}, 1],
    ['goes down where the machine is short of time and a queue grows', 1, { isShort: true }, 0.6],
    ['and on', 0.5, { isShort: true }, 0.3],
    ['to no less than the stages need', 0.5, { isShort: true, least: 0.45 }, 0.45],
    ['stays where the machine is short of time and carries it all', 1, { isShort: true, backlogSeconds: 0.1 }, 1],
    ['grows slowly where no queue is left', 0.5, { backlogSeconds: 0.1 }, 0.52],
    ['to the whole', 0.99, { backlogSeconds: 0 }, 1],
    ['does not grow while a queue is left', 0.5, { backlogSeconds: 0.7 }, 0.5],
    ['does not grow while a target hangs', 0.5, {}, 0.5],
  ])('%s', (_what, share, reading, next) => expect(nextShare(share, { ...waits, ...reading })).toBeCloseTo(next, 5));
});

test('what is left out is counted, and every user has its part of the rest', async () => {
  const pace = new Pace();
  pace.share = 0.25;
  const done = [0, 0, 0, 0];
  pace.add({ count: 4, perSecondEach: 100, arrivalMs: 0 }, (index) => () => {
    done[index] = (done[index] ?? 0) + 1;
    return Promise.resolve();
  });
  await until(() => done.every((times) => times >= 5));
  await pace.stop();
  const all = done.reduce((sum, times) => sum + times, 0);
  expect(all / (all + pace.leftOut)).toBeGreaterThan(0.2);
  expect(all / (all + pace.leftOut)).toBeLessThan(0.3);
});

test('a limit is late in its order, anew after a refresh, and never once it is cleared', async () => {
  const time = new MachineTime();
  const late: string[] = [];
  time.limit(0, () => late.push('never')).clear();
  const refreshed = time.limit(400, () => late.push('second'));
  time.limit(10, () => {
    late.push('first');
    refreshed.refresh();
  });
  const begin = time.nowMs;
  await until(() => late.length === 2);
  expect(late).toEqual(['first', 'second']);
  expect(time.nowMs - begin).toBeGreaterThanOrEqual(410);
});

test('a process that stood still has lost nothing by it', async () => {
  const time = new MachineTime();
  let isLate = false;
  time.limit(2_000, () => (isLate = true));
  await time.wait(1);
  const before = time.nowMs;
  const standsMs = performance.now() + 2_500;
  while (performance.now() < standsMs);
  await time.wait(1);
  expect(time.nowMs - before).toBeLessThan(1_000);
  expect(time.standstillMs).toBeGreaterThan(1_500);
  expect(isLate).toBe(false);
});

test('the other process that the traffic goes through counts, too: without a word of it time stands still', async () => {
  const time = new MachineTime();
  time.hear({ share: 0.25, utilization: 0.2 });
  expect(time.isShort).toBe(true);
  time.hear({ share: 1, utilization: 0.2 });
  expect(time.isShort).toBe(false);
  time.hear({ share: 1, utilization: 0.99 });
  expect(time.isShort).toBe(true);
  let isLate = false;
  time.limit(1_300, () => (isLate = true));
  const beginMs = performance.now();
  await until(() => performance.now() - beginMs > 2_000);
  expect(isLate).toBe(false);
  time.hear({ share: 1, utilization: 0 });
  await until(() => isLate || (time.hear({ share: 1, utilization: 0 }), false));
});
