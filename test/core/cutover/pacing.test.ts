import { PaceSeen, decidePace, describePace, findNextStep } from '../../../core/cutover/pacing';
import { CutoverRun, begin } from '../../../core/cutover/run';
import { parsePlan } from '../../../core/plan/plan';
import { findPercent } from '../../../core/plan/rollback-pace';
import type { SideState } from '../../../core/judge/side-state';
import type { Weights } from '../../../core/traffic/weights';

const T0 = Date.parse('2026-01-01T00:00:00Z');
const SERVES: SideState = { serves: true };
const DEAD: SideState = { serves: false, code: 'SmokeFailed', reason: 'GET / on the target must return 200, got 502' };
const UNKNOWN: SideState = { serves: 'unknown', isHealthy: true, reason: 'no response' };

/** All traffic has been on the side that got it, as the last stage leaves it. */
function leftRun(rollbackPace: object, more: Partial<CutoverRun> = {}, plan: object = {}): CutoverRun {
  const run = begin('night', '2026-01-01T00:00:00.000Z', parsePlan({ ...plan, rollbackPace }));
  return { ...run, stage: { index: run.plan.stages.length - 1, shiftedAtMs: 0, confirmedAtMs: 1 }, ...more };
}

const seen = (more: Partial<PaceSeen> = {}): PaceSeen => ({
  mustStay: false,
  other: SERVES,
  healthyTargets: 4,
  weights: { source: 0, target: 100 },
  ...more,
});

const record = (run: CutoverRun, pace: NonNullable<CutoverRun['rollback']>['pace'], more: object = {}): CutoverRun => ({
  ...run,
  rollback: { startedAt: new Date(T0).toISOString(), ...(pace && { pace }), ...more },
});

const STEPS = { steps: [25, 50], lookSeconds: 30 };

/** What a rollback sets, second by second, with what it sees at each of them. */
function simulate(
  run: CutoverRun,
  look: (second: number, percent: number) => Partial<PaceSeen>,
  seconds = 600,
): { second: number; percent: number }[] {
  let now = run;
  let weights: Weights = run.plan.stages[run.stage!.index]!.weights;
  const sets: { second: number; percent: number }[] = [];
  for (let second = 0; second <= seconds; second += 1) {
    const nowMs = T0 + second * 1000;
    const decision = decidePace(now, seen({ weights, ...look(second, findPercent(weights, run.plan.from)) }), nowMs);
    now = record(now, decision.pace);
    if (decision.kind === 'step') weights = decision.weights;
    if (decision.kind === 'all') weights = run.plan.initialWeights;
    if (decision.kind === 'step' || decision.kind === 'all')
      sets.push({ second, percent: findPercent(weights, run.plan.from) });
    if (decision.kind === 'all') break;
  }
  return sets;
}

test('without a pace all is set at once, and nothing is on record', () => {
  expect(decidePace(leftRun({}), seen(), T0)).toEqual({ kind: 'all' });
  const older = JSON.parse(
    JSON.stringify({ ...leftRun({}), plan: { ...leftRun({}).plan, rollbackPace: undefined } }),
  ) as CutoverRun;
  expect(decidePace(older, seen({ other: undefined }), T0)).toEqual({ kind: 'all' });
});

test('the first step is set at once, the next ones when the side has served for so long, and all at the end', () => {
  expect(simulate(leftRun(STEPS), () => ({}))).toEqual([
    { second: 0, percent: 25 },
    { second: 30, percent: 50 },
    { second: 60, percent: 100 },
  ]);
});

test('a cutover from the target has the same pace the other way', () => {
  expect(simulate(leftRun(STEPS, {}, { from: 'target' }), () => ({})).map(({ percent }) => percent)).toEqual([
    25, 50, 100,
  ]);
});

test.each<[string, SideState | undefined]>([
  ['does not serve', DEAD],
  ['is unknown', UNKNOWN],
  ['was not looked at', undefined],
])('a side that %s is left at once, at the beginning and in the middle', (_, other) => {
  expect(decidePace(leftRun(STEPS), seen({ other }), T0)).toMatchObject({
    kind: 'all',
    pace: { steps: [{ percent: 100 }] },
  });
  const sets = simulate(leftRun(STEPS), (second) => (second < 7 ? {} : { other }));
  expect(sets).toEqual([
    { second: 0, percent: 25 },
    { second: 7, percent: 100 },
  ]);
  const waiting = leftRun({ ...STEPS, capacity: 'wait' });
  expect(simulate(waiting, (second) => ({ healthyTargets: 0, ...(second >= 3 && { other }) }))).toEqual([
    { second: 3, percent: 100 },
  ]);
});

test('a side that fails behind a step gets no more until it has served for the whole time again', () => {
  const sets = simulate(leftRun(STEPS), (second) => ({ mustStay: second >= 20 && second < 25 }));
  expect(sets.map(({ second }) => second)).toEqual([0, 24 + 30, 24 + 60]);
  expect(simulate(leftRun(STEPS), (second) => ({ mustStay: second >= 20 }))).toHaveLength(1);
});

