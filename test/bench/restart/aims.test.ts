import { checkAims } from '../../../bench/restart/aims';
import { drawTable } from '../../../bench/restart/table';
import type { PeerFigures, RestartFigures, Settled } from '../../../bench/restart/figures';

const MIB = 2 ** 20;
const settled: Settled = { processes: 4, files: 20_000, residentBytes: 400 * MIB, temporary: 2, generations: 1 };
const times = { count: 20_000, p50: 3, p99: 80, max: 400 };

function restart(changes: Partial<RestartFigures> = {}): RestartFigures {
  const none = { closed: 0, requestErrors: 0, timeline: [[0, 10_000] as const], cpuSeconds: { old: 1, new: 2 } };
  return { replacedMs: 2_500, servingMs: 900, stall: times, latency: times, ...none, after: settled, ...changes };
}

function measured(changes: Partial<PeerFigures> = {}): PeerFigures {
  const rates = { connections: 10_000, messagesPerSecond: 10_000, requestsPerSecond: 2_000 };
  return {
    ...{ peer: 'drainshift', how: 'POST /restart', isOurs: true, ...rates },
    ...{
      quiet: { ...times, p99: 12 },
      idleShare: 0.25,
      before: { ...settled, processes: 3, temporary: 0 },
      restarts: [restart()],
    },
    sockets: {
      ...{ open: 10_000, closed: 0, closeFrames: 0, sent: 50_000, received: 50_000, waiting: 0 },
      ...{ lost: 0, doubled: 0, outOfOrder: 0, foreign: 0, stall: times, timeline: [] },
    },
    requests: { sent: 10_000, responded: 10_000, errors: 0, problems: [], latency: times },
    ...changes,
  };
}

const missed = (figures: PeerFigures) =>
  checkAims([figures]).flatMap(({ isMet, text }) => (isMet ? [] : [text.replace(/^drainshift: /, '')]));

describe('the aims of a restart under load', () => {
  test('are met when nothing is lost, in time, and nothing is left over', () => {
    expect(missed(measured())).toEqual([]);
  });

  test.each([
    ['closed', { closed: 1 }, '0 closed, got 1'],
    ['lost', { lost: 2 }, '0 lost, got 2'],
    ['still not back at the end', { waiting: 3 }, '0 lost, got 3'],
    ['doubled', { doubled: 1 }, '0 doubled, got 1'],
    ['out of order', { outOfOrder: 1 }, '0 out of order, got 1'],
    ['foreign', { foreign: 1 }, '0 foreign, got 1'],
  ])('are missed by what is %s', (_, change, text) => {
    expect(missed(measured({ sockets: { ...measured().sockets, ...change } }))).toEqual([text]);
  });

  test('are missed by a failed request, which they name', () => {
    const requests = { ...measured().requests, errors: 1, problems: ['status 502'] };
    expect(missed(measured({ requests }))).toEqual(['0 failed requests, got 1 (status 502)']);
  });

  test('are of the medians of the restarts', () => {
    const late = restart({ replacedMs: 9_000, stall: { ...times, p99: 900 } });
    expect(missed(measured({ restarts: [restart(), late, restart()] }))).toEqual([]);
    expect(missed(measured({ restarts: [late, late, restart()] }))).toEqual([
      'replaced in at most 3 s, got a median of 9.00 s (2.50 s to 9.00 s)',
      'p99 of a message at most 100 ms, got a median of 900 ms (80 ms to 900 ms)',
    ]);
  });

  test('are missed by an old process that never ends', () => {
    expect(missed(measured({ restarts: [restart({ replacedMs: undefined })] }))).toEqual([
      'replaced in at most 3 s, got a median of Infinity s (Infinity s to Infinity s)',
    ]);
  });

  test('are missed by what is left over', () => {
    const more = { processes: 7, files: 20_100, residentBytes: 400 * MIB, temporary: 6, generations: 2 };
    expect(missed(measured({ restarts: [restart(), restart({ after: more })] }))).toEqual([
      '1 live generations afterwards, got 2',
      'at most 4 processes afterwards, got 7',
      'at most 2 temporary files afterwards, got 6',
      'at most 20064 open files afterwards, got 20100',
    ]);
  });

  test('judge the memory of many restarts by their thirds', () => {
    const growing = Array.from({ length: 12 }, (_, index) =>
      restart({ after: { ...settled, residentBytes: (400 + 10 * index) * MIB } }),
    );
    expect(missed(measured({ restarts: growing }))).toEqual([
      'memory of the last 4 of 12 restarts at most 1.1 of the first 4, got 495 MiB after 415 MiB',
    ]);
    expect(missed(measured({ restarts: growing.slice(0, 9) }))).toEqual([]);
  });

  test('are not those of a peer', () => {
    expect(checkAims([measured({ peer: 'nginx', isOurs: false })])).toEqual([]);
  });
});

test('the table has a line for each peer, with what it lost and how long two generations lived', () => {
  const nginx = measured({
    ...{ peer: 'nginx', how: 'reload', isOurs: false, restarts: [restart({ replacedMs: 10_040 })] },
    sockets: { ...measured().sockets, closed: 10_000, lost: 250 },
  });
  const ours = measured({ restarts: [restart({ replacedMs: 2_000 }), restart(), restart({ replacedMs: 2_600 })] });
  const [, , ...lines] = drawTable([ours, nginx]).split('\n');
  expect(lines).toEqual([
    '| drainshift | POST /restart × 3 | 10,000 | 0 | 0 | 0 | 0 | 2.5 s (2.0–2.6) | 25 % | 12 ms | 80 ms | 400 ms |',
    '| nginx | reload | 10,000 | 10,000 | 250 | 0 | 0 | 10.0 s | 25 % | 12 ms | 80 ms | 400 ms |',
  ]);
});
