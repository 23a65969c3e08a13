import {
  Hold,
  Holding,
  NEVER_HELD,
  Transition,
  afterLease,
  decided,
  ended,
  hold,
  holdReport,
  findRejection,
  findRetargetConflict,
  readHoldOrder,
  readReleaseOrder,
  readRetargetOrder,
  release,
} from '../../../core/proxy/hold';
import { Problems } from '../../../core/validation/problems';
import { holdOrder } from '../../support/hold-order';

const order = holdOrder({ epoch: 5, leaseMs: 1_000, maxWaiting: 2 });
const limits = { maxWaiting: 2, maxWaitMs: 30_000, maxHoldMs: 60_000 };
const holding: Holding = { state: 'holding', epoch: 5, committed: 0, sinceMs: 100, untilMs: 1_100, limits };
const outcomes = { commit: 'target', abort: 'source' } as const;
const ofSwitch = holdOrder({ ...order, outcomes });
const switching: Holding = { ...holding, outcomes };

function next(transition: Transition): Hold {
  if ('conflict' in transition) throw new Error(transition.conflict);
  return transition.next;
}

function conflict(transition: Transition): string | undefined {
  return 'conflict' in transition ? transition.conflict : undefined;
}

describe('hold', () => {
  test('begins, and lasts as long as its lease', () => {
    expect(hold(NEVER_HELD, order, 100)).toEqual({ next: holding });
    expect(afterLease(holding, 1_099)).toBe(holding);
    expect(afterLease(holding, 1_100)).toMatchObject({ state: 'none', epoch: 5, committed: 0, endedMs: 1_100 });
  });

  test('the same epoch again renews the lease, and takes the new room', () => {
    const renewed = next(hold(holding, { ...order, maxWaiting: 7 }, 600));
    expect(renewed).toEqual({ ...holding, untilMs: 1_600, limits: { ...limits, maxWaiting: 7 } });
  });

  test('a higher epoch takes over', () => {
    expect(next(hold(holding, { ...order, epoch: 6 }, 600))).toEqual({ ...holding, epoch: 6, untilMs: 1_600 });
  });

  test('a lower epoch than was seen is rejected, while holding and afterwards', () => {
    const problem = "'epoch' must be at least 5, the highest seen, got 4";
    expect(conflict(hold(holding, { ...order, epoch: 4 }, 200))).toBe(problem);
    expect(conflict(hold(ended(holding, 'target', 150), { ...order, epoch: 4 }, 200))).toBe(problem);
  });

  test('an epoch whose hold has ended does not hold again: it was released, or its lease has expired', () => {
    const problem = "'epoch' must be over 5, whose hold has ended, got 5";
    expect(conflict(hold(ended(holding, 'target', 150), order, 200))).toBe(problem);
    expect(conflict(hold(holding, order, 1_100))).toBe(problem);
    expect(next(hold(ended(holding, 'target', 150), { ...order, epoch: 6 }, 200)).state).toBe('holding');
  });
});

describe('release', () => {
  test('ends the hold of its epoch', () => {
    expect(release(holding, { epoch: 5, to: 'target' }, 200)).toEqual({
      next: { state: 'none', epoch: 5, committed: 0, releasedTo: 'target', endedMs: 200 },
    });
  });

  test('the same again changes nothing', () => {
    const over = ended(holding, 'target', 150);
    expect(next(release(over, { epoch: 5, to: 'target' }, 9_999))).toBe(over);
  });

  test('to the other side afterwards is rejected', () => {
    expect(conflict(release(ended(holding, 'target', 150), { epoch: 5, to: 'source' }, 200))).toBe(
      "'to' must be target, as epoch 5 was released, got source",
    );
  });

  test('with another epoch than that in force is rejected', () => {
    for (const epoch of [4, 6]) {
      expect(conflict(release(holding, { epoch, to: 'source' }, 200))).toBe(
        `'epoch' must be 5, that of the hold in force, got ${epoch}`,
      );
    }
    expect(conflict(release(NEVER_HELD, { epoch: 5, to: 'source' }, 200))).toBe(
      "'epoch' must be that of a hold in force, got 5 without a hold",
    );
  });

  test('of a hold whose lease has expired is rejected: its requests went on', () => {
    expect(conflict(release(holding, { epoch: 5, to: 'target' }, 1_100))).toBe(
      "'epoch' must be that of a hold in force, got 5, whose hold ended by itself",
    );
  });
});

