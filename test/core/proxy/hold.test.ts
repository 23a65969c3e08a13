import {
  Hold,
  Holding,
  NEVER_HELD,
  Transition,
  afterLease,
  ended,
  hold,
  holdReport,
  isFull,
  readHoldOrder,
  readReleaseOrder,
  readRetargetOrder,
  release,
} from '../../../core/proxy/hold';
import { Problems } from '../../../core/validation/problems';

const order = { epoch: 5, leaseMs: 1_000, maxWaiting: 2 };
const holding: Holding = { state: 'holding', epoch: 5, untilMs: 1_100, maxWaiting: 2 };

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
    expect(afterLease(holding, 1_100)).toEqual({ state: 'none', epoch: 5, releasedTo: undefined });
  });

  test('the same epoch again renews the lease, and takes the new room', () => {
    const renewed = next(hold(holding, { ...order, maxWaiting: 7 }, 600));
    expect(renewed).toEqual({ ...holding, untilMs: 1_600, maxWaiting: 7 });
  });

  test('a higher epoch takes over', () => {
    expect(next(hold(holding, { ...order, epoch: 6 }, 600))).toEqual({ ...holding, epoch: 6, untilMs: 1_600 });
  });

  test('a lower epoch than was seen is rejected, while holding and afterwards', () => {
    const problem = "'epoch' must be at least 5, the highest seen, got 4";
    expect(conflict(hold(holding, { ...order, epoch: 4 }, 200))).toBe(problem);
    expect(conflict(hold(ended(holding, 'target'), { ...order, epoch: 4 }, 200))).toBe(problem);
  });

  test('an epoch whose hold has ended does not hold again: it was released, or its lease has expired', () => {
    const problem = "'epoch' must be over 5, whose hold has ended, got 5";
    expect(conflict(hold(ended(holding, 'target'), order, 200))).toBe(problem);
    expect(conflict(hold(holding, order, 1_100))).toBe(problem);
    expect(next(hold(ended(holding, 'target'), { ...order, epoch: 6 }, 200)).state).toBe('holding');
  });
});

describe('release', () => {
  test('ends the hold of its epoch', () => {
    expect(release(holding, { epoch: 5, to: 'target' }, 200)).toEqual({
      next: { state: 'none', epoch: 5, releasedTo: 'target' },
    });
  });

  test('the same again changes nothing', () => {
    const over = ended(holding, 'target');
    expect(next(release(over, { epoch: 5, to: 'target' }, 9_999))).toBe(over);
  });

  test('to the other side afterwards is rejected', () => {
    expect(conflict(release(ended(holding, 'target'), { epoch: 5, to: 'source' }, 200))).toBe(
      "'to' must be target, where epoch 5 was released to, got source",
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

test('there is room for as many as were asked for, which may be none', () => {
  expect(isFull(holding, 1)).toBe(false);
  expect(isFull(holding, 2)).toBe(true);
  expect(isFull({ ...holding, maxWaiting: 0 }, 0)).toBe(true);
});

test('the report says how long the lease still is, and keeps the epoch', () => {
  expect(holdReport(NEVER_HELD, 0, 0)).toEqual({ state: 'none', epoch: 0, waiting: 0, leaseRemainingMs: 0 });
  expect(holdReport(holding, 2, 100.5)).toEqual({ state: 'holding', epoch: 5, waiting: 2, leaseRemainingMs: 1_000 });
  expect(holdReport(holding, 2, 2_000).leaseRemainingMs).toBe(0);
  expect(holdReport(ended(holding, 'target'), 0, 200)).toMatchObject({ state: 'none', epoch: 5 });
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
    expect(readHoldOrder('', order, problems)).toEqual(order);
    expect(readReleaseOrder('', { epoch: 1, to: 'target' }, problems)).toEqual({ epoch: 1, to: 'target' });
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
    expect(listProblems(readRetargetOrder, {})).toEqual(["'to' must be one of source, target, got nothing"]);
    expect(listProblems(readRetargetOrder, {}, 'order')).toEqual([
      "'order.to' must be one of source, target, got nothing",
    ]);
  });
});

test('what is not held is not ended, by an order or by its lease', () => {
  expect(ended(NEVER_HELD, 'source')).toBe(NEVER_HELD);
  expect(afterLease(NEVER_HELD, Number.POSITIVE_INFINITY)).toBe(NEVER_HELD);
});
