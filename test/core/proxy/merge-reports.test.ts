import { LedgerReport, NO_BYTES } from '../../../core/proxy/admin-api';
import { NO_CONNECTIONS, NO_ENDINGS, NOTHING_ENDED } from '../../../core/proxy/connections';
import { NEVER_HELD, holdReport, NO_HOLD_FIGURES } from '../../../core/proxy/hold';
import { MoveFigures, NO_MOVES } from '../../../core/moves/moves';
import { NO_MIRROR } from '../../../core/mirror/mirror-counts';
import {
  NO_PAST,
  addToPast,
  countersAfterLoss,
  isSameZero,
  mergeReports,
  pastReport,
} from '../../../core/proxy/merge-reports';

function report(changes: Partial<LedgerReport> = {}): LedgerReport {
  return {
    identity: 'one',
    instance: 'a worker',
    state: 'serving',
    drainRemainingSeconds: 0,
    drainForced: 0,
    abandoned: { total: 0 },
    active: NO_CONNECTIONS,
    ended: NOTHING_ENDED,
    requests: { total: 0, responded: 0, errors: 0 },
    oldestSeconds: NO_CONNECTIONS,
    longestRequestMs: 0,
    bytes: NO_BYTES,
    hold: holdReport(NEVER_HELD, 0, 0),
    upstream: 'source',
    holds: NO_HOLD_FIGURES,
    fastPath: 'on',
    ...changes,
  };
}

const GROUP = { identity: 'one', instance: 'group' };
const live = (http: number, websocket = 0) => ({ ...NO_CONNECTIONS, http, websocket });
const completed = (http: number) => ({ ...NOTHING_ENDED, http: { ...NO_ENDINGS, completed: http } });
const requests = (total: number, errors = 0) => ({ total, responded: total, errors });

test('requests of testers are a sum, which is absent where there are none', () => {
  const merged = mergeReports(GROUP, [report({ ofTesters: 2 }), report(), report({ ofTesters: 1 })]);
  expect(merged.ofTesters).toBe(3);
  expect(mergeReports(GROUP, [report(), report()])).not.toHaveProperty('ofTesters');
});

test('copies of a mirror are a sum, with those of processes that have ended, whose copies are not under way any more', () => {
  const one = report({ mirror: { ...NO_MIRROR, sent: 2, underWay: 1 } });
  const other = report({ mirror: { ...NO_MIRROR, sent: 3, compared: 3 } });
  const past = pastReport(addToPast(NO_PAST, one), other);
  expect(mergeReports(GROUP, [other, past]).mirror).toMatchObject({ sent: 5, compared: 3, underWay: 0 });
  expect(mergeReports(GROUP, [report(), report()])).not.toHaveProperty('mirror');
});

test('counts are sums, the oldest is the oldest of all', () => {
  const merged = mergeReports(GROUP, [
    report({
      drainRemainingSeconds: 7,
      active: live(1, 2),
      ended: completed(3),
      requests: { total: 5, responded: 4, errors: 1 },
      oldestSeconds: { ...NO_CONNECTIONS, websocket: 7.5 },
      longestRequestMs: 40,
      bytes: { ...NO_BYTES, http: { received: 10, sent: 20 } },
    }),
    report({
      drainRemainingSeconds: 9.5,
      active: live(10, 20),
      ended: completed(30),
      requests: { total: 50, responded: 40, errors: 10 },
      oldestSeconds: { ...NO_CONNECTIONS, http: 3, websocket: 2 },
      longestRequestMs: 3_500,
      bytes: { ...NO_BYTES, http: { received: 100, sent: 200 } },
    }),
  ]);
  expect(merged).toEqual(
    report({
      instance: 'group',
      drainRemainingSeconds: 9.5,
      carried: NO_CONNECTIONS,
      carriedEnded: NOTHING_ENDED,
      moves: NO_MOVES,
      active: live(11, 22),
      ended: completed(33),
      requests: { total: 55, responded: 44, errors: 11 },
      oldestSeconds: { ...NO_CONNECTIONS, http: 3, websocket: 7.5 },
      longestRequestMs: 3_500,
      bytes: { ...NO_BYTES, http: { received: 110, sent: 220 } },
    }),
  );
});

test.each([
  [['serving', 'serving'], 'serving'],
  [['serving', 'draining'], 'draining'],
  [['drained', 'draining'], 'draining'],
  [['drained', 'serving'], 'draining'],
  [['drained', 'drained'], 'drained'],
] as const)('%j is %s', (states, expected) => {
  const reports = states.map((state) => report({ state }));
  expect(mergeReports(GROUP, reports).state).toBe(expected);
});

test('it holds only when every worker holds, for as long as the first of them does', () => {
  const holding = (waiting: number, leaseRemainingMs: number) =>
    report({ hold: { state: 'holding', epoch: 4, waiting, leaseRemainingMs, isOfSwitch: true } });
  expect(mergeReports(GROUP, [holding(3, 900), holding(2, 800)]).hold).toEqual({
    state: 'holding',
    epoch: 4,
    waiting: 5,
    leaseRemainingMs: 800,
    isOfSwitch: true,
  });
  expect(mergeReports(GROUP, [holding(3, 900), report()]).hold).toEqual({
    state: 'none',
    epoch: 4,
    waiting: 3,
    leaseRemainingMs: 0,
    isOfSwitch: false,
  });
});

