import { requestsToProve } from '../../../core/plan/judge-plan';
import { parsePlan } from '../../../core/plan/plan';
import { poissonBelow, freshRequests, minShare, withEnoughRequests } from '../../../rehearsal/run/enough-requests';
import { NO_PAGES_OF_OURS, timesRates } from '../../../rehearsal/traffic/options';

/** The default plan as `--speed 60` makes it, with the traffic of `--traffic`. */
const scaled = (bakeSeconds: number) =>
  parsePlan({
    stages: [
      { weights: { source: 90, target: 10 }, bakeSeconds },
      { weights: { source: 0, target: 100 }, bakeSeconds },
    ],
  });
const planFor = (traffic: number, speed = 60, plan = scaled(Math.max(1, Math.round(300 / speed)))) =>
  withEnoughRequests(plan, { rates: timesRates(traffic), traffic, speed });
/** How many requests prove a stage. */
const proof = (...asked: Parameters<typeof planFor>) => requestsToProve(planFor(...asked).judge.errorBudget);

test('a plan whose stages have time for its budget stays as it is', () => {
  const plan = scaled(300);
  expect(planFor(1, 1, plan)).toBe(plan);
  const modest = parsePlan({ ...scaled(20), judge: { errorBudget: 0.5 } });
  expect(planFor(1, 60, modest)).toBe(modest);
});

test('short stages and less traffic take a larger budget, so that no verdict is left to chance', () => {
  expect([proof(1), proof(1, 10), proof(0.5), proof(0.1)]).toEqual([12, 123, 5, 1]);
});

test('a bake whose arrivals are too few to prove its weights may go on for longer', () => {
  const maxima = (traffic: number) => planFor(traffic).stages.map(({ maximumBakeSeconds }) => maximumBakeSeconds);
  expect([maxima(1), maxima(0.1)]).toEqual([
    [34, undefined],
    [311, 12],
  ]);
});

test('it is proven at the share of the traffic that a slow machine reduces it to', () => {
  expect([planFor(1), planFor(0.5)].map((plan, index) => minShare(plan, timesRates([1, 0.5][index]!)))).toEqual([
    0.25, 0.25,
  ]);
});

test('of many requests, too, which have no number e^-n', () => {
  const strict = parsePlan({ ...scaled(60), judge: { errorBudget: 0.0001 } });
  expect(requestsToProve(planFor(10, 5, strict).judge.errorBudget)).toBeLessThan(4000);
});

test('where even that would be left to chance it is rejected, with what would do', () => {
  const thin = parsePlan({
    stages: [
      { weights: { source: 99, target: 1 }, bakeSeconds: 5 },
      { weights: { source: 0, target: 1 }, bakeSeconds: 5 },
    ],
  });
  expect(() => planFor(0.1, 60, thin)).toThrow(
    /^'--traffic' and '--speed' must bring the target of stage 1 \(99\/1\) about \d+ requests, to be sure of 1, got about 1\.\d in 10 s; take --speed \d+ or --traffic \d\.\d$/,
  );
  expect(() => planFor(1, 600)).toThrow(/stage 1 \(90\/10\) about \d+ requests, to be sure of 10, got/);
});

test('only requests without a cookie count: the others stay where they came from', () => {
  expect(freshRequests(timesRates(1))).toBe(55 + 10 + 20 + 22.5);
  expect(freshRequests({ ...timesRates(1), ...NO_PAGES_OF_OURS })).toBe(55 + 10 + 22.5);
});

test('the chance of too few is that of a Poisson distribution', () => {
  // Tables of the distribution, mean 10.
  expect(poissonBelow(10, 10)).toBeCloseTo(0.4579, 4);
  expect(poissonBelow(5, 10)).toBeCloseTo(0.0293, 4);
  expect([poissonBelow(0, 3), poissonBelow(1, 0)]).toEqual([0, 1]);
});