test('there is room for as many as were asked for, which may be none, and for as long as was asked for', () => {
  expect(findRejection(holding, 1, 200)).toBeUndefined();
  expect(findRejection(holding, 2, 200)).toBe('full');
  expect(findRejection({ ...holding, limits: { ...limits, maxWaiting: 0 } }, 0, 200)).toBe('full');
  expect(findRejection(holding, 1, 60_099)).toBeUndefined();
  expect(findRejection(holding, 1, 60_100)).toBe('windowOver');
});

describe('the hold of a switch', () => {
  const deciding: Hold = { state: 'deciding', epoch: 5, committed: 0, sinceMs: 100, limits, outcomes };

  test('asks for the decision when its lease has expired, and goes nowhere by itself', () => {
    expect(hold(NEVER_HELD, ofSwitch, 100)).toEqual({ next: switching });
    expect(afterLease(switching, 1_100)).toEqual(deciding);
    expect(afterLease(deciding, 9_999_999)).toBe(deciding);
  });

  test('follows the decision of its epoch alone', () => {
    for (const held of [switching, deciding]) {
      const over = { state: 'none', epoch: 5, endedMs: 2_000 };
      expect(decided(held, 5, 'commit', 2_000)).toEqual({
        ...over,
        releasedTo: 'target',
        outcome: 'commit',
        committed: 5,
      });
      expect(decided(held, 5, 'abort', 2_000)).toEqual({
        ...over,
        releasedTo: 'source',
        outcome: 'abort',
        committed: 0,
      });
      expect(decided(held, 4, 'commit', 2_000)).toBe(held);
    }
    expect(decided(holding, 5, 'commit', 2_000)).toBe(holding);
  });

  test('is released by what was decided, and by nothing else', () => {
    for (const held of [switching, deciding]) {
      const released = next(release(held, { epoch: 5, outcome: 'commit' }, 1_000));
      expect(released).toMatchObject({ releasedTo: 'target', outcome: 'commit', committed: 5 });
      expect(next(release(released, { epoch: 5, outcome: 'commit' }, 1_001))).toBe(released);
      expect(conflict(release(released, { epoch: 5, outcome: 'abort' }, 1_001))).toBe(
        "'outcome' must be commit, as epoch 5 was released, got abort",
      );
      expect(conflict(release(held, { epoch: 5, to: 'target' }, 1_000))).toBe(
        "'outcome' must be given: the hold of a switch (epoch 5) ends by its decision, got nothing",
      );
    }
    expect(conflict(release(holding, { epoch: 5, outcome: 'commit' }, 200))).toBe(
      "'to' must be given: the hold (epoch 5) is of no switch, got nothing",
    );
  });

  test('knows the last commit: by its own end, or by the order of the next switch when it missed that', () => {
    const missed = next(hold(switching, { ...ofSwitch, epoch: 6, committed: 5 }, 500));
    expect(decided(missed, 6, 'abort', 600)).toMatchObject({ committed: 5 });
    expect(decided(missed, 6, 'commit', 600)).toMatchObject({ committed: 6 });
    // A hold by hand changes nothing of it.
    const later = decided(missed, 6, 'commit', 600);
    expect(next(hold(later, { ...order, epoch: 9 }, 700))).toMatchObject({ epoch: 9, committed: 6 });
  });

  test('keeps a retarget from coming late', () => {
    const over = decided(switching, 5, 'commit', 600);
    expect(findRetargetConflict(switching, { to: 'target', epoch: 5 }, true)).toMatch(/must stay as it is/);
    expect(findRetargetConflict(over, { to: 'source', epoch: 5 }, true)).toBeUndefined();
    expect(findRetargetConflict(over, { to: 'source', epoch: 4 }, true)).toBe(
      "'epoch' must be 5, the highest seen, where a switch may come, got 4",
    );
    expect(findRetargetConflict(over, { to: 'source' }, true)).toMatch(/got nothing$/);
    expect(findRetargetConflict(over, { to: 'source' }, false)).toBeUndefined();
  });

  test('is not renewed once its lease has expired, and gives way to that of a later switch alone', () => {
    expect(conflict(hold(deciding, ofSwitch, 2_000))).toBe("'epoch' must be over 5, whose lease has expired, got 5");
    const later = holdOrder({ ...order, epoch: 6 });
    for (const held of [switching, deciding]) {
      expect(conflict(hold(held, later, 500))).toBe(
        "'outcomes' must be given while a switch holds (epoch 5), got nothing",
      );
      expect(next(hold(held, { ...later, outcomes }, 500))).toMatchObject({ state: 'holding', epoch: 6, sinceMs: 100 });
    }
  });
});