test('a dry run is the sum of what the workers counted, over when it is at each, and absent when one has not seen it', () => {
  const dry = (epoch: number, waiting: number, full: number, isOver = true) =>
    report({ dryRun: { epoch, waiting, full, isOver } });
  const merge = (...reports: LedgerReport[]) => mergeReports(GROUP, reports).dryRun;
  expect(merge(dry(5, 3, 1), dry(5, 4, 0))).toEqual({ epoch: 5, waiting: 7, full: 1, isOver: true });
  expect(merge(dry(5, 3, 1), dry(5, 4, 0, false))).toMatchObject({ isOver: false });
  for (const other of [dry(4, 9, 9), dry(6, 9, 9), report()]) {
    expect(merge(dry(5, 3, 1), other)).toBeUndefined();
    expect(merge(other, dry(5, 3, 1))).toBeUndefined();
  }
  expect(mergeReports(GROUP, [report()])).not.toHaveProperty('dryRun');
});

test('without any report there is nothing to say', () => {
  expect(() => mergeReports(GROUP, [])).toThrow('There must be a report of at least one worker, got none');
});

test('after a loss the counters begin anew, and what was live at the lost one has ended as forced', () => {
  const remaining = report({ requests: requests(100, 5), ended: completed(90), active: live(10) });
  const lost = report({ requests: requests(70), active: live(4, 1) });
  const from = countersAfterLoss([remaining], lost);
  const later = report({ requests: requests(103, 6), ended: completed(95), active: live(8) });
  const replacement = report({ requests: requests(2), ended: completed(2) });
  expect(mergeReports({ ...GROUP, instance: 'next' }, [later, replacement], from)).toMatchObject({
    requests: { total: 5, responded: 5, errors: 1 },
    ended: {
      http: { completed: 7, forced: 4 },
      websocket: { completed: 0, forced: 1 },
    },
    active: { http: 8 },
  });
});

test('a zero counts when nothing ended between two rounds of responses', () => {
  const zero = report({ ended: completed(5) });
  expect(isSameZero([zero, zero], [zero, zero])).toBe(true);
  // A request began at the first after it had responded, and ended before it was asked again.
  expect(isSameZero([zero, zero], [report({ ended: completed(6) }), zero])).toBe(false);
  expect(isSameZero([zero, zero], [zero, report({ ended: completed(5), active: live(1) })])).toBe(false);
});

test('what the drain has cut is a sum, and the fast path is that of the slowest worker', () => {
  const merged = mergeReports(GROUP, [
    report({ drainForced: 3, fastPath: 'untried' }),
    report({ drainForced: 4 }),
    report({ fastPath: 'off' }),
  ]);
  expect(merged).toMatchObject({ drainForced: 7, fastPath: 'off' });
  expect(mergeReports(GROUP, [report(), report({ fastPath: 'untried' })]).fastPath).toBe('untried');
});

test('what the drain has cut of each kind is a sum, and unknown where one does not say it', () => {
  const cut = (http: number) => report({ drainForced: http, drainForcedByKind: { ...NO_CONNECTIONS, http } });
  expect(mergeReports(GROUP, [cut(3), cut(4)])).toMatchObject({ drainForcedByKind: { http: 7, websocket: 0 } });
  expect(mergeReports(GROUP, [cut(3), report({ drainForced: 4 })])).not.toHaveProperty('drainForcedByKind');
});

test.each(['completed', 'moved', 'closed', 'forced'] as const)(
  'a zero at which one has %s meanwhile is none',
  (how) => {
    const endings = (count: number) => ({ ...NOTHING_ENDED, websocket: { ...NO_ENDINGS, [how]: count } });
    const [before, after] = [[report({ ended: endings(1) })], [report({ ended: endings(2) })]];
    expect([isSameZero(before, before), isSameZero(before, after)]).toEqual([true, false]);
    expect(isSameZero([report({ active: live(1) })], [report()])).toBe(false);
    expect(isSameZero([report()], [report({ active: live(1) })])).toBe(false);
  },
);

test('a worker that is lost and never reported took nothing that is known', () => {
  expect(countersAfterLoss([report({ ended: completed(3) })], undefined).ended.http).toMatchObject({
    completed: 3,
    forced: 0,
  });
});

describe('moves', () => {
  const moved = (of: Partial<MoveFigures>) => ({ ...NO_MOVES, ...of });
  const moving = (carried: number, rejected: MoveFigures['rejected'], stall: number[]) =>
    report({
      carried: live(0, carried),
      carriedEnded: { ...NOTHING_ENDED, websocket: { ...NO_ENDINGS, moved: carried } },
      moves: moved({ rejected, stall, longestStallMs: 10 * carried, underWay: 1 }),
    });

  test('are sums; the longest stall is the longest of all', () => {
    const merged = mergeReports(GROUP, [
      moving(2, { noToken: 1, late: 1 }, [0, 3]),
      moving(3, { late: 2 }, [1, 1, 1]),
      // Of an older version.
      report(),
    ]);
    expect(merged).toMatchObject({
      carried: live(0, 5),
      carriedEnded: { websocket: { moved: 5 } },
      moves: { rejected: { noToken: 1, late: 3 }, stall: [1, 4, 1], longestStallMs: 30, underWay: 2 },
    });
  });

  test('of those that remain start from zero when a worker is lost, whose carried connections were cut', () => {
    const remaining = moving(2, { late: 2 }, [0, 3]);
    const from = countersAfterLoss([remaining], moving(4, { noEnd: 1 }, [1]));
    const merged = mergeReports(GROUP, [moving(3, { late: 5 }, [0, 4])], from);
    expect(merged.carriedEnded!.websocket).toEqual({ ...NO_ENDINGS, moved: 1, forced: 4 });
    expect(merged.moves).toMatchObject({ rejected: { late: 3 }, stall: [0, 1] });
  });
});
