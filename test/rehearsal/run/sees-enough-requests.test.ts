import { parsePlan } from '../../../core/plan/plan';
import { poissonBelow, freshRequests, withEnoughRequests } from '../../../rehearsal/run/enough-requests';
import { NO_PAGES_OF_OURS, timesRates } from '../../../rehearsal/traffic/options';

/** The default plan as `--speed 60` makes it, with the traffic of `--traffic`. */
const scaled = (bakeSeconds: number) =>
  parsePlan({
    stages: [
      { weights: { source: 90, target: 10 }, bakeSeconds },
      { weights: { source: 0, target: 100 }, bakeSeconds },
    ],
  });
const minimum = (traffic: number, speed = 60, plan = scaled(Math.max(1, Math.round(300 / speed)))) =>
  withEnoughRequests(plan, { rates: timesRates(traffic), traffic, speed }).breaker.minimumRequests;

test('with the usual traffic a plan stays as it is', () => {
  expect([minimum(1), minimum(1, 150), minimum(0.5)]).toEqual([10, 10, 10]);
});

test('less traffic scales the requests that a stage must see, so that no verdict is left to chance', () => {
  expect([minimum(0.1), minimum(0.15)]).toEqual([1, 1]);
});

test('where even that would be left to chance it is rejected, with what would do', () => {
  const thin = parsePlan({
    stages: [
      { weights: { source: 99, target: 1 }, bakeSeconds: 5 },
      { weights: { source: 0, target: 1 }, bakeSeconds: 5 },
    ],
  });
  expect(() => minimum(0.1, 60, thin)).toThrow(
    /^'--traffic' and '--speed' must bring the target of stage 1 \(99\/1\) about \d+ requests, to be sure of 1 \(minimumRequests\), got about 1\.\d in 10 s; take --speed \d+ or --traffic \d\.\d$/,
  );
  expect(() => minimum(1, 600)).toThrow(/stage 1 \(90\/10\) about \d+ requests, to be sure of 10 \(minimumRequests\)/);
});

test('a plan that asks for none is never rejected', () => {
  expect(minimum(0.1, 10_000, parsePlan({ breaker: { minimumRequests: 0 } }))).toBe(0);
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
