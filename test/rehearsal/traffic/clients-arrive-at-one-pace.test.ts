import { DEFAULT_RATES, NO_PAGES_OF_OURS, findArrivalMs, timesRates } from '../../../rehearsal/traffic/options';

test('fewer clients arrive in less time, each as long behind the one before as in the default traffic', () => {
  expect(findArrivalMs(DEFAULT_RATES)).toBe(4_000);
  expect(findArrivalMs(timesRates(0.5))).toBeCloseTo(2_000, -2);
  expect(findArrivalMs({ ...timesRates(1), ...NO_PAGES_OF_OURS })).toBeLessThan(1_000);
  expect(findArrivalMs({ ...DEFAULT_RATES, webSockets: 0 })).toBeGreaterThan(500);
});

test('more clients than usual take no longer', () => {
  expect(findArrivalMs(timesRates(10))).toBe(4_000);
});
