import { wilsonLowerBound, wilsonUpperBound } from '../../../core/judge/wilson';

test('the interval is that of the literature', () => {
  expect(wilsonLowerBound(10, 100)).toBeCloseTo(0.0552, 3);
  expect(wilsonUpperBound(10, 100)).toBeCloseTo(0.1602, 3);
});

test('of no trials nothing is known, and of failures alone all', () => {
  expect([wilsonLowerBound(0, 0), wilsonUpperBound(0, 0)]).toEqual([0, 1]);
  expect([wilsonLowerBound(3, 0), wilsonUpperBound(5, 5), wilsonUpperBound(7, 5)]).toEqual([1, 1, 1]);
  expect(wilsonLowerBound(0, 50)).toBeCloseTo(0, 10);
});
