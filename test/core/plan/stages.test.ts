import { CutoverError } from '../../../core/errors/errors';
import { describePlan, explainPlan } from '../../../core/plan/explain';
import { estimateSeconds, parsePlan, scaleDurations } from '../../../core/plan/plan';
import { PLAN_PARTS, checkFloor } from '../../../core/plan/plan-floor';
import { Stage, findMaximumBake } from '../../../core/plan/stages';
import { Problems } from '../../../core/validation/problems';

const listProblems = (plan: unknown): string[] => {
  try {
    parsePlan(plan);
  } catch (error) {
    if (error instanceof CutoverError && error.code === 'PlanInvalid') return error.message.split('\n');
    throw error;
  }
  return [];
};
/** `10/60 s` for each stage: the share of the target in percent, and its bake. */
const listShares = (stages: readonly Stage[]) =>
  stages.map(
    ({ weights: { source, target }, bakeSeconds }) => `${(target * 100) / (source + target)}/${bakeSeconds} s`,
  );

describe('shorthands', () => {
  test.each<[string, string[]]>([
    ['canary(5, 10m)', ['5/600 s', '100/600 s']],
    ["canary(5, '10m')", ['5/600 s', '100/600 s']],
    ['canary(0.5,90)', ['0.5/90 s', '100/90 s']],
    [' canary( 99.9 , 1h30m ) ', ['99.9/5400 s', '100/5400 s']],
    ['linear(30, "6m")', ['30/360 s', '60/360 s', '90/360 s', '100/360 s']],
    ['linear(50, 1)', ['50/1 s', '100/1 s']],
    ['linear(33.3, 1m)', ['33.3/60 s', '66.6/60 s', '99.9/60 s', '100/60 s']],
  ])('%s is a list of stages', (text, expected) => {
    const plan = parsePlan({ stages: text });
    expect(listShares(plan.stages)).toEqual(expected);
    // Everything else sees the stages alone.
    expect(parsePlan({ stages: plan.stages })).toEqual(plan);
    expect(explainPlan(plan).stages).toHaveLength(expected.length);
  });

  test('the smallest steps are as many as a plan may have, and each is a weight', () => {
    const { stages } = parsePlan({ stages: 'linear(2, 60)', confirmTimeoutSeconds: 20 });
    expect(stages).toHaveLength(50);
    expect(stages.map(({ weights }) => weights.target)).toEqual(stages.map((_, index) => 2 * (index + 1)));
  });

  test('from the target the sides are exchanged', () => {
    const { stages, initialWeights } = parsePlan({ from: 'target', stages: 'canary(5, 1m)' });
    expect(stages.map(({ weights }) => weights)).toEqual([
      { source: 5, target: 95 },
      { source: 100, target: 0 },
    ]);
    expect(initialWeights).toEqual({ source: 0, target: 100 });
  });

  const form = "'stages' must be a list of 1 to 50 stages, canary(PERCENT, BAKE) or linear(PERCENT, BAKE), got";
  test.each([
    ['canary(0, 10m)', "'stages' must be canary(PERCENT, BAKE) with a percentage from 0.1 to 99.9, got"],
    ['canary(100, 10m)', "'stages' must be canary(PERCENT, BAKE) with a percentage from 0.1 to 99.9, got"],
    ['linear(1.9, 10m)', "'stages' must be linear(PERCENT, BAKE) with a percentage from 2 to 99.9, got"],
    ['linear(10, 0)', "'stages' must be linear(PERCENT, BAKE) with a bake from 1 to 604800 seconds"],
    ['linear(10, 604801)', "'stages' must be linear(PERCENT, BAKE) with a bake from 1 to 604800 seconds"],
    ['canary(5)', form],
    ['canary(5, )', form],
    ['canary(5 %, 10m)', form],
    ['canary(5, 10 m)', form],
    ['canary(5, 10m, 3)', form],
    ['canary(0.05, 10m)', form],
    ['Canary(5, 10m)', form],
    ['blueGreen()', form],
    ['', form],
  ])('%p is rejected in one line', (text, message) => {
    expect(listProblems({ stages: text })).toEqual([expect.stringContaining(message)]);
  });

  test('a switch has one stage, and no shorthand', () => {
    const plan = { strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared' }, stages: 'canary(5, 1m)' };
    expect(listProblems(plan)).toEqual(["'stages' must be one stage, because a switch moves all at once, got 2"]);
  });

  test('the deployed plan is the floor of a shorthand, too', () => {
    const check = (text: string) => {
      const problems = new Problems();
      checkFloor(parsePlan({ stages: text }), parsePlan({ stages: 'linear(25, 5m)' }), PLAN_PARTS, problems);
      return problems.all;
    };
    expect(check('linear(20, 6m)')).toEqual([]);
    expect(check('canary(25, 5m)')).toEqual([expect.stringContaining('watch for 600 s at 50/50 or less')]);
  });
});

describe('the longest bake of a stage', () => {
  const stage = { weights: { source: 0, target: 1 }, bakeSeconds: 300 };

  test('default: twice as long as the shortest', () => {
    expect(findMaximumBake(stage)).toBe(600);
    expect(findMaximumBake({ ...stage, maximumBakeSeconds: 300 })).toBe(300);
  });

  test('it is no shorter than the shortest', () => {
    const stages = [{ ...stage, bakeSeconds: '5m', maximumBakeSeconds: '4m59s' }];
    expect(listProblems({ stages })).toEqual([
      "'stages[0].maximumBakeSeconds' must be at least 300, the 'bakeSeconds' of the stage, got 299",
    ]);
  });

  test('it counts in the duration, in the history, and where durations are scaled', () => {
    const short = parsePlan({ stages: [stage] });
    const long = parsePlan({ stages: [{ ...stage, maximumBakeSeconds: '1h' }] });
    expect(estimateSeconds(long).longest - estimateSeconds(short).longest).toBe(3000);
    expect(estimateSeconds(long).typical).toBe(estimateSeconds(short).typical);
    expect(explainPlan(long).history.most - explainPlan(short).history.most).toBe((3000 / 15) * 9);
    expect(scaleDurations(long, 10).stages).toEqual([{ ...stage, bakeSeconds: 30, maximumBakeSeconds: 360 }]);
    expect(describePlan(long)).toContain('watched for 5 min to 1 h.');
    expect(describePlan(parsePlan({ stages: [{ ...stage, maximumBakeSeconds: 300 }] }))).toContain(
      'watched for 5 min.',
    );
    const [problem] = listProblems({ pollSeconds: 1, stages: [{ ...stage, maximumBakeSeconds: '12h' }] });
    expect(problem).toContain("'pollSeconds' must be at least");
  });
});
