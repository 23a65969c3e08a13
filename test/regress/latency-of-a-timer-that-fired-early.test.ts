import { Histogram } from '../../rehearsal/traffic/counting/histogram';

test('a response that came before its request was due by the clock is the shortest, and hides no quantile', () => {
  const histogram = new Histogram();
  for (let count = 0; count < 90; count += 1) histogram.add(2);
  for (let count = 0; count < 10; count += 1) histogram.add(-0.3);
  expect(histogram.quantile(0.5)).toBeCloseTo(2, 0);
  expect(histogram.quantile(0.99)).toBeGreaterThanOrEqual(histogram.quantile(0.5));
  expect(histogram.quantile(0.05)).toBe(0.1);
});
