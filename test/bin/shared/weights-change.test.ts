import type { Forward } from '../../../core/traffic/forward';
import { LockHolder, describeHolder } from '../../../core/traffic/lock';
import type { OperatorPorts } from '../../../lambda/operator';
import type { Undrained } from '../../../lambda/steps/undrain';
import { WeightsChange, changeWeights, readWeights } from '../../../bin/shared/weights-change';

const ARNS = { source: 's', target: 't' };
const stickiness = { enabled: true, seconds: 60 };

/** A rule, its targets and its lock in memory. */
class MemoryRule {
  forward: Forward | undefined = forward({ s: 100 });
  healthy = { source: 1, target: 1 };
  holder: LockHolder | undefined;
  calls: string[] = [];
  /** What the stack's function returns; undefined where it has none. */
  undrained: Undrained | undefined = { state: { serves: true }, notUndrained: [] };
  onSet: () => void = () => undefined;
  onCheck: () => void = () => undefined;

  readonly ports: OperatorPorts = {
    loadBalancer: {
      groupArns: ARNS,
      ruleArn: 'rule',
      rules: async () => [{ arn: 'rule', digest: '', matchDigest: '', ...(this.forward && { forward: this.forward }) }],
      setForward: async (next, untilMs) => {
        expect(untilMs).toBe(285_000);
        this.calls.push(`set ${next.groups.map(({ arn, weight }) => `${arn}=${weight}`).join(' ')}`);
        this.forward = next;
        this.onSet();
      },
      registeredTargets: () => Promise.resolve([]),
      healthyTargets: async (side) => this.healthy[side],
      mark: () => Promise.reject(new Error('a person marks nothing')),
      marks: () => Promise.resolve({}),
    },
    describeHeld: async (holder) => describeHolder(holder),
    undrain: async (side) => {
      this.calls.push(`undrain ${side}`);
      return this.undrained;
    },
    lock: {
      heldByAnother: async (execution) => (this.holder?.execution === execution ? undefined : this.holder),
      holding: async (execution, work) => {
        this.calls.push(`lock ${execution}`);
        try {
          return await work({ untilMs: 285_000, check: async () => this.onCheck() });
        } finally {
          this.calls.push('free');
        }
      },
    },
  };
}

function forward(groups: Record<string, number>): Forward {
  return { groups: Object.entries(groups).map(([arn, weight]) => ({ arn, weight })), stickiness };
}

let rule: MemoryRule;
let nowMs: number;
let held: boolean[];
let warnings: string[];
beforeEach(() => {
  [rule, nowMs, held, warnings] = [new MemoryRule(), 0, [], []];
});

const change = (over: Partial<WeightsChange> = {}) =>
  changeWeights(rule.ports, {
    weights: { source: 90, target: 10 },
    execution: 'manual-1',
    isForced: false,
    agree: async () => true,
    onLock: (isHeld) => void held.push(isHeld),
    warn: (message) => void warnings.push(message),
    endInOrder: () => undefined,
    signal: new AbortController().signal,
    now: () => nowMs,
    pause: async (ms) => void (nowMs += ms),
    ...over,
  });

test('weights are set under the lock, with the stickiness in force, and read back', async () => {
  expect(await change()).toEqual({ before: { source: 100, target: 0 }, outcome: 'changed' });
  expect(rule.calls).toEqual(['lock manual-1', 'undrain target', 'set s=90 t=10', 'free']);
  expect(rule.forward?.stickiness).toEqual(stickiness);
});

test('a side of weight 0 leaves the action', async () => {
  await change({ weights: { source: 0, target: 5 } });
  expect(rule.calls).toContain('set t=5');
});

test('weights that are in force already are not written again, also while a cutover runs', async () => {
  rule.holder = { execution: 'move-1', startedAt: 'then' };
  expect(await change({ weights: { source: 1, target: 0 } })).toMatchObject({ outcome: 'unchanged' });
  expect(rule.calls).toEqual([]);
});

test('the one who says no changes nothing', async () => {
  const asked: unknown[] = [];
  const agree: WeightsChange['agree'] = async (before) => {
    asked.push(before);
    return false;
  };
  expect(await change({ agree })).toMatchObject({ outcome: 'declined' });
  expect(asked).toEqual([{ source: 100, target: 0 }]);
  expect(rule.calls).toEqual([]);
});

test('a held lock rejects, and reports who holds it', async () => {
  rule.holder = { execution: 'move-1', startedAt: '2026-01-01T00:00:00.000Z' };
  await expect(change()).rejects.toMatchObject({
    code: 'LockHeld',
    message: "the lock must be free, got one held by 'move-1' since 2026-01-01T00:00:00.000Z",
  });
  expect(rule.calls).toEqual([]);
});

test('a lock of a person or a deployment says when it ends by itself', async () => {
  rule.holder = { execution: 'manual-2', startedAt: 'then', expiresAt: 'later' };
  await expect(change()).rejects.toThrow(
    "the lock must be free, got one held by 'manual-2' since then, which ends by itself at later",
  );
});

test('a lock that was lost meanwhile changes nothing', async () => {
  rule.onCheck = () => {
    throw new Error('lost');
  };
  await expect(change()).rejects.toThrow('lost');
  expect(rule.calls).toEqual(['lock manual-1', 'undrain target', 'free']);
});

