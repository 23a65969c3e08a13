import { UsageError } from '../../../rehearsal/errors/usage-error';
import { checkOpenFiles, computeOpenFiles } from '../../../rehearsal/run/open-files';
import { SWITCH_RATES, timesRates } from '../../../rehearsal/traffic/options';

test('the usual limit of 1,024 is enough for the default traffic of each strategy, and for more than was measured', () => {
  for (const rates of [timesRates(1), SWITCH_RATES]) {
    expect(computeOpenFiles(rates)).toBeGreaterThan(741);
    expect(() => checkOpenFiles(rates, 1_024)).not.toThrow();
  }
});

test('too few are rejected, with what is enough', () => {
  const needed = computeOpenFiles(timesRates(1));
  expect(() => checkOpenFiles(timesRates(1), needed - 1)).toThrow(UsageError);
  expect(() => checkOpenFiles(timesRates(1), needed - 1)).toThrow(`ulimit -n ${needed}`);
  expect(() => checkOpenFiles(timesRates(1), Infinity)).not.toThrow();
});
