/** What a graceful shutdown may take, and what is granted for it. All in seconds. */
export interface DrainBudget {
  /** New connections are still taken after SIGTERM. */
  readonly propagationSeconds: number;
  readonly gracePeriodSeconds: number;
  /** For closing what is left after the grace period. */
  readonly gracefulShutdownTimeoutSeconds: number;
  /** From SIGTERM to SIGKILL. */
  readonly stopTimeoutSeconds: number;
}

/** To spare between the end of a shutdown and the kill: the last lines of the log must leave, too. */
export const BUDGET_MARGIN_SECONDS = 5;

/** The longest grace period that ends in time; below 0 where none does. */
export function longestGraceSeconds(budget: Omit<DrainBudget, 'gracePeriodSeconds'>): number {
  return budget.stopTimeoutSeconds - outsideGrace(budget);
}

/** Why a shutdown would be killed before its end, in one line of name, rule and value; undefined when it fits. */
export function budgetProblem(budget: DrainBudget): string | undefined {
  const { propagationSeconds, gracePeriodSeconds, gracefulShutdownTimeoutSeconds, stopTimeoutSeconds } = budget;
  const longest = longestGraceSeconds(budget);
  if (gracePeriodSeconds <= longest) return undefined;
  const beside = `propagation_seconds ${propagationSeconds} + graceful_shutdown_timeout_seconds ${gracefulShutdownTimeoutSeconds} + a margin of ${BUDGET_MARGIN_SECONDS}`;
  if (longest < 0) {
    return `'stop_timeout_seconds' must be at least ${outsideGrace(budget)} (${beside}), got ${stopTimeoutSeconds}`;
  }
  return `'grace_period_seconds' must be at most ${longest} (stop_timeout_seconds ${stopTimeoutSeconds} less ${beside}), got ${gracePeriodSeconds}`;
}

function outsideGrace(budget: Omit<DrainBudget, 'gracePeriodSeconds'>): number {
  return budget.propagationSeconds + budget.gracefulShutdownTimeoutSeconds + BUDGET_MARGIN_SECONDS;
}