test('reports from when to when the lock may be held', async () => {
  rule.onSet = () => expect(held).toEqual([true]);
  await change();
  expect(held).toEqual([true, false]);
  rule.ports.lock.holding = async () => Promise.reject(new Error('no'));
  await expect(change({ weights: { source: 1, target: 1 } })).rejects.toThrow('no');
  expect(held).toEqual([true, false, true, false]);
});

test('a side without healthy targets gets no weight, unless forced', async () => {
  rule.healthy.target = 0;
  await expect(change()).rejects.toMatchObject({ code: 'TargetsUnhealthy' });
  await expect(change({ weights: { source: 1, target: 0 } })).resolves.toMatchObject({ outcome: 'unchanged' });
  await expect(change({ isForced: true })).resolves.toMatchObject({ outcome: 'changed' });
});

test('a side that has lost its healthy targets while the person thought gets no weight either', async () => {
  const agree = async () => {
    rule.healthy.target = 0;
    return true;
  };
  await expect(change({ agree })).rejects.toMatchObject({ code: 'TargetsUnhealthy' });
  expect(rule.calls).toEqual(['lock manual-1', 'free']);
});

test('a call without a response says that it may have done its work; one that was rejected does not', async () => {
  rule.onSet = () => {
    throw new Error('socket hang up');
  };
  await expect(change()).rejects.toThrow('socket hang up; the weights may have been set all the same: look at them');
  rule.forward = forward({ s: 100 });
  rule.onSet = () => {
    throw Object.assign(new Error('not you'), { $fault: 'client' });
  };
  await expect(change()).rejects.toThrow(/^not you$/);
});

test('a rule that changed since the person was asked is left alone, and the lock is given back', async () => {
  const agree = async () => {
    rule.forward = forward({ s: 50, t: 50 });
    return true;
  };
  await expect(change({ agree })).rejects.toMatchObject({
    code: 'RulesChanged',
    message: 'the rule must be as it was shown, got weights of 50/50',
  });
  expect(rule.calls).toEqual(['lock manual-1', 'free']);
});

test('a rule that does other things is not touched', async () => {
  rule.forward = forward({ s: 1, other: 1 });
  await expect(change()).rejects.toMatchObject({ code: 'RuleNotWeighted' });
  rule.forward = undefined;
  await expect(readWeights(rule.ports)).rejects.toMatchObject({ code: 'RuleNotWeighted' });
});

test('weights that do not read back within a minute are an error, and the lock is given back', async () => {
  rule.onSet = () => (rule.forward = forward({ s: 100 }));
  await expect(change()).rejects.toMatchObject({ code: 'ShiftNotConfirmed' });
  expect(nowMs).toBe(60_000);
  expect(rule.calls.at(-1)).toBe('free');
});

test('stopped before the change nothing is written; stopped after it, it says so; the lock is given back', async () => {
  const early = new AbortController();
  const agree = async () => {
    early.abort();
    return true;
  };
  await expect(change({ signal: early.signal, agree })).rejects.toMatchObject({
    code: 'Aborted',
    message: 'stopped: nothing was changed',
  });
  expect(rule.calls).toEqual(['lock manual-1', 'undrain target', 'free']);

  const late = new AbortController();
  rule.onSet = () => {
    rule.forward = forward({ s: 100 });
    late.abort();
  };
  await expect(change({ signal: late.signal })).rejects.toMatchObject({
    message: 'stopped: the weights were set, and not read back yet: look at them again',
  });
  expect(rule.calls.at(-1)).toBe('free');
});

describe('a side that gets weight', () => {
  const bad: [string, Undrained, string][] = [
    [
      'has a proxy that cannot be undrained',
      { state: { serves: true }, notUndrained: ['10.0.0.1 must respond'] },
      'ProxyDraining',
    ],
    [
      'fails its smoke request',
      {
        state: { serves: false, code: 'SmokeFailed', reason: 'GET / on the source must return 200, got 503' },
        notUndrained: [],
      },
      'TargetsUnhealthy',
    ],
    [
      'cannot be looked at',
      { state: { serves: 'unknown', isHealthy: false, reason: 'no response' }, notUndrained: [] },
      'TargetsUnhealthy',
    ],
  ];

  test.each(bad)('gets none when it %s', async (_, undrained, code) => {
    rule.forward = forward({ t: 100 });
    rule.undrained = undrained;
    await expect(change({ weights: { source: 100, target: 0 } })).rejects.toMatchObject({ code });
    expect(rule.calls).toEqual(['lock manual-1', 'undrain source', 'free']);
  });

  test.each(bad)('gets it all the same when it is forced, with a warning: %s', async (_, undrained) => {
    rule.forward = forward({ t: 100 });
    rule.undrained = undrained;
    await change({ weights: { source: 100, target: 0 }, isForced: true });
    expect(rule.calls).toContain('set s=100');
    // Behind it what was moved away was to come back.
    const [forced, ...others] = warnings;
    expect(forced).toContain('; forced');
    expect(others.every((line) => line.startsWith('what its proxies have moved away may stay'))).toBe(true);
  });

  test('may be draining in a stack without the function: a person is warned', async () => {
    rule.undrained = undefined;
    await change();
    expect(warnings).toEqual([expect.stringContaining('the target may be draining')]);
  });
});
