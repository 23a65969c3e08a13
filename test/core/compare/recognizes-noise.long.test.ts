import { NOISY, simulate } from '../../../bench/compare/simulate';

const seeds = Array.from({ length: 200 }, (_, index) => 1_000 + index);

test('of 200 clean comparisons that are long enough to be promoted at most one is rolled back', () => {
  const verdicts = seeds.map((seed) => simulate({ seed, comparisons: 8_000, repeated: 0.4, noise: NOISY }).verdict);
  expect(verdicts.filter((verdict) => verdict === 'roll back').length).toBeLessThanOrEqual(1);
  expect(verdicts.filter((verdict) => verdict === 'promote').length).toBeGreaterThanOrEqual(150);
});
