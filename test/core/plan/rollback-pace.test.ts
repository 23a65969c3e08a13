import { CutoverError } from '../../../core/errors/errors';
import { describePlan } from '../../../core/plan/explain';
import { parsePlan, scaleDurations } from '../../../core/plan/plan';
import { PLAN_PARTS, checkFloor } from '../../../core/plan/plan-floor';
import { Problems } from '../../../core/validation/problems';

const listProblems = (plan: object): string[] => {
  try {
    parsePlan(plan);
  } catch (error) {
    if (error instanceof CutoverError) return error.message.split('\n');
    throw error;
  }
  return [];
};
const SWITCH = { strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared' } };

test('by default all is given back at once', () => {
  expect(parsePlan({}).rollbackPace).toEqual({
    ...{ steps: [], lookSeconds: 20, capacity: 'ignore', minimumHealthyTargets: 0, waitSeconds: 60 },
  });
  expect(describePlan(parsePlan({}))).not.toContain('\nRollback\n');
});

test.each<[object, string]>([
  [{ rollbackPace: { steps: [0] } }, "'rollbackPace.steps' must be a list of integers from 1 to 99"],
  [{ rollbackPace: { steps: [100] } }, "'rollbackPace.steps' must be a list of integers from 1 to 99"],
  [{ rollbackPace: { steps: [50, 25] } }, "'rollbackPace.steps' must be ascending, got [50,25]"],
  [
    { rollbackPace: { steps: [50], capacity: 'grow' } },
    "'rollbackPace.capacity' must be one of ignore, wait, scaleOut",
  ],
  [
    { rollbackPace: { steps: [20, 40, 60, 80], lookSeconds: 60 } },
    "'rollbackPace' must be done in less than 240 s, its steps and its wait together, got 240",
  ],
  [
    { rollbackPace: { steps: [50], lookSeconds: '1m', capacity: 'wait', waitSeconds: '3m' } },
    "'rollbackPace' must be done in less than 240 s, its steps and its wait together, got 240",
  ],
  [
    {
      initialWeights: { source: 60, target: 40 },
      stages: [{ weights: { source: 0, target: 100 } }],
      rollbackPace: { steps: [30, 60] },
    },
    "'rollbackPace.steps' must be percentages below the 60 % of the initial weights, which follow by themselves, got [30,60]",
  ],
  [
    { ...SWITCH, rollbackPace: { steps: [50] } },
    "'rollbackPace' must be absent unless 'strategy' is gradual: a switch moves all",
  ],
  [{ ...SWITCH, rollbackPace: { capacity: 'wait' } }, "'rollbackPace' must be absent unless 'strategy' is gradual"],
])('%j is rejected', (plan, line) => {
  expect(listProblems(plan)).toEqual([expect.stringContaining(line)]);
});

test.each<[object]>([
  [{ rollbackPace: { steps: [99], lookSeconds: 239 } }],
  // A wait that is not asked for takes no time.
  [{ rollbackPace: { steps: [50], lookSeconds: 100, waitSeconds: 200 } }],
  [{ from: 'target', rollbackPace: { steps: [25, 50] } }],
  [{ ...SWITCH, rollbackPace: {} }],
])('%j is accepted', (plan) => {
  expect(listProblems(plan)).toEqual([]);
});

test('an execution may add steps and time, and takes none away', () => {
  const check = (given: object, deployed: object) => {
    const problems = new Problems();
    checkFloor(parsePlan({ rollbackPace: given }), parsePlan({ rollbackPace: deployed }), PLAN_PARTS, problems);
    return problems.all;
  };
  const deployed = { steps: [25, 50], lookSeconds: 20, capacity: 'wait', minimumHealthyTargets: 3, waitSeconds: 30 };
  expect(check(deployed, {})).toEqual([]);
  expect(check(deployed, deployed)).toEqual([]);
  const more = { ...deployed, steps: [10, 25, 50], lookSeconds: 30, minimumHealthyTargets: 4, waitSeconds: 60 };
  expect(check(more, deployed)).toEqual([]);
  expect(check({}, deployed)).toEqual([
    "'rollbackPace.steps' must be a list with 25, 50, as deployed, got []",
    '\'rollbackPace.capacity\' must be wait, as deployed, got "ignore"',
    "'rollbackPace.minimumHealthyTargets' must be at least 3, as deployed, got 0",
  ]);
  expect(check({ ...deployed, steps: [10, 50], lookSeconds: 10, waitSeconds: 10 }, deployed)).toHaveLength(3);
  expect(check({ ...deployed, minimumHealthyTargets: 0 }, deployed)).toHaveLength(1);
  // How many there were at preflight is not known here.
  expect(check(deployed, { ...deployed, minimumHealthyTargets: 0 })).toHaveLength(1);
  // The rights for it are those of the deployed plan.
  expect(check({ ...deployed, capacity: 'scaleOut' }, deployed)).toEqual([
    '\'rollbackPace.capacity\' must be ignore or wait, as deployed, got "scaleOut"',
  ]);
});

test('it is explained, and as fast as a rehearsal', () => {
  const pace = { steps: [25, 50], lookSeconds: 30, capacity: 'scaleOut', waitSeconds: 90 };
  const plan = parsePlan({ rollbackPace: pace });
  const text = describePlan(plan);
  expect(text).toContain('It waits up to 1 min 30 s until the source has as many healthy targets as at preflight.');
  expect(text).toContain('The source gets 25 %, 50 %, 100/0, 30 s apart, while it serves.');
  expect(text).toContain('In all up to 2 min 30 s. A target that does not serve is left at once.');
  expect(scaleDurations(plan, 30).rollbackPace).toMatchObject({ lookSeconds: 1, waitSeconds: 3, steps: [25, 50] });
});