test('a hold that comes too soon after the last one is rejected', () => {
  const soon = holdOrder({ ...order, epoch: 6, minIntervalMs: 1_000 });
  const over = ended(holding, 'source', 500);
  expect(conflict(hold(over, soon, 1_499))).toBe(
    'a hold must begin at least 1000 ms after the end of the last one, got 999 ms',
  );
  expect(next(hold(over, soon, 1_500)).state).toBe('holding');
  expect(next(hold(NEVER_HELD, soon, 0)).state).toBe('holding');
});

test('the report says how long the lease still is, and keeps the epoch', () => {
  expect(holdReport(NEVER_HELD, 0, 0)).toEqual({
    state: 'none',
    epoch: 0,
    waiting: 0,
    leaseRemainingMs: 0,
    isOfSwitch: false,
  });
  expect(holdReport(holding, 2, 100.5)).toEqual({
    state: 'holding',
    epoch: 5,
    waiting: 2,
    leaseRemainingMs: 1_000,
    isOfSwitch: false,
  });
  expect(holdReport(holding, 2, 2_000).leaseRemainingMs).toBe(0);
  expect(holdReport(ended(holding, 'target', 150), 0, 200)).toMatchObject({ state: 'none', epoch: 5 });
});

describe('orders', () => {
  function listProblems(
    read: (name: string, value: unknown, problems: Problems) => unknown,
    value: unknown,
    name = '',
  ) {
    const problems = new Problems();
    read(name, value, problems);
    return problems.all;
  }

  test('are read as they are', () => {
    const problems = new Problems();
    expect(readHoldOrder('', { epoch: 5, leaseMs: 1_000, maxWaiting: 2 }, problems)).toEqual(order);
    expect(readHoldOrder('', ofSwitch, problems)).toEqual(ofSwitch);
    expect(readReleaseOrder('', { epoch: 1, to: 'target' }, problems)).toEqual({
      epoch: 1,
      to: 'target',
      rampPerSecond: 0,
    });
    expect(readRetargetOrder('', { to: 'source' }, problems)).toEqual({ to: 'source' });
    expect(problems.all).toEqual([]);
  });

  test('all problems are reported at once: nothing has a default', () => {
    expect(listProblems(readHoldOrder, {})).toEqual([
      "'epoch' must be an integer from 1 to 9007199254740991, got nothing",
      "'leaseMs' must be an integer from 1 to 600000, got nothing",
      "'maxWaiting' must be an integer from 0 to 100000, got nothing",
    ]);
    expect(listProblems(readHoldOrder, { epoch: 0, leaseMs: 600_001, maxWaiting: -1, wait: 1 })).toHaveLength(4);
    expect(listProblems(readReleaseOrder, { epoch: 1.5, to: 'elsewhere' })).toEqual([
      "'epoch' must be an integer from 1 to 9007199254740991, got 1.5",
      '\'to\' must be one of source, target, got "elsewhere"',
    ]);
    expect(listProblems(readHoldOrder, { ...order, outcomes: { commit: 'target', abort: 'back', to: 1 } })).toEqual([
      '\'outcomes.to\' must be one of commit, abort, got "to"',
      '\'outcomes.abort\' must be one of source, target, got "back"',
    ]);
    expect(listProblems(readRetargetOrder, {})).toEqual(["'to' must be one of source, target, got nothing"]);
    expect(listProblems(readRetargetOrder, {}, 'order')).toEqual([
      "'order.to' must be one of source, target, got nothing",
    ]);
  });
});

test('what is not held is not ended, by an order or by its lease', () => {
  expect(ended(NEVER_HELD, 'source', 0)).toBe(NEVER_HELD);
  expect(afterLease(NEVER_HELD, Number.POSITIVE_INFINITY)).toBe(NEVER_HELD);
});

test('a hold of a switch says which connections are moved, or nothing of it', () => {
  const problems = new Problems();
  const order = { epoch: 1, leaseMs: 1, maxWaiting: 1 };
  expect(readHoldOrder('', { ...order, moves: 'none' }, problems).moves).toBe('none');
  expect(readHoldOrder('', order, problems)).not.toHaveProperty('moves');
  expect(problems.all).toEqual([]);
  readHoldOrder('order', { ...order, moves: 1 }, problems);
  expect(problems.all).toEqual(["'order.moves' must be one of none, resumable, all, got 1"]);
});

test('a retarget says which connections are moved, or nothing of it', () => {
  const problems = new Problems();
  expect(readRetargetOrder('', { to: 'target', moves: 'all' }, problems)).toEqual({ to: 'target', moves: 'all' });
  expect(readRetargetOrder('', { to: 'target' }, problems)).toEqual({ to: 'target' });
  expect(problems.all).toEqual([]);
  readRetargetOrder('', { to: 'target', moves: 'some' }, problems);
  expect(problems.all).toEqual(['\'moves\' must be one of none, resumable, all, got "some"']);
});
