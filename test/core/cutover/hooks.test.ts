import fc from 'fast-check';
import { PendingHook, buildCall, findHookProblem, isOwnNo, listPending, recordHook } from '../../../core/cutover/hooks';
import { CutoverRun, begin } from '../../../core/cutover/run';
import { MAX_HOOKS, PhaseHook } from '../../../core/plan/phase-hooks';
import { parsePlan } from '../../../core/plan/plan';

const hook = (name: string): PhaseHook => ({
  ...parsePlan({ hooks: [{ name, when: 'afterBake', url: 'http://a' }] }).hooks[0]!,
});
const start = (hooks: readonly PhaseHook[]): CutoverRun => begin('night', '2026-01-01T00:00:00Z', parsePlan({ hooks }));
const anything = fc.oneof(fc.jsonValue(), fc.anything(), fc.constant(undefined));

test('nothing passes but a yes with the key of the call, whatever else it says', () => {
  const call = { key: 'night/afterBake/1/a/1' };
  fc.assert(
    fc.property(anything, (response) => {
      expect(findHookProblem(call, response)).toMatch(/^it (must respond|said no)/);
    }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (more, key) => {
      expect(findHookProblem(call, { ...more, ok: true, ...call })).toBeUndefined();
      expect(findHookProblem(call, { ...more, ok: true, key }) === undefined).toBe(key === call.key);
    }),
  );
});

test('a no is one line for people, whatever its reason has', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (why) => {
      const problem = findHookProblem({ key: 'a' }, { ok: false, why }) ?? '';
      expect(problem).toMatch(/^it said no: /);
      expect(problem.length).toBeLessThan(260);
      expect(problem).not.toMatch(/[\u0000-\u001f\u007f]/);
      expect(isOwnNo({ ok: false, why })).toBe(true);
    }),
  );
});

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