test('a side that must stay gets nothing, whatever the other one is', () => {
  for (const other of [SERVES, DEAD, UNKNOWN]) {
    expect(decidePace(leftRun(STEPS), seen({ mustStay: true, other }), T0)).toEqual({ kind: 'stop' });
    expect(decidePace(leftRun({}), seen({ mustStay: true, other }), T0)).toEqual({ kind: 'stop' });
  }
});

describe('capacity', () => {
  const initial = { stickiness: { enabled: false, seconds: 0 }, others: {}, ownDigest: '', healthyTargets: 3 };
  const waits = (more: object = {}, run: Partial<CutoverRun> = { initial }) =>
    leftRun({ steps: [50], lookSeconds: 10, capacity: 'wait', waitSeconds: 60, ...more }, run);

  test.each<[string, CutoverRun, number, string]>([
    ['as many as at preflight', waits(), 3, 'step'],
    ['fewer', waits(), 2, 'wait'],
    ['none', waits(), 0, 'wait'],
    ['as many as the plan says', waits({ minimumHealthyTargets: 2 }), 2, 'step'],
    ['fewer than the plan says', waits({ minimumHealthyTargets: 5 }), 4, 'wait'],
    ['one, where preflight has counted none', waits({}, {}), 1, 'step'],
  ])('with %s', (_, run, healthyTargets, kind) => {
    expect(decidePace(run, seen({ healthyTargets }), T0).kind).toBe(kind);
  });

  test('an unknown number is waited for, and nothing is scaled for it', () => {
    const decision = decidePace(waits({ capacity: 'scaleOut' }), seen({ healthyTargets: undefined }), T0);
    expect(decision).toEqual({ kind: 'wait', pace: expect.objectContaining({ steps: [] }) as unknown });
  });

  test('when its time has passed it goes on, and says so', () => {
    const run = waits();
    expect(simulate(run, () => ({ healthyTargets: 2 })).map(({ second }) => second)).toEqual([60, 70]);
    let at = decidePace(run, seen({ healthyTargets: 2 }), T0);
    at = decidePace(record(run, at.pace), seen({ healthyTargets: 2 }), T0 + 60_000);
    expect(describePace(at.pace!)).toEqual([
      '2 of 3 healthy targets, waited 60 s, went on all the same',
      '50 % at 00:01:00',
    ]);
  });

  test('it is the first thing, and once: targets that end behind a step are judged as a side that serves or does not', () => {
    const sets = simulate(waits(), (second) => ({ healthyTargets: second < 5 ? 2 : second < 8 ? 3 : 1 }));
    expect(sets.map(({ second }) => second)).toEqual([5, 15]);
  });

  test('the desired count is raised until it is on record, and never without the plan', () => {
    const run = waits({ capacity: 'scaleOut' });
    const first = decidePace(run, seen({ healthyTargets: 1 }), T0);
    expect(first).toMatchObject({ kind: 'wait', scaleOutTo: 3 });
    // The call failed: it is made again.
    expect(decidePace(record(run, first.pace), seen({ healthyTargets: 1 }), T0 + 2_000)).toMatchObject({
      scaleOutTo: 3,
    });
    const done = { ...first.pace!, capacity: { ...first.pace!.capacity!, scaledOutTo: 3 } };
    const again = decidePace(record(run, done), seen({ healthyTargets: 1 }), T0 + 4_000);
    expect(again).toMatchObject({ kind: 'wait', pace: { capacity: { scaledOutTo: 3 } } });
    expect(again).not.toHaveProperty('scaleOutTo');
    expect(decidePace(waits(), seen({ healthyTargets: 1 }), T0)).not.toHaveProperty('scaleOutTo');
  });

  test('without steps it is waited for all the same', () => {
    const sets = simulate(waits({ steps: [] }), (second) => ({ healthyTargets: second < 9 ? 0 : 3 }));
    expect(sets).toEqual([{ second: 9, percent: 100 }]);
  });
});

