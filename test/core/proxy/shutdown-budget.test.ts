import { budgetProblem, longestGraceSeconds } from '../../../core/proxy/shutdown-budget';

const BUDGET = {
  propagationSeconds: 5,
  gracePeriodSeconds: 100,
  gracefulShutdownTimeoutSeconds: 10,
  stopTimeoutSeconds: 120,
};

test('a shutdown that ends just in time is no problem', () => {
  expect(budgetProblem(BUDGET)).toBeUndefined();
  expect(longestGraceSeconds(BUDGET)).toBe(100);
});

test('one that does not says what would fit, and out of which figures', () => {
  expect(budgetProblem({ ...BUDGET, gracePeriodSeconds: 300 })).toBe(
    "'grace_period_seconds' must be at most 100 (stop_timeout_seconds 120 less propagation_seconds 5 + " +
      'graceful_shutdown_timeout_seconds 10 + a margin of 5), got 300',
  );
  expect(budgetProblem({ ...BUDGET, propagationSeconds: 5.5 })).toContain('at most 99.5 ');
});

test('where no grace period fits, the time that is granted is the problem', () => {
  expect(budgetProblem({ ...BUDGET, stopTimeoutSeconds: 19 })).toBe(
    "'stop_timeout_seconds' must be at least 20 (propagation_seconds 5 + graceful_shutdown_timeout_seconds 10 + a margin " +
      'of 5), got 19',
  );
  expect(budgetProblem({ ...BUDGET, gracePeriodSeconds: 0, stopTimeoutSeconds: 20 })).toBeUndefined();
});
