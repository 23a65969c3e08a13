import fc from 'fast-check';
import { PendingHook, afterHook, buildCall, describeWait, listPending, recordHook } from '../../../core/cutover/hooks';
import { CutoverRun, begin } from '../../../core/cutover/run';
import { MAX_HOOKS, PhaseHook } from '../../../core/plan/phase-hooks';
import { parsePlan } from '../../../core/plan/plan';

const hook = (name: string): PhaseHook => ({
  ...parsePlan({ hooks: [{ name, when: 'afterBake', url: 'http://a' }] }).hooks[0]!,
});
const start = (hooks: readonly PhaseHook[]): CutoverRun => begin('night', '2026-01-01T00:00:00Z', parsePlan({ hooks }));

test('however many calls there are, each is made once, failures stay, and the state stays small', () => {
  const hooks = Array.from({ length: MAX_HOOKS }, (_, at) => hook(`hook-${at}`));
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 200, size: 'max' }), (outcomes) => {
      let run = start(hooks);
      const called: string[] = [];
      outcomes.forEach((passes, at) => {
        const points = [{ when: 'afterBake' as const, stage: 1 + Math.floor(at / MAX_HOOKS), attempt: 1 }];
        const pending = listPending(run, points);
        expect(pending).toHaveLength(MAX_HOOKS - (at % MAX_HOOKS));
        called.push(buildCall(run, pending[0]!).key);
        run = recordHook(run, pending[0]!, { seconds: 1, ...(!passes && { problem: 'x'.repeat(5_000) }) }, 0);
      });
      expect(new Set(called).size).toBe(called.length);
      const { records, leftOut } = run.hooks!;
      expect(records.length + leftOut).toBe(outcomes.length);
      expect(JSON.stringify(run.hooks).length).toBeLessThan(20_000);
      const failures = outcomes.filter((passes) => !passes).length;
      const kept = records.filter(({ outcome }) => outcome === 'failed').length;
      if (failures <= 20) expect(kept).toBe(failures);
    }),
    { numRuns: 30 },
  );
});

test('a call of a rollback has its reason, and those of stages their weights', () => {
  const run = { ...start([]), failure: { code: 'Aborted', message: 'an operator asked' } } as const;
  const at = (when: 'afterRollback' | 'beforeShift', more = {}): PendingHook => ({
    hook: { ...hook('a'), when },
    point: { when, attempt: 1, ...more },
  });
  expect(buildCall(run, at('afterRollback'))).toMatchObject({
    failure: { code: 'Aborted' },
    key: 'night/afterRollback/a/1',
  });
  expect(buildCall(run, at('beforeShift', { stage: 2 }))).toMatchObject({
    weights: { source: 50, target: 50 },
    stage: 2,
  });
});

describe('one that says not yet', () => {
  const waiting = (more: Partial<PhaseHook> = {}): { run: CutoverRun; pending: PendingHook } => {
    const given = { ...hook('a'), ...more };
    return { run: start([given]), pending: { hook: given, point: { when: given.when, stage: 1, attempt: 1 } } };
  };
  /** Each call takes a second. */
  function callUntilItEnds(more: Partial<PhaseHook>, delaySeconds: number): { run: CutoverRun; at: number[] } {
    const { pending, ...given } = waiting(more);
    let run: CutoverRun = { ...given.run, hooking: { points: [pending.point], resume: 'nextStage' } };
    const at: number[] = [];
    for (let nowMs = 0; ; nowMs = run.hooking!.waiting!.nextAtMs) {
      at.push(nowMs / 1000);
      run = afterHook(run, pending, { delaySeconds, seconds: 1 }, nowMs + 1_000);
      if (run.verdict !== 'wait') return { run, at };
    }
  }

  test('is called again after its delay, and the last time at its limit', () => {
    const { run, at } = callUntilItEnds({ waitSeconds: 75 }, 30);
    expect(at).toEqual([0, 31, 62, 75]);
    expect(run).toMatchObject({
      verdict: 'rollBack',
      failure: {
        message: "the hook 'a' (afterBake, stage 1) must pass, got: it must pass within 75 s, got IN_PROGRESS",
      },
      hooks: { records: [{ outcome: 'failed', calls: 4, seconds: 76 }] },
    });
    expect(run.hooking?.waiting).toBeUndefined();
  });

  test('fails at once where it may not, and waits for ten minutes where its plan says nothing', () => {
    expect(callUntilItEnds({ waitSeconds: 0 }, 30).at).toEqual([0]);
    expect(callUntilItEnds({}, 600).at).toEqual([0, 600]);
  });

  test('may say so for a day: its state stays small', () => {
    const { run, at } = callUntilItEnds({ when: 'beforeDrain', waitSeconds: 86_400 }, 600);
    expect(at).toHaveLength(145);
    expect(run.hooks?.records[0]?.notYetAt).toHaveLength(10);
    expect(JSON.stringify(run.hooks).length).toBeLessThan(1_000);
  });

  test('is called with the number of the call, and the same key', () => {
    const { run, pending } = waiting();
    const again = afterHook(run, pending, { delaySeconds: 30, seconds: 1 }, 1_000);
    expect(buildCall(run, pending)).toMatchObject({ key: 'night/afterBake/1/a/1', call: 1 });
    expect(buildCall(again, pending)).toMatchObject({ key: 'night/afterBake/1/a/1', call: 2 });
    expect(describeWait(again.hooking!.waiting!)).toBe("'a' says not yet, 1 call, next at 00:00:31 UTC");
  });
});
