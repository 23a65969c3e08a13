import { rowsWithoutProbe } from '../../bench/conformance/suites/probes';

test('each row of "What it rejects" has a probe', () => {
  expect(rowsWithoutProbe()).toEqual([]);
});
