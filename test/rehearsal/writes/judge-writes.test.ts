import { judgeWrites } from '../../../rehearsal/writes/judge-writes';
import { LoggedWrite, SentWrite, StoredLine, readLog } from '../../../rehearsal/writes/write-log';

/** A client's first, second, … write, done in this order, 10 ms each, with 5 ms between two. */
function logOf(...sides: LoggedWrite['side'][]): LoggedWrite[] {
  return sides.map((side, at) => {
    const beganMs = at * 15;
    return {
      client: 'a',
      n: at + 1,
      side,
      number: at + 1,
      epoch: side === 'source' ? 0 : 1,
      beganMs,
      endedMs: beganMs + 10,
    };
  });
}

const told = (log: readonly LoggedWrite[]): SentWrite[] =>
  log.map(({ client, n, side, number }) => ({ client, n, response: { side, number } }));

function change(log: readonly LoggedWrite[], n: number, more: Partial<LoggedWrite>): LoggedWrite[] {
  return log.map((write) => (write.n === n ? { ...write, ...more } : write));
}

const SWITCHED = logOf('source', 'source', 'target', 'target');

test('a switch in which each side writes for itself has no fault', () => {
  expect(judgeWrites(SWITCHED, told(SWITCHED))).toEqual({
    ...{ sent: 4, responded: 4, bySide: { source: 2, target: 2 } },
    ...{ lost: 0, doubled: 0, overlaps: 0, staleEpochs: 0, faults: [] },
  });
});

test('a side may serve again, once the other one has ended', () => {
  const back = change(change(logOf('source', 'target', 'source'), 2, { epoch: 1 }), 3, { epoch: 2 });
  expect(judgeWrites(back, told(back))).toMatchObject({ overlaps: 0, staleEpochs: 0 });
});

test.each<[string, Partial<LoggedWrite>]>([
  ['ends after the first of the target began', { endedMs: 31 }],
  ['begins between two of the target', { beganMs: 41, endedMs: 42 }],
  ['begins after all of the target', { beganMs: 50, endedMs: 500 }],
  ['runs through all of them', { beganMs: 1, endedMs: 500 }],
])('a write of the source that %s is an overlap, or has an epoch that has ended', (_, more) => {
  const log = change(SWITCHED, 2, more);
  const { overlaps, staleEpochs, faults } = judgeWrites([...log].reverse(), told(log));
  expect(overlaps + staleEpochs).toBeGreaterThan(0);
  expect(faults[0]).toMatch(/^write a \d of the (source|target) must/);
});

test('of two overlapping writes none escapes because of a third one that ended later', () => {
  const log: LoggedWrite[] = [
    { client: 'a', n: 1, side: 'source', number: 1, beganMs: 0, endedMs: 100 },
    { client: 'b', n: 1, side: 'source', number: 2, beganMs: 1, endedMs: 2 },
    { client: 'c', n: 1, side: 'target', number: 1, beganMs: 50, endedMs: 51 },
  ];
  const { overlaps, faults } = judgeWrites(log, told(log));
  expect(overlaps).toBe(1);
  expect(faults).toEqual([
    'write c 1 of the target must begin after write a 1 of the source had ended, got 50.000 ms before',
  ]);
});

test('a write that the target got with the epoch of the source is stale', () => {
  const log = change(SWITCHED, 4, { epoch: 0 });
  expect(judgeWrites(log, told(log))).toMatchObject({ overlaps: 0, staleEpochs: 1 });
});

test('lost is what a response had promised; what had no response may be there or not', () => {
  const [first, second, ...rest] = SWITCHED;
  const sent = told(SWITCHED);
  expect(judgeWrites([first!, ...rest], sent)).toMatchObject({ lost: 1, doubled: 0 });
  const without = sent.map(({ client, n }) => (n === 2 ? { client, n } : sent[n - 1]!));
  expect(judgeWrites([first!, ...rest], without)).toMatchObject({ sent: 4, responded: 3, lost: 0 });
  expect(judgeWrites([first!, second!, ...rest], without)).toMatchObject({ lost: 0 });
  const elsewhere = change(SWITCHED, 2, { number: 77 });
  expect(judgeWrites(elsewhere, sent)).toMatchObject({ lost: 1 });
});

test('a write that was done twice is doubled, on whichever side', () => {
  const again = { ...SWITCHED[1]!, number: 3, beganMs: 26, endedMs: 27 };
  expect(judgeWrites([...SWITCHED, again], told(SWITCHED))).toMatchObject({ doubled: 1, lost: 0 });
});

test('a log is read line by line; a write whose backend died ended when it was stored', () => {
  const line = (atMs: number, value: object): StoredLine => ({ atMs, value: JSON.stringify(value) });
  const lines = [
    line(11, { begin: { client: 'a', n: 1, beganMs: 10, epoch: 3 } }),
    line(13, { begin: { client: 'b', n: 1, beganMs: 12 } }),
    line(15, { end: { number: 1, endedMs: 14 } }),
  ];
  expect(readLog('target', lines)).toEqual([
    { client: 'a', n: 1, side: 'target', number: 1, epoch: 3, beganMs: 10, endedMs: 14 },
    { client: 'b', n: 1, side: 'target', number: 2, beganMs: 12, endedMs: 13 },
  ]);
});
