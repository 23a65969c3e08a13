import { findHandovers } from '../../../rehearsal/writes/handover';
import { toTimeOfDay, sharedClockMs } from '../../../rehearsal/writes/write-log';
import { Side } from '../../../core/traffic/weights';

const respond = (side: Side | undefined, endMs: number) => ({ side, dueAtMs: endMs - 4, ms: 4 });
const write = (side: Side, beganMs: number) => ({
  client: 'a',
  n: beganMs,
  side,
  number: 1,
  beganMs,
  endedMs: beganMs + 3,
});
const there = { epoch: 2, from: 'source', to: 'target', heldMs: 1000 } as const;
const again = { epoch: 3, from: 'target', to: 'source', heldMs: 2000 } as const;

test('of each switch: the last of the side that was left, and the first of the other, from the first call to hold', () => {
  const responses = [900, 1010]
    .map((ms) => respond('source', ms))
    .concat([1100, 1990].map((ms) => respond('target', ms)));
  const log = [write('source', 1001), write('target', 1050), write('target', 1900)];
  expect(findHandovers({ responses, log }, [there])).toEqual([
    { epoch: 2, lastResponseMs: 10, firstResponseMs: 100, lastWriteMs: 4, firstWriteMs: 50 },
  ]);
});

test('a switch back has its own: what either side did before or after another switch is not its', () => {
  const ends: [Side, number][] = [
    ['source', 900],
    ['target', 1100],
    ['target', 2005],
    ['source', 2200],
    ['source', 2900],
  ];
  const responses = ends.map(([side, ms]) => respond(side, ms));
  const log = ends.map(([side, ms]) => write(side, ms));
  expect(findHandovers({ responses, log }, [there, again])).toEqual([
    { epoch: 2, lastResponseMs: -100, firstResponseMs: 100, lastWriteMs: -97, firstWriteMs: 100 },
    { epoch: 3, lastResponseMs: 5, firstResponseMs: 200, lastWriteMs: 8, firstWriteMs: 200 },
  ]);
});

test('what was not seen is left out, and a response of no side counts for none', () => {
  expect(findHandovers({ responses: [respond(undefined, 1010)], log: [] }, [there])).toEqual([{ epoch: 2 }]);
  expect(findHandovers({ responses: [], log: [] }, [])).toEqual([]);
});

test('a log of the shared clock has the time of day', () => {
  const beganMs = sharedClockMs();
  const [moved] = toTimeOfDay([write('source', beganMs)], Date.now());
  expect(Math.abs(moved!.beganMs - Date.now())).toBeLessThan(10_000);
  expect(moved!.endedMs - moved!.beganMs).toBeCloseTo(3, 2);
});