describe('no step takes traffic back to the side that is left', () => {
  const at = (index: number, isConfirmed = true) => ({
    stage: { index, shiftedAtMs: 0, ...(isConfirmed && { confirmedAtMs: 1 }) },
  });
  // The stages of the default plan give the source 90, 50, 10 and 0 %.
  test.each<[string, Partial<CutoverRun>, Weights | undefined, number[]]>([
    ['at the first stage it has more than any step', at(0), { source: 90, target: 10 }, [100]],
    ['at the second it has as much as the last one', at(1), { source: 50, target: 50 }, [100]],
    ['at the third less', at(2), { source: 10, target: 90 }, [25, 50, 100]],
    ['a stage that was not confirmed: what it had before', at(2, false), { source: 10, target: 90 }, [100]],
    ['or a first one', at(0, false), { source: 100, target: 0 }, [100]],
    ['weights that a person has set', at(3), { source: 40, target: 60 }, [50, 100]],
    ['a rule that forwards elsewhere', at(3), undefined, [25, 50, 100]],
  ])('%s', (_, run, weights, expected) => {
    const sets = simulate({ ...leftRun(STEPS), ...run }, (second) => (second === 0 ? { weights } : {}));
    expect(sets.map(({ percent }) => percent)).toEqual(expected);
  });

  test('such a side is not waited for either', () => {
    const run = leftRun({ ...STEPS, capacity: 'wait' }, at(0));
    expect(decidePace(run, seen({ healthyTargets: 0 }), T0).kind).toBe('all');
  });

  test('a step that was set by a call that was cut short is set again, and has its whole time', () => {
    const cut = seen({ weights: { source: 25, target: 75 } });
    expect(decidePace(leftRun(STEPS), cut, T0)).toMatchObject({ kind: 'step', percent: 25 });
  });

  test('all weights that a person has set meanwhile end it', () => {
    const run = record(leftRun(STEPS), { steps: [{ percent: 25, at: new Date(T0).toISOString() }] });
    expect(decidePace(run, seen({ weights: { source: 100, target: 0 } }), T0 + 1_000).kind).toBe('all');
  });
});

test('a rollback that has set all, or shifted nothing, has no pace', () => {
  expect(decidePace(record(leftRun(STEPS), undefined, { hasSet: true }), seen({ other: DEAD }), T0).kind).toBe('all');
  const unshifted = begin('night', '2026-01-01T00:00:00.000Z', leftRun(STEPS).plan);
  expect(decidePace(unshifted, seen(), T0)).toEqual({ kind: 'all' });
});

test('a recovery says why it goes at once', () => {
  const decision = decidePace(leftRun(STEPS), seen({ other: undefined, atOnce: 'the execution has ended' }), T0);
  expect(decision).toMatchObject({ kind: 'all', pace: { atOnce: 'the execution has ended' } });
});

test('whatever it sees: shares only rise, nothing is given to a side that must stay, and it ends in time', () => {
  let state = 42;
  const random = () => ((state = (state * 1_103_515_245 + 12_345) % 2 ** 31) >> 8) / 2 ** 23;
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  for (let trial = 0; trial < 400; trial += 1) {
    const steps = [5, 20, 33, 50, 80].filter(() => random() < 0.5);
    const capacity = pick(['ignore', 'wait', 'scaleOut']);
    const pace = { steps, lookSeconds: pick([1, 7, 20]), capacity, waitSeconds: pick([1, 30, 100]) };
    const stage = { index: pick([0, 1, 2, 3]), shiftedAtMs: 0, ...(random() < 0.8 && { confirmedAtMs: 1 }) };
    const run = leftRun(pace, { stage }, { from: pick(['source', 'target']) });
    const troubledUntil = pick([0, 0, 40, 150]);
    const looks: PaceSeen[] = [];
    const sets = simulate(run, (second) => {
      const isTroubled = second < troubledUntil;
      const look = {
        mustStay: isTroubled && random() < 0.2,
        other: random() < 0.02 ? pick([DEAD, UNKNOWN]) : SERVES,
        healthyTargets: pick([0, 1, 4, undefined]),
      };
      looks[second] = seen(look);
      return look;
    });
    const shares = sets.map(({ percent }) => percent);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(new Set(shares).size).toBe(shares.length);
    expect(shares.at(-1)).toBe(100);
    const warm = findPercent(run.plan.stages[stage.index]!.weights, run.plan.from);
    expect(shares[0]).toBeGreaterThan(warm);
    for (const { second, percent } of sets) {
      expect(looks[second]!.mustStay).toBe(false);
      if (looks[second]!.other!.serves !== true) expect(percent).toBe(100);
    }
    for (const [index, { second }] of sets.slice(1).entries()) {
      const isPaced = looks[second]!.other!.serves === true;
      if (isPaced) expect(second - sets[index]!.second).toBeGreaterThanOrEqual(pace.lookSeconds);
    }
    expect(sets.at(-1)!.second).toBeLessThan(240 + troubledUntil + steps.length * pace.lookSeconds);
  }
});

test('a person who waits sees what comes next', () => {
  const run = leftRun({ ...STEPS, capacity: 'wait', waitSeconds: 60 });
  expect(findNextStep(run)).toBeUndefined();
  const waiting = record(run, decidePace(run, seen({ healthyTargets: 0 }), T0).pace);
  expect(findNextStep(waiting)).toEqual({
    what: 'the rollback goes on without more targets of the source',
    atMs: T0 + 60_000,
  });
  const first = record(run, { steps: [{ percent: 25, at: new Date(T0).toISOString() }] });
  expect(findNextStep(first)).toEqual({ what: 'the rollback gives the source 50 %', atMs: T0 + 30_000 });
  const last = record(run, { steps: [{ percent: 50, at: new Date(T0).toISOString() }] });
  expect(findNextStep(last)).toMatchObject({ what: 'the rollback gives the source all of its traffic' });
});
